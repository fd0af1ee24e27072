"""Event reports of both phases, both ways.

Phase I (ECMA-180): SEQUENCE { crossRef, [0] number of the event, SEQUENCE of its fields }.
Phase II as an OXE sends it: SEQUENCE { crossRef, [0] { [n] { SEQUENCE of its fields } }, common arguments }.
The fields are the same. They are told apart by tag, so an event that lacks one, or has an unknown one, is
read all the same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from connector.domain.calls import Cause
from connector.domain.errors import LocalProtocolError
from connector.domain.faults import FaultId
from connector.wire import ber
from connector.wire.csta import devices
from connector.wire.csta import messages as m
from connector.wire.csta.devices import (
    CALLED,
    CALLING,
    CONNECTION,
    CONNECTION_LIST,
    CROSS_REF,
    LOCAL_STATE,
    MAX_REMEMBERED,
    REDIRECTION,
    SUBJECT,
)
from connector.wire.csta.private_data import (
    COMMON_ARGUMENTS,
    PRIVATE_DATA,
    read_common,
    read_private,
    write_common,
    write_private,
)

_CALL_CONTROL: Final = 0xA0
_EVENT_NUMBER: Final = 0x80
_BACK_IN_SERVICE: Final = 301
_OUT_OF_SERVICE: Final = 302

# EventCause of phases I and II. A number without an entry is read as no cause.
CAUSES: Final = {
    1: Cause.ACTIVE_PARTICIPATION,
    2: Cause.ALTERNATE,
    3: Cause.BUSY,
    4: Cause.CALL_BACK,
    5: Cause.CALL_CANCELLED,
    6: Cause.CALL_FORWARD_IMMEDIATE,
    7: Cause.CALL_FORWARD_BUSY,
    8: Cause.CALL_FORWARD_NO_ANSWER,
    9: Cause.CALL_FORWARD,
    10: Cause.CALL_NOT_ANSWERED,
    11: Cause.CALL_PICKUP,
    12: Cause.CAMP_ON,
    13: Cause.DEST_NOT_OBTAINABLE,
    14: Cause.DO_NOT_DISTURB,
    15: Cause.INCOMPATIBLE_DESTINATION,
    16: Cause.INVALID_ACCOUNT_CODE,
    17: Cause.KEY_OPERATION,
    18: Cause.LOCKOUT,
    19: Cause.MAINTENANCE,
    20: Cause.NETWORK_CONGESTION,
    21: Cause.NETWORK_NOT_OBTAINABLE,
    22: Cause.NEW_CALL,
    23: Cause.NO_AVAILABLE_AGENTS,
    24: Cause.OVERRIDE,
    25: Cause.PARK,
    26: Cause.OVERFLOW,
    27: Cause.RECALL,
    28: Cause.REDIRECTED,
    29: Cause.REORDER_TONE,
    30: Cause.RESOURCES_NOT_AVAILABLE,
    31: Cause.SILENT_PARTICIPATION,
    32: Cause.TRANSFER,
    33: Cause.TRUNKS_BUSY,
    34: Cause.VOICE_UNIT,
    35: Cause.BLOCKED,
    36: Cause.CHARACTER_COUNT_REACHED,
    37: Cause.CONSULTATION,
    38: Cause.DISTRIBUTED,
    44: Cause.MAKE_CALL,
    46: Cause.NETWORK_SIGNAL,
    47: Cause.NEXT_MESSAGE,
    48: Cause.NORMAL_CLEARING,
    50: Cause.NUMBER_CHANGED,
    51: Cause.SINGLE_STEP_CONFERENCE,
    52: Cause.SINGLE_STEP_TRANSFER,
    56: Cause.TIMEOUT,
}
CAUSE_NUMBERS: Final = {cause: number for number, cause in CAUSES.items()}


_Reader = Callable[[bytes], object]


@lru_cache(MAX_REMEMBERED)
def _read_cause(content: bytes) -> Cause | None:
    return CAUSES.get(ber.as_integer(content))


_READERS: Final[dict[int, _Reader]] = {
    CONNECTION: devices.read_connection,
    SUBJECT: devices.read_device,
    CALLING: devices.read_device,
    CALLED: devices.read_device,
    REDIRECTION: devices.read_device,
    LOCAL_STATE: devices.read_state,
    ber.ENUMERATED: _read_cause,
    ber.INTEGER: ber.as_integer,
    ber.SEQUENCE: devices.read_list,
    CONNECTION_LIST: devices.read_list,
}


@dataclass(frozen=True, slots=True)
class _Layout:
    """One event: its number in phase I (in phase II its tag is [number - 1]) and its fields in sending order.

    A tag that comes twice fills the second field of that tag; a third is skipped. `phase_one` replaces tags
    that the text of phase I writes otherwise than an OXE does.
    """

    number: int
    message: type[m.CallEvent]
    fields: tuple[tuple[int, str], ...]
    first: dict[int, tuple[str, _Reader]]
    second: dict[int, str]
    phase_one: dict[str, int]

    @property
    def choice(self) -> int:
        """The tag of the event in phase II."""
        return 0xA0 | (self.number - 1)


_TAIL: Final = ((LOCAL_STATE, "state"), (ber.ENUMERATED, "cause"))
_JOINED: Final = ((CONNECTION, "connection"), (CONNECTION, "secondary_old"))
_PARTIES: Final = ((CALLING, "calling"), (CALLED, "called"), (REDIRECTION, "last_redirection"))


def _layout(
    number: int, message: type[m.CallEvent], fields: tuple[tuple[int, str], ...], **phase_one: int
) -> _Layout:
    first: dict[int, tuple[str, _Reader]] = {}
    second: dict[int, str] = {}
    for tag, name in fields:
        if tag in first:
            second[tag] = name
        else:
            first[tag] = name, _READERS[tag]
    for name, tag in phase_one.items():
        # Where a field is written with another tag, that tag is free: reading needs no phase.
        first.setdefault(tag, (name, _READERS[tag]))
    return _Layout(number, message, fields, first, second, phase_one)


_LAYOUTS: Final = (
    _layout(1, m.CallCleared, ((CONNECTION, "connection"), *_TAIL)),
    _layout(
        2,
        m.Conferenced,
        (*_JOINED, (SUBJECT, "controller"), (SUBJECT, "added"), (ber.SEQUENCE, "connections"), *_TAIL),
        connections=CONNECTION_LIST,
    ),
    _layout(3, m.ConnectionCleared, ((CONNECTION, "connection"), (SUBJECT, "releasing"), *_TAIL)),
    _layout(4, m.Delivered, ((CONNECTION, "connection"), (SUBJECT, "alerting"), *_PARTIES, *_TAIL)),
    _layout(
        5,
        m.Diverted,
        ((CONNECTION, "connection"), (SUBJECT, "diverting"), (SUBJECT, "destination"), *_TAIL),
        destination=CALLED,
    ),
    _layout(6, m.Established, ((CONNECTION, "connection"), (SUBJECT, "answering"), *_PARTIES, *_TAIL)),
    _layout(7, m.Failed, ((CONNECTION, "connection"), (SUBJECT, "failing"), (CALLED, "called"), *_TAIL)),
    _layout(8, m.Held, ((CONNECTION, "connection"), (SUBJECT, "holding"), *_TAIL)),
    _layout(
        9, m.NetworkReached, ((CONNECTION, "connection"), (SUBJECT, "trunk"), (CALLED, "called"), *_TAIL)
    ),
    _layout(
        10,
        m.Originated,
        ((CONNECTION, "connection"), (CALLING, "calling"), (CALLED, "called"), *_TAIL),
        calling=SUBJECT,
    ),
    _layout(
        11,
        m.Queued,
        ((CONNECTION, "connection"), (SUBJECT, "queue"), *_PARTIES, (ber.INTEGER, "waiting"), *_TAIL),
    ),
    _layout(12, m.Retrieved, ((CONNECTION, "connection"), (SUBJECT, "retrieving"), *_TAIL)),
    _layout(13, m.ServiceInitiated, ((CONNECTION, "connection"), *_TAIL)),
    _layout(
        14,
        m.Transferred,
        (
            *_JOINED,
            (SUBJECT, "transferring"),
            (SUBJECT, "transferred"),
            (ber.SEQUENCE, "connections"),
            *_TAIL,
        ),
        connections=CONNECTION_LIST,
    ),
)
_BY_NUMBER: Final = {layout.number: layout for layout in _LAYOUTS}
_BY_CHOICE: Final = {layout.choice: layout for layout in _LAYOUTS}
_BY_MESSAGE: Final = {layout.message: layout for layout in _LAYOUTS}


def decode_event_report(data: bytes, start: int, stop: int) -> m.EventReport:
    """The event report that data[start:stop], the argument of operation 21, holds.

    Raises `RemoteProtocolError` for octets that are not BER, a value over a limit, no cross reference.
    """
    outer, inner_start, inner_stop = ber.first(data, start, stop)
    if outer != ber.SEQUENCE:
        raise ber.broken(data, start, "an event report that is no SEQUENCE", "ECMA-180, EventReport")
    parts = ber.elements(data, inner_start, inner_stop)
    cross_ref = event = private = None
    time = ""
    for tag, s, e in parts:
        if tag == CROSS_REF:
            cross_ref = devices.read_cross_ref(data[s:e])
        elif tag == _CALL_CONTROL:
            event = _phase_two(data, s, e)
        elif tag == COMMON_ARGUMENTS:
            time, private = read_common(data, s, e)
        elif tag == _EVENT_NUMBER:
            event, private = _phase_one(data, ber.as_integer(data[s:e]), parts)
    if cross_ref is None:
        raise ber.broken(data, start, "an event report without cross reference", "ECMA-180, EventReport")
    return m.EventReport(cross_ref, event or _other(parts), time, private)


def _other(parts: list[ber.Element]) -> m.OtherEvent:
    return m.OtherEvent(
        " ".join(f"{tag:x}" for tag, _, _ in parts if tag not in (CROSS_REF, COMMON_ARGUMENTS))
    )


def _phase_two(data: bytes, start: int, stop: int) -> m.Event:
    choice, start, stop = ber.first(data, start, stop)
    layout = _BY_CHOICE.get(choice)
    if layout is None:
        return m.OtherEvent(f"a0 {choice:x}")
    tag, start, stop = ber.first(data, start, stop)
    if tag != ber.SEQUENCE:
        return m.OtherEvent(f"a0 {choice:x} {tag:x}")
    return _read_event(layout, data, ber.elements(data, start, stop))


def _phase_one(data: bytes, number: int, report: list[ber.Element]) -> tuple[m.Event, m.PrivateData | None]:
    layout = _BY_NUMBER.get(number)
    if layout is None and number not in (_BACK_IN_SERVICE, _OUT_OF_SERVICE):
        return m.OtherEvent(str(number)), None
    start, stop = next(((s, e) for tag, s, e in report if tag == ber.SEQUENCE), (0, 0))
    parts = ber.elements(data, start, stop)
    private = None
    if parts and parts[-1][0] == PRIVATE_DATA:
        _, start, stop = parts[-1]
        private = read_private(data[start:stop])
    if layout is not None:
        return _read_event(layout, data, parts), private
    device = next((devices.read_device(data[s:e]) for tag, s, e in parts if tag == SUBJECT), m.NOT_KNOWN)
    return (m.BackInService if number == _BACK_IN_SERVICE else m.OutOfService)(device), private


def _read_event(layout: _Layout, data: bytes, parts: list[ber.Element]) -> m.CallEvent:
    known = layout.first
    fields: dict[str, Any] = {}
    for tag, start, stop in parts:
        if tag in known:
            name, reader = known[tag]
            if name in fields:
                name = layout.second.get(tag, name)
                if name in fields:
                    continue
            fields[name] = reader(data[start:stop])
    return layout.message(**fields)


def encode_event_report(report: m.EventReport, phase: m.Phase) -> bytes:
    """`report` as the argument of operation 21.

    Raises `LocalProtocolError` for an event that has no known encoding in `phase`: others than call control
    in phase II, since no capture shows one, and `OtherEvent`.
    """
    cross_ref = ber.tlv(CROSS_REF, report.cross_ref)
    if phase is m.Phase.ONE:
        number, fields = _phase_one_parts(report.event)
        if report.private is not None:
            fields += write_private(report.private)
        return ber.sequence(cross_ref, ber.integer(number, _EVENT_NUMBER), ber.sequence(fields))
    if not isinstance(report.event, m.CallEvent):
        raise _no_encoding(report.event)
    layout = _BY_MESSAGE[type(report.event)]
    event = ber.tlv(layout.choice, ber.sequence(_write_event(layout, report.event, {})))
    return ber.sequence(
        cross_ref, ber.tlv(_CALL_CONTROL, event), write_common(report.local_time, report.private)
    )


def _phase_one_parts(event: m.Event) -> tuple[int, bytes]:
    match event:
        case m.BackInService(device):
            return _BACK_IN_SERVICE, ber.tlv(SUBJECT, devices.write_device(device))
        case m.OutOfService(device):
            return _OUT_OF_SERVICE, ber.tlv(SUBJECT, devices.write_device(device))
        case m.OtherEvent():
            raise _no_encoding(event)
        case _:
            layout = _BY_MESSAGE[type(event)]
            return layout.number, _write_event(layout, event, layout.phase_one)


def _no_encoding(event: m.Event) -> LocalProtocolError:
    return LocalProtocolError(FaultId.OWN_PROTOCOL, f"no encoding of {type(event).__name__}", link="pbx")


def _write_event(layout: _Layout, event: m.CallEvent, replaced: dict[str, int]) -> bytes:
    return b"".join(
        _WRITERS[tag](replaced.get(name, tag), value)
        for tag, name in layout.fields
        if (value := getattr(event, name)) is not None and value != ()
    )


def _write_connections(tag: int, entries: tuple[m.ListedConnection, ...]) -> bytes:
    encoded = [devices.write_entry(entry) for entry in entries]
    if tag == ber.SEQUENCE:
        encoded = [ber.tlv(devices.LISTED, entry) for entry in encoded]
    return ber.tlv(tag, b"".join(encoded))


def _write_role(tag: int, device: m.DeviceId) -> bytes:
    return ber.tlv(tag, devices.write_device(device))


_WRITERS: Final[dict[int, Callable[[int, Any], bytes]]] = {
    CONNECTION: lambda _, value: devices.write_connection(value),
    LOCAL_STATE: lambda _, value: devices.write_state(value),
    ber.ENUMERATED: lambda tag, value: ber.integer(_cause_number(value), tag),
    ber.INTEGER: lambda tag, value: ber.integer(value, tag),
    ber.SEQUENCE: _write_connections,
    CONNECTION_LIST: _write_connections,
    SUBJECT: _write_role,
    CALLING: _write_role,
    CALLED: _write_role,
    REDIRECTION: _write_role,
}


def _cause_number(cause: Cause) -> int:
    number = CAUSE_NUMBERS.get(cause)
    if number is None:
        raise LocalProtocolError(FaultId.OWN_PROTOCOL, f"phases I and II have no cause {cause}", link="pbx")
    return number
