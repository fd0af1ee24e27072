"""A wire between the agent and its gateway that can be cut: a TCP relay of our own."""

import asyncio
import contextlib
import socket
import struct
from enum import Enum, auto

_READ_BYTES = 65_536
# SO_LINGER on, 0 s: closing sends a reset instead of an orderly end.
_ABORT = struct.pack("ii", 1, 0)


class Cut(Enum):
    """How a connection can end."""

    RESET = auto()  # both sides are told at once
    END = auto()  # both sides see an orderly end of the stream
    SILENCE = auto()  # nobody is told anything: what is sent goes nowhere


class Cutter:
    """Relays every connection to `127.0.0.1:target`. The connections of one `cut` are gone together."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self._wires: set[_Wire] = set()
        self._relays: set[asyncio.Task[None]] = set()
        self._arrived = asyncio.Event()

    @property
    def port(self) -> int:
        """Where the agent connects."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def connections(self) -> int:
        """How many are relayed now."""
        return sum(1 for wire in self._wires if not wire.is_cut)

    async def connected(self) -> None:
        """Wait for a connection that can be cut."""
        while not self.connections:
            self._arrived.clear()
            await self._arrived.wait()

    async def start(self) -> None:
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def aclose(self) -> None:
        """Cut everything and stop listening."""
        assert self._server is not None
        self._server.close()
        self.cut(Cut.RESET)
        await asyncio.gather(*self._relays)

    def cut(self, how: Cut) -> int:
        """Cut every present connection; how many those were."""
        wires = [wire for wire in self._wires if not wire.is_cut or how is Cut.RESET]
        for wire in wires:
            wire.cut(how)
        return len(wires)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            _abort(writer)
            return
        wire = _Wire((reader, writer), (far_reader, far_writer))
        self._wires.add(wire)
        self._arrived.set()
        relay = asyncio.create_task(wire.run())
        self._relays.add(relay)
        try:
            await relay
        finally:
            self._relays.discard(relay)
            self._wires.discard(wire)


class _Wire:
    def __init__(
        self,
        near: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        far: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> None:
        self._near, self._far = near, far
        self._is_silent = False
        self.is_cut = False

    async def run(self) -> None:
        ways = [
            asyncio.create_task(self._carry(self._near[0], self._far[1])),
            asyncio.create_task(self._carry(self._far[0], self._near[1])),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for _, writer in (self._near, self._far):
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

    def cut(self, how: Cut) -> None:
        self.is_cut = True
        if how is Cut.SILENCE:
            self._is_silent = True
            return
        for _, writer in (self._near, self._far):
            if how is Cut.RESET:
                _abort(writer)
            else:
                writer.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_READ_BYTES):
                if self._is_silent:
                    continue
                writer.write(data)
                await writer.drain()


def _abort(writer: asyncio.StreamWriter) -> None:
    connection = writer.get_extra_info("socket")
    if isinstance(connection, socket.socket) or hasattr(connection, "setsockopt"):
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
    writer.transport.abort()
