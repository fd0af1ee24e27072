"""BER: every form of length and tag, bounds, and the writer against the reader."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.domain.errors import RemoteProtocolError
from connector.domain.faults import FaultId
from connector.wire import ber


def listed(hexadecimal: str) -> list[tuple[int, bytes]]:
    data = bytes.fromhex(hexadecimal)
    return [(tag, data[start:stop]) for tag, start, stop in ber.elements(data, 0, len(data))]


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        ("", []),
        ("05 00", [(0x05, b"")]),
        ("02 01 2a 04 02 61 62", [(0x02, b"\x2a"), (0x04, b"ab")]),
        ("04 81 02 61 62", [(0x04, b"ab")]),
        ("04 82 00 02 61 62", [(0x04, b"ab")]),
        ("04 83 00 00 02 61 62", [(0x04, b"ab")]),
        ("30 80 02 01 2a 00 00 05 00", [(0x30, b"\x02\x01\x2a"), (0x05, b"")]),
        ("30 80 30 80 00 00 00 00", [(0x30, b"\x30\x80\x00\x00")]),
        ("30 80 04 02 00 00 00 00", [(0x30, b"\x04\x02\x00\x00")]),
        ("9f 1f 01 61", [(0x9F1F, b"a")]),
        ("5f 81 01 01 61 05 00", [(0x5F8101, b"a"), (0x05, b"")]),
        ("bf 87 ff 7f 80 05 00 00 00", [(0xBF87FF7F, b"\x05\x00")]),
        ("bf 22 81 02 05 00", [(0xBF22, b"\x05\x00")]),
    ],
)
def test_elements(octets: str, expected: list[tuple[int, bytes]]) -> None:
    assert listed(octets) == expected


@pytest.mark.parametrize(
    ("octets", "offset", "clause"),
    [
        ("02", 0, "8.1.1.1"),
        ("05 00 02", 2, "8.1.1.1"),
        ("02 02 01", 0, "8.1.3.3"),
        ("05 00 02 7f 01", 2, "8.1.3.3"),
        ("04 82 01", 1, "8.1.3.5"),
        ("04 84 00 00 00 01 61", 1, "8.1.3.5"),
        ("04 ff 61", 1, "8.1.3.5"),
        ("04 83 ff ff ff 61", 0, "8.1.3.3"),
        ("04 80 61 00 00", 0, "8.1.3.2"),
        ("30 80 05 00", 4, "8.1.3.6"),
        ("30 80 04 80 00 00 00 00", 2, "8.1.3.2"),
        ("30 80 04 7f 00 00", 6, "8.1.3.6"),
        ("30 80 00 01 61 00 00", 2, "8.1.5"),
        ("30 80 00 81 00", 2, "8.1.5"),
        ("9f 81 81 81 81 81 01 00", 0, "8.1.2.4"),
        ("9f 81", 0, "8.1.2.4"),
        ("9f 01", 2, "8.1.3"),
    ],
)
def test_broken(octets: str, offset: int, clause: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        listed(octets)
    assert (caught.value.fault, caught.value.offset) == (FaultId.PBX_PROTOCOL, offset)
    assert caught.value.clause == f"X.690, {clause}"
    assert len(caught.value.excerpt) <= 23


def test_depth_of_indefinite_lengths_is_bounded() -> None:
    def nested(depth: int) -> bytes:
        return b"\x30\x80" * depth + b"\x00\x00" * depth

    assert len(ber.elements(nested(ber.MAX_DEPTH), 0, 4 * ber.MAX_DEPTH)) == 1
    too_deep = nested(ber.MAX_DEPTH + 1)
    with pytest.raises(RemoteProtocolError, match="levels"):
        ber.elements(too_deep, 0, len(too_deep))


def test_definite_lengths_that_nobody_asks_for_are_not_entered() -> None:
    deep = b""
    for _ in range(2000):
        deep = ber.tlv(0x30, deep)
    assert len(ber.elements(deep, 0, len(deep))) == 1


@pytest.mark.parametrize(
    "octets", ["02 01 2a", "04 81 02 61 62", "30 80 05 00 00 00", "9f 1f 01 61", "5f 81 01 00"]
)
def test_first_and_single_see_what_elements_see(octets: str) -> None:
    data = bytes.fromhex(octets)
    [element] = ber.elements(data, 0, len(data))
    assert ber.first(data, 0, len(data)) == element
    assert ber.single(data) == element
    assert ber.first(data + b"\x05\x00", 0, len(data) + 2) == element
    with pytest.raises(RemoteProtocolError, match="2 elements"):
        ber.single(data + b"\x05\x00")


def test_first_of_nothing_is_absent() -> None:
    assert ber.first(b"ab", 1, 1) == (ber.ABSENT, 1, 1)
    with pytest.raises(RemoteProtocolError):
        ber.first(b"\x02", 0, 1)
    with pytest.raises(RemoteProtocolError):
        ber.first(b"\x02\x02\x01", 0, 3)
    with pytest.raises(RemoteProtocolError):
        ber.first(b"\x02\x81", 0, 2)
    with pytest.raises(RemoteProtocolError):
        ber.single(b"")


def test_inside_wants_its_tag() -> None:
    assert ber.inside(bytes.fromhex("30 02 05 00"), 0x30) == [(0x05, 4, 4)]
    with pytest.raises(RemoteProtocolError, match="31 where 30"):
        ber.inside(bytes.fromhex("31 02 05 00"), 0x30)


@settings(max_examples=200, deadline=None)
@given(st.integers(-(2**63), 2**63 - 1))
def test_integers_both_ways(value: int) -> None:
    tag, start, stop = ber.single(encoded := ber.integer(value))
    assert (tag, ber.as_integer(encoded[start:stop])) == (0x02, value)
    shortest = stop - start == 1 or not (
        (encoded[2] == 0 and encoded[3] < 0x80) or (encoded[2] == 0xFF and encoded[3] >= 0x80)
    )
    assert shortest, encoded.hex()


@pytest.mark.parametrize(
    ("value", "content"),
    [(0, "00"), (127, "7f"), (128, "0080"), (-128, "80"), (-129, "ff7f"), (0x4C9C, "4c9c")],
)
def test_integers(value: int, content: str) -> None:
    assert ber.integer(value)[2:].hex() == content


@pytest.mark.parametrize("size", [0, 127, 128, 255, 256, 65_535, 65_536])
def test_lengths_both_ways(size: int) -> None:
    encoded = ber.tlv(0x5F8101, bytes(size))
    assert ber.single(encoded) == (0x5F8101, len(encoded) - size, len(encoded))


@settings(max_examples=100, deadline=None)
@given(st.sets(st.integers(0, 37)), st.integers(38, 60))
def test_bits_both_ways(bits: set[int], width: int) -> None:
    encoded = ber.bit_string(bits, width)
    _, start, stop = ber.single(encoded)
    assert ber.as_bits(encoded[start:stop]) == bits
    assert stop - start == 1 + (width + 7) // 8


def test_unused_bits_do_not_count() -> None:
    assert ber.as_bits(bytes.fromhex("03 ff")) == {0, 1, 2, 3, 4}
    assert ber.as_bits(b"\x00") == frozenset()
    assert ber.as_bits(b"\x07") == frozenset()


@pytest.mark.parametrize("content", [b"", b"\x08\xff", bytes(ber.MAX_BIT_STRING_OCTETS + 2)])
def test_broken_bits(content: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        ber.as_bits(content)


def test_primitives_are_bounded() -> None:
    assert ber.as_boolean(b"\x01") is True
    assert ber.as_boolean(b"\x00") is False
    assert ber.boolean(value=True) == b"\x01\x01\xff"
    assert ber.as_octets(b"abc", 3) == b"abc"
    for broken in (
        lambda: ber.as_boolean(b""),
        lambda: ber.as_integer(b""),
        lambda: ber.as_integer(bytes(9)),
        lambda: ber.as_octets(b"abcd", 3),
    ):
        with pytest.raises(RemoteProtocolError):
            broken()
