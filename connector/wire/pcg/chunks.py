"""Bodies of the http channel that one stanza can't hold: XEP-0332, section 7, `chunkedBase64`.

The response names a stream of chunks; they follow in messages of their own, in order. Chunks come from
whoever gave the response, which the caller checks: nothing in a chunk proves it.
"""

import binascii
from base64 import b64decode, b64encode
from dataclasses import dataclass, replace
from xml.etree.ElementTree import Element

from connector.domain.errors import RemoteProtocolError
from connector.domain.faults import FaultId
from connector.wire.pcg.fields import boolean_field, broken, expect, integer_field, text_field
from connector.wire.pcg.http import MAX_BODY_BYTES, Body, HttpResponse, refused, response
from connector.wire.pcg.names import HTTP, MAX_WORD_CHARS
from connector.wire.xmpp.xml import attributes

_CLAUSE = "protocol, section 4; XEP-0332, 7"

# 15,000 devices of an OXE are 2 MB as JSON; what the gateway reads for its pages is far below one.
MAX_TOTAL_BYTES = 1_048_576
# The standard lets a requester ask for 256 to 65,536 bytes a chunk; a frame holds this much with its base64.
MAX_CHUNK_BYTES = MAX_BODY_BYTES
MIN_CHUNK_BYTES = 256
# Answers that one gateway awaits from one agent at a time; the next one waits for these.
MAX_STREAMS = 8

_MAX_CHUNKS = MAX_TOTAL_BYTES // MIN_CHUNK_BYTES
_MAX_BASE64_CHARS = (MAX_CHUNK_BYTES + 2) // 3 * 4


@dataclass(frozen=True, slots=True)
class Answer:
    """A response as it travels: `payload` in the result, then each of `chunks` in a message of its own."""

    payload: str
    chunks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chunk:
    """Part `number`, from 0, of the body that `stream_id` names."""

    stream_id: str
    number: int
    content: bytes
    is_last: bool


def answer(given: HttpResponse, stream_id: str, max_chunk_bytes: int = MAX_CHUNK_BYTES) -> Answer:
    """`given` in one piece if it fits, else in chunks under `stream_id`, cut at 64 characters: one that the
    requester awaits nothing else under, such as the id of its iq.

    `max_chunk_bytes` is what the request allows. A body over `MAX_TOTAL_BYTES` is answered 413.
    """
    stream_id = stream_id[:MAX_WORD_CHARS]
    content = _bytes(given.body)
    if len(content) <= MAX_BODY_BYTES:
        return Answer(response(given))
    if len(content) > MAX_TOTAL_BYTES:
        return Answer(response(refused(413, f"the answer is over {MAX_TOTAL_BYTES} bytes")))
    size = max(MIN_CHUNK_BYTES, min(max_chunk_bytes, MAX_CHUNK_BYTES))
    parts = [content[start : start + size] for start in range(0, len(content), size)]
    chunks = (
        _chunk(Chunk(stream_id, number, part, number == len(parts) - 1)) for number, part in enumerate(parts)
    )
    return Answer(response(replace(given, body=None, stream_id=stream_id)), tuple(chunks))


def read_chunk(payload: Element) -> Chunk:
    """The part in `<chunk>`. Raises `RemoteProtocolError`."""
    expect(payload, HTTP, "chunk", _CLAUSE)
    stream_id = text_field(payload, "streamId", _CLAUSE, limit=MAX_WORD_CHARS)
    number = integer_field(payload, "nr", _CLAUSE, high=_MAX_CHUNKS)
    is_last = boolean_field(payload, "last", _CLAUSE, default=False)
    return Chunk(stream_id, number, _content(payload), is_last)


class Reassembly:
    """Puts chunks together again, for streams that were announced; everything is bounded."""

    def __init__(self) -> None:
        self._streams: dict[str, list[bytes]] = {}

    def expect(self, stream_id: str) -> None:
        """A response announced `stream_id`. Raises `RemoteProtocolError`: used already, or too many."""
        if stream_id in self._streams:
            raise _misuse("a stream of chunks was announced twice")
        if len(self._streams) >= MAX_STREAMS:
            raise _misuse(f"over {MAX_STREAMS} streams of chunks at a time")
        self._streams[stream_id] = []

    def take(self, chunk: Chunk) -> bytes | None:
        """The whole body with its last chunk, before that None.

        Raises `RemoteProtocolError` for a chunk nobody waits for, out of order, or beyond the limit; that
        stream is then over.
        """
        parts = self._streams.get(chunk.stream_id)
        if parts is None:
            raise _misuse("a chunk of a stream that was not announced")
        total_bytes = sum(map(len, parts)) + len(chunk.content)
        if chunk.number != len(parts) or total_bytes > MAX_TOTAL_BYTES:
            self.forget(chunk.stream_id)
            raise _misuse("a chunk out of order" if chunk.number != len(parts) else "a body over the limit")
        parts.append(chunk.content)
        if not chunk.is_last:
            return None
        self.forget(chunk.stream_id)
        return b"".join(parts)

    def forget(self, stream_id: str) -> None:
        """Nobody waits for `stream_id` any more."""
        self._streams.pop(stream_id, None)


def _bytes(body: Body) -> bytes:
    if body is None:
        return b""
    return body if isinstance(body, bytes) else body.encode(errors="replace")


def _chunk(chunk: Chunk) -> str:
    last = "true" if chunk.is_last else None
    fields = attributes(streamId=chunk.stream_id, nr=str(chunk.number), last=last)
    return f'<chunk xmlns="{HTTP}"{fields}>{b64encode(chunk.content).decode()}</chunk>'


def _content(payload: Element) -> bytes:
    text = "".join((payload.text or "").split())
    if len(text) > _MAX_BASE64_CHARS:
        raise broken(payload, f"is over {MAX_CHUNK_BYTES} bytes", _CLAUSE)
    try:
        content = b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise broken(payload, "is not base64", _CLAUSE) from None
    if not content:
        raise broken(payload, "is empty", _CLAUSE)  # else a stream of nothing would never end
    return content


def _misuse(detail: str) -> RemoteProtocolError:
    return RemoteProtocolError(FaultId.CLOUD_PROTOCOL, detail, clause=_CLAUSE, link="cloud")
