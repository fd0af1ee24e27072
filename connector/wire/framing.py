"""Frames behind a 2-byte big-endian length, as CSTA over TCP cuts its stream (OXO manual; captures).

The length counts what follows it. Frames may share a TCP segment, and one may span many.
"""

from connector.domain.errors import LocalProtocolError, RemoteProtocolError
from connector.domain.faults import FaultId

# The largest captured frame has 219 bytes. A snapshot entry needs about 40, so this leaves room for some 400
# calls on one device; the length field alone would let a peer make us hold 64 KiB.
MAX_FRAME_BYTES = 16_384

_PREFIX_BYTES = 2


class FrameReader:
    """Takes a stream cut anywhere and gives whole frames; holds at most what was fed and one frame's rest."""

    __slots__ = ("_buffer", "_limit", "_position")

    def __init__(self, limit: int = MAX_FRAME_BYTES) -> None:
        self._buffer = bytearray()
        self._position = 0
        self._limit = limit

    def feed(self, data: bytes) -> None:
        """Add what arrived; the frames taken before are forgotten now."""
        if self._position:
            del self._buffer[: self._position]
            self._position = 0
        self._buffer += data

    def next_frame(self) -> bytes | None:
        """The next whole frame without its length, perhaps empty, or None until more arrives.

        Raises `RemoteProtocolError` if the length announced is over the limit: the stream is then unreadable.
        """
        start = self._position + _PREFIX_BYTES
        if len(self._buffer) < start:
            return None
        length = self._buffer[start - 2] << 8 | self._buffer[start - 1]
        if length > self._limit:
            raise RemoteProtocolError(
                FaultId.PBX_PROTOCOL,
                f"a frame of {length} bytes is over {self._limit}",
                excerpt=bytes(self._buffer[start - 2 : start + 4]),
                clause="2-byte length prefix",
                link="pbx",
            )
        if len(self._buffer) < start + length:
            return None
        self._position = start + length
        return bytes(self._buffer[start : self._position])

    @property
    def pending_bytes(self) -> int:
        """How much of an unfinished frame is held, its length included."""
        return len(self._buffer) - self._position


def framed(payload: bytes) -> bytes:
    """`payload` behind its length. Raises `LocalProtocolError` over `MAX_FRAME_BYTES`."""
    if len(payload) > MAX_FRAME_BYTES:
        raise LocalProtocolError(
            FaultId.OWN_PROTOCOL, f"a frame of {len(payload)} bytes is over {MAX_FRAME_BYTES}", link="pbx"
        )
    return len(payload).to_bytes(_PREFIX_BYTES, "big") + payload
