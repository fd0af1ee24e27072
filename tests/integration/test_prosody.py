"""Our client against Prosody, a server that is not ours: login, bind, counting, pings, a wrong code."""

import asyncio
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from uuid import uuid4

import pytest
import websockets
from websockets.asyncio.client import ClientConnection
from websockets.typing import Subprotocol

from connector.domain.errors import AuthError
from connector.domain.faults import FaultId
from connector.wire.xmpp import sasl, stanzas
from connector.wire.xmpp.stream import (
    Delivered,
    IqAnswered,
    SaltedPasswordWanted,
    StanzaReceived,
    StreamClient,
    StreamConfig,
    StreamEvent,
    StreamFailed,
    StreamReady,
)
from connector.wire.xmpp.xep0199 import PING

pytestmark = [
    pytest.mark.tools,
    pytest.mark.skipif(shutil.which("prosody") is None, reason="prosody is not installed (make test-tools)"),
]

HOST = "localhost"
USER = "pbx834e-41da-086b"
CODE = "4711"
JID = f"{USER}@{HOST}/pbxagent"

CONFIGURATION = """
pidfile = "{directory}/prosody.pid"
data_path = "{directory}/data"
certificates = "{directory}"
run_as_root = true
plugin_paths = {{}}
modules_enabled = {{ "saslauth"; "websocket"; "smacks"; "ping"; "message"; "disco" }}
modules_disabled = {{ "s2s"; "tls"; "offline"; "posix" }}
authentication = "internal_hashed"
password_hash = "SHA-256"
c2s_ports = {{}}
s2s_ports = {{}}
c2s_require_encryption = false
consider_websocket_secure = true
http_ports = {{ {port} }}
http_interfaces = {{ "127.0.0.1" }}
https_ports = {{}}
log = {{ warn = "{directory}/prosody.log" }}
VirtualHost "{host}"
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Until something listens there, for 15 s at most."""
    for _ in range(300):
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.05)
            break
    pytest.fail(f"prosody does not listen: {log.read_text() if log.exists() else 'without a log'}")


