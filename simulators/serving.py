"""An ASGI application served inside the caller's event loop, HTTP and WebSocket on one TLS port."""

import asyncio
import contextlib
import socket
from collections.abc import Generator
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from simulators.certs import Certificates

# docs/protocols/pcg.md, section 1: a larger message is closed with 1009.
MAX_MESSAGE_BYTES = 65_536
# Half-open links are found within 15 s: 5 s to the ping, 5 s for the pong, and some slack.
PING_SECONDS = 5.0
# How long `aclose` waits for peers that do not close.
GRACE_SECONDS = 5


class Server:
    """One life of a server: `start`, then `aclose`. The caller keeps the signals and the loop."""

    def __init__(
        self,
        app: ASGIApp,
        certificates: Certificates,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        max_connections: int = 10_000,
    ) -> None:
        """`port` 0 takes a free one. Above `max_connections` an HTTP request is answered with 503; how many
        WebSockets there may be is the application's business."""
        self._address = (host, port)
        self._config = uvicorn.Config(
            app,
            http="h11",
            ws="websockets-sansio",
            ws_max_size=MAX_MESSAGE_BYTES,
            ws_ping_interval=PING_SECONDS,
            ws_ping_timeout=PING_SECONDS,
            ws_per_message_deflate=False,
            lifespan="off",
            log_config=None,
            access_log=False,
            # A forged X-Forwarded-For must not make a stranger a loopback client.
            proxy_headers=False,
            server_header=False,
            limit_concurrency=max_connections,
            timeout_graceful_shutdown=GRACE_SECONDS,
            ssl_context_factory=lambda _config, _default: certificates.server_context(),
        )
        self._server = _Uvicorn(self._config)
        self._serving: asyncio.Task[None] | None = None
        self.port = 0

    async def start(self) -> None:
        """Listen. Raises OSError when the address can't be taken."""
        listener = socket.create_server(self._address, family=_family(self._address[0]), backlog=2048)
        # Inherited by what is accepted. asyncio sets it only for sockets made with IPPROTO_TCP; without it an
        # acknowledgement waits 40 ms for the peer's delayed one.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port = listener.getsockname()[1]
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]))
        started = asyncio.create_task(self._server.is_listening.wait())
        await asyncio.wait((started, self._serving), return_when=asyncio.FIRST_COMPLETED)
        started.cancel()
        if self._serving.done():
            self._serving.result()

    async def aclose(self) -> None:
        """Stop listening, close every connection, and return when nothing is left."""
        self._server.should_exit = True
        if self._serving is not None:
            await self._serving


class _Uvicorn(uvicorn.Server):
    """uvicorn that leaves the process's signals alone and tells when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, Any, None]:
        yield


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
