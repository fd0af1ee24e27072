"""What the switching services ask and answer, free of any encoding (ECMA-179, ECMA-217)."""

from dataclasses import dataclass, field
from enum import IntEnum

from connector.wire.csta.messages import (
    NO_CONNECTION,
    Connection,
    DeviceId,
    ListedConnection,
    SwitchingRequest,
    SwitchingResult,
)


class Forwarding(IntEnum):
    """ForwardingType: what is turned on; the next value turns it off."""

    ALWAYS = 0
    BUSY = 2
    NO_ANSWER = 4


class AgentState(IntEnum):
    """AgentParameter: the state asked for, as the number of its tag."""

    LOG_ON = 0
    LOG_OFF = 1
    NOT_READY = 2
    READY = 3
    WORK_NOT_READY = 4
    WORK_READY = 5


@dataclass(frozen=True, slots=True)
class MakeCall(SwitchingRequest):
    """Answered by `CallInitiated`."""

    calling: DeviceId
    called: DeviceId


@dataclass(frozen=True, slots=True)
class OneConnection(SwitchingRequest):
    """A request that is about one connection and says nothing more."""

    connection: Connection


@dataclass(frozen=True, slots=True)
class AnswerCall(OneConnection):
    """Answered by `Done`."""


@dataclass(frozen=True, slots=True)
class ClearConnection(OneConnection):
    """Answered by `Done`."""


@dataclass(frozen=True, slots=True)
class RetrieveCall(OneConnection):
    """Answered by `Done`."""


@dataclass(frozen=True, slots=True)
class HoldCall(SwitchingRequest):
    """Answered by `Done`. `is_reserved` keeps the line for the call."""

    connection: Connection
    is_reserved: bool = False


@dataclass(frozen=True, slots=True)
class ConsultationCall(SwitchingRequest):
    """Answered by `CallInitiated`."""

    connection: Connection
    called: DeviceId


@dataclass(frozen=True, slots=True)
class DeflectCall(SwitchingRequest):
    """DivertCall with the choice that deflects; answered by `Done`."""

    connection: Connection
    destination: DeviceId


@dataclass(frozen=True, slots=True)
class TwoConnections(SwitchingRequest):
    """A request about a device's held and active connection; phase I lets either be left out."""

    held: Connection
    active: Connection


@dataclass(frozen=True, slots=True)
class AlternateCall(TwoConnections):
    """Answered by `Done`."""


@dataclass(frozen=True, slots=True)
class ConferenceCall(TwoConnections):
    """Answered by `CallsJoined`."""


@dataclass(frozen=True, slots=True)
class TransferCall(TwoConnections):
    """Answered by `CallsJoined`."""


@dataclass(frozen=True, slots=True)
class SendDtmf(SwitchingRequest):
    """Phase II alone; answered by `Done`."""

    connection: Connection
    digits: str = field(repr=False)  # people key PINs


@dataclass(frozen=True, slots=True)
class SetDoNotDisturb(SwitchingRequest):
    """SetFeature; answered by `Done`."""

    device: DeviceId
    is_on: bool


@dataclass(frozen=True, slots=True)
class SetForwarding(SwitchingRequest):
    """SetFeature; answered by `Done`."""

    device: DeviceId
    kind: Forwarding
    is_on: bool
    destination: str = ""


@dataclass(frozen=True, slots=True)
class SetAgentState(SwitchingRequest):
    """SetFeature; answered by `Done`. The last three go with logging on; off takes agent and group."""

    device: DeviceId
    state: AgentState
    agent: str = ""
    password: str = field(default="", repr=False)
    group: str = ""


@dataclass(frozen=True, slots=True)
class CallInitiated(SwitchingResult):
    """The calling device's connection in the new call."""

    connection: Connection


@dataclass(frozen=True, slots=True)
class CallsJoined(SwitchingResult):
    """The connection in the joined call, and all that are in it where the PBX says so."""

    connection: Connection = NO_CONNECTION
    connections: tuple[ListedConnection, ...] = ()
