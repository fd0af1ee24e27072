"""Switching services on the PBX's phones: what a client asks, done as a person at the set would do it.

The switchboard tells all monitors what happened. Errors are those of ECMA-180; which one an OXO or OXE really
chooses is published for few of them (README, our choices).
"""

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from connector.domain import commands
from connector.domain.calls import LocalState
from connector.domain.identifiers import PbxKind
from connector.wire.csta import errors, switching
from connector.wire.csta import messages as m
from connector.wire.csta.errors import ServiceError
from simulators.pbx.call import Call, End, IllegalOperation, Leg, Problem
from simulators.pbx.switchboard import Switchboard
from simulators.pbx.words import connection

# What an OXO takes (its manual); no limit of an OXE is published.
OXO_SWITCHING_PER_SECOND = 2
OXO_MAX_OPEN = 30

_ERRORS = {
    Problem.UNKNOWN_DEVICE: errors.OBJECT_NOT_KNOWN,
    Problem.OUT_OF_SERVICE: errors.OUT_OF_SERVICE,
    Problem.BAD_NUMBER: errors.VALUE_OUT_OF_RANGE,
    Problem.NO_CALL: errors.INVALID_CONNECTION,
    Problem.WRONG_STATE: errors.INCORRECT_STATE,
    Problem.NO_LINE_FREE: errors.RESOURCE_BUSY,
    Problem.TOO_MANY_PARTIES: errors.CONFERENCE_MEMBER_LIMIT,
}
_FORWARDS = {
    switching.Forwarding.ALWAYS: "immediate",
    switching.Forwarding.BUSY: "busy",
    switching.Forwarding.NO_ANSWER: "no_answer",
}
_AGENT_STATES = {
    switching.AgentState.LOG_ON: commands.AgentState.LOGGED_ON,
    switching.AgentState.LOG_OFF: commands.AgentState.LOGGED_OFF,
    switching.AgentState.NOT_READY: commands.AgentState.NOT_READY,
    switching.AgentState.READY: commands.AgentState.READY,
    switching.AgentState.WORK_NOT_READY: commands.AgentState.WORKING_AFTER_CALL,
    switching.AgentState.WORK_READY: commands.AgentState.WORKING_AFTER_CALL,
}

Answer = m.Result | ServiceError | None


class SwitchingQuota:
    """What all clients of one PBX share: requests in a second, and in progress. None is no limit."""

    def __init__(self, per_second: int | None, max_open: int | None) -> None:
        self._per_second = per_second
        self._max_open = max_open
        self._begun: deque[float] = deque()
        self._open = 0

    @classmethod
    def of(cls, kind: PbxKind, per_second: int | None) -> "SwitchingQuota":
        """The limits of `kind`, with `per_second` instead of its own if that is given."""
        if kind is PbxKind.OXE:
            return cls(per_second, None)
        return cls(per_second or OXO_SWITCHING_PER_SECOND, OXO_MAX_OPEN)

    def take(self, now: float) -> ServiceError | None:
        """Begin a request, or the error that it meets; `now` is monotonic seconds."""
        while self._begun and self._begun[0] <= now - 1.0:
            self._begun.popleft()
        if self._max_open is not None and self._open >= self._max_open:
            return errors.OUTSTANDING_REQUEST_LIMIT
        if self._per_second is not None:
            if len(self._begun) >= self._per_second:
                return errors.PERFORMANCE_LIMIT
            self._begun.append(now)
        self._open += 1
        return None

    def give_back(self, count: int = 1) -> None:
        """So many requests ended."""
        self._open -= count


