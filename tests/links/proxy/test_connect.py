"""CONNECT opposite a scripted proxy: refusals, logins, and answers that no proxy should give."""

import asyncio
import base64
import re
import sys
from collections.abc import Awaitable, Callable

import pytest

from connector.domain.errors import LinkError, ProxyAuthError, ProxyError
from connector.domain.faults import FaultId
from connector.links.dialer import Dialer
from connector.links.proxy.choice import Exemption, ProxyRules, ProxyServer, Scheme
from connector.links.stream import ByteStream
from tests.links.scripted import listening

pytestmark = pytest.mark.usefixtures("no_task_left")

USER, PASSWORD = "agent", "canary-77"
DIGEST = 'Proxy-Authenticate: Digest realm="r", nonce="n{}", qop="auth"'
BASIC = 'Proxy-Authenticate: Basic realm="r"'


class Proxy:
    """Gives the answers of `script` in order, each to one request; None closes without one."""

    def __init__(self, *script: bytes | None) -> None:
        self._script = list(script)
        self.requests: list[str] = []
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while True:
            self.requests.append((await reader.readuntil(b"\r\n\r\n")).decode())
            answer = self._script.pop(0) if self._script else None
            if answer is None:
                return
            writer.write(answer)
            await writer.drain()
            if b"200" in answer[:20]:
                await reader.read()  # the tunnel's owner closes
                return
            if b"Connection: close" in answer:
                return

    def authorizations(self) -> list[str]:
        """What each request offered as credentials: the scheme, or ""."""
        found = [re.search(r"Proxy-Authorization: (\w+)", request) for request in self.requests]
        return [match[1] if match else "" for match in found]


def answer(status: str, *headers: str, body: bytes = b"") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


TUNNEL = b"HTTP/1.1 200 Connection established\r\n\r\n"


async def dialled(proxy: Proxy, *, user: str = USER, timeout_seconds: float = 5.0) -> ByteStream:
    async with listening(proxy.serve) as port:
        server = ProxyServer(Scheme.HTTP, "127.0.0.1", port, user, PASSWORD if user else "")
        dialer = Dialer(ProxyRules(server))
        stream = await dialer.open("gw.example.net", 443, link="cloud", timeout_seconds=timeout_seconds)
        await stream.aclose()
        return stream


async def refused(proxy: Proxy, *, user: str = USER, timeout_seconds: float = 5.0) -> LinkError:
    with pytest.raises(LinkError) as raised:
        await dialled(proxy, user=user, timeout_seconds=timeout_seconds)
    for text in (str(raised.value), repr(raised.value), repr(raised.value.__cause__)):
        assert PASSWORD not in text
        assert base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode() not in text
    return raised.value


async def test_the_request_is_that_of_rfc_9110() -> None:
    proxy = Proxy(TUNNEL)
    await dialled(proxy)
    line, *fields = proxy.requests[0].split("\r\n")
    assert line == "CONNECT gw.example.net:443 HTTP/1.1"
    assert "Host: gw.example.net:443" in fields
    assert proxy.authorizations() == [""]  # nothing is told before it is asked for


async def test_the_strongest_scheme_is_taken() -> None:
    both = answer("407 no", BASIC, DIGEST.format(1))
    proxy = Proxy(both, TUNNEL)
    await dialled(proxy)
    assert proxy.authorizations() == ["", "Digest"]
    assert proxy.connections == 1


async def test_sha_256_goes_before_md5() -> None:
    strong = 'Proxy-Authenticate: Digest realm="r", nonce="n", qop="auth", algorithm=SHA-256'
    proxy = Proxy(answer("407 no", DIGEST.format(1), strong), TUNNEL)
    await dialled(proxy)
    assert "algorithm=SHA-256" in proxy.requests[1]


async def test_a_proxy_that_closes_after_its_question_is_dialled_anew() -> None:
    proxy = Proxy(answer("407 no", BASIC, "Connection: close"), TUNNEL)
    await dialled(proxy)
    assert proxy.authorizations() == ["", "Basic"]
    assert proxy.connections == 2


