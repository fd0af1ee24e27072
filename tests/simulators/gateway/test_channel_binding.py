"""A login over real TLS, bound to the certificate that the client sees; and a resumption after a cut."""

import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path

import pytest
import pytest_asyncio
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from connector.domain.errors import AuthError
from connector.wire.xmpp import sasl, stanzas
from connector.wire.xmpp.stream import (
    BindingPolicy,
    SaltedPasswordWanted,
    StreamClient,
    StreamConfig,
    StreamEvent,
    StreamFailed,
    StreamReady,
    StreamResumed,
    SuspendedStream,
)
from simulators.gateway.gateway import Options
from simulators.gateway.journal import Kind
from simulators.gateway.server import GatewaySettings, GatewaySimulator
from simulators.gateway.systems import Profile, SystemType
from tests.simulators.gateway.agents import DOMAIN
from tests.simulators.gateway.raw import trust

PLUS = "SCRAM-SHA-256-PLUS"
CODE = "4711"
_ids = count(1)

pytestmark = pytest.mark.usefixtures("no_task_left")


@pytest_asyncio.fixture
async def simulator(tmp_path: Path) -> AsyncIterator[GatewaySimulator]:
    made = GatewaySimulator(GatewaySettings(tmp_path / "certs", options=Options(DOMAIN)))
    profile = Profile(name="Lyon", type=SystemType.OXE, site_id="s1")
    made.gateway.create_system(profile, pbx_id="PBX1", activation_code=CODE)
    await made.start()
    yield made
    await made.aclose()


def seen_certificate(connection: ClientConnection) -> bytes:
    """The hash of the certificate that the server showed."""
    tls = connection.transport.get_extra_info("ssl_object")
    assert isinstance(tls, ssl.SSLObject)
    der = tls.getpeercert(binary_form=True)
    assert der is not None
    return hashlib.sha256(der).digest()


async def verdict(connection: ClientConnection, machine: StreamClient) -> StreamEvent:
    """How the login of `machine` ends."""
    loop = asyncio.get_running_loop()
    machine.start(loop.time())
    async with asyncio.timeout(4):
        while True:
            for frame in machine.to_send():
                await connection.send(frame)
            for event in machine.events():
                if isinstance(event, SaltedPasswordWanted):
                    salted = sasl.salted_password(CODE, event.salt, event.iterations, event.hash_name)
                    machine.salted_password(salted, loop.time())
                elif isinstance(event, StreamReady | StreamResumed | StreamFailed):
                    return event
            for frame in machine.to_send():
                await connection.send(frame)
            try:
                received = await connection.recv()
            except ConnectionClosed:
                machine.receive_eof(loop.time())
                continue
            machine.receive(str(received), loop.time())


def machine(
    channel: bytes | None, policy: BindingPolicy, resume: SuspendedStream | None = None
) -> StreamClient:
    config = StreamConfig(DOMAIN, "pbx1", CODE, channel_binding=channel, binding_policy=policy)
    return StreamClient(config, lambda: f"i{next(_ids)}", lambda: f"nonce{next(_ids)}", resume)


def dialled(simulator: GatewaySimulator) -> connect:
    """A connection to the gateway."""
    return connect(
        f"wss://localhost:{simulator.port}/websocket",
        ssl=trust(simulator),
        subprotocols=[Subprotocol("xmpp")],
        compression=None,
        proxy=None,
        close_timeout=0.5,
    )


async def test_a_login_is_bound_to_the_certificate_that_the_client_sees(simulator: GatewaySimulator) -> None:
    async with dialled(simulator) as connection:
        client = machine(seen_certificate(connection), BindingPolicy.REQUIRE)
        ready = await verdict(connection, client)
        assert isinstance(ready, StreamReady)
        assert ready.mechanism == PLUS


async def test_a_login_through_another_certificate_fails_though_the_code_is_right(
    simulator: GatewaySimulator,
) -> None:
    async with dialled(simulator) as connection:
        client = machine(bytes(32), BindingPolicy.PREFER)
        failed = await verdict(connection, client)
        assert isinstance(failed, StreamFailed)
        assert isinstance(failed.error, AuthError)
        assert "bound to the certificate" in failed.error.detail


async def test_a_cut_session_is_resumed_over_the_next_connection(simulator: GatewaySimulator) -> None:
    loop = asyncio.get_running_loop()
    async with dialled(simulator) as connection:
        client = machine(seen_certificate(connection), BindingPolicy.REQUIRE)
        assert isinstance(await verdict(connection, client), StreamReady)
        client.send(stanzas.presence())  # never leaves
        connection.transport.abort()
        client.receive_eof(loop.time())
    left = client.suspended()
    assert left is not None
    async with dialled(simulator) as connection:
        again = machine(seen_certificate(connection), BindingPolicy.REQUIRE, left)
        resumed = await verdict(connection, again)
        assert isinstance(resumed, StreamResumed)
        assert resumed.mechanism == PLUS
        for frame in again.to_send():
            await connection.send(frame)
        # The presence arrived after all: only then the gateway greets.
        async with asyncio.timeout(4):
            while "<hello" not in str(await connection.recv()):
                pass
    assert [entry.kind for entry in simulator.journal.find(kind=Kind.RESUMED)] == [Kind.RESUMED]
