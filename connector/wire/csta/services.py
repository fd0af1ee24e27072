"""Requests, results and errors of the services that Oxbridge uses, both ways (ECMA-180, ECMA-218).

Nothing here depends on the phase. A service that has no message of its own passes as `OtherRequest`.
"""

from collections.abc import Callable
from typing import Final

from connector.domain.errors import LocalProtocolError
from connector.domain.faults import FaultId
from connector.wire import ber, rose
from connector.wire.csta import devices, errors, switching_codec
from connector.wire.csta import messages as m
from connector.wire.csta.devices import CONNECTION, CROSS_REF, LOCAL_STATE, SUBJECT
from connector.wire.csta.operations import Operation

_SNAPSHOT: Final = 0x76
_DEVICE_INFO: Final = 0xA4
_CHANGED_FILTER: Final = 0xA0

# Groups of a monitor filter: tag, field, and how many bits the standard counts (the widths an OXE sends).
_FILTER_BITS: Final = ((0x80, "call", 14), (0x81, "feature", 8), (0x82, "agent", 6), (0x83, "maintenance", 2))
_FILTER_VOICE: Final = (0x85, "voice", 7)
_FILTER_PRIVATE: Final = 0x84
_FILTER_NAMES: Final = {tag: name for tag, name, _ in (*_FILTER_BITS, _FILTER_VOICE)}

_MONITOR_START: Final = int(Operation.MONITOR_START)
_MONITOR_STOP: Final = int(Operation.MONITOR_STOP)
_CHANGE_FILTER: Final = int(Operation.CHANGE_MONITOR_FILTER)
_SNAPSHOT_DEVICE: Final = int(Operation.SNAPSHOT_DEVICE)
_QUERY_DEVICE: Final = int(Operation.QUERY_DEVICE)
_SYSTEM_STATUS: Final = int(Operation.SYSTEM_STATUS)


def decode_request(operation: int, argument: bytes) -> m.Request:
    """The request that `argument` holds. Raises `RemoteProtocolError`; an unknown operation is none."""
    reader = _REQUEST_READERS.get(operation)
    if reader is not None:
        return reader(argument)
    return switching_codec.read_request(operation, argument) or m.OtherRequest(operation, argument)


def _monitor_start(argument: bytes) -> m.MonitorStart:
    parts = ber.inside(argument, ber.SEQUENCE)
    monitor_filter = next((_filter(argument, s, e) for tag, s, e in parts if tag == ber.SEQUENCE), None)
    return m.MonitorStart(_leading_device(argument, parts), monitor_filter)


def _monitor_stop(argument: bytes) -> m.MonitorStop:
    return m.MonitorStop(_cross_ref(argument, [ber.first(argument, 0, len(argument))]))


def _change_filter(argument: bytes) -> m.ChangeMonitorFilter:
    parts = ber.inside(argument, ber.SEQUENCE)
    wanted = next((_filter(argument, s, e) for tag, s, e in parts if tag == ber.SEQUENCE), m.MonitorFilter())
    return m.ChangeMonitorFilter(_cross_ref(argument, parts), wanted)


def _snapshot_device(argument: bytes) -> m.SnapshotDevice:
    return m.SnapshotDevice(_leading_device(argument, [ber.first(argument, 0, len(argument))]))


def _query_device(argument: bytes) -> m.QueryDevice:
    parts = ber.inside(argument, ber.SEQUENCE)
    feature = _number(argument, parts, ber.ENUMERATED)
    return m.QueryDevice(_leading_device(argument, parts), -1 if feature is None else feature)


def _system_status(argument: bytes) -> m.SystemStatusReport:
    status = _number(argument, [ber.first(argument, 0, len(argument))], ber.ENUMERATED)
    if status is None:
        raise ber.broken(argument, 0, "a status that is no ENUMERATED", "ECMA-180, SystemStatus")
    return m.SystemStatusReport(status)


_REQUEST_READERS: Final[dict[int, Callable[[bytes], m.Request]]] = {
    _MONITOR_START: _monitor_start,
    _MONITOR_STOP: _monitor_stop,
    _CHANGE_FILTER: _change_filter,
    _SNAPSHOT_DEVICE: _snapshot_device,
    _QUERY_DEVICE: _query_device,
    _SYSTEM_STATUS: _system_status,
}


