"""ROSE components, both ways and broken."""

import pytest

from connector.domain.errors import RemoteProtocolError
from connector.wire import ber, rose

COMPONENTS = [
    (rose.Invoke(1, 71, bytes.fromhex("3005800331 3031")), "a1 0d 02 01 01 02 01 47 30 05 80 03 31 30 31"),
    (rose.Invoke(0x4C9F, 52), "a1 07 02 02 4c 9f 02 01 34"),
    (rose.Result(5), "a2 03 02 01 05"),
    (rose.Result(0x1FC8, 52, ber.NULL), "a2 0b 02 02 1f c8 30 05 02 01 34 05 00"),
    (rose.Error(1, 1, bytes.fromhex("810104")), "a3 09 02 01 01 02 01 01 81 01 04"),
    (rose.Error(1, 1), "a3 06 02 01 01 02 01 01"),
    (rose.Reject(None, 0, 0), "a4 05 05 00 80 01 00"),
    (rose.Reject(7, 1, 2), "a4 06 02 01 07 81 01 02"),
]


@pytest.mark.parametrize(("component", "octets"), COMPONENTS)
def test_both_ways(component: rose.Component, octets: str) -> None:
    assert rose.decode(bytes.fromhex(octets)) == component
    assert rose.encode(component) == bytes.fromhex(octets)


def test_a_linked_id_is_skipped() -> None:
    assert rose.decode(bytes.fromhex("a1 0b 02 01 01 80 01 09 02 01 34 05 00")) == rose.Invoke(
        1, 52, b"\x05\x00"
    )


def test_an_argument_of_indefinite_length_stays_whole() -> None:
    component = rose.decode(bytes.fromhex("a1 80 02 01 01 02 01 47 30 80 80 01 31 00 00 00 00"))
    assert component == rose.Invoke(1, 71, bytes.fromhex("30 80 80 01 31 00 00"))
    component = rose.decode(bytes.fromhex("a2 80 02 01 01 30 80 02 01 47 30 80 05 00 00 00 00 00 00 00"))
    assert component == rose.Result(1, 71, bytes.fromhex("30 80 05 00 00 00"))


@pytest.mark.parametrize(
    "octets",
    [
        "",
        "a1 00",
        "a1 03 02 01 01",
        "a1 06 02 01 01 04 01 47",
        "a1 06 04 01 01 02 01 47",
        "a1 06 02 00 02 01 47 05",
        "a1 0f 02 09 01 01 01 01 01 01 01 01 01 02 01 47 05",
        "a2 00",
        "a2 05 02 01 01 05 00",
        "a2 05 02 01 01 30 00",
        "a3 03 02 01 01",
        "a4 02 05 00",
        "a5 03 02 01 01",
        "a1 06 02 01 01 02 01 34 05 00",
    ],
)
def test_broken(octets: str) -> None:
    with pytest.raises(RemoteProtocolError):
        rose.decode(bytes.fromhex(octets))


def test_a_reject_reads_as_text() -> None:
    assert str(rose.Reject(7, 1, 3)) == "reject invoke 3"
    assert str(rose.Reject(None, 9, 3)) == "reject 9 3"
