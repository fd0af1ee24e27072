"""Call control from the cloud: what is asked of the PBX, and the one answer to every request.

A command is executed at most once: its id is on disk before the PBX is asked, and it is never run after its
deadline. `connector.bridge.commands` keeps that promise, an adapter of `connector.pbx` does what is asked.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from connector.domain.calls import ConnectionId


class Verb(StrEnum):
    """What can be asked, as the settings' allow-list spells it."""

    MAKE_CALL = "make-call"
    ANSWER_CALL = "answer-call"
    HOLD_CALL = "hold-call"
    RETRIEVE_CALL = "retrieve-call"
    CLEAR_CONNECTION = "clear-connection"
    CONSULTATION_CALL = "consultation-call"
    TRANSFER_CALL = "transfer-call"
    CONFERENCE_CALL = "conference-call"
    ALTERNATE_CALL = "alternate-call"
    DEFLECT_CALL = "deflect-call"
    GENERATE_DIGITS = "generate-digits"
    SET_FORWARDING = "set-forwarding"
    SET_DO_NOT_DISTURB = "set-do-not-disturb"
    SET_AGENT_STATE = "set-agent-state"


class ForwardingKind(StrEnum):
    """When a device forwards (ECMA-323, forwardingType)."""

    IMMEDIATE = "forwardImmediate"
    BUSY = "forwardBusy"
    NO_ANSWER = "forwardNoAns"


class AgentState(StrEnum):
    """States that a CCD agent can ask for (ECMA-323, ReqAgentState). Withdraw is `NOT_READY`."""

    LOGGED_ON = "loggedOn"
    LOGGED_OFF = "loggedOff"
    NOT_READY = "notReady"
    READY = "ready"
    WORKING_AFTER_CALL = "workingAfterCall"


@dataclass(frozen=True, slots=True)
class MakeCall:
    """Call `called` from `device`; the PBX rings or takes off the device first, as it is configured."""

    device: str
    called: str


@dataclass(frozen=True, slots=True)
class AnswerCall:
    """Answer the call that rings at `connection`."""

    connection: ConnectionId


@dataclass(frozen=True, slots=True)
class HoldCall:
    """Put `connection` on hold."""

    connection: ConnectionId


@dataclass(frozen=True, slots=True)
class RetrieveCall:
    """Take `connection` back from hold."""

    connection: ConnectionId


@dataclass(frozen=True, slots=True)
class ClearConnection:
    """Release `connection`: the device leaves the call."""

    connection: ConnectionId


@dataclass(frozen=True, slots=True)
class ConsultationCall:
    """Hold `connection` and call `consulted` from the same device."""

    connection: ConnectionId
    consulted: str


@dataclass(frozen=True, slots=True)
class TransferCall:
    """Join the other parties of `held` and `active`; the device leaves both."""

    held: ConnectionId
    active: ConnectionId


@dataclass(frozen=True, slots=True)
class ConferenceCall:
    """Join `held` and `active` into one call of three."""

    held: ConnectionId
    active: ConnectionId


@dataclass(frozen=True, slots=True)
class AlternateCall:
    """Hold `active` and take `held` back."""

    held: ConnectionId
    active: ConnectionId


@dataclass(frozen=True, slots=True)
class DeflectCall:
    """Send the call that rings at `connection` to `destination` instead."""

    connection: ConnectionId
    destination: str


@dataclass(frozen=True, slots=True)
class GenerateDigits:
    """Send DTMF `digits` (0-9, A-D, * and #) into `connection`. They may be somebody's PIN."""

    connection: ConnectionId
    digits: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SetForwarding:
    """Turn a forwarding of `device` on or off; `destination` is empty when it is turned off."""

    device: str
    kind: ForwardingKind
    is_on: bool
    destination: str = ""


@dataclass(frozen=True, slots=True)
class SetDoNotDisturb:
    """Turn do-not-disturb of `device` on or off."""

    device: str
    is_on: bool


@dataclass(frozen=True, slots=True)
class SetAgentState:
    """Log a CCD agent on or off at `device`, or change his state.

    `withdraw_reason` is 0 to 9 and only goes with `NOT_READY` (product, the Telephony tab).
    """

    device: str
    state: AgentState
    agent: str = ""
    password: str = field(default="", repr=False)
    group: str = ""
    withdraw_reason: int | None = None


Command = (
    MakeCall
    | AnswerCall
    | HoldCall
    | RetrieveCall
    | ClearConnection
    | ConsultationCall
    | TransferCall
    | ConferenceCall
    | AlternateCall
    | DeflectCall
    | GenerateDigits
    | SetForwarding
    | SetDoNotDisturb
    | SetAgentState
)

