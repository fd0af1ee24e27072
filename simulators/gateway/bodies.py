"""Bodies of the http channel that an agent sends in chunks: who waits for which. PURE."""

from collections.abc import Callable

from connector.domain.errors import RemoteProtocolError
from connector.wire.pcg.chunks import Chunk, Reassembly

# Takes the whole body, or None when it broke off.
BodyTaken = Callable[[bytes | None], None]


class AwaitedBodies:
    """Of one agent: eight at a time, each in order and bounded; see `Reassembly`."""

    __slots__ = ("_reassembly", "_takers")

    def __init__(self) -> None:
        self._reassembly = Reassembly()
        self._takers: dict[str, BodyTaken] = {}

    def expect(self, stream_id: str, taken: BodyTaken) -> None:
        """A response announced `stream_id`; `taken` is called once, unless it is forgotten before.

        Raises `RemoteProtocolError`: announced already, or too many at a time.
        """
        self._reassembly.expect(stream_id)
        self._takers[stream_id] = taken

    def take(self, chunk: Chunk) -> None:
        """Put one more chunk to its body. Raises `RemoteProtocolError`, and that body is over."""
        try:
            body = self._reassembly.take(chunk)
        except RemoteProtocolError:
            self._end(chunk.stream_id, None)
            raise
        if body is not None:
            self._end(chunk.stream_id, body)

    def forget(self, stream_id: str) -> None:
        """Nobody waits for `stream_id` any more."""
        self._reassembly.forget(stream_id)
        self._takers.pop(stream_id, None)

    def _end(self, stream_id: str, body: bytes | None) -> None:
        taken = self._takers.pop(stream_id, None)
        if taken is not None:
            taken(body)
