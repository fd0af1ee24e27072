"""Requests and results of the switching services, both ways (ECMA-180; ECMA-218 alike).

Shapes and tags are those of the public phase I module. Phase II adds optional parts behind them, which are
skipped, and SendDTMF, which phase I does not have. Where editions differ in what they put around a connection
or a pair, every form is read; the phase I form is written.
"""

from collections.abc import Callable
from typing import Final

from connector.wire import ber
from connector.wire.csta import devices
from connector.wire.csta import switching as s
from connector.wire.csta.devices import CALLED, CONNECTION, CONNECTION_LIST
from connector.wire.csta.messages import (
    NO_CONNECTION,
    Connection,
    DeviceId,
    SwitchingRequest,
    SwitchingResult,
)
from connector.wire.csta.operations import Operation

# A whole set of digits for a dialogue with a voice server; what is longer is no keypress of a person.
MAX_DTMF_DIGITS = 64
# An agent's login and password are a few digits each.
MAX_AGENT_OCTETS = 32

_BOTH: Final = 0xA2
_HELD_ONLY: Final = 0xA0
_ACTIVE_ONLY: Final = 0xA1
_DEFLECT: Final = 0xA0
_DO_NOT_DISTURB: Final = 0x81
_FORWARD: Final = 0xA2
_AGENT: Final = 0xA3
_AGENT_ID: Final = 0x8A
_AGENT_PASSWORD: Final = 0x8B
_IA5_STRING: Final = 0x16
_CLAUSE: Final = "ECMA-180, switching services"


def read_request(operation: int, argument: bytes) -> SwitchingRequest | None:
    """The request that `argument` holds, None if `operation` is no service (or feature) that is here.

    Raises `RemoteProtocolError`.
    """
    reader = _READERS.get(operation)
    return None if reader is None else reader(argument)


def _parts(argument: bytes) -> dict[int, bytes]:
    """What stands inside the argument's outer element, the first of each tag."""
    _, start, stop = ber.first(argument, 0, len(argument))
    found: dict[int, bytes] = {}
    for tag, inner_start, inner_stop in ber.elements(argument, start, stop):
        found.setdefault(tag, argument[inner_start:inner_stop])
    return found


def _connection(argument: bytes) -> Connection:
    """The connection that an argument is (phase I), or that is the first part of it."""
    tag, start, stop = ber.first(argument, 0, len(argument))
    if tag == CONNECTION:
        return devices.read_connection(argument[start:stop])
    return _required(argument, _parts(argument))


def _required(argument: bytes, parts: dict[int, bytes]) -> Connection:
    if CONNECTION not in parts:
        raise ber.broken(argument, 0, "a connection is missing", _CLAUSE)
    return devices.read_connection(parts[CONNECTION])


def _leading_device(argument: bytes) -> DeviceId:
    _, start, stop = ber.first(argument, 0, len(argument))
    tag, start, stop = ber.first(argument, start, stop)
    return devices.device_of(tag, argument[start:stop])


def _called(argument: bytes, parts: dict[int, bytes]) -> DeviceId:
    if CALLED not in parts:
        raise ber.broken(argument, 0, "a destination is missing", _CLAUSE)
    return devices.read_device(parts[CALLED])


def _pair(argument: bytes) -> tuple[Connection, Connection]:
    """Held and active connection: [2] around both, either alone ([0], [1]), or a SEQUENCE of both."""
    tag, start, stop = ber.first(argument, 0, len(argument))
    if tag == _HELD_ONLY:
        return devices.read_connection(argument[start:stop]), NO_CONNECTION
    if tag == _ACTIVE_ONLY:
        return NO_CONNECTION, devices.read_connection(argument[start:stop])
    both = [
        devices.read_connection(argument[inner_start:inner_stop])
        for inner, inner_start, inner_stop in ber.elements(argument, start, stop)
        if inner == CONNECTION
    ]
    if len(both) != 2:
        raise ber.broken(argument, 0, f"{len(both)} connections where two are expected", _CLAUSE)
    return both[0], both[1]


def _make_call(argument: bytes) -> s.MakeCall:
    return s.MakeCall(_leading_device(argument), _called(argument, _parts(argument)))


def _hold_call(argument: bytes) -> s.HoldCall:
    tag, _, _ = ber.first(argument, 0, len(argument))
    if tag == CONNECTION:
        return s.HoldCall(_connection(argument))
    parts = _parts(argument)
    reserved = ber.BOOLEAN in parts and ber.as_boolean(parts[ber.BOOLEAN])
    return s.HoldCall(_required(argument, parts), reserved)


def _consultation_call(argument: bytes) -> s.ConsultationCall:
    parts = _parts(argument)
    return s.ConsultationCall(_required(argument, parts), _called(argument, parts))


def _divert_call(argument: bytes) -> s.DeflectCall | None:
    tag, _, _ = ber.first(argument, 0, len(argument))
    if tag != _DEFLECT:
        return None  # the other choices pick calls up
    parts = _parts(argument)
    return s.DeflectCall(_required(argument, parts), _called(argument, parts))


