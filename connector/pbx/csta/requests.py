"""From the business's commands to CSTA's requests; what the phase has no words for has no request."""

from collections.abc import Callable
from typing import Any, Final

from connector.domain import commands as c
from connector.domain.calls import ConnectionId
from connector.wire.csta import messages as m
from connector.wire.csta import switching as s
from connector.wire.csta.devices import MAX_OPAQUE_OCTETS
from connector.wire.csta.messages import DeviceForm

_FORWARDING: Final = {
    c.ForwardingKind.IMMEDIATE: s.Forwarding.ALWAYS,
    c.ForwardingKind.BUSY: s.Forwarding.BUSY,
    c.ForwardingKind.NO_ANSWER: s.Forwarding.NO_ANSWER,
}
# Work after a call ends in "not ready" or in "ready"; a request for it means that the agent is not ready yet.
_AGENT_STATES: Final = {
    c.AgentState.LOGGED_ON: s.AgentState.LOG_ON,
    c.AgentState.LOGGED_OFF: s.AgentState.LOG_OFF,
    c.AgentState.NOT_READY: s.AgentState.NOT_READY,
    c.AgentState.READY: s.AgentState.READY,
    c.AgentState.WORKING_AFTER_CALL: s.AgentState.WORK_NOT_READY,
}


class InvalidConnection(ValueError):
    """A connection that no event of a PBX can have named."""


def request_of(command: c.Command, phase: m.Phase, numbers: frozenset[str]) -> m.SwitchingRequest | None:
    """The request for `command`, None if `phase` has none. Raises `InvalidConnection`.

    `numbers` are the PBX's devices: the device of a connection is one of them, or octets in hex.
    """

    def connection(of: ConnectionId) -> m.Connection:
        return connection_of(of, numbers)

    return _BUILDERS[type(command)](command, phase, connection)


def connection_of(of: ConnectionId, numbers: frozenset[str]) -> m.Connection:
    """The inverse of `mapping.connection_id`. Raises `InvalidConnection`."""
    call = _octets(of.call)
    if of.device in numbers:
        return m.Connection(call, static=m.DeviceId(DeviceForm.DIALING, of.device))
    return m.Connection(call, _octets(of.device))


def _octets(text: str) -> bytes:
    # `fromhex` alone would take spaces and capitals, which `hex` never makes.
    try:
        octets = bytes.fromhex(text)
    except ValueError:
        raise InvalidConnection from None
    if not octets or octets.hex() != text or len(octets) > MAX_OPAQUE_OCTETS:
        raise InvalidConnection
    return octets


_Connection = Callable[[ConnectionId], m.Connection]
_Builder = Callable[[Any, m.Phase, _Connection], m.SwitchingRequest | None]


def _dialling(number: str) -> m.DeviceId:
    return m.DeviceId(DeviceForm.DIALING, number)


def _of_one(kind: type[s.OneConnection] | type[s.HoldCall]) -> _Builder:
    return lambda command, _, connection: kind(connection(command.connection))


def _of_two(kind: type[s.TwoConnections]) -> _Builder:
    return lambda command, _, connection: kind(connection(command.held), connection(command.active))


def _make_call(command: c.MakeCall, _: m.Phase, __: _Connection) -> s.MakeCall:
    return s.MakeCall(_dialling(command.device), _dialling(command.called))


def _consultation(command: c.ConsultationCall, _: m.Phase, connection: _Connection) -> s.ConsultationCall:
    return s.ConsultationCall(connection(command.connection), _dialling(command.consulted))


def _deflect(command: c.DeflectCall, _: m.Phase, connection: _Connection) -> s.DeflectCall:
    return s.DeflectCall(connection(command.connection), _dialling(command.destination))


def _digits(command: c.GenerateDigits, phase: m.Phase, connection: _Connection) -> s.SendDtmf | None:
    if phase is m.Phase.ONE:
        return None  # ECMA-180 has no such service
    return s.SendDtmf(connection(command.connection), command.digits)


def _do_not_disturb(command: c.SetDoNotDisturb, _: m.Phase, __: _Connection) -> s.SetDoNotDisturb:
    return s.SetDoNotDisturb(_dialling(command.device), command.is_on)


def _forwarding(command: c.SetForwarding, _: m.Phase, __: _Connection) -> s.SetForwarding:
    kind = _FORWARDING[command.kind]
    return s.SetForwarding(_dialling(command.device), kind, command.is_on, command.destination)


def _agent_state(command: c.SetAgentState, _: m.Phase, __: _Connection) -> s.SetAgentState | None:
    if command.withdraw_reason is not None:
        return None  # neither phase has a place for the reason, and without it the state would be another
    state = _AGENT_STATES[command.state]
    return s.SetAgentState(_dialling(command.device), state, command.agent, command.password, command.group)


_BUILDERS: Final[dict[type[c.Command], _Builder]] = {
    c.MakeCall: _make_call,
    c.AnswerCall: _of_one(s.AnswerCall),
    c.HoldCall: _of_one(s.HoldCall),
    c.RetrieveCall: _of_one(s.RetrieveCall),
    c.ClearConnection: _of_one(s.ClearConnection),
    c.ConsultationCall: _consultation,
    c.TransferCall: _of_two(s.TransferCall),
    c.ConferenceCall: _of_two(s.ConferenceCall),
    c.AlternateCall: _of_two(s.AlternateCall),
    c.DeflectCall: _deflect,
    c.GenerateDigits: _digits,
    c.SetForwarding: _forwarding,
    c.SetDoNotDisturb: _do_not_disturb,
    c.SetAgentState: _agent_state,
}
