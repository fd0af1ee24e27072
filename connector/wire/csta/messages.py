"""What CSTA phases I and II (ECMA-179/180, ECMA-217/218) say, free of any encoding.

Devices and connections keep the form in which they came: what `84 3001` means for the business is decided in
`pbx/csta/mapping.py`. Octets that only the PBX understands (call ids, dynamic devices, cross references) stay
bytes.
"""

from dataclasses import dataclass
from enum import IntEnum

from connector.domain.calls import Cause, LocalState


class Phase(IntEnum):
    """Edition of CSTA in which events are written: an OXO uses I, an OXE II."""

    ONE = 1
    TWO = 2


class SystemStatus(IntEnum):
    """What one side says of itself; also the heartbeat of an idle link."""

    INITIALISING = 0
    ENABLED = 1
    NORMAL = 2
    MESSAGES_LOST = 3
    DISABLED = 4
    OVERLOAD_IMMINENT = 5
    OVERLOAD_REACHED = 6
    OVERLOAD_RELIEVED = 7


class QueryFeature(IntEnum):
    """What QueryDevice can ask."""

    MESSAGE_WAITING = 0
    DO_NOT_DISTURB = 1
    FORWARDING = 2
    DEVICE_INFO = 4
    AGENT_STATE = 5


class DeviceForm(IntEnum):
    """How a device is named: the number of its context tag."""

    DIALING = 0
    DEVICE_NUMBER = 1
    IMPLICIT_PUBLIC = 2
    EXPLICIT_PUBLIC = 3
    IMPLICIT_PRIVATE = 4
    EXPLICIT_PRIVATE = 5
    OTHER = 6
    NOT_KNOWN = 7
    NOT_REQUIRED = 8
    NOT_SPECIFIED = 9


@dataclass(frozen=True, slots=True)
class DeviceId:
    """A device as the PBX names it; `type_of_number` (1 international, …) belongs to the explicit forms."""

    form: DeviceForm
    number: str = ""
    type_of_number: int | None = None


NOT_KNOWN = DeviceId(DeviceForm.NOT_KNOWN)
NOT_REQUIRED = DeviceId(DeviceForm.NOT_REQUIRED)


@dataclass(frozen=True, slots=True)
class Connection:
    """One leg of a call. `device` is the PBX's dynamic id, `static` a number where it sent that instead."""

    call: bytes
    device: bytes = b""
    static: DeviceId | None = None


NO_CONNECTION = Connection(b"")


@dataclass(frozen=True, slots=True)
class ListedConnection:
    """An entry of the list that a transfer or conference leaves; `device` as the static number."""

    connection: Connection
    device: DeviceId | None = None


