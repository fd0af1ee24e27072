"""Bodies that one stanza can't hold: cut, carried, put together, and bounded at both ends."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.domain.errors import RemoteProtocolError
from connector.wire.pcg import chunks, http
from connector.wire.pcg.chunks import Chunk, Reassembly
from connector.wire.xmpp.xml import parse

# Protocol, section 1: the whole message with what stands around the chunk.
MAX_FRAME_BYTES = 65_536
JSON = (("Content-Type", "application/json"),)


def carried(response: http.HttpResponse, max_chunk_bytes: int = chunks.MAX_CHUNK_BYTES) -> http.Body:
    """The body at the other end, however it travelled."""
    answer = chunks.answer(response, "iq-7", max_chunk_bytes)
    told = http.read_response(parse(answer.payload))
    assert (told.status, told.headers) == (response.status, response.headers)
    if not told.stream_id:
        assert not answer.chunks
        return told.body
    assert told.body is None
    reassembly = Reassembly()
    reassembly.expect(told.stream_id)
    *first, last = [reassembly.take(chunks.read_chunk(parse(chunk))) for chunk in answer.chunks]
    assert first == [None] * len(first)
    return last


@settings(deadline=None, max_examples=40)
@given(st.binary(max_size=3_000), st.integers(0, 200_000), st.integers(1, 70_000))
def test_whatever_goes_in_comes_out(start: bytes, more: int, max_chunk_bytes: int) -> None:
    body = start + b"\xff" * more
    assert carried(http.HttpResponse(200, JSON, body), max_chunk_bytes) == body


def test_text_comes_as_its_bytes_and_each_chunk_fits_a_frame() -> None:
    body = "é" * 40_000
    assert carried(http.HttpResponse(200, JSON, body)) == body.encode()
    answer = chunks.answer(http.HttpResponse(200, JSON, body), "x" * 500)
    assert len(answer.chunks) == 3
    assert all(len(chunk) < MAX_FRAME_BYTES - 4_096 for chunk in answer.chunks)


def test_a_body_over_the_whole_limit_is_answered_413() -> None:
    answer = chunks.answer(http.HttpResponse(200, JSON, b"x" * (chunks.MAX_TOTAL_BYTES + 1)), "iq-7")
    assert http.read_response(parse(answer.payload)).status == 413
    assert answer.chunks == ()
    whole = http.HttpResponse(200, JSON, b"x" * chunks.MAX_TOTAL_BYTES)
    assert carried(whole, 1) == whole.body, "the smallest chunks are still few enough"


CHUNK = '<chunk xmlns="urn:xmpp:http" streamId="s" nr="0">eHg=</chunk>'


def test_the_standards_own_form_is_read() -> None:
    assert chunks.read_chunk(parse(CHUNK)) == Chunk("s", 0, b"xx", is_last=False)
    last = CHUNK.replace("nr=", 'last="true" nr=').replace("eHg=", "eH\n g=")
    assert chunks.read_chunk(parse(last)) == Chunk("s", 0, b"xx", is_last=True)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('streamId="s" ', ""),
        ("urn:xmpp:http", "urn:other"),
        ('nr="0"', 'nr="-1"'),
        ('nr="0"', 'nr="99999"'),
        ("eHg=", "e*g="),
        ("eHg=", "é"),
        ("eHg=", ""),
        ("eHg=", "AAAA" * 20_000),
        ('nr="0"', 'nr="0" last="perhaps"'),
    ],
)
def test_a_malformed_chunk_is_refused(old: str, new: str) -> None:
    with pytest.raises(RemoteProtocolError):
        chunks.read_chunk(parse(CHUNK.replace(old, new)))


def test_only_announced_streams_and_not_too_many() -> None:
    reassembly = Reassembly()
    with pytest.raises(RemoteProtocolError):
        reassembly.take(Chunk("s", 0, b"x", is_last=True))
    for number in range(chunks.MAX_STREAMS):
        reassembly.expect(f"s{number}")
    with pytest.raises(RemoteProtocolError):
        reassembly.expect("one more")
    with pytest.raises(RemoteProtocolError):
        reassembly.expect("s0")
    reassembly.forget("s0")
    reassembly.expect("one more")


@pytest.mark.parametrize("number", [0, 2])
def test_a_repeated_or_missing_chunk_ends_its_stream(number: int) -> None:
    reassembly = Reassembly()
    reassembly.expect("s")
    assert reassembly.take(Chunk("s", 0, b"x", is_last=False)) is None
    with pytest.raises(RemoteProtocolError):
        reassembly.take(Chunk("s", number, b"x", is_last=True))
    with pytest.raises(RemoteProtocolError):
        reassembly.take(Chunk("s", 1, b"x", is_last=True))


def test_chunks_without_end_are_cut_at_the_limit() -> None:
    reassembly = Reassembly()
    reassembly.expect("s")
    part = b"x" * chunks.MAX_CHUNK_BYTES
    for number in range(chunks.MAX_TOTAL_BYTES // chunks.MAX_CHUNK_BYTES):
        assert reassembly.take(Chunk("s", number, part, is_last=False)) is None
    with pytest.raises(RemoteProtocolError):
        reassembly.take(Chunk("s", number + 1, b"x", is_last=True))
