"""The gateway simulator on a real loopback socket, against a client that shares no code with it."""

import asyncio
import random
import ssl
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from connector.domain.identifiers import Channel
from simulators.clock import SystemClock
from simulators.gateway.faults import FaultName
from simulators.gateway.gateway import Options
from simulators.gateway.journal import Kind
from simulators.gateway.server import GatewaySettings, GatewaySimulator
from simulators.gateway.systems import Profile, System, SystemType
from tests.simulators.gateway.agents import EPOCH, event_payload
from tests.simulators.gateway.raw import OPEN, XMPP, raw_client, trust

pytestmark = pytest.mark.usefixtures("no_task_left")


@pytest_asyncio.fixture
async def simulator(tmp_path: Path) -> AsyncIterator[GatewaySimulator]:
    made = GatewaySimulator(GatewaySettings(tmp_path / "certs"), SystemClock(), random.Random(3).randbytes)
    await made.start()
    yield made
    await made.aclose()


@pytest.fixture
def system(simulator: GatewaySimulator) -> System:
    profile = Profile(name="Lyon", type=SystemType.OXE, site_id="s1")
    return simulator.gateway.create_system(profile, pbx_id="PBX1", activation_code="4711")


def _url(simulator: GatewaySimulator, path: str = "/websocket") -> str:
    return f"wss://localhost:{simulator.port}{path}"


async def test_an_agent_logs_in_is_greeted_and_its_event_acknowledged(
    simulator: GatewaySimulator, system: System
) -> None:
    async with raw_client(simulator) as client:
        await client.bind("pbx1", "4711")
        hello = await client.hear_until("<hello")
        assert f'from="{system.gateway_jid}/pbxpcg"' in hello
        assert system.channels[Channel.XMPP]
        await client.say(f'<message xmlns="jabber:client">{event_payload(1)}</message>')
        assert f'epoch="{EPOCH}" seq="1"' in await client.hear_until("<ack")
        entry = await simulator.journal.wait_for(lambda one: one.name == "delivered", 5)
        assert (entry.kind, entry.system) == (Kind.CALL_EVENT, system.id)
    await simulator.journal.wait_for(lambda one: one.kind is Kind.DISCONNECTED, 5)
    assert not any(system.channels.values())


@pytest.mark.parametrize(("user", "code"), [("pbx1", "4712"), ("nobody", "4711")])
async def test_a_wrong_code_and_an_unknown_user_are_refused_alike(
    simulator: GatewaySimulator, system: System, user: str, code: str
) -> None:
    async with raw_client(simulator) as client:
        assert "<not-authorized/>" in await client.authenticate(user, code)
    assert not system.is_connected
    assert simulator.journal.find(kind=Kind.LOGIN_REFUSED)[0].values["user"] == user


async def test_the_second_login_of_an_identity_puts_the_first_one_out(
    simulator: GatewaySimulator, system: System
) -> None:
    async with raw_client(simulator) as first, raw_client(simulator) as second:
        await first.bind("pbx1", "4711")
        await first.hear_until("<hello")
        await second.bind("pbx1", "4711")
        await second.hear_until("<hello")
        assert "<conflict" in await first.hear_until("error")
        with pytest.raises(ConnectionClosed):
            await first.hear_until("never")
        assert system.is_connected


async def test_a_reset_over_rest_reaches_the_agent(simulator: GatewaySimulator, system: System) -> None:
    headers = {"Authorization": f"Bearer {simulator.admin_token}"}
    path = f"{simulator.url}/api/rainbow/admin/v1.0/systems/{system.id}/reset-password"
    async with (
        raw_client(simulator) as client,
        httpx2.AsyncClient(verify=trust(simulator), headers=headers, trust_env=False) as admin,
    ):
        await client.bind("pbx1", "4711")
        hello = await client.hear_until("<hello")
        number = hello.split('id="')[1].split('"')[0]
        answer = '<hello xmlns="urn:oxbridge:conf:1" version="1" agent="a" pbx="oxe" epoch="e" last="0"/>'
        await client.say(f'<iq xmlns="jabber:client" type="result" id="{number}">{answer}</iq>')
        await client.hear_until("<access")
        answered = (await admin.post(path)).json()["data"]
        assert answered["status"] == "created"
        assert 'reason="reset"' in await client.hear_until("<disconnect")


async def test_a_delete_waits_until_the_agent_has_gone(simulator: GatewaySimulator, system: System) -> None:
    headers = {"Authorization": f"Bearer {simulator.admin_token}"}
    path = f"{simulator.url}/api/rainbow/admin/v1.0/systems/{system.id}"
    async with (
        raw_client(simulator) as client,
        httpx2.AsyncClient(verify=trust(simulator), headers=headers, trust_env=False) as admin,
    ):
        await client.bind("pbx1", "4711")
        number = (await client.hear_until("<hello")).split('id="')[1].split('"')[0]
        answer = '<hello xmlns="urn:oxbridge:conf:1" version="1" agent="a" pbx="oxe" epoch="e" last="0"/>'
        await client.say(f'<iq xmlns="jabber:client" type="result" id="{number}">{answer}</iq>')
        await client.hear_until("<access")
        deleting = asyncio.create_task(admin.delete(path))
        order = await client.hear_until("<disconnect")
        assert 'reason="delete"' in order
        assert not deleting.done()
        assert simulator.systems.get(system.id) is system
        number = order.split('id="')[1].split('"')[0]
        await client.say(f'<iq xmlns="jabber:client" type="result" id="{number}"/>')
        await client.hear_until("<close")
        await client.say('<close xmlns="urn:ietf:params:xml:ns:xmpp-framing"/>')
        assert (await deleting).status_code == 200
        assert simulator.systems.get(system.id) is None


