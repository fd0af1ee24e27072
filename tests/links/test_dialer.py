"""The dialer opposite proxies and gateways that hang, die, or are not there: each by its fault, in time."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

import pytest

from connector.domain.errors import DialError, Disposition, LinkError, ProxyError
from connector.domain.faults import FaultId
from connector.links.dialer import Dialer, open_tcp
from connector.links.proxy.choice import Exemption, ProxyRules, ProxyServer, Scheme
from connector.links.resolver import Resolver
from connector.links.tls import client_context
from simulators.certs import Certificates, issue
from tests.links.scripted import listening, silence

pytestmark = pytest.mark.usefixtures("no_task_left")

# Long enough for a busy machine to get to the step that hangs, short enough for a test.
HASTY_SECONDS = 0.4
HTTP_200 = b"HTTP/1.1 200 OK\r\n\r\n"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return issue(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def tls(certificates: Certificates) -> ssl.SSLContext:
    return client_context(certificates.ca_file)


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that is taken and where nobody listens."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


def through(scheme: Scheme, port: int, host: str = "127.0.0.1") -> Dialer:
    return Dialer(ProxyRules(ProxyServer(scheme, host, port)))


async def refused(
    dialer: Dialer,
    *,
    host: str = "localhost",
    port: int = 443,
    tls: ssl.SSLContext | None = None,
    timeout_seconds: float = 5.0,
) -> LinkError:
    """The error of a dial, which ended in its time."""
    loop = asyncio.get_running_loop()
    begin = loop.time()
    with pytest.raises(LinkError) as raised:
        await dialer.open(host, port, link="cloud", timeout_seconds=timeout_seconds, tls=tls)
    assert loop.time() - begin < timeout_seconds + 2.0
    assert raised.value.link == "cloud"
    assert raised.value.disposition is Disposition.RETRY
    return raised.value


def resolving(answers: dict[str, list[str]]) -> Resolver:
    def lookup(host: str) -> Sequence[str]:
        if host not in answers:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return answers[host]

    return Resolver(lookup)


# Directly ------------------------------------------------------------------------------------------------


async def test_a_name_that_nobody_knows() -> None:
    error = await refused(Dialer(resolver=resolving({})), host="gw.example.net")
    assert (error.fault, type(error)) == (FaultId.CLOUD_NAME_UNKNOWN, DialError)


async def test_a_port_where_nobody_listens(closed_port: int) -> None:
    error = await refused(Dialer(), host="127.0.0.1", port=closed_port)
    assert (error.fault, type(error)) == (FaultId.CLOUD_UNREACHABLE, DialError)
    assert str(closed_port) in error.detail


async def test_a_gateway_that_accepts_and_hangs(tls: ssl.SSLContext) -> None:
    async with listening(silence) as port:
        error = await refused(Dialer(), port=port, tls=tls, timeout_seconds=HASTY_SECONDS)
    assert error.fault is FaultId.CLOUD_UNREACHABLE


async def test_a_gateway_that_speaks_no_tls(tls: ssl.SSLContext) -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.net ESMTP\r\n")
        await reader.read()

    async with listening(greet) as port:
        with pytest.raises(LinkError) as raised:
            await Dialer().open("localhost", port, link="cloud", timeout_seconds=5, tls=tls)
    assert raised.value.fault is FaultId.CLOUD_TLS


async def test_the_second_address_stands_in_for_the_first(closed_port: int) -> None:
    async with listening(silence) as port:
        dialer = Dialer(resolver=resolving({"gw.example.net": ["127.0.0.2", "::1", "127.0.0.1"]}))
        stream = await dialer.open("gw.example.net", port, link="cloud", timeout_seconds=5)
        assert stream.transport.get_extra_info("peername")[0] == "127.0.0.1"
        await stream.aclose()


async def test_an_address_that_drops_packets_does_not_keep_the_next_one_waiting() -> None:
    """A listener with a full queue is as mute as a firewall that drops."""
    with socket.socket() as full:
        full.bind(("127.0.0.2", 0))
        full.listen(0)
        port = full.getsockname()[1]
        stuffing = []
        for _ in range(4):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(("127.0.0.2", port))
            stuffing.append(one)
        async with listening(silence, port=port):
            dialer = Dialer(resolver=resolving({"gw.example.net": ["127.0.0.2", "127.0.0.1"]}))
            stream = await dialer.open("gw.example.net", port, link="cloud", timeout_seconds=5)
            peer = stream.transport.get_extra_info("peername")[0]
            await stream.aclose()
        for one in stuffing:
            one.close()
    assert peer == "127.0.0.1"


async def test_the_network_that_comes_later_is_found_by_the_next_dial() -> None:
    answers: dict[str, list[str]] = {}
    dialer = Dialer(resolver=resolving(answers))
    async with listening(silence) as port:
        assert (await refused(dialer, host="gw.example.net", port=port)).fault is FaultId.CLOUD_NAME_UNKNOWN
        answers["gw.example.net"] = ["127.0.0.1"]
        await (await dialer.open("gw.example.net", port, link="cloud", timeout_seconds=5)).aclose()


# To the PBX ----------------------------------------------------------------------------------------------


async def test_a_pbx_with_two_cpus_is_found_at_the_second() -> None:
    resolver = resolving({"pbx.example.net": ["127.0.0.2", "127.0.0.1"]})
    async with listening(silence) as port:
        transport = await open_tcp("pbx.example.net", port, timeout_seconds=5, link="pbx", resolver=resolver)
        await transport.aclose()


@pytest.mark.parametrize("host", ["pbx.example.net", "127.0.0.1"])
async def test_a_pbx_that_is_not_there(host: str, closed_port: int) -> None:
    with pytest.raises(DialError) as raised:
        await open_tcp(host, closed_port, timeout_seconds=5, link="pbx", resolver=resolving({}))
    assert raised.value.fault is FaultId.PBX_UNREACHABLE
    assert host in raised.value.detail


# A name server that takes questions and answers none -----------------------------------------------------


@pytest.fixture
async def mute_name_server() -> AsyncIterator[tuple[str, int]]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        yield mute.getsockname()


async def test_a_real_mute_name_server_delays_one_dial_and_no_other(
    mute_name_server: tuple[str, int],
) -> None:
    """The question goes over UDP; only the system's resolver file, which needs root, is left out."""

    def ask(host: str) -> Sequence[str]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(1.0)
            client.sendto(b"\x12\x34\x01\x00" + host.encode(), mute_name_server)
            try:
                client.recv(512)
            except TimeoutError as error:
                raise socket.gaierror(socket.EAI_AGAIN, "no answer") from error
        return []

    dialer = Dialer(resolver=Resolver(ask))
    async with listening(silence) as port:
        waiting = asyncio.create_task(refused(dialer, host="gw.example.net", timeout_seconds=HASTY_SECONDS))
        await asyncio.sleep(0)
        await (await dialer.open("127.0.0.1", port, link="cloud", timeout_seconds=5)).aclose()
        assert not waiting.done()
        assert (await waiting).fault is FaultId.CLOUD_NAME_UNKNOWN
    # The thread of the lookup ends with its question.
    await asyncio.get_running_loop().run_in_executor(None, _join_lookups)