def _leading_device(argument: bytes, parts: list[ber.Element]) -> m.DeviceId:
    if not parts:
        raise ber.broken(argument, 0, "a device is missing", "ECMA-180, DeviceID")
    tag, start, stop = parts[0]
    return devices.device_of(tag, argument[start:stop])


def _cross_ref(data: bytes, parts: list[ber.Element]) -> bytes:
    for tag, start, stop in parts:
        if tag == CROSS_REF:
            return devices.read_cross_ref(data[start:stop])
    raise ber.broken(data, 0, "a cross reference is missing", "ECMA-180, MonitorCrossRefID")


def _number(data: bytes, parts: list[ber.Element], wanted: int) -> int | None:
    return next((ber.as_integer(data[start:stop]) for tag, start, stop in parts if tag == wanted), None)


def _filter(data: bytes, start: int, stop: int) -> m.MonitorFilter:
    groups: dict[str, frozenset[int]] = {}
    private = False
    for tag, inner_start, inner_stop in ber.elements(data, start, stop):
        if tag == _FILTER_PRIVATE:
            private = ber.as_boolean(data[inner_start:inner_stop])
        elif tag in _FILTER_NAMES:
            groups[_FILTER_NAMES[tag]] = ber.as_bits(data[inner_start:inner_stop])
    return m.MonitorFilter(**groups, private=private)


def encode_request(request: m.Request) -> tuple[int, bytes]:  # noqa: PLR0911 - one return a service
    """Operation number and encoded argument of `request`."""
    match request:
        case m.MonitorStart(device, wanted):
            return _MONITOR_START, ber.sequence(devices.write_device(device), _optional_filter(wanted))
        case m.MonitorStop(cross_ref):
            return _MONITOR_STOP, ber.tlv(CROSS_REF, cross_ref)
        case m.ChangeMonitorFilter(cross_ref, wanted):
            return _CHANGE_FILTER, ber.sequence(ber.tlv(CROSS_REF, cross_ref), _optional_filter(wanted))
        case m.SnapshotDevice(device):
            return _SNAPSHOT_DEVICE, devices.write_device(device)
        case m.QueryDevice(device, feature):
            asked = ber.integer(feature, ber.ENUMERATED)
            return _QUERY_DEVICE, ber.sequence(devices.write_device(device), asked)
        case m.SystemStatusReport(status):
            return _SYSTEM_STATUS, ber.integer(status, ber.ENUMERATED)
        case m.SwitchingRequest():
            return switching_codec.write_request(request)
        case m.OtherRequest(operation, argument):
            return operation, argument


def _optional_filter(monitor_filter: m.MonitorFilter | None) -> bytes:
    return b"" if monitor_filter is None else _write_filter(monitor_filter, ber.SEQUENCE)


def _write_filter(monitor_filter: m.MonitorFilter, tag: int) -> bytes:
    groups = [
        ber.bit_string(getattr(monitor_filter, name), width, group)
        for group, name, width in (*_FILTER_BITS, _FILTER_VOICE)
    ]
    return ber.tlv(tag, b"".join(groups) + ber.boolean(value=monitor_filter.private, tag=_FILTER_PRIVATE))


def decode_result(operation: int | None, value: bytes) -> m.Result:
    """The result of `operation`. Raises `RemoteProtocolError`; an unknown operation is none."""
    if operation is None or not value:
        return m.Done()
    tag, start, stop = ber.first(value, 0, len(value))
    if tag == ber.NULL_TAG:
        return m.Done()
    reader = _RESULT_READERS.get((operation, tag))
    if reader is not None:
        return reader(value, start, stop)
    return switching_codec.read_result(operation, value) or m.OtherResult(value)


def _monitor_started(data: bytes, start: int, stop: int) -> m.MonitorStarted:
    parts = ber.elements(data, start, stop)
    got = next((_filter(data, s, e) for tag, s, e in parts if tag == ber.SEQUENCE), None)
    return m.MonitorStarted(_cross_ref(data, parts), got)


def _filter_changed(data: bytes, start: int, stop: int) -> m.MonitorFilterChanged:
    return m.MonitorFilterChanged(_filter(data, start, stop))


