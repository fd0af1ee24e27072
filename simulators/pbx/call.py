"""Sets, trunk lines, calls and their legs, as one PBX keeps them. Pure data; the rules are in `model`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from connector.domain.calls import NO_PARTY, ConnectionId, LocalState, Party
from connector.domain.commands import AgentState

# The call counter is one per node and has 16 bits (seen on captured links).
CALL_IDS = 0x1_0000
# Last byte of a dynamic device identifier: what kind of equipment it is (seen on captured links).
_SET_BYTE = 0x00
_TRUNK_BYTE = 0x04
# Its third byte was the same in all captures.
_NODE_BYTE = 0x01

# A leg in one of these states takes the set's speech path: a set has at most one of them.
ACTIVE = (LocalState.CONNECTED, LocalState.FAIL, LocalState.INITIATED)


class Problem(StrEnum):
    """Why the PBX can't do what was asked."""

    UNKNOWN_DEVICE = "unknown device"
    OUT_OF_SERVICE = "device out of service"
    BAD_NUMBER = "not a number"
    NO_CALL = "no such call at the device"
    WRONG_STATE = "call or device in another state"
    NO_LINE_FREE = "no line free"
    TOO_MANY_PARTIES = "too many parties"


class IllegalOperation(Exception):
    """An operation that is impossible in the present state; the model is unchanged."""

    def __init__(self, problem: Problem, detail: str = "") -> None:
        super().__init__(problem, detail)
        self.problem = problem
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.problem}: {self.detail}" if self.detail else self.problem.value


@dataclass(frozen=True, slots=True)
class End:
    """What a leg ends at: a set, or a trunk line with an outside party behind it.

    `equipment` is the 16-bit number that the PBX's dynamic device identifiers begin with.
    """

    party: Party
    equipment: int
    is_trunk: bool = False

    @property
    def number(self) -> str:
        """The set's number, or the outside party's; empty if that is withheld."""
        return self.party.number

    @property
    def device_id(self) -> bytes:
        """The dynamic device identifier, 4 bytes."""
        kind = _TRUNK_BYTE if self.is_trunk else _SET_BYTE
        return self.equipment.to_bytes(2, "big") + bytes((_NODE_BYTE, kind))


@dataclass(slots=True)
class Forwards:
    """Where a set's calls go instead, as set numbers; empty for nowhere."""

    immediate: str = ""
    busy: str = ""
    no_answer: str = ""


@dataclass(slots=True, eq=False)
class PhoneSet:
    """One set. `type` is the PBX's own word; `lines` the calls it can have before it is busy.

    `agent_state` is None as long as no agent is logged on.
    """

    end: End
    type: str
    lines: int = 2
    in_service: bool = True
    forwards: Forwards = field(default_factory=Forwards)
    do_not_disturb: bool = False
    agent: str = ""
    agent_state: AgentState | None = None
    calls: list["Call"] = field(default_factory=list)

    @property
    def number(self) -> str:
        """Its directory number."""
        return self.end.number

    def legs(self) -> list[tuple["Call", "Leg"]]:
        """Its part in each of its calls, oldest call first."""
        found = [(call, call.leg_of(self.end)) for call in self.calls]
        return [(call, leg) for call, leg in found if leg is not None]

    def leg_in(self, states: Sequence[LocalState], call_id: int | None = None) -> tuple["Call", "Leg"]:
        """Its leg in one of `states`, the first state being the first choice, or `IllegalOperation`.

        With `call_id` only the leg in that call will do.
        """
        legs = [(call, leg) for call, leg in self.legs() if call_id in {None, call.call_id}]
        for state in states:
            for call, leg in legs:
                if leg.state is state:
                    return call, leg
        raise IllegalOperation(Problem.WRONG_STATE if legs else Problem.NO_CALL, self.number)

    def set_agent(self, state: AgentState, agent: str) -> None:
        """`agent` logs on; or who is logged on changes his state, else `IllegalOperation`."""
        if state is AgentState.LOGGED_ON:
            self.agent, self.agent_state = agent, AgentState.NOT_READY
        elif self.agent_state is None:
            raise IllegalOperation(Problem.WRONG_STATE, "nobody is logged on")
        elif state is AgentState.LOGGED_OFF:
            self.agent, self.agent_state = "", None
        else:
            self.agent_state = state

    def check_no_conversation(self) -> None:
        """`IllegalOperation` while a leg takes the set's speech path."""
        if any(leg.state in ACTIVE for _, leg in self.legs()):
            raise IllegalOperation(Problem.WRONG_STATE, f"{self.number} is in a call")


@dataclass(slots=True, eq=False)
class Leg:
    """One end's part in one call."""

    end: End
    state: LocalState

    @property
    def is_pending(self) -> bool:
        """Whether the end is still being reached."""
        return self.state in {LocalState.ALERTING, LocalState.INITIATED}


@dataclass(slots=True, eq=False)
class Call:
    """One call. `reference` names it globally and stays when `call_id` changes.

    `tones` are the digits that were keyed into it, each with the number of the set.
    """

    call_id: int
    reference: bytes
    calling: Party
    called: Party
    last_redirection: Party = NO_PARTY
    legs: list[Leg] = field(default_factory=list)
    tones: list[tuple[str, str]] = field(default_factory=list)

    def leg_of(self, end: End) -> Leg | None:
        """The leg that ends at `end`."""
        return next((leg for leg in self.legs if leg.end is end), None)

    def connection(self, end: End) -> ConnectionId:
        """The connection of `end` in this call: hexadecimal text of the 2 and 4 bytes on the wire."""
        return ConnectionId(f"{self.call_id:04x}", end.device_id.hex())

    @property
    def pending(self) -> list[Leg]:
        """The legs that nobody answered yet."""
        return [leg for leg in self.legs if leg.is_pending]


def is_trunk(device_id: bytes) -> bool:
    """Whether a dynamic device identifier (4 bytes) is a trunk line's."""
    return device_id[-1] == _TRUNK_BYTE


def call_reference(call_id: int, node: int, at: datetime) -> bytes:
    """The global call reference, 8 bytes: Unix time (4), call id (2), node (2), each little-endian."""
    seconds = int(at.timestamp()) & 0xFFFF_FFFF
    return seconds.to_bytes(4, "little") + call_id.to_bytes(2, "little") + node.to_bytes(2, "little")
