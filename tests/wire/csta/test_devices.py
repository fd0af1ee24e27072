"""Devices, connections, lists and states in all the forms that switches use."""

import pytest

from connector.domain.calls import LocalState
from connector.domain.errors import RemoteProtocolError
from connector.wire import ber
from connector.wire.csta import devices
from connector.wire.csta.messages import NOT_KNOWN, Connection, DeviceForm, DeviceId, ListedConnection


@pytest.mark.parametrize(
    ("content", "device"),
    [
        ("80 03 31 30 31", DeviceId(DeviceForm.DIALING, "101")),
        ("81 02 03 e9", DeviceId(DeviceForm.DEVICE_NUMBER, "1001")),
        ("82 03 30 31 39", DeviceId(DeviceForm.IMPLICIT_PUBLIC, "019")),
        ("a3 05 81 03 33 33 31", DeviceId(DeviceForm.EXPLICIT_PUBLIC, "331", 1)),
        ("84 04 33 30 30 31", DeviceId(DeviceForm.IMPLICIT_PRIVATE, "3001")),
        ("a5 05 85 03 33 33 31", DeviceId(DeviceForm.EXPLICIT_PRIVATE, "331", 5)),
        ("86 01 78", DeviceId(DeviceForm.OTHER, "x")),
        ("87 00", DeviceId(DeviceForm.NOT_KNOWN)),
        ("88 00", DeviceId(DeviceForm.NOT_REQUIRED)),
        ("89 00", DeviceId(DeviceForm.NOT_SPECIFIED)),
        ("82 00", DeviceId(DeviceForm.IMPLICIT_PUBLIC)),
    ],
)
def test_devices_both_ways(content: str, device: DeviceId) -> None:
    octets = bytes.fromhex(content)
    assert devices.read_device(octets) == device
    assert devices.write_device(device) == octets


def test_what_is_remembered_is_bounded_in_forms_that_are_not_known_too() -> None:
    unknown = ber.tlv(0x8A, bytes(devices.MAX_PARTY_OCTETS - 3))
    assert devices.read_device(unknown) == NOT_KNOWN
    assert devices.read_connection(unknown) == Connection(b"")
    for read in (devices.read_device, devices.read_connection):
        with pytest.raises(RemoteProtocolError):
            read(ber.tlv(0x8A, bytes(devices.MAX_PARTY_OCTETS - 2)))


@pytest.mark.parametrize("content", ["", "8a 00", "9f 22 01 61", "05 00", "a3 00"])
def test_a_form_that_is_not_known_is_a_device_not_known(content: str) -> None:
    assert devices.read_device(bytes.fromhex(content)).number == ""


def test_a_number_is_bounded() -> None:
    longest = b"\x84\x40" + b"1" * devices.MAX_NUMBER_CHARS
    assert devices.read_device(longest).number == "1" * devices.MAX_NUMBER_CHARS
    with pytest.raises(RemoteProtocolError):
        devices.read_device(b"\x84\x41" + b"1" * 65)


@pytest.mark.parametrize(
    ("content", "connection"),
    [
        ("82 02 00 58 83 04 10 96 01 00", Connection(b"\x00\x58", b"\x10\x96\x01\x00")),
        ("82 04 00 58 00 01 83 01 10", Connection(b"\x00\x58\x00\x01", b"\x10")),
        ("83 04 10 96 01 00 82 02 00 58", Connection(b"\x00\x58", b"\x10\x96\x01\x00")),
        ("82 02 00 58", Connection(b"\x00\x58")),
        ("82 01 58 a0 05 80 03 31 30 31", Connection(b"X", static=DeviceId(DeviceForm.DIALING, "101"))),
        ("82 01 58 80 03 31 30 31", Connection(b"X", static=DeviceId(DeviceForm.DIALING, "101"))),
        ("80 02 00 58 81 02 10 96", Connection(b"\x00\x58", b"\x10\x96")),
        ("", Connection(b"")),
    ],
)
def test_connections(content: str, connection: Connection) -> None:
    assert devices.read_connection(bytes.fromhex(content)) == connection


def test_connections_are_written_as_captured() -> None:
    dynamic = Connection(b"\x00\x58", b"\x10\x96\x01\x00")
    assert devices.write_connection(dynamic).hex(" ") == "6b 0a 82 02 00 58 83 04 10 96 01 00"
    static = Connection(b"X", static=DeviceId(DeviceForm.DIALING, "101"))
    assert devices.write_connection(static).hex(" ") == "6b 0a 82 01 58 a0 05 80 03 31 30 31"


def test_an_opaque_id_is_bounded() -> None:
    with pytest.raises(RemoteProtocolError):
        devices.read_connection(b"\x82\x21" + bytes(33))
    with pytest.raises(RemoteProtocolError):
        devices.read_cross_ref(bytes(33))


ENTRY = "6b 06 82 01 01 83 01 02 80 03 31 30 31"


@pytest.mark.parametrize(
    "content",
    [f"a3 0f 30 0d {ENTRY}", f"30 0d {ENTRY}", "30 0f 6b 06 82 01 01 83 01 02 63 05 80 03 31 30 31"],
)
def test_lists_of_both_phases(content: str) -> None:
    [entry] = devices.read_list(bytes.fromhex(content))
    assert entry == ListedConnection(Connection(b"\x01", b"\x02"), DeviceId(DeviceForm.DIALING, "101"))


def test_odd_entries_of_a_list_lose_nothing() -> None:
    content = "05 00 30 05 80 03 31 30 31 a3 00 a3 02 05 00 80 01 ff 6b 06 82 01 01 83 01 02"
    assert devices.read_list(bytes.fromhex(content)) == (ListedConnection(Connection(b"\x01", b"\x02")),)


@pytest.mark.parametrize(("octet", "state"), list(enumerate(LocalState)))
def test_states(octet: int, state: LocalState) -> None:
    assert devices.read_state(bytes((octet,))) is state
    assert devices.write_state(state) == bytes((0x4E, 1, octet))


def test_an_unknown_state_is_none() -> None:
    assert devices.read_state(b"\x07") is None
    assert devices.read_state(b"\xff") is None