VERBS: dict[type[Command], Verb] = {
    MakeCall: Verb.MAKE_CALL,
    AnswerCall: Verb.ANSWER_CALL,
    HoldCall: Verb.HOLD_CALL,
    RetrieveCall: Verb.RETRIEVE_CALL,
    ClearConnection: Verb.CLEAR_CONNECTION,
    ConsultationCall: Verb.CONSULTATION_CALL,
    TransferCall: Verb.TRANSFER_CALL,
    ConferenceCall: Verb.CONFERENCE_CALL,
    AlternateCall: Verb.ALTERNATE_CALL,
    DeflectCall: Verb.DEFLECT_CALL,
    GenerateDigits: Verb.GENERATE_DIGITS,
    SetForwarding: Verb.SET_FORWARDING,
    SetDoNotDisturb: Verb.SET_DO_NOT_DISTURB,
    SetAgentState: Verb.SET_AGENT_STATE,
}


def connections_of(command: Command) -> tuple[ConnectionId, ...]:
    """The connections that `command` acts on; each has to be one of the commanding device."""
    match command:
        case TransferCall() | ConferenceCall() | AlternateCall():
            return (command.held, command.active)
        case MakeCall() | SetForwarding() | SetDoNotDisturb() | SetAgentState():
            return ()
        case _:
            return (command.connection,)


def device_of(command: Command) -> str:
    """The device that `command` names; empty when it acts on connections."""
    match command:
        case MakeCall() | SetForwarding() | SetDoNotDisturb() | SetAgentState():
            return command.device
        case _:
            return ""


def destination_of(command: Command) -> str:
    """The number that `command` makes the PBX dial, now or later; empty if it makes it dial none."""
    match command:
        case MakeCall():
            return command.called
        case ConsultationCall():
            return command.consulted
        case DeflectCall() | SetForwarding():
            return command.destination
        case _:
            return ""


def with_destination(command: Command, number: str) -> Command:
    """`command` with `number` in the place of `destination_of`."""
    match command:
        case MakeCall():
            return replace(command, called=number)
        case ConsultationCall():
            return replace(command, consulted=number)
        case DeflectCall() | SetForwarding():
            return replace(command, destination=number)
        case _:
            return command


@dataclass(frozen=True, slots=True)
class CommandDone:
    """The PBX did it. `connections` are those that the PBX names in its answer, the new call's own first."""

    connections: tuple[ConnectionId, ...] = ()


class Refused(StrEnum):
    """Why a request was not executed, or that nobody knows. The dialect has a condition for each."""

    FORBIDDEN = "forbidden"  # verb, device or destination is not on the site's lists
    EXPIRED = "expired"  # past its deadline, or it could not be begun before
    BUSY = "busy"  # too many commands at once, or too many calls a minute
    CONFLICT = "conflict"  # the id was used for another command
    NO_PBX = "no-pbx"  # the PBX link is down: nothing was sent
    UNSUPPORTED = "unsupported"  # this adapter or PBX does not know the service
    STORE = "store"  # the id could not be written down, so nothing was sent
    PBX = "pbx"  # the PBX said no: `error` says why
    UNKNOWN_OUTCOME = "unknown-outcome"  # it was sent, and no answer came or will come


@dataclass(frozen=True, slots=True)
class CommandRefused:
    """`error` is a word of ECMA-323's CSTAErrorCode (csta-xml 3.1), e.g. `invalidCallingDevice`."""

    reason: Refused
    error: str = ""


Outcome = CommandDone | CommandRefused


@dataclass(frozen=True, slots=True)
class CommandRequest:
    """One request as the gateway sent it: `id` is the iq's, `device` and `user` are whom it is for."""

    id: str
    device: str
    user: str
    deadline: datetime
    command: Command

    @property
    def verb(self) -> Verb:
        """What is asked."""
        return VERBS[type(self.command)]


class CommandExecutor(Protocol):
    """What a PBX adapter offers to whoever may command it."""

    async def execute(self, command: Command, until: float) -> Outcome:
        """Ask the PBX, once, and wait for its answer, which is never repeated by itself.

        Nothing is sent at or after `until`, in seconds of the clock that only grows: that is `EXPIRED`.
        `NO_PBX` and `UNSUPPORTED` say that nothing was sent, `PBX` that the PBX refused, `UNKNOWN_OUTCOME`
        that the link ended or the answer did not come in time. Never raises a `ConnectorError`.
        """


# The one answer to a request; called exactly once for each.
Answer = Callable[[Outcome], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """A command that was begun. `fingerprint` tells it from another one with the same id.

    `at` is when it was begun (UTC); `outcome` is None while it runs.
    """

    id: str
    verb: Verb
    device: str
    user: str
    fingerprint: str
    at: datetime
    deadline: datetime
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Recovery:
    """What the ledger knew at the start, oldest first; the outcome of the `interrupted` ids is unknown."""

    commands: Sequence[Remembered] = ()
    interrupted: Sequence[str] = ()


class CommandLedger(Protocol):
    """Which commands were begun, on disk. Each method raises `StoreError`."""

    async def claim(self, begun: Remembered) -> None:
        """Make `begun` durable. Raises as well when its id is known already."""

    async def settle(self, id_: str, outcome: Outcome) -> None:
        """Make the outcome of a begun command durable."""

    async def recover(self, now: datetime) -> Recovery:
        """All that is remembered. What ran when the process ended is unknown from now on."""
