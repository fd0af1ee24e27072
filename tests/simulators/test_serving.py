"""The one public port: HTTP and WebSocket told apart by the first bytes, however these come."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio

from simulators import serving
from simulators.certs import issue
from simulators.serving import Server, Sockets

pytestmark = pytest.mark.usefixtures("no_task_left")

PATH = "/socket"
UPGRADE = b"GET /socket HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Taken(asyncio.Protocol):
    """Takes over a connection and echoes everything."""

    def __init__(self, state: Any) -> None:
        self._connections = state.connections

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        self._transport.write(b"[" + data + b"]")

    def connection_lost(self, _error: Exception | None) -> None:
        self._connections.discard(self)

    def shutdown(self) -> None:
        self._transport.close()


async def app(_scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@pytest_asyncio.fixture
async def port(tmp_path: Path) -> AsyncIterator[tuple[int, ssl.SSLContext]]:
    certificates = issue(tmp_path)
    server = Server(app, certificates, sockets=Sockets(PATH, Taken))
    await server.start()
    yield server.port, ssl.create_default_context(cafile=certificates.ca_file)
    await server.aclose()


async def said(port: tuple[int, ssl.SSLContext], pieces: list[bytes], until: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("localhost", port[0], ssl=port[1])
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
    answer = await asyncio.wait_for(reader.readuntil(until), 5)
    writer.transport.abort()
    return answer


async def test_a_request_for_the_path_is_handed_over_whole(port: tuple[int, ssl.SSLContext]) -> None:
    assert await said(port, [UPGRADE], b"]") == b"[" + UPGRADE + b"]"


async def test_every_other_request_is_http(port: tuple[int, ssl.SSLContext]) -> None:
    for start in (b"GET / HTTP/1.1", b"GET /sock HTTP/1.1", b"POST /socket HTTP/1.1"):
        answer = await said(port, [start + b"\r\nHost: localhost\r\n\r\n"], b"\r\n")
        assert answer.startswith(b"HTTP/1.1 204 ")


class Transport(asyncio.Transport):
    """Tells what was done to it."""

    def __init__(self) -> None:
        super().__init__()
        self.protocol: Any = None
        self.is_aborted = False
        self.is_closed = False

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def abort(self) -> None:
        self.is_aborted = True

    def close(self) -> None:
        self.is_closed = True


class Listener(asyncio.Protocol):
    """Keeps what it gets."""

    def __init__(self) -> None:
        self.data = b""

    def data_received(self, data: bytes) -> None:
        self.data += data


class Timers:
    """A loop's timers, fired by hand."""

    def __init__(self) -> None:
        self.calls: list[tuple[float, Callable[[], None]]] = []

    def call_later(self, delay: float, call: Callable[[], None]) -> Any:
        self.calls.append((delay, call))
        return SimpleNamespace(cancel=lambda: self.calls.remove((delay, call)))


@pytest.fixture
def timers(monkeypatch: pytest.MonkeyPatch) -> Timers:
    made = Timers()
    monkeypatch.setattr("simulators.serving.asyncio.get_running_loop", lambda: made)
    return made


def look(silent: set[Any] | None = None) -> tuple[Any, Transport, Any]:
    state = SimpleNamespace(connections=set())
    choices = serving._Choices(Sockets(PATH, lambda _: Listener()), state, Listener)  # type: ignore[arg-type]
    first, transport = serving._FirstLook(choices, set() if silent is None else silent), Transport()
    first.connection_made(transport)
    return first, transport, state


@pytest.mark.parametrize("start", [UPGRADE, b"GET / HTTP/1.1\r\n", b"GET /socks", b"PUT /socket"])
def test_nothing_is_lost_however_the_start_is_cut(timers: Timers, start: bytes) -> None:
    for index in range(len(start) + 1):
        first, transport, state = look()
        for piece in (start[:index], start[index:]):
            receiver = transport.protocol or first
            receiver.data_received(piece)
        assert transport.protocol.data == start
        assert state.connections == set()
        assert timers.calls == []


def test_a_connection_that_asks_for_nothing_is_cut(timers: Timers) -> None:
    silent: set[Any] = set()
    first, transport, state = look(silent)
    first.data_received(b"GET /so")
    [(delay, call)] = timers.calls
    assert delay == serving.REQUEST_SECONDS
    assert state.connections == silent == {first}
    call()
    assert transport.is_aborted
    first.connection_lost(None)
    assert state.connections == silent == set()


def test_too_many_silent_connections_are_not_kept(timers: Timers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "MAX_SILENT", 2)
    silent: set[Any] = set()
    kept = [look(silent)[1] for _ in range(2)]
    _, refused, state = look(silent)
    assert refused.is_aborted
    assert state.connections == set()
    assert not any(transport.is_aborted for transport in kept)


def test_a_stopping_server_closes_silent_connections(timers: Timers) -> None:
    first, transport, _ = look()
    first.shutdown()
    assert transport.is_closed
