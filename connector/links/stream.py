"""A connected byte stream whose TLS can be added, and that another asyncio protocol can take over.

asyncio's own streams can do neither safely on every Python we support: a `StreamWriter` that is dropped
closes its transport.
"""

import asyncio
import ssl
from typing import cast

# What a proxy says before the far end speaks is a few kilobytes; more waits in the kernel.
_MAX_BUFFERED_BYTES = 65_536
# The TLS farewell of a peer that is gone is not worth waiting for.
_TLS_CLOSE_SECONDS = 1.0


class ByteStream(asyncio.Protocol):
    """Reads, writes, becomes TLS, is handed over. Made by `connect`."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._is_at_end = False
        self._error: Exception | None = None
        self._changed = asyncio.Event()
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._closed = asyncio.Event()

    # asyncio.Protocol ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio connected."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """asyncio read `data`."""
        self._buffer += data
        self._changed.set()
        if len(self._buffer) > _MAX_BUFFERED_BYTES:
            self.transport.pause_reading()

    def eof_received(self) -> None:
        """The far end will send nothing more; the connection closes."""
        self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._error = self._error or exc
        self._end()
        self._closed.set()

    def pause_writing(self) -> None:
        """The far end takes nothing now."""
        self._may_write.clear()

    def resume_writing(self) -> None:
        """It does again."""
        self._may_write.set()

    def _end(self) -> None:
        self._is_at_end = True
        self._changed.set()
        self._may_write.set()

    # For its owner ---------------------------------------------------------------------------------------

    @property
    def transport(self) -> asyncio.Transport:
        """asyncio's transport; that of TLS after `start_tls`."""
        if self._transport is None:
            raise RuntimeError("not connected yet")
        return self._transport

    @property
    def ssl_object(self) -> ssl.SSLObject | None:
        """The outermost TLS of the stream, None without."""
        return cast(ssl.SSLObject | None, self.transport.get_extra_info("ssl_object"))

    async def read(self, max_bytes: int) -> bytes:
        """The next 1 to `max_bytes` bytes; b"" at the end. Raises the OSError that ended it."""
        while not self._buffer:
            if self._is_at_end:
                if self._error is not None:
                    raise self._error
                return b""
            self._changed.clear()
            await self._changed.wait()
        data = bytes(self._buffer[:max_bytes])
        del self._buffer[:max_bytes]
        if not self._is_at_end and len(self._buffer) <= _MAX_BUFFERED_BYTES // 2:
            self.transport.resume_reading()
        return data

    async def read_exactly(self, count: int) -> bytes:
        """`count` bytes. Raises EOFError when the stream ends before."""
        data = b""
        while len(data) < count:
            more = await self.read(count - len(data))
            if not more:
                raise EOFError("the stream ended in the middle")
            data += more
        return data

    async def write(self, data: bytes) -> None:
        """Send `data`; waits while the far end takes nothing. Raises OSError when it is gone."""
        if self._is_at_end:
            raise self._error or BrokenPipeError("the far end closed")
        self.transport.write(data)
        await self._may_write.wait()

    async def start_tls(self, context: ssl.SSLContext, server_hostname: str) -> None:
        """Speak TLS from here on, inside the TLS that may be there. Raises ssl.SSLError and OSError.

        The stream is of no use after a failure. The caller bounds the time.
        """
        if self._buffer:
            # Clear bytes before the handshake would be read as if they had come through TLS.
            raise ConnectionError("the far end spoke before the handshake")
        try:
            transport = await asyncio.get_running_loop().start_tls(
                self.transport,
                self,
                context,
                server_hostname=server_hostname,
                ssl_shutdown_timeout=_TLS_CLOSE_SECONDS,
            )
        except BaseException:
            # asyncio does not tell us of the end of a connection whose handshake failed.
            self.connection_lost(None)
            raise
        if transport is None:  # asyncio's word for a connection that closed in the handshake
            raise ConnectionResetError("closed in the handshake")
        self._transport = transport

    def hand_over(self, protocol: asyncio.Protocol) -> None:
        """Let `protocol` take the connection over as if asyncio had made it so. Raises ConnectionError."""
        if self._is_at_end:
            raise self._error or ConnectionResetError("the far end closed")
        transport = self.transport
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        if self._buffer:
            protocol.data_received(bytes(self._buffer))
            self._buffer.clear()

    def abort(self) -> None:
        """Close at once, without a farewell."""
        self.transport.abort()

    async def aclose(self) -> None:
        """Close; returns when the connection is gone."""
        self.transport.close()
        await self._closed.wait()


async def connect(address: str, port: int) -> ByteStream:
    """A TCP connection to a literal address. Raises OSError; the caller bounds the time."""
    _, stream = await asyncio.get_running_loop().create_connection(ByteStream, address, port)
    return stream
