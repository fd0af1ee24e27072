"""The way out through real proxies, up to a WebSocket of the gateway simulator; each fault by its own id."""

import asyncio
import logging
import random
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from connector.domain.errors import Disposition, ProxyAuthError, ProxyError, TlsError
from connector.domain.faults import FaultId
from connector.domain.invitations import HubOutcome, InvitationOptions, InvitationStatus, Invite
from connector.links.dialer import Dialer
from connector.links.proxy.choice import Exemption, ProxyRules, ProxyServer, Scheme
from connector.links.tls import client_context
from connector.links.websocket import WebSocketAddress, WebSocketTransport, open_websocket
from connector.rva.hub import HubClient
from simulators.certs import Certificates, issue
from simulators.gateway.server import GatewaySettings, GatewaySimulator
from simulators.rva.server import RvaSimulator
from tests.integration.proxies import PASSWORD, PLAIN_PASSWORD, USER, Zoo, free_port, missing_tool

_MISSING = missing_tool("squid", "tinyproxy", "microsocks")
pytestmark = [
    pytest.mark.tools,
    pytest.mark.skipif(bool(_MISSING), reason=_MISSING or "installed"),
    pytest.mark.usefixtures("no_task_left"),
]

DIAL_SECONDS = 5.0
OPEN = '<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" to="openrainbow.com" version="1.0"/>'