def _send_dtmf(argument: bytes) -> s.SendDtmf:
    parts = _parts(argument)
    digits = ber.as_octets(parts.get(_IA5_STRING, b""), MAX_DTMF_DIGITS)
    return s.SendDtmf(_required(argument, parts), digits.decode("latin-1"))


def _set_feature(argument: bytes) -> SwitchingRequest | None:
    device = _leading_device(argument)
    feature = ber.inside(argument, ber.SEQUENCE)[1:2]
    for tag, start, stop in feature:
        if tag == _DO_NOT_DISTURB:
            return s.SetDoNotDisturb(device, ber.as_boolean(argument[start:stop]))
        if tag == _FORWARD:
            return _forwarding(device, argument[start:stop])
        if tag == _AGENT:
            return _agent_state(device, argument[start:stop])
    return None


def _forwarding(device: DeviceId, content: bytes) -> s.SetForwarding:
    parts = {tag: content[start:stop] for tag, start, stop in ber.elements(content, 0, len(content))}
    value = ber.as_integer(parts.get(ber.ENUMERATED, b""))
    if not s.Forwarding.ALWAYS <= value <= s.Forwarding.NO_ANSWER + 1:
        raise ber.broken(content, 0, f"forwarding type {value}", _CLAUSE)
    number = ber.as_octets(parts.get(_IA5_STRING, b""), devices.MAX_NUMBER_CHARS).decode("latin-1")
    return s.SetForwarding(device, s.Forwarding(value & ~1), not value & 1, number)


def _agent_state(device: DeviceId, content: bytes) -> s.SetAgentState:
    tag, start, stop = ber.first(content, 0, len(content))
    number = tag & 0x1F
    if number > s.AgentState.WORK_READY:
        raise ber.broken(content, 0, f"agent state {number}", _CLAUSE)
    agent = password = group = ""
    for part, inner_start, inner_stop in ber.elements(content, start, stop):
        text = content[inner_start:inner_stop]
        if part == _AGENT_ID:
            agent = ber.as_octets(text, MAX_AGENT_OCTETS).decode("latin-1")
        elif part == _AGENT_PASSWORD:
            password = ber.as_octets(text, MAX_AGENT_OCTETS).decode("latin-1")
        elif not group:
            group = devices.device_of(part, text).number
    return s.SetAgentState(device, s.AgentState(number), agent, password, group)


_ONE: Final[dict[int, type[s.OneConnection]]] = {
    int(Operation.ANSWER_CALL): s.AnswerCall,
    int(Operation.CLEAR_CONNECTION): s.ClearConnection,
    int(Operation.RETRIEVE_CALL): s.RetrieveCall,
}
_TWO: Final[dict[int, type[s.TwoConnections]]] = {
    int(Operation.ALTERNATE_CALL): s.AlternateCall,
    int(Operation.CONFERENCE_CALL): s.ConferenceCall,
    int(Operation.TRANSFER_CALL): s.TransferCall,
}


def _reader_of_one(kind: type[s.OneConnection]) -> Callable[[bytes], SwitchingRequest]:
    return lambda argument: kind(_connection(argument))


def _reader_of_two(kind: type[s.TwoConnections]) -> Callable[[bytes], SwitchingRequest]:
    return lambda argument: kind(*_pair(argument))


_READERS: Final[dict[int, Callable[[bytes], SwitchingRequest | None]]] = {
    int(Operation.MAKE_CALL): _make_call,
    int(Operation.HOLD_CALL): _hold_call,
    int(Operation.CONSULTATION_CALL): _consultation_call,
    int(Operation.DIVERT_CALL): _divert_call,
    int(Operation.SEND_DTMF): _send_dtmf,
    int(Operation.SET_FEATURE): _set_feature,
    **{operation: _reader_of_one(kind) for operation, kind in _ONE.items()},
    **{operation: _reader_of_two(kind) for operation, kind in _TWO.items()},
}


def read_result(operation: int, value: bytes) -> SwitchingResult | None:
    """The result of `operation`, None if it is none of these. Raises `RemoteProtocolError`.

    One that does not say which connection the call has is still a success, only not one of these.
    """
    joined = _joined(value) if operation in _INITIATING | _JOINING else None
    if joined is None or joined.connection == NO_CONNECTION:
        return None
    return s.CallInitiated(joined.connection) if operation in _INITIATING else joined


_INITIATING: Final = frozenset((int(Operation.MAKE_CALL), int(Operation.CONSULTATION_CALL)))
_JOINING: Final = frozenset((int(Operation.CONFERENCE_CALL), int(Operation.TRANSFER_CALL)))