@pytest.fixture(scope="module")
def prosody(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A running Prosody with one account; its WebSocket address."""
    directory = tmp_path_factory.mktemp("prosody")
    (directory / "data").mkdir()
    port = free_port()
    configuration = directory / "prosody.cfg.lua"
    configuration.write_text(CONFIGURATION.format(directory=directory, port=port, host=HOST))
    register = ["prosodyctl", "--config", str(configuration), "register", USER, HOST, CODE]
    subprocess.run(register, check=True, capture_output=True, timeout=20)
    process = subprocess.Popen(
        ["prosody", "--config", str(configuration), "-F"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for_port(port, process, directory / "prosody.log")
        yield f"ws://{HOST}:{port}/xmpp-websocket"
    finally:
        process.terminate()
        process.wait(timeout=15)


class Session:
    """The client's machine over a real WebSocket. `until` waits for an event."""

    def __init__(self, socket_: ClientConnection, machine: StreamClient, password: str) -> None:
        self.machine = machine
        self.events: list[StreamEvent] = []
        self._socket = socket_
        self._password = password
        self._loop = asyncio.get_running_loop()

    async def until(self, is_wanted: Callable[[StreamEvent], bool]) -> StreamEvent:
        """The first event, of old or of new, that `is_wanted`."""
        seen = 0
        async with asyncio.timeout(10):
            while True:
                for event in self.events[seen:]:
                    if is_wanted(event):
                        return event
                seen = len(self.events)
                await self._turn()

    async def flush(self) -> None:
        """Send what the machine has to say."""
        for frame in self.machine.to_send():
            await self._socket.send(frame)

    async def _turn(self) -> None:
        await self.flush()
        if self.machine.is_closed:
            pytest.fail(f"the stream ended: {self.events}")
        frame = await self._socket.recv()
        assert isinstance(frame, str)
        self.machine.receive(frame, self._loop.time())
        for event in self.machine.events():
            self.events.append(event)
            if isinstance(event, SaltedPasswordWanted):
                salted = await asyncio.to_thread(
                    sasl.salted_password, self._password, event.salt, event.iterations, event.hash_name
                )
                self.machine.salted_password(salted, self._loop.time())


@asynccontextmanager
async def session(address: str, password: str = CODE) -> AsyncIterator[Session]:
    numbers = count(1)
    machine = StreamClient(
        StreamConfig(HOST, USER, password), lambda: f"c{next(numbers)}", lambda: uuid4().hex
    )
    async with websockets.connect(
        address, subprotocols=[Subprotocol("xmpp")], compression=None, proxy=None
    ) as connection:
        assert connection.subprotocol == "xmpp"
        machine.start(asyncio.get_running_loop().time())
        yield Session(connection, machine, password)


async def ready(live: Session) -> StreamReady:
    event = await live.until(lambda event: isinstance(event, StreamReady | StreamFailed))
    assert isinstance(event, StreamReady), event
    return event


async def test_login_bind_and_stream_management(prosody: str) -> None:
    async with session(prosody) as live:
        assert await ready(live) == StreamReady(JID, has_stream_management=True)
        salting = live.events[0]
        assert isinstance(salting, SaltedPasswordWanted)
        assert salting.hash_name == "sha256"


async def test_a_message_to_ourselves_is_counted_and_acknowledged(prosody: str) -> None:
    async with session(prosody) as live:
        await ready(live)
        now = asyncio.get_running_loop().time()
        live.machine.send(stanzas.presence())
        number = live.machine.send(stanzas.message("m-1", JID, "<x xmlns='urn:x'>é &amp; &lt;</x>"))
        live.machine.request_ack()
        await live.until(lambda event: isinstance(event, Delivered) and event.count >= number)
        received = await live.until(
            lambda event: isinstance(event, StanzaReceived) and event.stanza.id == "m-1"
        )
        assert isinstance(received, StanzaReceived)
        assert received.stanza.from_ == JID
        assert received.stanza.payload is not None
        assert received.stanza.payload.text == "é & <"
        assert live.machine.unacked_count == 0
        # Prosody counts too: it would end the stream if our own count were too high or not to be read.
        id_ = live.machine.request("get", HOST, PING, now)
        answer = await live.until(lambda event: isinstance(event, IqAnswered))
        assert isinstance(answer, IqAnswered)
        assert (answer.id, answer.stanza.type) == (id_, "result")


async def test_a_request_that_nobody_serves_is_refused(prosody: str) -> None:
    async with session(prosody) as live:
        await ready(live)
        live.machine.request("get", HOST, "<x xmlns='urn:nobody'/>", asyncio.get_running_loop().time())
        answer = await live.until(lambda event: isinstance(event, IqAnswered))
        assert isinstance(answer, IqAnswered)
        error = stanzas.error_of(answer.stanza)
        assert error is not None
        assert error.condition == "service-unavailable"


async def test_a_wrong_code_is_not_authorized(prosody: str) -> None:
    async with session(prosody, "0000") as live:
        event = await live.until(lambda event: isinstance(event, StreamFailed))
        assert isinstance(event, StreamFailed)
        assert isinstance(event.error, AuthError)
        assert event.error.fault is FaultId.CLOUD_NOT_AUTHORIZED
        assert live.machine.is_closed


async def test_a_second_agent_replaces_the_first(prosody: str) -> None:
    async with session(prosody) as first, session(prosody) as second:
        await ready(first)
        await ready(second)
        event = await first.until(lambda event: isinstance(event, StreamFailed))
        assert isinstance(event, StreamFailed)
        assert event.error.fault is FaultId.CLOUD_REPLACED


async def test_an_orderly_end(prosody: str) -> None:
    async with session(prosody) as live:
        await ready(live)
        live.machine.close()
        await live.flush()
        async with asyncio.timeout(10):
            async for frame in live._socket:
                assert isinstance(frame, str)
                live.machine.receive(frame, asyncio.get_running_loop().time())
        assert live.machine.is_closed
        assert not any(isinstance(event, StreamFailed) for event in live.machine.events())