async def test_a_half_open_connection_hears_and_says_nothing_and_is_cut_at_the_end(
    simulator: GatewaySimulator, system: System
) -> None:
    async with raw_client(simulator) as client:
        await client.bind("pbx1", "4711")
        await client.hear_until("<hello")
        simulator.gateway.faults.switch_on(FaultName.HALF_OPEN)
        simulator.gateway.wake_all()
        await client.say('<iq xmlns="jabber:client" type="get" id="p"><ping xmlns="urn:xmpp:ping"/></iq>')
        async with httpx2.AsyncClient(verify=trust(simulator), trust_env=False) as admin:
            assert (await admin.get(f"{simulator.url}/api/rainbow/ping")).status_code == 200
        simulator.gateway.faults.switch_off(FaultName.HALF_OPEN)
        simulator.gateway.wake_all()
        with pytest.raises(ConnectionClosed):
            await client.hear_until('id="p"')


async def test_a_torn_connection_is_cut_when_it_is_bound(simulator: GatewaySimulator, system: System) -> None:
    async with raw_client(simulator) as client:
        await client.bind("pbx1", "4711")
        await client.hear_until("<hello")
        simulator.gateway.faults.switch_on(FaultName.TORN)
        simulator.gateway.wake_all()
        with pytest.raises(ConnectionClosed) as closed:
            await client.hear_until("never")
    assert closed.value.rcvd is None
    await simulator.journal.wait_for(lambda one: one.kind is Kind.DISCONNECTED, 5)


async def test_http_and_websocket_share_the_port(simulator: GatewaySimulator) -> None:
    async with httpx2.AsyncClient(verify=trust(simulator), trust_env=False) as client:
        assert (await client.get(f"{simulator.url}/api/rainbow/ping")).json() == {"status": "OK"}
        assert (await client.get(f"{simulator.url}/")).status_code == 200
        refused = await client.get(f"{simulator.url}/api/rainbow/admin/v1.0/systems")
        assert refused.status_code == 401


@pytest.mark.parametrize(
    ("path", "subprotocols", "status"), [("/websocket", None, 400), ("/elsewhere", [XMPP], 404)]
)
async def test_an_upgrade_that_is_none_of_ours_is_refused(
    simulator: GatewaySimulator, path: str, subprotocols: list[Subprotocol] | None, status: int
) -> None:
    with pytest.raises(InvalidStatus) as refusal:
        await connect(
            _url(simulator, path),
            ssl=trust(simulator),
            subprotocols=subprotocols,
            compression=None,
            proxy=None,
        )
    assert refusal.value.response.status_code == status


@pytest.mark.parametrize(("frame", "code"), [(b"\x00", 1003), ("<" + "x" * 65_536, 1009), ("<?xml?>", 1000)])
async def test_a_frame_that_breaks_the_rules_ends_the_connection(
    simulator: GatewaySimulator, frame: str | bytes, code: int
) -> None:
    async with raw_client(simulator) as client:
        await client.say(OPEN)
        await client.socket.send(frame)
        with pytest.raises(ConnectionClosed) as closed:
            await client.hear_until("never")
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == code


async def test_a_broken_connection_is_noticed(simulator: GatewaySimulator, system: System) -> None:
    async with raw_client(simulator) as client:
        await client.bind("pbx1", "4711")
        await client.hear_until("<hello")
        client.socket.transport.abort()
        entry = await simulator.journal.wait_for(lambda one: one.kind is Kind.DISCONNECTED, 5)
    assert entry.system == system.id
    assert not system.is_connected


async def test_the_authority_is_not_in_the_system_store(simulator: GatewaySimulator) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        await connect(_url(simulator), ssl=ssl.create_default_context(), subprotocols=[XMPP], proxy=None)


async def test_shutdown_is_announced(tmp_path: Path) -> None:
    simulator = GatewaySimulator(GatewaySettings(tmp_path / "certs"), randomness=random.Random(3).randbytes)
    await simulator.start()
    profile = Profile(name="Lyon", type=SystemType.OXE, site_id="s1")
    simulator.gateway.create_system(profile, pbx_id="PBX1", activation_code="4711")
    async with raw_client(simulator) as client:
        await client.bind("pbx1", "4711")
        await client.hear_until("<hello")
        task = asyncio.create_task(simulator.aclose())
        assert "<system-shutdown" in await client.hear_until("error")
        with pytest.raises(ConnectionClosed):
            await client.hear_until("never")
        await task


async def test_an_agent_too_many_is_refused(tmp_path: Path) -> None:
    settings = GatewaySettings(tmp_path / "certs", options=Options(max_sessions=1))
    simulator = GatewaySimulator(settings)
    await simulator.start()
    async with raw_client(simulator):
        with pytest.raises(InvalidStatus) as refusal:
            await connect(_url(simulator), ssl=trust(simulator), subprotocols=[XMPP], proxy=None)
        assert refusal.value.response.status_code == 503
    async with raw_client(simulator) as client:
        await client.say(OPEN)
        assert (await client.hear()).startswith("<open")
    await simulator.aclose()


async def test_an_address_in_use_is_an_error_at_once(simulator: GatewaySimulator, tmp_path: Path) -> None:
    second = GatewaySimulator(GatewaySettings(tmp_path / "other", port=simulator.port))
    with pytest.raises(OSError, match="use"):
        await second.start()


def test_certificates_are_for_their_owner_only(tmp_path: Path) -> None:
    simulator = GatewaySimulator(GatewaySettings(tmp_path / "certs"))
    assert stat.S_IMODE((tmp_path / "certs").stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "certs").iterdir()}
    assert modes == {"ca.pem": 0o600, "server.pem": 0o600, "server.key": 0o600}
    assert simulator.admin_token != GatewaySimulator(GatewaySettings(tmp_path / "certs")).admin_token
