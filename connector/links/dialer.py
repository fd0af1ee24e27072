"""Opening plain TCP connections; foreign exceptions become ours here."""

import asyncio
from collections.abc import Sequence

from connector.domain.errors import DialError, LinkClosed
from connector.domain.faults import FaultId

# One read takes about 120 events of a burst (some 140 bytes each). They are handled in one go, five
# milliseconds in which the other link is not served.
_READ_BYTES = 16_384


class TcpTransport:
    """A TCP connection as `connector.links.pump.Transport[bytes]`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: FaultId) -> None:
        self._reader = reader
        self._writer = writer
        self._closed_fault = fault

    async def read(self) -> bytes | None:
        """The next bytes, or None at the end of the stream."""
        try:
            data = await self._reader.read(_READ_BYTES)
        except OSError as error:
            raise LinkClosed(self._closed_fault, type(error).__name__) from error
        return data or None

    async def write(self, units: Sequence[bytes]) -> None:
        """Send in order, waiting for the peer to take them."""
        try:
            self._writer.write(b"".join(units))
            await self._writer.drain()
        except OSError as error:
            raise LinkClosed(self._closed_fault, type(error).__name__) from error

    async def aclose(self) -> None:
        """Close and wait until the socket is gone."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:
            return  # it was gone before us


async def open_tcp(host: str, port: int, *, timeout_seconds: float, link: str) -> TcpTransport:
    """Connect to `host`:`port` within `timeout_seconds`. Raises `DialError` naming `link`."""
    try:
        async with asyncio.timeout(timeout_seconds):
            reader, writer = await asyncio.open_connection(host, port)
    except TimeoutError as error:
        raise DialError(FaultId.PBX_UNREACHABLE, f"no answer in {timeout_seconds:g} s", link=link) from error
    except OSError as error:
        raise DialError(
            FaultId.PBX_UNREACHABLE, f"{host} port {port}: {error.strerror}", link=link
        ) from error
    return TcpTransport(reader, writer, FaultId.PBX_CLOSED)