def _joined(value: bytes) -> s.CallsJoined:
    tag, start, stop = ber.first(value, 0, len(value))
    if tag == CONNECTION:
        return s.CallsJoined(devices.read_connection(value[start:stop]))
    connection, listed = NO_CONNECTION, b""
    for inner, inner_start, inner_stop in ber.elements(value, start, stop):
        if inner == CONNECTION:
            connection = devices.read_connection(value[inner_start:inner_stop])
        elif inner in (CONNECTION_LIST, ber.SEQUENCE):
            listed = value[inner_start:inner_stop]
    return s.CallsJoined(connection, devices.read_list(listed))


def write_request(request: SwitchingRequest) -> tuple[int, bytes]:
    """Operation number and encoded argument of `request`."""
    operation, writer = _WRITERS[type(request)]
    return int(operation), writer(request)


def _write_called(called: DeviceId) -> bytes:
    return ber.tlv(CALLED, devices.write_device(called))


def _write_make_call(request: s.MakeCall) -> bytes:
    return ber.sequence(devices.write_device(request.calling), _write_called(request.called))


def _write_one(request: s.OneConnection) -> bytes:
    return devices.write_connection(request.connection)


def _write_two(request: s.TwoConnections) -> bytes:
    both = devices.write_connection(request.held) + devices.write_connection(request.active)
    return ber.tlv(_BOTH, both)


def _write_hold(request: s.HoldCall) -> bytes:
    return ber.sequence(devices.write_connection(request.connection), ber.boolean(value=request.is_reserved))


def _write_consultation(request: s.ConsultationCall) -> bytes:
    return ber.sequence(devices.write_connection(request.connection), _write_called(request.called))


def _write_deflect(request: s.DeflectCall) -> bytes:
    parts = devices.write_connection(request.connection) + _write_called(request.destination)
    return ber.tlv(_DEFLECT, parts)


def _write_dtmf(request: s.SendDtmf) -> bytes:
    digits = ber.tlv(_IA5_STRING, request.digits.encode("latin-1"))
    return ber.sequence(devices.write_connection(request.connection), digits)


def _write_do_not_disturb(request: s.SetDoNotDisturb) -> bytes:
    feature = ber.boolean(value=request.is_on, tag=_DO_NOT_DISTURB)
    return ber.sequence(devices.write_device(request.device), feature)


def _write_forwarding(request: s.SetForwarding) -> bytes:
    kind = ber.integer(request.kind + (not request.is_on), ber.ENUMERATED)
    number = request.destination.encode("latin-1")
    parameter = kind + (ber.tlv(_IA5_STRING, number) if number else b"")
    return ber.sequence(devices.write_device(request.device), ber.tlv(_FORWARD, parameter))


def _write_agent_state(request: s.SetAgentState) -> bytes:
    state = request.state
    if state > s.AgentState.LOG_OFF:
        asked = ber.tlv(0x80 | state, b"")
    else:
        parts = _text(_AGENT_ID, request.agent) + _text(_AGENT_PASSWORD, request.password)
        asked = ber.tlv(0xA0 | state, parts + _text(0x80, request.group))
    return ber.sequence(devices.write_device(request.device), ber.tlv(_AGENT, asked))


def _text(tag: int, text: str) -> bytes:
    return ber.tlv(tag, text.encode("latin-1")) if text else b""


_Writer = tuple[Operation, Callable[..., bytes]]
_WRITERS: Final[dict[type[SwitchingRequest], _Writer]] = {
    s.MakeCall: (Operation.MAKE_CALL, _write_make_call),
    s.AnswerCall: (Operation.ANSWER_CALL, _write_one),
    s.ClearConnection: (Operation.CLEAR_CONNECTION, _write_one),
    s.RetrieveCall: (Operation.RETRIEVE_CALL, _write_one),
    s.HoldCall: (Operation.HOLD_CALL, _write_hold),
    s.ConsultationCall: (Operation.CONSULTATION_CALL, _write_consultation),
    s.DeflectCall: (Operation.DIVERT_CALL, _write_deflect),
    s.AlternateCall: (Operation.ALTERNATE_CALL, _write_two),
    s.ConferenceCall: (Operation.CONFERENCE_CALL, _write_two),
    s.TransferCall: (Operation.TRANSFER_CALL, _write_two),
    s.SendDtmf: (Operation.SEND_DTMF, _write_dtmf),
    s.SetDoNotDisturb: (Operation.SET_FEATURE, _write_do_not_disturb),
    s.SetForwarding: (Operation.SET_FEATURE, _write_forwarding),
    s.SetAgentState: (Operation.SET_FEATURE, _write_agent_state),
}


def write_result(result: SwitchingResult) -> bytes:
    """The encoded value of `result`."""
    match result:
        case s.CallInitiated(connection):
            return devices.write_connection(connection)
        case s.CallsJoined(connection, connections):
            listed = b"".join(devices.write_entry(entry) for entry in connections)
            parts = devices.write_connection(connection)
            return ber.sequence(parts, ber.tlv(CONNECTION_LIST, listed) if listed else b"")
    raise TypeError(type(result).__name__)
