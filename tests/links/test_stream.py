"""The byte stream: reading in pieces, flow control, TLS on top, another protocol in charge."""

import asyncio
import ssl
from pathlib import Path

import pytest

from connector.links.stream import ByteStream, connect
from connector.links.tls import client_context
from simulators.certs import Certificates, issue
from tests.links.scripted import listening, silence

pytestmark = pytest.mark.usefixtures("no_task_left")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return issue(tmp_path_factory.mktemp("certificates"))


async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"0123456789")
    await writer.drain()


async def test_bytes_come_in_any_cut_and_end() -> None:
    async with listening(say) as port:
        stream = await connect("127.0.0.1", port)
        assert await stream.read(3) == b"012"
        assert await stream.read_exactly(6) == b"345678"
        assert await stream.read(100) == b"9"
        assert await stream.read(100) == b""
        await stream.aclose()
        await stream.aclose()


async def test_an_end_in_the_middle_is_told() -> None:
    async with listening(say) as port:
        stream = await connect("127.0.0.1", port)
        with pytest.raises(EOFError):
            await stream.read_exactly(11)
        with pytest.raises(OSError, match=r"."):
            await stream.write(b"anybody there?")
        await stream.aclose()


async def test_a_reset_is_an_error_of_the_reader() -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.transport.get_extra_info("socket").setsockopt(1, 13, b"\x01\0\0\0\0\0\0\0")  # SO_LINGER 0

    async with listening(reset) as port:
        stream = await connect("127.0.0.1", port)
        await stream.write(b"ab")
        with pytest.raises(ConnectionResetError):
            await stream.read(1)
        await stream.aclose()


async def test_what_is_not_read_is_not_buffered_without_end() -> None:
    taken = 0

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal taken
        while True:
            writer.write(bytes(65_536))
            await writer.drain()
            taken += 65_536

    async with listening(flood) as port:
        stream = await connect("127.0.0.1", port)
        before = -1
        while before != taken or not taken:  # until the flood stands still
            before = taken
            await asyncio.sleep(0.02)
        assert len(stream._buffer) <= 65_536 + 262_144  # what one read of asyncio's takes at most
        wanted = taken
        assert len(await stream.read_exactly(wanted)) == wanted
        stream.abort()


async def test_tls_goes_on_top_and_inside_itself(certificates: Certificates) -> None:
    """The far end ends the outer TLS and passes on to one that ends the inner: a proxy in TLS."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()

    tls = client_context(certificates.ca_file)
    server_tls = certificates.server_context()
    async with listening(echo, server_tls) as inner_port:

        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", inner_port)

            async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
                while data := await source.read(65_536):
                    target.write(data)
                    await target.drain()

            try:
                async with asyncio.TaskGroup() as both:
                    both.create_task(copy(inner_reader, writer))
                    await copy(reader, inner_writer)
                    inner_writer.close()
            finally:
                inner_writer.transport.abort()

        async with listening(relay, server_tls) as outer_port:
            stream = await connect("127.0.0.1", outer_port)
            await stream.start_tls(tls, "localhost")
            outer = stream.ssl_object
            await stream.start_tls(tls, "localhost")
            assert stream.ssl_object is not outer
            payload = bytes(range(256)) * 1024
            sending = asyncio.create_task(stream.write(payload))
            assert await stream.read_exactly(len(payload)) == payload
            await sending
            stream.abort()
            await stream.aclose()


async def test_clear_bytes_before_the_handshake_are_not_taken_for_secured_ones(
    certificates: Certificates,
) -> None:
    async with listening(say) as port:
        stream = await connect("127.0.0.1", port)
        await stream.read(1)
        with pytest.raises(ConnectionError):
            await stream.start_tls(client_context(certificates.ca_file), "localhost")
        stream.abort()


async def test_a_failed_handshake_ends_the_stream(certificates: Certificates, tmp_path: Path) -> None:
    stranger = client_context(issue(tmp_path / "stranger").ca_file)
    async with listening(silence, certificates.server_context()) as port:
        stream = await connect("127.0.0.1", port)
        with pytest.raises(ssl.SSLCertVerificationError):
            await stream.start_tls(stranger, "localhost")
        with pytest.raises(OSError, match=r"."):
            await stream.write(b"secret")
        await stream.aclose()


class Heir(asyncio.Protocol):
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.data = b""
        self.is_connected = False
        self.lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.is_connected = True

    def data_received(self, data: bytes) -> None:
        self.data += data

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()


async def test_an_heir_gets_the_connection_and_what_had_come() -> None:
    async with listening(say) as port:
        stream = await connect("127.0.0.1", port)
        assert await stream.read(4) == b"0123"
        heir = Heir()
        stream.hand_over(heir)
        assert heir.is_connected
        async with asyncio.timeout(5):
            await heir.lost.wait()
        assert heir.data == b"456789"


async def test_there_is_nothing_to_inherit_of_the_dead() -> None:
    async with listening(say) as port:
        stream = await connect("127.0.0.1", port)
        while await stream.read(100):
            pass
        with pytest.raises(ConnectionError):
            stream.hand_over(Heir())
        await stream.aclose()


def test_a_stream_that_was_never_connected_says_so() -> None:
    async def ask() -> None:
        with pytest.raises(RuntimeError):
            _ = ByteStream().transport

    asyncio.run(ask())
