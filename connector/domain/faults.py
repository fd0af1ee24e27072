"""The one catalogue of faults: command line, logs, console and documentation are made from it.

Each entry has a stable id, one sentence that says what happened, its usual cause, and what to do now.
"""

from dataclasses import dataclass
from enum import StrEnum


class FaultId(StrEnum):
    """Stable ids: they appear in logs, metrics and documentation, and are never renamed."""

    CONFIG_INVALID = "config-invalid"
    CONFIG_UNREADABLE = "config-unreadable"

    PBX_UNREACHABLE = "pbx-unreachable"
    PBX_NOT_SERVING = "pbx-not-serving"
    PBX_ASSOCIATION_REFUSED = "pbx-association-refused"
    PBX_CLOSED = "pbx-closed"
    PBX_SILENT = "pbx-silent"
    PBX_PROTOCOL = "pbx-protocol"
    PBX_REQUEST_REFUSED = "pbx-request-refused"
    PBX_MONITOR_LIMIT = "pbx-monitor-limit"
    PBX_NO_DEVICE = "pbx-no-device"

    CLOUD_NAME_UNKNOWN = "cloud-name-unknown"
    CLOUD_UNREACHABLE = "cloud-unreachable"
    CLOUD_CERTIFICATE_UNTRUSTED = "cloud-certificate-untrusted"
    CLOUD_CERTIFICATE_NAME = "cloud-certificate-name"
    CLOUD_CERTIFICATE_EXPIRED = "cloud-certificate-expired"
    CLOUD_TLS = "cloud-tls"
    CLOUD_NOT_WEBSOCKET = "cloud-not-websocket"
    CLOUD_NOT_AUTHORIZED = "cloud-not-authorized"
    CLOUD_NO_MECHANISM = "cloud-no-mechanism"
    CLOUD_ACCOUNT_DISABLED = "cloud-account-disabled"
    CLOUD_DOWNGRADED = "cloud-downgraded"
    CLOUD_NOT_BOUND = "cloud-not-bound"
    CLOUD_MISCONFIGURED = "cloud-misconfigured"
    CLOUD_TOO_MUCH = "cloud-too-much"
    CLOUD_IMPOSTOR = "cloud-impostor"
    CLOUD_REPLACED = "cloud-replaced"
    CLOUD_CLOSED = "cloud-closed"
    CLOUD_SILENT = "cloud-silent"
    CLOUD_PROTOCOL = "cloud-protocol"
    CLOUD_REQUEST_REFUSED = "cloud-request-refused"

    ENDED_ON_SITE = "ended-on-site"
    CLOUD_CERTIFICATE_WEAK = "cloud-certificate-weak"
    CLOUD_PIN_MISMATCH = "cloud-pin-mismatch"
    TLS_INTERCEPTED = "tls-intercepted"
    CLOCK_WRONG = "clock-wrong"

    PROXY_NAME_UNKNOWN = "proxy-name-unknown"
    PROXY_UNREACHABLE = "proxy-unreachable"
    PROXY_TIMEOUT = "proxy-timeout"
    PROXY_TLS = "proxy-tls"
    PROXY_AUTH = "proxy-auth"
    PROXY_AUTH_UNSUPPORTED = "proxy-auth-unsupported"
    PROXY_DENIED = "proxy-denied"
    PROXY_UPSTREAM = "proxy-upstream"
    PROXY_PROTOCOL = "proxy-protocol"
    PROXY_STRIPS_WEBSOCKET = "proxy-strips-websocket"

    NOT_ACTIVATED = "not-activated"
    CLOUD_RESET = "cloud-reset"
    CLOUD_DELETED = "cloud-deleted"
    AGENT_DISABLED = "agent-disabled"
    CREDENTIALS_DAMAGED = "credentials-damaged"
    CREDENTIALS_FOREIGN = "credentials-foreign"
    CREDENTIALS_KEY_MISSING = "credentials-key-missing"
    SECOND_AGENT = "second-agent"
    CLOUD_CERTIFICATE_EXPIRING = "cloud-certificate-expiring"
    SETTINGS_REFUSED = "settings-refused"
    OWN_PROTOCOL = "own-protocol"
    NUMBER_NOT_CANONICAL = "number-not-canonical"
    EVENT_NOT_TRANSLATABLE = "event-not-translatable"
    QUEUE_FULL = "queue-full"
    STORE_UNUSABLE = "store-unusable"
    STORE_OTHER_VERSION = "store-other-version"
    STORE_DAMAGED = "store-damaged"
    EVENT_QUARANTINED = "event-quarantined"
    EVENTS_LOST = "events-lost"
    INVITATION_FAILED = "invitation-failed"
    AGENT_NOT_RUNNING = "agent-not-running"
    AGENT_SILENT = "agent-silent"
    CONTROL_REFUSED = "control-refused"
    CONTROL_SOCKET_UNUSABLE = "control-socket-unusable"
    HTTP_PORT_UNUSABLE = "http-port-unusable"
    AGENT_ALREADY_RUNNING = "agent-already-running"


