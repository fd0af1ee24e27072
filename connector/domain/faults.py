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
    CLOUD_IMPOSTOR = "cloud-impostor"
    CLOUD_REPLACED = "cloud-replaced"
    CLOUD_CLOSED = "cloud-closed"
    CLOUD_SILENT = "cloud-silent"
    CLOUD_PROTOCOL = "cloud-protocol"
    CLOUD_REQUEST_REFUSED = "cloud-request-refused"

    NOT_ACTIVATED = "not-activated"
    OWN_PROTOCOL = "own-protocol"
    NUMBER_NOT_CANONICAL = "number-not-canonical"
    EVENT_NOT_TRANSLATABLE = "event-not-translatable"
    QUEUE_FULL = "queue-full"
    STORE_UNUSABLE = "store-unusable"
    STORE_OTHER_VERSION = "store-other-version"
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
    FaultId.NOT_ACTIVATED: Fault(
        "This agent is not activated.",
        "No activation code was given yet, or a reset made the old one void.",
        "Run `oxbridge activate` and type the code that the Rainbow console shows.",
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
    FaultId.STORE_OTHER_VERSION: Fault(
        "The local store was written by another version.",
        "The agent was downgraded.",
        "Install the newer version again.",
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
