"""At which step of the way a link failed: what a person has to look at first."""

from enum import StrEnum

from connector.domain.faults import FaultId


class Hop(StrEnum):
    """The steps from this agent to a far end, in order. The values are shown to people."""

    AGENT = "this agent"
    NAME = "name resolution"
    TCP = "TCP"
    PROXY = "proxy"
    TLS = "TLS"
    WEBSOCKET = "WebSocket"
    LOGIN = "login"
    GATEWAY = "gateway"
    PBX = "PBX"


# A fault that a newer part of the agent raises is at least placed at its far end.
_BY_PREFIX = {"pbx-": Hop.PBX, "proxy-": Hop.PROXY, "cloud-": Hop.GATEWAY}
_BEFORE_THE_GATEWAY = {
    FaultId.CLOUD_NAME_UNKNOWN: Hop.NAME,
    FaultId.CLOUD_UNREACHABLE: Hop.TCP,
    FaultId.CLOUD_CERTIFICATE_UNTRUSTED: Hop.TLS,
    FaultId.CLOUD_CERTIFICATE_NAME: Hop.TLS,
    FaultId.CLOUD_CERTIFICATE_EXPIRED: Hop.TLS,
    FaultId.CLOUD_CERTIFICATE_WEAK: Hop.TLS,
    FaultId.CLOUD_PIN_MISMATCH: Hop.TLS,
    FaultId.TLS_INTERCEPTED: Hop.TLS,
    FaultId.CLOUD_TLS: Hop.TLS,
    FaultId.CLOUD_NOT_WEBSOCKET: Hop.WEBSOCKET,
    FaultId.CLOUD_NOT_AUTHORIZED: Hop.LOGIN,
    FaultId.CLOUD_NO_MECHANISM: Hop.LOGIN,
    FaultId.CLOUD_IMPOSTOR: Hop.LOGIN,
    FaultId.CLOUD_ACCOUNT_DISABLED: Hop.LOGIN,
    FaultId.CLOUD_DOWNGRADED: Hop.LOGIN,
    FaultId.CLOUD_NOT_BOUND: Hop.LOGIN,
    FaultId.CLOUD_RESET: Hop.LOGIN,
    FaultId.CLOUD_DELETED: Hop.LOGIN,
    FaultId.NOT_ACTIVATED: Hop.LOGIN,
    FaultId.CREDENTIALS_DAMAGED: Hop.LOGIN,
    FaultId.CREDENTIALS_FOREIGN: Hop.LOGIN,
    FaultId.CREDENTIALS_KEY_MISSING: Hop.LOGIN,
    FaultId.PBX_UNREACHABLE: Hop.TCP,
}


def hop_of(fault: FaultId) -> Hop:
    """Where a link that ended with `fault` failed."""
    if fault in _BEFORE_THE_GATEWAY:
        return _BEFORE_THE_GATEWAY[fault]
    return next((hop for prefix, hop in _BY_PREFIX.items() if fault.startswith(prefix)), Hop.AGENT)