def _join_lookups() -> None:
    import threading

    for thread in threading.enumerate():
        if thread.name.startswith("dns-"):
            thread.join(5)


# Through a proxy -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", Scheme)
async def test_a_proxy_that_is_not_there(scheme: Scheme, closed_port: int) -> None:
    error = await refused(through(scheme, closed_port))
    assert (error.fault, type(error)) == (FaultId.PROXY_UNREACHABLE, ProxyError)


@pytest.mark.parametrize("scheme", Scheme)
async def test_a_proxy_whose_name_nobody_knows(scheme: Scheme) -> None:
    server = ProxyServer(scheme, "proxy.example.net", 3128)
    error = await refused(Dialer(ProxyRules(server), resolving({})))
    assert (error.fault, type(error)) == (FaultId.PROXY_NAME_UNKNOWN, ProxyError)
    assert "proxy.example.net" in error.detail


@pytest.mark.parametrize("scheme", Scheme)
async def test_a_proxy_that_accepts_and_hangs(scheme: Scheme) -> None:
    async with listening(silence) as port:
        error = await refused(through(scheme, port), timeout_seconds=HASTY_SECONDS)
    assert (error.fault, type(error)) == (FaultId.PROXY_TIMEOUT, ProxyError)


async def test_a_proxy_that_hangs_after_its_yes(tls: ssl.SSLContext) -> None:
    async def agree(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HTTP_200)
        await silence(reader, writer)

    async with listening(agree) as port:
        error = await refused(through(Scheme.HTTP, port), tls=tls, timeout_seconds=HASTY_SECONDS)
    assert error.fault is FaultId.PROXY_TIMEOUT


async def test_a_proxy_that_dies_after_its_yes(tls: ssl.SSLContext) -> None:
    async def die(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HTTP_200)
        await reader.read(100)

    async with listening(die) as port:
        error = await refused(through(Scheme.HTTP, port), tls=tls)
    assert error.fault is FaultId.PROXY_UPSTREAM


async def test_an_https_proxy_that_speaks_no_tls() -> None:
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with listening(greet) as port:
        assert (await refused(through(Scheme.HTTPS, port))).fault is FaultId.PROXY_TLS


async def test_the_far_ends_name_is_never_asked_of_our_name_server() -> None:
    asked: list[str] = []

    def lookup(host: str) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"]

    async def agree(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HTTP_200)
        await silence(reader, writer)

    async with listening(agree) as port:
        server = ProxyServer(Scheme.HTTP, "proxy.example.net", port)
        dialer = Dialer(ProxyRules(server), Resolver(lookup))
        await (await dialer.open("gw.example.net", 443, link="cloud", timeout_seconds=5)).aclose()
    assert asked == ["proxy.example.net"]


async def test_an_exemption_goes_past_the_proxy(closed_port: int) -> None:
    rules = ProxyRules(ProxyServer(Scheme.HTTP, "127.0.0.1", closed_port), (Exemption.parse("127.0.0.0/8"),))
    async with listening(silence) as port:
        await (await Dialer(rules).open("127.0.0.1", port, link="cloud", timeout_seconds=5)).aclose()
        assert (await refused(Dialer(rules), port=port)).fault is FaultId.PROXY_UNREACHABLE


async def test_a_cancelled_dial_leaves_nothing(certificates: Certificates, tls: ssl.SSLContext) -> None:
    async with listening(silence) as port:
        for scheme in (None, *Scheme):
            rules = ProxyRules(ProxyServer(scheme, "127.0.0.1", port) if scheme else None)
            dial = asyncio.create_task(
                Dialer(rules, proxy_tls=client_context(Path(certificates.ca_file))).open(
                    "localhost", port, link="cloud", timeout_seconds=5, tls=tls
                )
            )
            await asyncio.sleep(0.02)
            dial.cancel()
            with pytest.raises(asyncio.CancelledError):
                await dial
