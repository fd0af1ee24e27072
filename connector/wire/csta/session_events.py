"""What the two machines of `session` tell their owner, and what they are told when they begin."""

from dataclasses import dataclass
from enum import StrEnum

from connector.domain.errors import ConnectorError
from connector.wire import rose
from connector.wire.csta import acse, errors
from connector.wire.csta import messages as m


class AssociationMode(StrEnum):
    """Whether the client opens an ACSE association after the greeting.

    Public captures leave open whether an OXE needs one. AUTO asks, and goes on without if the PBX refuses or
    is silent; REQUIRED takes a refusal as a failure; NONE does not ask.
    """

    AUTO = "auto"
    REQUIRED = "acse"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds that a session waits. 30 s and two unanswered heartbeats are the OXO manual's."""

    greeting_seconds: float = 5.0
    association_seconds: float = 5.0
    request_seconds: float = 10.0
    heartbeat_seconds: float = 30.0
    release_seconds: float = 2.0


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """`versions` are the bits offered in an association: {0} to an OXO, {0, 1} to an OXE."""

    versions: frozenset[int] = frozenset((acse.Version.ECMA_180, acse.Version.ECMA_218))
    association: AssociationMode = AssociationMode.AUTO
    timing: Timing = Timing()


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """How the PBX's role behaves.

    `phase` is how events are written. `greeting` answers the client's byte: b"P" serves, another byte is a
    standby, nothing is silence. Without `answers_heartbeats` or `sends_heartbeats` it plays a PBX that hangs.
    """

    phase: m.Phase = m.Phase.TWO
    greeting: bytes = b"P"
    answers_heartbeats: bool = True
    sends_heartbeats: bool = True
    timing: Timing = Timing()


@dataclass(frozen=True, slots=True)
class Associated:
    """Client: requests may be made. `versions` are those the PBX chose, None if there is no association."""

    versions: frozenset[int] | None


@dataclass(frozen=True, slots=True)
class Answered:
    """A request of ours succeeded."""

    invoke_id: int
    result: m.Result


@dataclass(frozen=True, slots=True)
class Refused:
    """A request of ours failed: an error of CSTA, or a reject of ROSE."""

    invoke_id: int
    error: errors.ServiceError | rose.Reject


@dataclass(frozen=True, slots=True)
class TimedOut:
    """A request of ours had no answer in time. A later answer is counted and dropped."""

    invoke_id: int


@dataclass(frozen=True, slots=True)
class EventReported:
    """Client: a monitor reported."""

    report: m.EventReport


@dataclass(frozen=True, slots=True)
class MonitorEnded:
    """Client: the PBX ended a monitor by itself."""

    cross_ref: bytes


@dataclass(frozen=True, slots=True)
class StatusReported:
    """The peer said how it is (and was answered)."""

    status: int


@dataclass(frozen=True, slots=True)
class ClientGreeted:
    """Server: a client sent its greeting."""


@dataclass(frozen=True, slots=True)
class AssociationRequested:
    """Server: accept or reject, or stay silent."""

    request: acse.AssociateRequest


@dataclass(frozen=True, slots=True)
class Requested:
    """Server: the client wants something; answer, refuse or reject it by its id."""

    invoke_id: int
    request: m.Request


@dataclass(frozen=True, slots=True)
class Released:
    """The session ended in order."""


@dataclass(frozen=True, slots=True)
class SessionFailed:
    """The session is over; `error` says why and what to do."""

    error: ConnectorError


ClientEvent = (
    Associated
    | Answered
    | Refused
    | TimedOut
    | EventReported
    | MonitorEnded
    | StatusReported
    | Released
    | SessionFailed
)
ServerEvent = (
    ClientGreeted
    | AssociationRequested
    | Requested
    | Answered
    | Refused
    | TimedOut
    | StatusReported
    | Released
    | SessionFailed
)
SessionEvent = ClientEvent | ServerEvent
