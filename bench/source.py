"""A PBX that does nothing but send events: CSTA phase II on a loopback port, one client."""

import asyncio
from collections.abc import Callable

from bench.traffic import cross_reference
from connector.wire.csta import messages as m
from connector.wire.csta.session import CstaServer
from connector.wire.csta.session_events import AssociationRequested, Requested, ServerOptions


class EventSource(asyncio.Protocol):
    """Grants every monitor; `send` writes frames that were encoded beforehand.

    `is_monitoring(count)` is told how many monitors there are, after each new one.
    """

    def __init__(self, is_monitoring: Callable[[int], None]) -> None:
        self._is_monitoring = is_monitoring
        self._monitors = 0
        self._server: asyncio.Server | None = None
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()
        self._session = CstaServer(ServerOptions(), self._loop.time())

    async def start(self) -> int:
        """Listen; the port."""
        self._server = await self._loop.create_server(lambda: self, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def aclose(self) -> None:
        """Drop the client and stop listening."""
        if self._transport is not None:
            self._transport.abort()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def send(self, frames: bytes) -> None:
        """Write whole frames."""
        if self._transport is None:
            raise RuntimeError("no agent is connected to this source")
        self._transport.write(frames)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The agent came: a new session."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("a TCP transport is expected")
        self._transport = transport
        self._monitors = 0
        self._session = CstaServer(ServerOptions(), self._loop.time())

    def data_received(self, data: bytes) -> None:
        """Greeting, association, requests, heartbeats."""
        self._session.receive(data, self._loop.time())
        for event in self._session.events():
            if isinstance(event, AssociationRequested):
                self._session.accept_association()
            elif isinstance(event, Requested):
                self._session.answer(event.invoke_id, self._result_of(event.request))
        self.send(b"".join(self._session.to_send()))

    def _result_of(self, request: m.Request) -> m.Result:
        if isinstance(request, m.MonitorStart):
            self._monitors += 1
            self._is_monitoring(self._monitors)
            return m.MonitorStarted(cross_reference(request.device.number))
        return m.DeviceSnapshot() if isinstance(request, m.SnapshotDevice) else m.Done()