@dataclass(frozen=True)
class Far:
    """Everything around the dial: the proxies, the gateway behind them, whom to trust."""

    zoo: Zoo
    gateway: GatewaySimulator
    certificates: Certificates
    inspector: trustme.CA
    inspector_file: Path


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return issue(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def inspector() -> trustme.CA:
    return trustme.CA(organization_name="Example Corp Inspection", key_type=trustme.KeyType.RSA)


@pytest.fixture(scope="module")
def inspector_file(inspector: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("inspector") / "authority.pem"
    file.write_bytes(inspector.private_key_pem.bytes() + inspector.cert_pem.bytes())
    return file


@pytest.fixture(scope="module")
def zoo(
    certificates: Certificates, inspector_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Zoo]:
    zoo = Zoo(tmp_path_factory.mktemp("proxies"), certificates, inspector_file)
    yield zoo
    zoo.close()


@pytest.fixture
async def far(
    zoo: Zoo, certificates: Certificates, inspector: trustme.CA, inspector_file: Path, tmp_path: Path
) -> AsyncIterator[Far]:
    settings = GatewaySettings(tmp_path / "ca", certificates=certificates)
    simulator = GatewaySimulator(settings, None, random.Random(7).randbytes)
    await simulator.start()
    yield Far(zoo, simulator, certificates, inspector, inspector_file)
    await simulator.aclose()


def server(far: Far, name: str, *, user: str = "", password: str = "") -> ProxyServer:
    scheme = {"squid-https": Scheme.HTTPS, "microsocks": Scheme.SOCKS5, "microsocks-password": Scheme.SOCKS5}
    return ProxyServer(scheme.get(name, Scheme.HTTP), "localhost", far.zoo.port(name), user, password)


async def dialled(
    far: Far,
    proxy: ProxyServer | None,
    *,
    host: str = "localhost",
    port: int | None = None,
    tls: ssl.SSLContext | None = None,
    proxy_ca: Path | None = None,
    timeout_seconds: float = DIAL_SECONDS,
) -> WebSocketTransport:
    dialer = Dialer(ProxyRules(proxy), proxy_tls=client_context(proxy_ca or far.certificates.ca_file))
    return await open_websocket(
        WebSocketAddress(host, port or far.gateway.port, "/websocket"),
        tls or client_context(far.certificates.ca_file),
        subprotocol="xmpp",
        timeout_seconds=timeout_seconds,
        dialer=dialer,
    )


async def assert_carries(transport: WebSocketTransport) -> None:
    """The gateway answers our stream header: bytes go both ways."""
    try:
        async with asyncio.timeout(DIAL_SECONDS):
            await transport.write([OPEN])
            answer = await transport.read()
        assert answer is not None
        assert answer.startswith("<open")
    finally:
        await transport.aclose()


# The matrix ----------------------------------------------------------------------------------------------

WAYS = [
    pytest.param(None, "", "", id="direct"),
    pytest.param("squid", "", "", id="squid-connect-no-auth"),
    pytest.param("squid-basic", USER, PASSWORD, id="squid-basic-odd-password"),
    pytest.param("tinyproxy", USER, PLAIN_PASSWORD, id="tinyproxy-basic"),
    pytest.param("squid-digest", USER, PASSWORD, id="squid-digest"),
    pytest.param("squid-ntlm", f"CORP\\{USER}", PASSWORD, id="squid-ntlm"),
    pytest.param("squid-https", "", "", id="squid-https-tls-in-tls"),
    pytest.param("microsocks", "", "", id="microsocks-socks5"),
    pytest.param("microsocks-password", USER, PASSWORD, id="microsocks-socks5-password"),
]


@pytest.mark.parametrize(("name", "user", "password"), WAYS)
async def test_a_way_out(far: Far, name: str | None, user: str, password: str) -> None:
    proxy = server(far, name, user=user, password=password) if name else None
    await assert_carries(await dialled(far, proxy))


async def test_a_way_out_squid_inspection_with_its_authority_trusted(far: Far) -> None:
    tls = client_context(far.certificates.ca_file)
    far.inspector.configure_trust(tls)
    transport = await dialled(far, server(far, "squid-bump"), tls=tls)
    assert "Example Corp Inspection" in transport.peer_certificate.issuer
    await assert_carries(transport)


FAULTS = [
    pytest.param("squid-basic", "", "", FaultId.PROXY_AUTH, id="squid-basic-missing"),
    pytest.param("squid-basic", USER, "wrong-canary-1", FaultId.PROXY_AUTH, id="squid-basic-wrong"),
    pytest.param("tinyproxy", USER, "wrongcanary2", FaultId.PROXY_AUTH, id="tinyproxy-wrong"),
    pytest.param("squid-digest", USER, "wrong-canary-3", FaultId.PROXY_AUTH, id="squid-digest-wrong"),
    pytest.param("squid-ntlm", "", "", FaultId.PROXY_AUTH, id="squid-ntlm-missing"),
    pytest.param("microsocks-password", USER, "wrong-canary-4", FaultId.PROXY_AUTH, id="microsocks-wrong"),
    pytest.param("microsocks-password", "", "", FaultId.PROXY_AUTH, id="microsocks-missing"),
    pytest.param("squid-negotiate", USER, PASSWORD, FaultId.PROXY_AUTH_UNSUPPORTED, id="squid-kerberos-only"),
    pytest.param("squid-deny", "", "", FaultId.PROXY_DENIED, id="squid-acl-deny"),
    pytest.param("tinyproxy-other-port", "", "", FaultId.PROXY_DENIED, id="tinyproxy-443-only"),
    pytest.param("squid-strip", "", "", FaultId.PROXY_STRIPS_WEBSOCKET, id="squid-upgrade-stripped"),
]


@pytest.mark.parametrize(("name", "user", "password", "fault"), FAULTS)
async def test_a_refusal_is_named_and_tells_no_secret(
    far: Far, name: str, user: str, password: str, fault: FaultId, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    tls = client_context(far.certificates.ca_file)
    far.inspector.configure_trust(tls)
    with pytest.raises(ProxyError) as refused:
        await dialled(far, server(far, name, user=user, password=password), tls=tls)
    assert refused.value.fault is fault
    is_login = fault in (FaultId.PROXY_AUTH, FaultId.PROXY_AUTH_UNSUPPORTED)
    assert isinstance(refused.value, ProxyAuthError) is is_login
    assert refused.value.disposition is (Disposition.HOLD if is_login else Disposition.RETRY)
    if password:
        told = [repr(refused.value), str(refused.value), repr(refused.value.__cause__), caplog.text]
        assert not any(password in text for text in told)


async def test_an_inspector_that_is_not_trusted_is_named(far: Far, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(TlsError) as refused:
        await dialled(far, server(far, "squid-bump"))
    assert refused.value.fault is FaultId.TLS_INTERCEPTED
    assert "Example Corp Inspection" in refused.value.detail
    # The WebSocket library's own dial leaves a stray error in the loop here.
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


@pytest.mark.parametrize("name", ["squid", "tinyproxy-any", "microsocks"])
async def test_a_far_end_that_the_proxy_can_not_reach(far: Far, name: str) -> None:
    with pytest.raises(ProxyError) as refused:
        await dialled(far, server(far, name), port=free_port())
    assert refused.value.fault is FaultId.PROXY_UPSTREAM


@pytest.mark.parametrize("name", ["squid", "microsocks"])
async def test_a_name_that_only_the_proxy_is_asked_for(far: Far, name: str) -> None:
    with pytest.raises(ProxyError) as refused:
        await dialled(far, server(far, name), host="no-such-name.invalid", port=443)
    assert refused.value.fault is FaultId.PROXY_UPSTREAM


async def test_a_proxy_whose_certificate_is_not_trusted(far: Far, tmp_path: Path) -> None:
    stranger = issue(tmp_path / "stranger")
    with pytest.raises(ProxyError) as refused:
        await dialled(far, server(far, "squid-https"), proxy_ca=stranger.ca_file)
    assert refused.value.fault is FaultId.PROXY_TLS
    assert "issuer " in refused.value.detail


async def test_https_where_the_proxy_speaks_http(far: Far) -> None:
    proxy = ProxyServer(Scheme.HTTPS, "localhost", far.zoo.port("squid"))
    with pytest.raises(ProxyError) as refused:
        await dialled(far, proxy)
    assert refused.value.fault is FaultId.PROXY_TLS


@pytest.mark.parametrize(
    ("scheme", "name", "fault"),
    [
        (Scheme.HTTP, "microsocks", FaultId.PROXY_PROTOCOL),
        (Scheme.HTTP, "squid-https", FaultId.PROXY_PROTOCOL),
        # squid waits for the rest of a request line.
        (Scheme.SOCKS5, "squid", FaultId.PROXY_TIMEOUT),
    ],
)
async def test_the_wrong_kind_of_proxy(far: Far, scheme: Scheme, name: str, fault: FaultId) -> None:
    proxy = ProxyServer(scheme, "localhost", far.zoo.port(name))
    with pytest.raises(ProxyError) as refused:
        await dialled(far, proxy, timeout_seconds=1.0)
    assert refused.value.fault is fault


async def test_an_exempted_gateway_is_dialled_directly(far: Far) -> None:
    rules = ProxyRules(server(far, "squid-deny"), (Exemption.parse(f"localhost:{far.gateway.port}"),))
    transport = await open_websocket(
        WebSocketAddress("localhost", far.gateway.port, "/websocket"),
        client_context(far.certificates.ca_file),
        subprotocol="xmpp",
        timeout_seconds=DIAL_SECONDS,
        dialer=Dialer(rules),
    )
    await assert_carries(transport)


INVITE = Invite("c-1", "3001", "anna", "+33639980001", InvitationOptions())


@pytest.mark.parametrize("name", ["squid-digest", "squid-ntlm", "microsocks-password"])
async def test_an_invitation_goes_through_the_same_proxies(far: Far, name: str, tmp_path: Path) -> None:
    hub = RvaSimulator(tmp_path / "rva", certificates=far.certificates)
    await hub.start()
    rules = ProxyRules(server(far, name, user=USER, password=PASSWORD))
    client = HubClient(
        hub.url, client_context(hub.ca_file), timeout_seconds=DIAL_SECONDS, dialer=Dialer(rules)
    )
    outcome = await client.invite(INVITE)
    await client.aclose()
    messages = hub.inbox.messages()
    await hub.aclose()
    assert outcome == HubOutcome(InvitationStatus.SENT, messages[0].id)


async def test_an_invitation_that_the_proxy_refuses_was_not_sent(far: Far) -> None:
    client = HubClient(
        f"https://localhost:{far.gateway.port}",
        client_context(far.certificates.ca_file),
        timeout_seconds=DIAL_SECONDS,
        dialer=Dialer(ProxyRules(server(far, "squid-deny"))),
    )
    outcome = await client.invite(INVITE)
    await client.aclose()
    assert outcome == HubOutcome(InvitationStatus.FAILED, reason="proxy-denied")
