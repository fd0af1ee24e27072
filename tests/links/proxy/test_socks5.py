"""SOCKS5 opposite a scripted proxy: what RFC 1928 says, every reply, every cut."""

import asyncio

import pytest

from connector.domain.errors import LinkError, ProxyAuthError
from connector.domain.faults import FaultId
from connector.links.dialer import Dialer
from connector.links.proxy.choice import ProxyRules, ProxyServer, Scheme
from tests.links.scripted import listening

pytestmark = pytest.mark.usefixtures("no_task_left")

USER, PASSWORD = "agent", "canary-88"
OPENED = b"\x05\x00\x00\x01\x7f\x00\x00\x01\x04\x38"


class Proxy:
    """Reads each message whole and gives the next answer of `script`; closes when it has none."""

    def __init__(self, *script: bytes) -> None:
        self._script = script
        self.heard: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in self._script:
            self.heard.append(await reader.read(1024))
            writer.write(answer)
            await writer.drain()
        if self._script and self._script[-1] == OPENED:
            await reader.read()


async def dialled(proxy: Proxy, *, user: str = "", host: str = "gw.example.net") -> None:
    async with listening(proxy.serve) as port:
        server = ProxyServer(Scheme.SOCKS5, "127.0.0.1", port, user, PASSWORD if user else "")
        dialer = Dialer(ProxyRules(server))
        await (await dialer.open(host, 443, link="cloud", timeout_seconds=5)).aclose()


async def refused(proxy: Proxy, *, user: str = "") -> LinkError:
    with pytest.raises(LinkError) as raised:
        await dialled(proxy, user=user)
    assert PASSWORD not in str(raised.value) + repr(raised.value) + repr(raised.value.__cause__)
    return raised.value


async def test_the_proxy_resolves_the_name() -> None:
    proxy = Proxy(b"\x05\x00", OPENED)
    await dialled(proxy)
    assert proxy.heard == [b"\x05\x01\x00", b"\x05\x01\x00\x03\x0egw.example.net\x01\xbb"]


@pytest.mark.parametrize(
    ("host", "target"),
    [("192.0.2.1", b"\x01\xc0\x00\x02\x01"), ("2001:db8::1", b"\x04\x20\x01\x0d\xb8" + bytes(11) + b"\x01")],
)
async def test_an_address_is_an_address(host: str, target: bytes) -> None:
    proxy = Proxy(b"\x05\x00", OPENED)
    await dialled(proxy, host=host)
    assert proxy.heard[1] == b"\x05\x01\x00" + target + b"\x01\xbb"


async def test_a_password_is_told_only_when_it_is_asked_for() -> None:
    proxy = Proxy(b"\x05\x02", b"\x01\x00", OPENED)
    await dialled(proxy, user=USER)
    assert proxy.heard[0] == b"\x05\x02\x00\x02"
    assert proxy.heard[1] == b"\x01\x05agent\x09canary-88"
    open_proxy = Proxy(b"\x05\x00", OPENED)
    await dialled(open_proxy, user=USER)
    assert not any(PASSWORD.encode() in message for message in open_proxy.heard)


@pytest.mark.parametrize(
    ("bound", "kind"),
    [(b"\x01" + bytes(6), "ipv4"), (b"\x04" + bytes(18), "ipv6"), (b"\x03\x05proxy\x00\x00", "name")],
)
async def test_every_kind_of_bound_address_is_read(bound: bytes, kind: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(3)
        writer.write(b"\x05\x00")
        await reader.read(1024)
        writer.write(b"\x05\x00\x00" + bound + b"first bytes")
        await reader.read()

    async with listening(serve) as port:
        dialer = Dialer(ProxyRules(ProxyServer(Scheme.SOCKS5, "127.0.0.1", port)))
        stream = await dialer.open("gw.example.net", 443, link="cloud", timeout_seconds=5)
        assert await stream.read_exactly(11) == b"first bytes", kind
        await stream.aclose()


@pytest.mark.parametrize(
    ("script", "user", "fault"),
    [
        ([b"\x05\xff"], "", FaultId.PROXY_AUTH),
        ([b"\x05\xff"], USER, FaultId.PROXY_AUTH_UNSUPPORTED),
        ([b"\x05\x02", b"\x01\x01"], USER, FaultId.PROXY_AUTH),
    ],
)
async def test_a_login_that_fails_waits_for_a_person(script: list[bytes], user: str, fault: FaultId) -> None:
    error = await refused(Proxy(*script), user=user)
    assert isinstance(error, ProxyAuthError)
    assert error.fault is fault


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        (1, FaultId.PROXY_UPSTREAM),
        (2, FaultId.PROXY_DENIED),
        (3, FaultId.PROXY_UPSTREAM),
        (4, FaultId.PROXY_UPSTREAM),
        (5, FaultId.PROXY_UPSTREAM),
        (6, FaultId.PROXY_UPSTREAM),
        (7, FaultId.PROXY_PROTOCOL),
        (8, FaultId.PROXY_PROTOCOL),
        (255, FaultId.PROXY_PROTOCOL),
    ],
)
async def test_every_reply_is_a_fault(reply: int, fault: FaultId) -> None:
    error = await refused(Proxy(b"\x05\x00", bytes([5, reply, 0, 1]) + bytes(6)))
    assert error.fault is fault
    assert not isinstance(error, ProxyAuthError)


@pytest.mark.parametrize(
    "script",
    [
        [b"HTTP/1.1 400 Bad Request\r\n\r\n"],
        [b"\x04\x5a"],
        [b"\x05\x02"],  # a password, which was not offered
        [b"\x05\x00", b"\x04\x00\x00\x01" + bytes(6)],
        [b"\x05\x00", b"\x05\x00\x00\x07" + bytes(6)],
    ],
)
async def test_what_is_no_socks5_is_the_proxys_fault(script: list[bytes]) -> None:
    assert (await refused(Proxy(*script))).fault is FaultId.PROXY_PROTOCOL


async def test_a_cut_at_any_byte_is_the_proxys_fault() -> None:
    whole = [b"\x05\x02", b"\x01\x00", OPENED[:-1]]
    cuts = [[*whole[:step], whole[step][:length]] for step in range(3) for length in range(len(whole[step]))]
    for script in [*cuts, whole]:
        assert (await refused(Proxy(*script), user=USER)).fault is FaultId.PROXY_PROTOCOL
