"""Frames behind a 2-byte length: cut anywhere, bounded."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.domain.errors import LocalProtocolError, RemoteProtocolError
from connector.wire.framing import MAX_FRAME_BYTES, FrameReader, framed

PAYLOADS = [b"\xa1\x03\x02\x01\x01", b"", b"x" * 300, b"\x00\x00"]
STREAM = b"".join(framed(payload) for payload in PAYLOADS)


def taken(reader: FrameReader) -> list[bytes]:
    frames = []
    while (frame := reader.next_frame()) is not None:
        frames.append(frame)
    return frames


def test_frames_of_one_segment() -> None:
    reader = FrameReader()
    reader.feed(STREAM)
    assert taken(reader) == PAYLOADS
    assert reader.pending_bytes == 0


def test_byte_by_byte() -> None:
    reader = FrameReader()
    frames = []
    for octet in STREAM:
        reader.feed(bytes((octet,)))
        frames += taken(reader)
    assert frames == PAYLOADS


@pytest.mark.parametrize("cut", range(1, len(STREAM)))
def test_cut_at_every_offset(cut: int) -> None:
    reader = FrameReader()
    reader.feed(STREAM[:cut])
    frames = taken(reader)
    reader.feed(STREAM[cut:])
    assert frames + taken(reader) == PAYLOADS


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=10), st.integers(1, 7))
def test_any_frames_in_any_steps(payloads: list[bytes], step: int) -> None:
    stream = b"".join(framed(payload) for payload in payloads)
    reader = FrameReader()
    frames = []
    for start in range(0, len(stream), step):
        reader.feed(stream[start : start + step])
        frames += taken(reader)
    assert frames == payloads


def test_a_frame_at_the_limit_passes_and_one_above_does_not() -> None:
    reader = FrameReader(limit=4)
    reader.feed(b"\x00\x04abcd\x00\x05")
    assert reader.next_frame() == b"abcd"
    with pytest.raises(RemoteProtocolError, match="5 bytes is over 4"):
        reader.next_frame()


def test_the_length_alone_is_enough_to_refuse() -> None:
    reader = FrameReader()
    reader.feed((MAX_FRAME_BYTES + 1).to_bytes(2, "big"))
    with pytest.raises(RemoteProtocolError):
        reader.next_frame()


def test_frames_taken_are_forgotten() -> None:
    reader = FrameReader()
    for _ in range(1000):
        reader.feed(framed(b"x" * 100) + b"\x00")
        reader.feed(b"\x64" + b"y" * 100)
        assert taken(reader) == [b"x" * 100, b"y" * 100]
    assert reader.pending_bytes == 0


def test_framed_is_bounded() -> None:
    assert framed(b"ab") == b"\x00\x02ab"
    with pytest.raises(LocalProtocolError):
        framed(bytes(MAX_FRAME_BYTES + 1))