async def test_a_stale_nonce_is_no_wrong_password() -> None:
    stale = answer("407 no", DIGEST.format(2) + ", stale=true")
    proxy = Proxy(answer("407 no", DIGEST.format(1)), stale, TUNNEL)
    await dialled(proxy)
    assert ['nonce="n2"' in request for request in proxy.requests] == [False, False, True]


@pytest.mark.parametrize("offer", [BASIC, DIGEST.format(1), DIGEST.format(1) + ", stale=true"])
async def test_credentials_that_are_not_taken_are_not_repeated(offer: str) -> None:
    proxy = Proxy(*[answer("407 no", offer)] * 9)
    error = await refused(proxy)
    assert error.fault is FaultId.PROXY_AUTH
    assert isinstance(error, ProxyAuthError)
    assert len(proxy.requests) == (3 if "stale" in offer else 2)


async def test_a_refused_login_is_not_tried_again_at_once_whoever_dials() -> None:
    proxy = Proxy(*[answer("407 no", BASIC)] * 9)
    async with listening(proxy.serve) as port:
        rules = ProxyRules(
            ProxyServer(Scheme.HTTP, "127.0.0.1", port, USER, PASSWORD), (Exemption.parse("127.0.0.1"),)
        )
        dialer = Dialer(rules)
        for link in ("cloud", "rva", "cloud"):
            with pytest.raises(ProxyAuthError) as held:
                await dialer.open("gw.example.net", 443, link=link, timeout_seconds=5)
            assert (held.value.fault, held.value.link) == (FaultId.PROXY_AUTH, link)
        assert len(proxy.requests) == 2
        await (await dialer.open("127.0.0.1", port, link="cloud", timeout_seconds=5)).aclose()


async def test_after_the_pause_it_is_tried_again() -> None:
    proxy = Proxy(answer("407 no", BASIC), answer("407 no", BASIC, "Connection: close"), TUNNEL)
    async with listening(proxy.serve) as port:
        rules = ProxyRules(ProxyServer(Scheme.HTTP, "127.0.0.1", port, USER, PASSWORD))
        dialer = Dialer(rules, login_pause_seconds=0.0)
        with pytest.raises(ProxyAuthError):
            await dialer.open("gw.example.net", 443, link="cloud", timeout_seconds=5)
        await (await dialer.open("gw.example.net", 443, link="cloud", timeout_seconds=5)).aclose()


async def test_without_credentials_none_are_invented() -> None:
    proxy = Proxy(answer("407 no", BASIC))
    error = await refused(proxy, user="")
    assert error.fault is FaultId.PROXY_AUTH
    assert len(proxy.requests) == 1


@pytest.mark.parametrize(
    "offers",
    [
        ["Proxy-Authenticate: Negotiate"],
        ['Proxy-Authenticate: Digest realm="r", nonce="n", qop="auth-int"'],
        ['Proxy-Authenticate: Bearer realm="r"', "Proxy-Authenticate: Kerberos"],
        [],
    ],
)
async def test_schemes_that_we_have_not_are_named(offers: list[str]) -> None:
    error = await refused(Proxy(answer("407 no", *offers)))
    assert error.fault is FaultId.PROXY_AUTH_UNSUPPORTED
    assert isinstance(error, ProxyAuthError)


async def test_ntlm_without_its_library_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spnego", None)
    error = await refused(Proxy(answer("407 no", "Proxy-Authenticate: NTLM")))
    assert error.fault is FaultId.PROXY_AUTH_UNSUPPORTED
    assert "pyspnego" in error.detail


