"""Requests, results and errors, both ways and broken."""

import pytest

from connector.domain.calls import LocalState
from connector.domain.errors import LocalProtocolError, RemoteProtocolError
from connector.wire import rose
from connector.wire.csta import errors, services
from connector.wire.csta import messages as m
from connector.wire.csta.messages import DeviceForm, DeviceId

SET = DeviceId(DeviceForm.DIALING, "101")
FILTER = m.MonitorFilter(call=frozenset((0, 13)), voice=frozenset((6,)), private=True)

REQUESTS: list[m.Request] = [
    m.MonitorStart(SET),
    m.MonitorStart(SET, FILTER),
    m.MonitorStop(b"\x01\x02\x03\x04"),
    m.ChangeMonitorFilter(b"\x01", FILTER),
    m.SnapshotDevice(SET),
    m.QueryDevice(SET, m.QueryFeature.FORWARDING),
    m.SystemStatusReport(m.SystemStatus.NORMAL),
    m.OtherRequest(51, b"\x05\x00"),
    m.OtherRequest(9999, b""),
]
RESULTS: list[tuple[int, m.Result]] = [
    (71, m.MonitorStarted(b"\x01\x02\x03\x04")),
    (71, m.MonitorStarted(b"\x01", FILTER)),
    (73, m.Done()),
    (72, m.MonitorFilterChanged(FILTER)),
    (74, m.DeviceSnapshot()),
    (
        74,
        m.DeviceSnapshot(
            (
                m.SnapshotEntry(SET, m.Connection(b"\x01", b"\x02"), LocalState.HOLD),
                m.SnapshotEntry(SET, m.Connection(b"\x03", b"\x04")),
            )
        ),
    ),
    (12, m.DeviceInfo(SET, 0)),
    (12, m.DeviceInfo()),
    (12, m.OtherResult(b"\xa1\x03\x01\x01\xff")),
    (51, m.OtherResult(b"\x04\x01a")),
]


@pytest.mark.parametrize("request_", REQUESTS, ids=str)
def test_requests_both_ways(request_: m.Request) -> None:
    assert services.decode_request(*services.encode_request(request_)) == request_


@pytest.mark.parametrize(("operation", "result"), RESULTS)
def test_results_both_ways(operation: int, result: m.Result) -> None:
    assert services.decode_result(operation, services.encode_result(result)) == result


def test_results_without_a_value_are_done() -> None:
    assert services.decode_result(None, b"") == m.Done()
    assert services.decode_result(71, b"") == m.Done()


def test_a_snapshot_entry_without_connection_is_left_out() -> None:
    value = bytes.fromhex("76 11 05 00 30 00 30 0b 6b 06 82 01 01 83 01 02 4e 01 09")
    entry = m.SnapshotEntry(m.NOT_KNOWN, m.Connection(b"\x01", b"\x02"))
    assert services.decode_result(74, value) == m.DeviceSnapshot((entry,))


def test_device_info_without_a_device() -> None:
    assert services.decode_result(12, bytes.fromhex("a4 03 0a 01 02")) == m.DeviceInfo(None, 2)


@pytest.mark.parametrize(
    ("operation", "argument"),
    [
        (71, ""),
        (71, "30 00"),
        (71, "05 00"),
        (73, "05 00"),
        (73, ""),
        (72, "30 02 30 00"),
        (74, "80 7f"),
        (12, "80 01 31"),
        (52, ""),
        (52, "02 01 02"),
        (52, "0a 00"),
    ],
)
def test_broken_requests(operation: int, argument: str) -> None:
    with pytest.raises(RemoteProtocolError):
        services.decode_request(operation, bytes.fromhex(argument))


def test_a_request_that_names_no_device_is_left_to_the_pbx_to_refuse() -> None:
    assert services.decode_request(74, b"") == m.SnapshotDevice(m.NOT_KNOWN)


@pytest.mark.parametrize(
    ("operation", "value"), [(71, "30 00"), (71, "30 03 55 21 00"), (74, "76 02 30 01"), (72, "30")]
)
def test_broken_results(operation: int, value: str) -> None:
    with pytest.raises(RemoteProtocolError):
        services.decode_result(operation, bytes.fromhex(value))


@pytest.mark.parametrize(
    ("parameter", "error"),
    [
        ("81 01 04", errors.OBJECT_NOT_KNOWN),
        ("83 01 07", errors.OVERALL_MONITOR_LIMIT),
        ("84 01 04", errors.OUTSTANDING_REQUEST_LIMIT),
        ("86 00", errors.ServiceError(errors.ErrorClass.UNSPECIFIED)),
        ("8d 01 05", errors.ServiceError(13, 5)),
    ],
)
def test_errors_both_ways(parameter: str, error: errors.ServiceError) -> None:
    component = rose.Error(9, 1, bytes.fromhex(parameter))
    assert services.decode_error(component) == error
    assert services.encode_error(9, error) == component


@pytest.mark.parametrize(
    ("parameter", "error"),
    [
        ("", errors.ServiceError(6)),
        ("81 00", errors.ServiceError(1)),
        ("30 03 81 01 0c", errors.INVALID_DEVICE),
        ("30 00", errors.ServiceError(16)),
        ("81 05 01 01 01 01 01", errors.ServiceError(1)),
    ],
)
def test_odd_errors_are_errors_all_the_same(parameter: str, error: errors.ServiceError) -> None:
    assert services.decode_error(rose.Error(1, 1, bytes.fromhex(parameter))) == error


def test_errors_read_as_text() -> None:
    assert str(errors.OVERALL_MONITOR_LIMIT) == "system-resource 7"
    assert str(errors.ServiceError(13, 5)) == "13 5"


def test_an_error_class_that_no_tag_can_carry_is_refused() -> None:
    with pytest.raises(LocalProtocolError):
        services.encode_error(1, errors.ServiceError(31))