@dataclass(frozen=True, slots=True)
class PrivateData:
    """Alcatel's own additions, arcs below 1.3.12.1206; None or empty where they were not sent.

    `call_reference` (521) is the node's key of the call, kept through transfers: 4 octets little-endian Unix
    time, 2 octets call id, 2 octets node. `second_reference` (522) names the other call of a transfer or
    conference. `name` (512) is the display name of the other party; `outside` (504) is 0, 1 or 11 when
    outside parties take part.
    """

    outside: int | None = None
    name: str = ""
    call_reference: bytes = b""
    second_reference: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEvent:
    """What all call-control events share. `state` is the local connection state after the event."""

    connection: Connection = NO_CONNECTION
    state: LocalState | None = None
    cause: Cause | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCleared(CallEvent):
    """Event 1: `connection` names the call that ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conferenced(CallEvent):
    """Event 2: `connection` is the primary old call."""

    secondary_old: Connection | None = None
    controller: DeviceId = NOT_KNOWN
    added: DeviceId = NOT_KNOWN
    connections: tuple[ListedConnection, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionCleared(CallEvent):
    """Event 3."""

    releasing: DeviceId = NOT_KNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered(CallEvent):
    """Event 4."""

    alerting: DeviceId = NOT_KNOWN
    calling: DeviceId = NOT_KNOWN
    called: DeviceId = NOT_KNOWN
    last_redirection: DeviceId = NOT_REQUIRED


@dataclass(frozen=True, slots=True, kw_only=True)
class Diverted(CallEvent):
    """Event 5."""

    diverting: DeviceId = NOT_KNOWN
    destination: DeviceId = NOT_KNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Established(CallEvent):
    """Event 6."""

    answering: DeviceId = NOT_KNOWN
    calling: DeviceId = NOT_KNOWN
    called: DeviceId = NOT_KNOWN
    last_redirection: DeviceId = NOT_REQUIRED


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed(CallEvent):
    """Event 7."""

    failing: DeviceId = NOT_KNOWN
    called: DeviceId = NOT_KNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Held(CallEvent):
    """Event 8."""

    holding: DeviceId = NOT_KNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkReached(CallEvent):
    """Event 9: `connection` is the trunk's."""

    trunk: DeviceId = NOT_KNOWN
    called: DeviceId = NOT_KNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Originated(CallEvent):
    """Event 10."""

    calling: DeviceId = NOT_KNOWN
    called: DeviceId = NOT_KNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued(CallEvent):
    """Event 11; `waiting` counts the calls in the queue."""

    queue: DeviceId = NOT_KNOWN
    calling: DeviceId = NOT_KNOWN
    called: DeviceId = NOT_KNOWN
    last_redirection: DeviceId = NOT_REQUIRED
    waiting: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieved(CallEvent):
    """Event 12."""

    retrieving: DeviceId = NOT_KNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceInitiated(CallEvent):
    """Event 13."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transferred(CallEvent):
    """Event 14: `connection` is the primary old call."""

    secondary_old: Connection | None = None
    transferring: DeviceId = NOT_KNOWN
    transferred: DeviceId = NOT_KNOWN
    connections: tuple[ListedConnection, ...] = ()


@dataclass(frozen=True, slots=True)
class BackInService:
    """Phase I event 301."""

    device: DeviceId = NOT_KNOWN


@dataclass(frozen=True, slots=True)
class OutOfService:
    """Phase I event 302."""

    device: DeviceId = NOT_KNOWN


@dataclass(frozen=True, slots=True)
class OtherEvent:
    """An event that is not ours to read; `kind` is its number (phase I) or its tags in hex (phase II)."""

    kind: str


Event = CallEvent | BackInService | OutOfService | OtherEvent


@dataclass(frozen=True, slots=True)
class EventReport:
    """One event of one monitor.

    `local_time` is the text YYMMDDhhmmssZ that an OXE adds: its wall clock, local in spite of the Z. Phase I
    has none.
    """

    cross_ref: bytes
    event: Event
    local_time: str = ""
    private: PrivateData | None = None


@dataclass(frozen=True, slots=True)
class MonitorFilter:
    """What a monitor leaves out: the suppressed bits of each group, and whether private events are."""

    call: frozenset[int] = frozenset()
    feature: frozenset[int] = frozenset()
    agent: frozenset[int] = frozenset()
    maintenance: frozenset[int] = frozenset()
    voice: frozenset[int] = frozenset()
    private: bool = False


@dataclass(frozen=True, slots=True)
class MonitorStart:
    device: DeviceId
    filter: MonitorFilter | None = None


@dataclass(frozen=True, slots=True)
class MonitorStarted:
    cross_ref: bytes
    filter: MonitorFilter | None = None


@dataclass(frozen=True, slots=True)
class MonitorStop:
    cross_ref: bytes


@dataclass(frozen=True, slots=True)
class ChangeMonitorFilter:
    cross_ref: bytes
    filter: MonitorFilter


@dataclass(frozen=True, slots=True)
class MonitorFilterChanged:
    filter: MonitorFilter


@dataclass(frozen=True, slots=True)
class SnapshotDevice:
    device: DeviceId


@dataclass(frozen=True, slots=True)
class SnapshotEntry:
    device: DeviceId
    connection: Connection
    state: LocalState | None = None


@dataclass(frozen=True, slots=True)
class DeviceSnapshot:
    entries: tuple[SnapshotEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class QueryDevice:
    device: DeviceId
    feature: int = QueryFeature.DEVICE_INFO


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """Answer to QueryDevice(DEVICE_INFO): `type` 0 is a station; None where it was not sent."""

    device: DeviceId | None = None
    type: int | None = None


@dataclass(frozen=True, slots=True)
class SystemStatusReport:
    """`status` is a `SystemStatus`, or a number that the standard does not have."""

    status: int


@dataclass(frozen=True, slots=True)
class SwitchingRequest:
    """What the requests of `connector.wire.csta.switching` have in common: they change calls or a device."""


@dataclass(frozen=True, slots=True)
class SwitchingResult:
    """A result of `connector.wire.csta.switching` that names connections."""


@dataclass(frozen=True, slots=True)
class OtherRequest:
    """A service without a message of its own here: the argument as it is encoded."""

    operation: int
    argument: bytes


@dataclass(frozen=True, slots=True)
class Done:
    """A result that says nothing more (NULL)."""


@dataclass(frozen=True, slots=True)
class OtherResult:
    """A result without a message of its own here, as it is encoded."""

    value: bytes


Request = (
    MonitorStart
    | MonitorStop
    | ChangeMonitorFilter
    | SnapshotDevice
    | QueryDevice
    | SystemStatusReport
    | SwitchingRequest
    | OtherRequest
)
Result = (
    MonitorStarted | MonitorFilterChanged | DeviceSnapshot | DeviceInfo | Done | SwitchingResult | OtherResult
)
