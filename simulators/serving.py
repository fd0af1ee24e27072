"""An ASGI application served inside the caller's event loop, HTTP and WebSocket on one TLS port."""

import asyncio
import contextlib
import gc
import socket
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from simulators.certs import Certificates

# How long `aclose` waits for peers that do not close.
GRACE_SECONDS = 5


# How long a connection may take to send the line of its first request, and a WebSocket's the whole of it.
REQUEST_SECONDS = 10.0
# Connections that have sent no request yet: each costs some 25 kB of TLS, and a storm of logins has 64 or so.
MAX_SILENT = 2_048


# A storm of logins makes some thousand objects an agent, nearly all of which live on or are freed by their
# count; looking through them every 700 takes a sixth of a login.
_GC_THRESHOLDS = (100_000, 20, 20)


def collect_seldom() -> None:
    """For a process that only serves: what lives now lives long, and what comes is mostly no garbage."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_GC_THRESHOLDS)


@dataclass(frozen=True, slots=True)
class Sockets:
    """What takes over a connection whose first request begins with `GET` and `path`: a protocol for each.

    It gets the transport and every byte, as if it had accepted the connection itself.
    """

    path: str
    make: Callable[[ServerState], asyncio.Protocol]


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
        sockets: Sockets | None = None,
    ) -> None:
        """`port` 0 takes a free one. Above `max_connections` an HTTP request is answered with 503.

        Without `sockets` no WebSocket is served; how many there may be is their business.
        """
        self._address = (host, port)
        self._config = uvicorn.Config(
            app,
            http=_first_look(sockets),  # type: ignore[arg-type]  # uvicorn only calls it
            ws="none",
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


def _first_look(sockets: Sockets | None) -> Callable[..., asyncio.Protocol]:
    """What uvicorn calls in the place of its own HTTP class, for each connection."""
    silent: set[asyncio.Protocol] = set()

    def make(*, server_state: ServerState, **more: Any) -> asyncio.Protocol:
        choices = _Choices(sockets, server_state, lambda: H11Protocol(server_state=server_state, **more))
        return _FirstLook(choices, silent)

    return make


@dataclass(frozen=True, slots=True)
class _Choices:
    """Who may take over a connection."""

    sockets: Sockets | None
    state: ServerState
    http: Callable[[], asyncio.Protocol]

    def of(self, start: bytes) -> asyncio.Protocol | None:
        """Whose a connection is that begins so; None as long as that is open."""
        prefix = b"" if self.sockets is None else f"GET {self.sockets.path}".encode()
        if self.sockets is not None and start.startswith(prefix):
            return self.sockets.make(self.state)
        return None if prefix.startswith(start) else self.http()


class _FirstLook(asyncio.Protocol):
    """A connection until it is known what it wants: then it is handed over with what it has sent.

    A WebSocket's request is thus parsed once, by its own library: doing that twice is a fifth of a login.
    """

    def __init__(self, choices: _Choices, silent: set[asyncio.Protocol]) -> None:
        self._choices = choices
        self._silent = silent
        self._start = b""
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first bytes."""
        self._transport = cast(asyncio.Transport, transport)
        if len(self._silent) >= MAX_SILENT:
            self._transport.abort()
            return
        self._silent.add(self)
        self._choices.state.connections.add(self)  # type: ignore[arg-type]  # uvicorn only calls `shutdown`
        self._timer = asyncio.get_running_loop().call_later(REQUEST_SECONDS, self._transport.abort)

    def data_received(self, data: bytes) -> None:
        """Hand over as soon as possible."""
        self._start += data
        protocol = self._choices.of(self._start)
        if protocol is None or self._transport is None:
            return
        transport = self._transport
        self._forget()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        protocol.data_received(self._start)

    def connection_lost(self, _error: Exception | None) -> None:
        """It never asked for anything."""
        self._forget()

    def shutdown(self) -> None:
        """The server stops."""
        if self._transport is not None:
            self._transport.close()

    def _forget(self) -> None:
        self._transport = None
        self._silent.discard(self)
        self._choices.state.connections.discard(self)
        if self._timer is not None:
            self._timer.cancel()


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