@dataclass(frozen=True, slots=True)
class Fault:
    """What a person is told: `sentence` (what), `cause` (why, usually), `remedy` (what to do now)."""

    sentence: str
    cause: str
    remedy: str


FAULTS: dict[FaultId, Fault] = {
    FaultId.CONFIG_INVALID: Fault(
        "A setting is wrong.",
        "A name is misspelt, a value has the wrong form, or a needed setting is missing.",
        "Correct the named line, then check with `oxbridge config validate --config FILE`.",
    ),
    FaultId.CONFIG_UNREADABLE: Fault(
        "The configuration file can't be read.",
        "It does not exist, belongs to another user, or is not TOML.",
        "Check the path after --config and the file's owner and mode.",
    ),
    FaultId.PBX_UNREACHABLE: Fault(
        "The PBX can't be reached.",
        "Wrong address, no route, or nothing listens on its CSTA port (2555 unless changed).",
        "Check [pbx] host and port, and that a firewall lets this machine reach them.",
    ),
    FaultId.PBX_NOT_SERVING: Fault(
        "The PBX answered, but does not serve CSTA here.",
        "This is the standby CPU, CSTA is not licensed, or another service owns the port.",
        "Point [pbx] host at the main CPU and check the PBX's CSTA licence.",
    ),
    FaultId.PBX_ASSOCIATION_REFUSED: Fault(
        "The PBX refused the CSTA association.",
        "It shares no CSTA phase with us, or allows no further application.",
        'Check [pbx] kind; set association = "none" for a PBX without ACSE.',
    ),
    FaultId.PBX_CLOSED: Fault(
        "The PBX closed the CSTA link.",
        "It restarts, switches over, or the network between broke.",
        "Nothing: the agent connects again and monitors its devices anew.",
    ),
    FaultId.PBX_SILENT: Fault(
        "The PBX went silent.",
        "Two heartbeats stayed without an answer: the PBX hangs or the network drops packets.",
        "Nothing: the agent connects again. If it repeats, check the PBX's load and the network.",
    ),
    FaultId.PBX_PROTOCOL: Fault(
        "The PBX sent something that is not CSTA.",
        "Another service owns the port, or the PBX speaks a variant that is not known.",
        "Check [pbx] port and kind; report the excerpt in the log.",
    ),
    FaultId.PBX_REQUEST_REFUSED: Fault(
        "The PBX refused a request.",
        "The device is unknown, busy, or the service is not licensed.",
        "Look up the error code in docs/how-to/real-pbx.md.",
    ),
    FaultId.PBX_MONITOR_LIMIT: Fault(
        "The PBX allows no further monitored device.",
        "The limit of its licence or of its kind is reached (an OXO: 208).",
        "Take devices out of [pbx] devices, or extend the licence.",
    ),
    FaultId.PBX_NO_DEVICE: Fault(
        "None of the configured devices exists on the PBX.",
        "The numbers of [pbx] devices do not match the PBX's directory.",
        "Write the PBX's own set numbers and ranges into [pbx] devices.",
    ),
    FaultId.CLOUD_NAME_UNKNOWN: Fault(
        "The gateway's name can't be resolved.",
        "The name is misspelt, or this machine has no working DNS.",
        "Check [cloud] host and this machine's resolver.",
    ),
    FaultId.CLOUD_UNREACHABLE: Fault(
        "The gateway can't be reached.",
        "No route to the Internet, a firewall blocks port 443, or the gateway is down.",
        "Let this machine open TCP 443 to the gateway.",
    ),
    FaultId.CLOUD_CERTIFICATE_UNTRUSTED: Fault(
        "The gateway's certificate is not trusted.",
        "It is signed by a private authority, or a device on the way inspects TLS.",
        "Put the authority's certificate into [cloud] ca_file, after checking that it is the right one.",
    ),
    FaultId.CLOUD_CERTIFICATE_NAME: Fault(
        "The gateway's certificate is for another name.",
        "[cloud] host is not the name the gateway presents.",
        "Write the name from the certificate into [cloud] host.",
    ),
    FaultId.CLOUD_CERTIFICATE_EXPIRED: Fault(
        "The gateway's certificate is not valid at this time.",
        "It has expired, or this machine's clock is wrong.",
        "Check this machine's clock first, then ask the gateway's operator.",
    ),
    FaultId.CLOUD_TLS: Fault(
        "No secure connection to the gateway could be made.",
        "The far end does not speak TLS 1.2 or newer on this port.",
        "Check [cloud] host and port.",
    ),
    FaultId.CLOUD_NOT_WEBSOCKET: Fault(
        "The gateway's port answered, but not as the gateway.",
        "Wrong path, a proxy or firewall that strips the WebSocket upgrade, or another web server.",
        "Check [cloud] host, port and path; ask for WebSocket to be passed on the way.",
    ),
    FaultId.CLOUD_NOT_AUTHORIZED: Fault(
        "The gateway did not accept this PBX-ID with this code.",
        "The activation code is wrong or was replaced by a reset, or the PBX-ID is not known there.",
        "Compare [cloud] pbx_id with the Rainbow console and run `oxbridge activate` with its current code.",
    ),
    FaultId.CLOUD_NO_MECHANISM: Fault(
        "The gateway offers no way of logging in that we accept.",
        "It offers only PLAIN, or nothing that we know.",
        "Ask the gateway's operator for SCRAM; only if that can't be, set [cloud] allow_plain = true.",
    ),
    FaultId.CLOUD_ACCOUNT_DISABLED: Fault(
        "The gateway has switched this PBX's account off.",
        "The account is disabled or its code has expired in the Rainbow administration.",
        "Activate the PBX again in the Rainbow console, then run `oxbridge activate` with the new code.",
    ),
    FaultId.CLOUD_DOWNGRADED: Fault(
        "The gateway offers a weaker login than before.",
        "Its configuration changed, or somebody on the way takes the better one out of its offer.",
        "Ask the gateway's operator. If it is meant: stop the agent, delete gateway.json in its state "
        "directory, start it.",
    ),
    FaultId.CLOUD_NOT_BOUND: Fault(
        "The login can't be bound to the gateway's certificate.",
        "The gateway offers no channel binding, or a device on the way inspects TLS.",
        'Let the connection pass uninspected, or set [cloud] channel_binding = "prefer".',
    ),
    FaultId.CLOUD_MISCONFIGURED: Fault(
        "The gateway does not serve what the settings ask for.",
        "The domain is misspelt or was moved, or gateway and agent are of different versions.",
        "Check [cloud] host and domain; update the agent if the gateway was updated.",
    ),
    FaultId.CLOUD_TOO_MUCH: Fault(
        "The gateway ended the connection because we sent too much.",
        "A stanza was too large, or too many came at once.",
        "Nothing: the agent comes back with half the rate. If it repeats, report the stanza in the log.",
    ),
    FaultId.CLOUD_IMPOSTOR: Fault(
        "The gateway could not prove that it knows our code.",
        "Something between us and the gateway pretends to be it.",
        "Do not activate again. Check the certificate's issuer and ask the network's operator.",
    ),
    FaultId.CLOUD_REPLACED: Fault(
        "Another agent connected with the same PBX-ID.",
        "This machine was cloned, or a second agent runs with the same configuration.",
        "Stop one of the two.",
    ),
    FaultId.CLOUD_CLOSED: Fault(
        "The gateway closed the link.",
        "It restarts, or the connection on the way broke.",
        "Nothing: the agent connects again.",
    ),
    FaultId.CLOUD_SILENT: Fault(
        "The gateway went silent.",
        "The connection broke without notice, or the gateway hangs.",
        "Nothing: the agent connects again. If it repeats, check firewalls that cut idle connections.",
    ),
    FaultId.CLOUD_PROTOCOL: Fault(
        "The gateway sent something that breaks the protocol.",
        "Another kind of server answers, or its version does not fit ours.",
        "Check [cloud] host and path; report the excerpt in the log.",
    ),
    FaultId.CLOUD_REQUEST_REFUSED: Fault(
        "The gateway refused a request.",
        "It could not store what we sent, or does not know it.",
        "Nothing: the agent sends the whole again. If it repeats, report the condition in the log.",
    ),
    FaultId.ENDED_ON_SITE: Fault(
        "The link was ended on site.",
        "Somebody activated, disabled, reset or stopped this agent.",
        "Nothing, or `oxbridge enable` if it should be on.",
    ),
    FaultId.CLOUD_CERTIFICATE_WEAK: Fault(
        "The gateway's certificate is too weak.",
        "It is signed with SHA-1 or MD5, or its key is too short.",
        "Ask the gateway's operator for a certificate of today's strength.",
    ),
    FaultId.CLOUD_PIN_MISMATCH: Fault(
        "The gateway's certificate is not one of the pinned ones.",
        "The gateway got a new key, or a device on the way inspects TLS with an authority we trust.",
        "Ask the gateway's operator for the key's hash; change [cloud] pins only if it is the one shown.",
    ),
    FaultId.TLS_INTERCEPTED: Fault(
        "The proxy reads our TLS: the certificate is not the gateway's.",
        "The proxy inspects TLS and signs with an authority that this machine does not trust.",
        "Ask the network's operator to pass the gateway's name uninspected, "
        "or put the named issuer's certificate into [cloud] ca_file.",
    ),
    FaultId.CLOCK_WRONG: Fault(
        "This machine's clock is wrong.",
        "It was never set, its battery is empty, or NTP is blocked.",
        "Set the clock (`timedatectl`), and let this machine reach a time server.",
    ),
    FaultId.PROXY_NAME_UNKNOWN: Fault(
        "The proxy's name can't be resolved.",
        "The name is misspelt, or this machine has no working DNS.",
        "Check [proxy] url and this machine's resolver.",
    ),
    FaultId.PROXY_UNREACHABLE: Fault(
        "The proxy can't be reached.",
        "Wrong address or port, no route, or the proxy is down.",
        "Check [proxy] url with the network's operator.",
    ),
    FaultId.PROXY_TIMEOUT: Fault(
        "The proxy does not answer.",
        "It is overloaded, another service owns the port, or it can't reach the gateway.",
        "Check [proxy] url; ask the network's operator to let the proxy reach the gateway's port.",
    ),
    FaultId.PROXY_TLS: Fault(
        "No secure connection to the proxy could be made.",
        "Its certificate is not trusted here or is for another name, or its port speaks no TLS.",
        "Put its authority into [proxy] ca_file, use the name in its certificate, or write http://.",
    ),
    FaultId.PROXY_AUTH: Fault(
        "The proxy wants other credentials.",
        "User or password are missing, wrong or expired.",
        "Correct [proxy] user and password_file, then restart. "
        "It is tried seldom, so that no account is locked.",
    ),
    FaultId.PROXY_AUTH_UNSUPPORTED: Fault(
        "The proxy offers no way of logging in that we have.",
        "It wants Kerberos only, or NTLM and the extra `proxy-ntlm` is not installed.",
        "Install oxbridge[proxy-ntlm] for NTLM; for Kerberos run px here and name it in [proxy] url.",
    ),
    FaultId.PROXY_DENIED: Fault(
        "The proxy does not let us through to the gateway.",
        "Its rules forbid the name, the port or this machine.",
        "Ask the network's operator to allow CONNECT to the gateway's name and port.",
    ),
    FaultId.PROXY_UPSTREAM: Fault(
        "The proxy could not reach the gateway.",
        "The proxy can't resolve the name, has no route, or the gateway is down.",
        "Nothing if it passes. Else check [cloud] host, and the proxy's own way out.",
    ),
    FaultId.PROXY_PROTOCOL: Fault(
        "The proxy's answer was not understood.",
        "Another service owns the port, or [proxy] url names the wrong kind of proxy.",
        "Check the scheme and the port of [proxy] url.",
    ),
    FaultId.PROXY_STRIPS_WEBSOCKET: Fault(
        "The proxy does not pass WebSocket on.",
        "It inspects TLS and takes the upgrade out of our request.",
        "Ask the network's operator to allow WebSocket to the gateway, or to pass it uninspected.",
    ),
    FaultId.NOT_ACTIVATED: Fault(
        "This agent is not activated.",
        "No activation code was given yet, or a reset made the old one void.",
        "Run `oxbridge activate` and type the code that the Rainbow console shows.",
    ),
    FaultId.CLOUD_RESET: Fault(
        "The connection was reset in the Rainbow administration.",
        "Somebody used Reset connection there: the old code is void, every setting on site is kept.",
        "Run `oxbridge activate` with the new code that the PBX's Connection tab shows.",
    ),
    FaultId.CLOUD_DELETED: Fault(
        "This PBX was deleted in the Rainbow administration.",
        "Somebody removed it there; every setting on site is kept.",
        "Create it there again, write its PBX-ID into [cloud] pbx_id, and run `oxbridge activate`.",
    ),
    FaultId.AGENT_DISABLED: Fault(
        "The agent is switched off.",
        "Somebody ran `oxbridge disable`, or it was switched off in the cloud.",
        "Run `oxbridge enable`: nothing has to be typed again.",
    ),
    FaultId.CREDENTIALS_DAMAGED: Fault(
        "The stored access code is damaged.",
        "The disk lost a part of it, or the key that sealed it was replaced. The file was put aside.",
        "Reset the connection in the Rainbow console and run `oxbridge activate` with the new code.",
    ),
    FaultId.CREDENTIALS_FOREIGN: Fault(
        "The stored access code was sealed on another machine or for another PBX-ID.",
        "This machine was cloned or restored from a backup, or [cloud] pbx_id was changed.",
        "Run `oxbridge activate` if this machine is to be the agent; else stop it: the other still works.",
    ),
    FaultId.CREDENTIALS_KEY_MISSING: Fault(
        "The key of the stored access code is missing.",
        "The systemd credential oxbridge-key or the key file of the state directory is gone.",
        "Bring the key back and restart the agent, or run `oxbridge activate` with a new code.",
    ),
    FaultId.SECOND_AGENT: Fault(
        "Two agents use this PBX-ID.",
        "This machine was cloned, or a second agent runs with the same configuration: each throws the "
        "other out.",
        "Stop one of them. If none is known, reset the connection in the Rainbow console.",
    ),
    FaultId.CLOUD_CERTIFICATE_EXPIRING: Fault(
        "The gateway's certificate expires within 30 days.",
        "Its operator has not renewed it yet, or a private authority signed it for too short a time.",
        "Tell the gateway's operator: when it expires the link is lost.",
    ),
    FaultId.SETTINGS_REFUSED: Fault(
        "A configuration from the cloud was refused as a whole.",
        "One of its values can't be used; what was in force before stays in force.",
        "Correct the named value in the Rainbow administration.",
    ),
    FaultId.OWN_PROTOCOL: Fault(
        "The agent tried something that its protocol forbids.",
        "A defect of Oxbridge.",
        "Report it with the log line that follows.",
    ),
    FaultId.NUMBER_NOT_CANONICAL: Fault(
        "A number can't be turned into an international one.",
        "It is withheld, internal, or does not fit the dial plan of [site].",
        "Check [site] country and prefixes if the number is a real one.",
    ),
    FaultId.EVENT_NOT_TRANSLATABLE: Fault(
        "An event of the PBX has no equivalent for the cloud.",
        "The PBX reports something of its own.",
        "Nothing: it is counted and skipped.",
    ),
    FaultId.QUEUE_FULL: Fault(
        "A queue is full.",
        "The far side takes less than comes in.",
        "Check the link that drains it with `oxbridge status`.",
    ),
    FaultId.STORE_UNUSABLE: Fault(
        "The local store can't be used.",
        "The disk is full or read-only, or the directory belongs to another user.",
        "Check [agent] state_directory: free space, owner, mode.",
    ),
    FaultId.STORE_DAMAGED: Fault(
        "The local store was damaged and has been put aside.",
        "The disk changed what was written, or power was lost on a disk that does not keep its word.",
        "Keep store.db.damaged-… for the support and check the disk; the agent goes on with a new file.",
    ),
    FaultId.STORE_OTHER_VERSION: Fault(
        "The local store was written by another version.",
        "The agent was downgraded.",
        "Install the newer version again.",
    ),
    FaultId.EVENT_QUARANTINED: Fault(
        "The gateway can't take a call event: it has been put aside.",
        "The gateway ended three connections because of this one, the last time with nothing beside it.",
        "Send the log and the table quarantine of store.db to the support; the other events go on.",
    ),
    FaultId.EVENTS_LOST: Fault(
        "Call events are lost; the gateway was told which.",
        "The disk refused or damaged them while the gateway could not be reached.",
        "Check the disk of [agent] state_directory. The cloud's call statistics miss these events.",
    ),
    FaultId.INVITATION_FAILED: Fault(
        "An RVA invitation could not be sent.",
        "The hub did not answer or answered with an error.",
        "Check [rva] hub_url and that this machine can reach it.",
    ),
    FaultId.AGENT_NOT_RUNNING: Fault(
        "No agent answers on the control socket.",
        "The agent is not running, or runs with another [agent] control_socket.",
        "Start it with `oxbridge run --config FILE` or `systemctl start oxbridge`.",
    ),
    FaultId.AGENT_SILENT: Fault(
        "The agent does not answer.",
        "It hangs, is stopped in a debugger, or the machine is overloaded.",
        "Look at its log (`journalctl -u oxbridge`) and restart it.",
    ),
    FaultId.CONTROL_REFUSED: Fault(
        "The agent refused the request.",
        "The request does not fit the agent's present state.",
        "Look at `oxbridge status`.",
    ),
    FaultId.CONTROL_SOCKET_UNUSABLE: Fault(
        "The control socket can't be used.",
        "Its directory is missing or belongs to another user, or this user is not in the socket's group.",
        "Check [agent] control_socket: directory, owner, group, mode.",
    ),
    FaultId.HTTP_PORT_UNUSABLE: Fault(
        "The port for metrics and health can't be opened.",
        "Another program listens on it.",
        'Write a free port into [http] listen, or "" for no port.',
    ),
    FaultId.AGENT_ALREADY_RUNNING: Fault(
        "Another agent answers on the control socket.",
        "The service runs already.",
        "Stop it, or give this one another [agent] control_socket and state_directory.",
    ),
}