def _snapshot(data: bytes, start: int, stop: int) -> m.DeviceSnapshot:
    parts = ber.elements(data, start, stop)
    entries = (_entry(data, ber.elements(data, s, e)) for tag, s, e in parts if tag == ber.SEQUENCE)
    return m.DeviceSnapshot(tuple(entry for entry in entries if entry is not None))


def _entry(data: bytes, parts: list[ber.Element]) -> m.SnapshotEntry | None:
    """One call of a snapshot; without its connection it says nothing."""
    device, connection, state = m.NOT_KNOWN, None, None
    for tag, start, stop in parts:
        if tag == SUBJECT:
            device = devices.read_device(data[start:stop])
        elif tag == CONNECTION:
            connection = devices.read_connection(data[start:stop])
        elif tag == LOCAL_STATE:
            state = devices.read_state(data[start:stop])
    return None if connection is None else m.SnapshotEntry(device, connection, state)


def _device_info(data: bytes, start: int, stop: int) -> m.DeviceInfo:
    parts = ber.elements(data, start, stop)
    named = next(((tag, data[s:e]) for tag, s, e in parts[:1] if tag & 0x80), None)
    device = None if named is None else devices.device_of(*named)
    return m.DeviceInfo(device, _number(data, parts, ber.ENUMERATED))


_RESULT_READERS: Final[dict[tuple[int, int], Callable[[bytes, int, int], m.Result]]] = {
    (_MONITOR_START, ber.SEQUENCE): _monitor_started,
    (_CHANGE_FILTER, _CHANGED_FILTER): _filter_changed,
    (_SNAPSHOT_DEVICE, _SNAPSHOT): _snapshot,
    (_QUERY_DEVICE, _DEVICE_INFO): _device_info,
}


def encode_result(result: m.Result) -> bytes:  # noqa: PLR0911 - one return a service
    """The encoded value of `result`."""
    match result:
        case m.MonitorStarted(cross_ref, got):
            return ber.sequence(ber.tlv(CROSS_REF, cross_ref), _optional_filter(got))
        case m.MonitorFilterChanged(got):
            return _write_filter(got, _CHANGED_FILTER)
        case m.DeviceSnapshot(entries):
            return ber.tlv(_SNAPSHOT, b"".join(_write_entry(entry) for entry in entries))
        case m.DeviceInfo(device, kind):
            name = b"" if device is None else devices.write_device(device)
            return ber.tlv(_DEVICE_INFO, name + (b"" if kind is None else ber.integer(kind, ber.ENUMERATED)))
        case m.Done():
            return ber.NULL
        case m.SwitchingResult():
            return switching_codec.write_result(result)
        case m.OtherResult(value):
            return value


def _write_entry(entry: m.SnapshotEntry) -> bytes:
    state = b"" if entry.state is None else devices.write_state(entry.state)
    device = ber.tlv(SUBJECT, devices.write_device(entry.device))
    return ber.sequence(device, devices.write_connection(entry.connection), state)


def decode_error(error: rose.Error) -> errors.ServiceError:
    """Class and value of a failure. One without a readable value keeps its class."""
    if not error.parameter:
        return errors.ServiceError(errors.ErrorClass.UNSPECIFIED)
    tag, start, stop = ber.first(error.parameter, 0, len(error.parameter))
    if tag == ber.SEQUENCE:
        # Some switches put the choice into a SEQUENCE with private data behind it.
        inner = ber.elements(error.parameter, start, stop)
        tag, start, stop = inner[0] if inner else (tag, start, start)
    value = ber.as_integer(error.parameter[start:stop]) if 0 < stop - start <= 4 else 0
    return errors.ServiceError(tag & 0x1F, value)


def encode_error(invoke_id: int, error: errors.ServiceError) -> rose.Error:
    """`error` as the failure of the request `invoke_id`."""
    if not 0 <= error.error_class < 0x1F:
        raise LocalProtocolError(FaultId.OWN_PROTOCOL, f"no error class {error.error_class}", link="pbx")
    tag = 0x80 | error.error_class
    unspecified = error.error_class == errors.ErrorClass.UNSPECIFIED
    parameter = ber.tlv(tag, b"") if unspecified else ber.integer(error.value, tag)
    return rose.Error(invoke_id, rose.UNIVERSAL_FAILURE, parameter)
