"""The WebSocket over the dialer's stream: what a failed upgrade means, and what survives a cut."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from connector.domain.errors import DialError, LinkClosed, LinkError, ProxyError
from connector.domain.faults import FaultId
from connector.links.dialer import Dialer
from connector.links.proxy.choice import ProxyRules, ProxyServer, Scheme
from connector.links.tls import client_context
from connector.links.websocket import WebSocketAddress, WebSocketTransport, open_websocket
from simulators.certs import Certificates, issue
from tests.links.scripted import listening

pytestmark = pytest.mark.usefixtures("no_task_left")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return issue(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def tls(certificates: Certificates) -> ssl.SSLContext:
    return client_context(certificates.ca_file)


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


@pytest.fixture
async def gateway(certificates: Certificates) -> AsyncIterator[int]:
    """The port of a WebSocket server that says back what it hears."""
    server = await serve(
        echo, "127.0.0.1", 0, ssl=certificates.server_context(), subprotocols=[Subprotocol("xmpp")]
    )
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


async def opened(port: int, tls: ssl.SSLContext, proxy_port: int | None = None) -> WebSocketTransport:
    rules = ProxyRules(ProxyServer(Scheme.HTTP, "127.0.0.1", proxy_port) if proxy_port else None)
    return await open_websocket(
        WebSocketAddress("localhost", port, "/websocket"),
        tls,
        subprotocol="xmpp",
        timeout_seconds=5,
        dialer=Dialer(rules),
    )


class Relay:
    """A proxy that carries bytes until it is told to cut."""

    def __init__(self) -> None:
        self.cut = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        host, _, port = request.split(b" ")[1].decode().rpartition(":")
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        work = [
            asyncio.create_task(self._copy(reader, far_writer)),
            asyncio.create_task(self._copy(far_reader, writer)),
            asyncio.create_task(self.cut.wait()),
        ]
        await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        far_writer.transport.abort()
        writer.transport.abort()
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)

    async def _copy(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(65_536):
            target.write(data)
            await target.drain()


async def test_many_messages_go_both_ways_in_order(gateway: int, tls: ssl.SSLContext) -> None:
    relay = Relay()
    async with listening(relay.serve) as proxy:
        transport = await opened(gateway, tls, proxy)
        sent = [f"<message n='{number}'>é</message>" for number in range(200)]
        async with asyncio.timeout(5):
            await transport.write(sent)
            heard = [await transport.read() for _ in sent]
        assert heard == sent
        await transport.aclose()


async def test_a_proxy_that_cuts_ends_the_link_for_a_quick_return(gateway: int, tls: ssl.SSLContext) -> None:
    relay = Relay()
    async with listening(relay.serve) as proxy:
        transport = await opened(gateway, tls, proxy)
        relay.cut.set()
        with pytest.raises(LinkClosed) as lost:
            async with asyncio.timeout(5):
                await transport.read()
        assert lost.value.fault is FaultId.CLOUD_CLOSED
        assert not lost.value.announced
        await transport.aclose()


Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def answering(head: bytes) -> Answer:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head + b"\r\nContent-Length: 4\r\nConnection: close\r\n\r\noops")
        await writer.drain()
        await reader.read()

    return answer


@pytest.mark.parametrize(
    ("head", "directly", "by_proxy"),
    [
        (b"HTTP/1.1 200 OK", FaultId.CLOUD_NOT_WEBSOCKET, FaultId.PROXY_STRIPS_WEBSOCKET),
        (b"HTTP/1.1 400 Bad Request", FaultId.CLOUD_NOT_WEBSOCKET, FaultId.PROXY_STRIPS_WEBSOCKET),
        (b"HTTP/1.1 426 Upgrade Required", FaultId.CLOUD_NOT_WEBSOCKET, FaultId.PROXY_STRIPS_WEBSOCKET),
        (b"HTTP/1.1 404 No", FaultId.CLOUD_NOT_WEBSOCKET, FaultId.CLOUD_NOT_WEBSOCKET),
        (b"HTTP/1.1 404 No\r\nVia: 1.1 p", FaultId.CLOUD_NOT_WEBSOCKET, FaultId.PROXY_STRIPS_WEBSOCKET),
        (b"HTTP/1.1 302 Found\r\nLocation: https://evil.example/", *[FaultId.CLOUD_NOT_WEBSOCKET] * 2),
        (b"HTTP/1.1 503 No", FaultId.CLOUD_NOT_WEBSOCKET, FaultId.CLOUD_NOT_WEBSOCKET),
        (b"SSH-2.0-x", FaultId.CLOUD_NOT_WEBSOCKET, FaultId.CLOUD_NOT_WEBSOCKET),
    ],
)
async def test_an_upgrade_that_fails_says_whose_fault_it_is(
    head: bytes, directly: FaultId, by_proxy: FaultId, certificates: Certificates, tls: ssl.SSLContext
) -> None:
    async with (
        listening(answering(head), certificates.server_context()) as port,
        listening(Relay().serve) as proxy,
    ):
        for proxy_port, fault in ((None, directly), (proxy, by_proxy)):
            with pytest.raises(LinkError) as refused:
                await opened(port, tls, proxy_port)
            assert refused.value.fault is fault
            is_proxys = fault is FaultId.PROXY_STRIPS_WEBSOCKET
            assert type(refused.value) is (ProxyError if is_proxys else DialError)


async def test_a_gateway_that_hangs_in_the_upgrade_is_left_in_time(
    certificates: Certificates, tls: ssl.SSLContext
) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65_536):
            pass

    async with listening(hang, certificates.server_context()) as port:
        with pytest.raises(DialError) as refused:
            await open_websocket(
                WebSocketAddress("localhost", port, "/websocket"),
                tls,
                subprotocol="xmpp",
                timeout_seconds=0.5,
            )
    assert refused.value.fault is FaultId.CLOUD_UNREACHABLE