async def test_ntlm_without_its_library_gives_way_to_basic(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spnego", None)
    proxy = Proxy(answer("407 no", "Proxy-Authenticate: NTLM", BASIC), TUNNEL)
    await dialled(proxy)
    assert proxy.authorizations() == ["", "Basic"]


@pytest.mark.parametrize("token", ["AAAA", "TlRMTVNTUAACAAAAAAAAAA==", "!!!", "A" * 9_000])
async def test_a_broken_ntlm_challenge_is_the_proxys_fault(token: str) -> None:
    pytest.importorskip("spnego")
    proxy = Proxy(
        answer("407 no", "Proxy-Authenticate: NTLM"), answer("407 no", f"Proxy-Authenticate: NTLM {token}")
    )
    error = await refused(proxy)
    assert error.fault in (FaultId.PROXY_PROTOCOL, FaultId.PROXY_AUTH)


async def test_ntlm_can_not_move_to_another_connection() -> None:
    pytest.importorskip("spnego")
    proxy = Proxy(
        answer("407 no", "Proxy-Authenticate: NTLM", "Connection: close"),
        answer("407 no", "Proxy-Authenticate: NTLM"),
    )
    error = await refused(proxy)
    assert error.fault is FaultId.PROXY_AUTH
    assert proxy.connections == 2


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        ("403 Forbidden", FaultId.PROXY_DENIED),
        ("405 Method Not Allowed", FaultId.PROXY_DENIED),
        ("401 Unauthorized", FaultId.PROXY_AUTH),
        ("500 Oops", FaultId.PROXY_UPSTREAM),
        ("502 Bad Gateway", FaultId.PROXY_UPSTREAM),
        ("503 Unavailable", FaultId.PROXY_UPSTREAM),
        ("504 Timeout", FaultId.PROXY_UPSTREAM),
        ("302 Found", FaultId.PROXY_PROTOCOL),
    ],
)
async def test_a_status_is_a_fault(status: str, fault: FaultId) -> None:
    error = await refused(Proxy(answer(status, "Location: https://evil.example/", body=b"<html>")))
    assert error.fault is fault
    assert isinstance(error, ProxyError)
    assert status[:3] in error.detail or fault is FaultId.PROXY_AUTH


@pytest.mark.parametrize(
    "script",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x50" * 3,
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000,
        b"HTTP/1.1 200 OK\r\n\r\nbytes before we spoke",
        b"HTTP/1.1 100 Continue\r\n\r\n" + b"Proxy-Authorization: Basic " + b"YWdlbnQ6Y2FuYXJ5LTc3\r\n\r\n",
        None,
    ],
    ids=["ssh", "tls-alert", "endless-header", "early-bytes", "echoes-credentials", "closes"],
)
async def test_what_is_no_answer_is_the_proxys_fault(script: bytes | None) -> None:
    assert (await refused(Proxy(script))).fault is FaultId.PROXY_PROTOCOL


async def test_an_endless_page_is_not_read() -> None:
    page = b"HTTP/1.1 407 no\r\n" + BASIC.encode() + b"\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 100_000
    proxy = Proxy(page, TUNNEL)
    await dialled(proxy)
    assert proxy.connections == 2


async def test_a_page_cut_at_any_place_is_survived() -> None:
    page = answer("407 no", BASIC, body=b"<html>log in</html>")
    for length in range(len(page) - 19, len(page)):
        cut = page[:length].replace(b"Content-Length", b"Connection: close\r\nContent-Length")
        proxy = Proxy(cut, TUNNEL)
        await dialled(proxy)
        assert proxy.authorizations() == ["", "Basic"]


async def test_an_answer_byte_by_byte_is_an_answer() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for byte in TUNNEL:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)
        await reader.read()

    await _opened(drip)


async def _opened(serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> None:
    async with listening(serve) as port:
        dialer = Dialer(ProxyRules(ProxyServer(Scheme.HTTP, "127.0.0.1", port)))
        stream = await dialer.open("gw.example.net", 443, link="cloud", timeout_seconds=5)
        await stream.aclose()


async def test_an_ipv6_target_is_in_brackets() -> None:
    proxy = Proxy(TUNNEL)
    async with listening(proxy.serve) as port:
        dialer = Dialer(ProxyRules(ProxyServer(Scheme.HTTP, "127.0.0.1", port)))
        await (await dialer.open("2001:db8::1", 443, link="cloud", timeout_seconds=5)).aclose()
    assert proxy.requests[0].startswith("CONNECT [2001:db8::1]:443 HTTP/1.1\r\n")