class SwitchingDesk:
    """Does what one client asks. `can_control` says whether it may, by a set's number."""

    def __init__(self, board: Switchboard, kind: PbxKind, can_control: Callable[[str], bool]) -> None:
        self._board = board
        self._kind = kind
        self._can_control = can_control

    def answer(self, request: m.SwitchingRequest) -> Answer:
        """Do it; the answer, None for a service that this PBX does not have."""
        if isinstance(request, switching.SendDtmf) and self._kind is PbxKind.OXO:
            return None
        try:
            return self._SERVICES[type(request)](self, request)
        except _Refusal as refusal:
            return refusal.error
        except IllegalOperation as illegal:
            return _ERRORS[illegal.problem]

    # --- calls

    def _make_call(self, request: switching.MakeCall) -> Answer:
        device = self._controlled(request.calling.number, errors.INVALID_CALLING_DEVICE)
        try:
            placed = self._board.make_call(device, request.called.number)
        except IllegalOperation as illegal:
            return errors.INVALID_CALLED_DEVICE if illegal.problem is Problem.BAD_NUMBER else _error(illegal)
        return self._initiated(device, placed.call)

    def _consult(self, request: switching.ConsultationCall) -> Answer:
        device, _ = self._in_state(request.connection, LocalState.CONNECTED)
        try:
            placed = self._board.consult(device, request.called.number)
        except IllegalOperation as illegal:
            return errors.INVALID_CALLED_DEVICE if illegal.problem is Problem.BAD_NUMBER else _error(illegal)
        return self._initiated(device, placed.call)

    def _initiated(self, device: str, call: int) -> switching.CallInitiated:
        own = self._board.calls[call].connection(self._board.sets[device].end)
        return switching.CallInitiated(connection(own))

    def _answer_call(self, request: switching.AnswerCall) -> Answer:
        device, call, _ = self._leg(request.connection)
        self._board.answer(device, call.call_id)
        return m.Done()

    def _hold(self, request: switching.HoldCall) -> Answer:
        device, _ = self._in_state(request.connection, LocalState.CONNECTED)
        self._board.hold(device)
        return m.Done()

    def _retrieve(self, request: switching.RetrieveCall) -> Answer:
        device, call, _ = self._leg(request.connection)
        self._board.retrieve(device, call.call_id)
        return m.Done()

    def _clear(self, request: switching.ClearConnection) -> Answer:
        device, call, _ = self._leg(request.connection)
        self._board.release(device, call.call_id)
        return m.Done()

    def _deflect(self, request: switching.DeflectCall) -> Answer:
        device, call, _ = self._leg(request.connection)
        if request.destination.number not in self._board.sets:
            return errors.INVALID_DESTINATION
        self._board.divert(device, request.destination.number, call.call_id)
        return m.Done()

    def _alternate(self, request: switching.AlternateCall) -> Answer:
        self._board.alternate(*self._pair(request))
        return m.Done()

    def _transfer(self, request: switching.TransferCall) -> Answer:
        return self._joined(self._board.transfer(*self._pair(request)).call)

    def _conference(self, request: switching.ConferenceCall) -> Answer:
        return self._joined(self._board.conference(*self._pair(request)).call)

    def _joined(self, call_id: int) -> switching.CallsJoined:
        """The joined call; its first party's connection stands for it, since its maker left it."""
        call = self._board.calls[call_id]
        legs = tuple(m.ListedConnection(connection(call.connection(leg.end))) for leg in call.legs)
        return switching.CallsJoined(legs[0].connection, legs)

    def _digits(self, request: switching.SendDtmf) -> Answer:
        device, call, _ = self._leg(request.connection)
        self._board.send_digits(device, request.digits, call.call_id)
        return m.Done()

    # --- features of a set

    def _do_not_disturb(self, request: switching.SetDoNotDisturb) -> Answer:
        self._board.do_not_disturb(self._controlled(request.device.number), is_on=request.is_on)
        return m.Done()

    def _forward(self, request: switching.SetForwarding) -> Answer:
        device = self._controlled(request.device.number)
        if request.is_on and request.destination not in self._board.sets:
            return errors.INVALID_FORWARDING
        destination = request.destination if request.is_on else ""
        forwards = replace(self._board.sets[device].forwards, **{_FORWARDS[request.kind]: destination})
        self._board.forward(device, forwards)
        return m.Done()

    def _agent(self, request: switching.SetAgentState) -> Answer:
        if self._kind is PbxKind.OXO:
            return errors.INVALID_FEATURE  # contact centre distribution is an OXE's
        device = self._controlled(request.device.number)
        self._board.set_agent(device, _AGENT_STATES[request.state], request.agent)
        return m.Done()

    # --- whom it is about

    def _controlled(self, device: str, unknown: ServiceError = errors.OBJECT_NOT_KNOWN) -> str:
        if device not in self._board.sets:
            raise _Refusal(unknown)
        if not self._can_control(device):
            raise _Refusal(errors.PRIVILEGE_VIOLATION)
        return device

    def _leg(self, named: m.Connection) -> tuple[str, Call, Leg]:
        call = self._board.calls.get(int.from_bytes(named.call, "big"))
        if call is None:
            raise _Refusal(errors.INVALID_CALL)
        leg = next((leg for leg in call.legs if _is_named(leg.end, named)), None)
        if leg is None:
            raise _Refusal(errors.INVALID_CONNECTION)
        return self._controlled(leg.end.number), call, leg

    def _in_state(self, named: m.Connection, state: LocalState) -> tuple[str, Call]:
        device, call, leg = self._leg(named)
        if leg.state is not state:
            raise _Refusal(errors.INCORRECT_STATE)
        return device, call

    def _pair(self, request: switching.TwoConnections) -> tuple[str, int]:
        """The set of both connections, and the id of the held call."""
        active_device, _, active = self._leg(request.active)
        held_device, held_call, held = self._leg(request.held)
        if active.state is not LocalState.CONNECTED:
            raise _Refusal(errors.NO_ACTIVE_CALL)
        if held.state is not LocalState.HOLD:
            raise _Refusal(errors.NO_HELD_CALL)
        if active_device != held_device:
            raise _Refusal(errors.INVALID_CONNECTION)
        return held_device, held_call.call_id

    _SERVICES: dict[type[m.SwitchingRequest], Callable[["SwitchingDesk", Any], Answer]] = {
        switching.MakeCall: _make_call,
        switching.ConsultationCall: _consult,
        switching.AnswerCall: _answer_call,
        switching.HoldCall: _hold,
        switching.RetrieveCall: _retrieve,
        switching.ClearConnection: _clear,
        switching.DeflectCall: _deflect,
        switching.AlternateCall: _alternate,
        switching.TransferCall: _transfer,
        switching.ConferenceCall: _conference,
        switching.SendDtmf: _digits,
        switching.SetDoNotDisturb: _do_not_disturb,
        switching.SetForwarding: _forward,
        switching.SetAgentState: _agent,
    }


class _Refusal(Exception):
    def __init__(self, error: ServiceError) -> None:
        super().__init__(error)
        self.error = error


def _error(illegal: IllegalOperation) -> ServiceError:
    return _ERRORS[illegal.problem]


def _is_named(end: End, named: m.Connection) -> bool:
    if end.is_trunk:
        return False  # only our own sets are controlled
    return end.device_id == named.device if named.static is None else end.number == named.static.number
