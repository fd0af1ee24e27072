"""Our client against Prosody, a server that is not ours: login, bind, counting, resumption, refusals."""

import asyncio
import hashlib
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from uuid import uuid4

import pytest
import trustme
import websockets
from websockets.asyncio.client import ClientConnection
from websockets.typing import Subprotocol

from connector.domain.errors import AuthError, LinkClosed, LocalProtocolError, SentTooMuch
from connector.domain.faults import FaultId
from connector.wire.xmpp import sasl, stanzas
from connector.wire.xmpp.client import MAX_RESUME_TRIES
from connector.wire.xmpp.stream import (
    BindingPolicy,
    Delivered,
    IqAnswered,
    SaltedPasswordWanted,
    StanzaReceived,
    StreamClient,
    StreamConfig,
    StreamEvent,
    StreamFailed,
    StreamReady,
    StreamResumed,
    SuspendedStream,
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
smacks_hibernation_time = 60
c2s_stanza_size_limit = 65536
modules_disabled = {{ "s2s"; "tls"; "offline"; "posix" }}
authentication = "internal_hashed"
password_hash = "SHA-256"
c2s_ports = {{}}
s2s_ports = {{}}
c2s_require_encryption = false
consider_websocket_secure = true
http_ports = {{ {port} }}
http_interfaces = {{ "127.0.0.1" }}
https_ports = {{ {tls_port} }}
https_interfaces = {{ "127.0.0.1" }}
ssl = {{ certificate = "{directory}/server.pem"; key = "{directory}/server.key" }}
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


@dataclass(frozen=True)
class Prosody:
    """Where it listens, in the clear and over TLS, and who vouches for it."""

    plain: str
    secure: str
    authority: trustme.CA
    certificate: bytes


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prosody]:
    """A running Prosody with one account."""
    directory = tmp_path_factory.mktemp("prosody")
    (directory / "data").mkdir()
    authority = trustme.CA()
    issued = authority.issue_cert(HOST)
    issued.private_key_pem.write_to_path(str(directory / "server.key"))
    issued.cert_chain_pems[0].write_to_path(str(directory / "server.pem"))
    port, tls_port = free_port(), free_port()
    configuration = directory / "prosody.cfg.lua"
    configuration.write_text(
        CONFIGURATION.format(directory=directory, port=port, tls_port=tls_port, host=HOST)
    )
    register = ["prosodyctl", "--config", str(configuration), "register", USER, HOST, CODE]
    subprocess.run(register, check=True, capture_output=True, timeout=20)
    process = subprocess.Popen(
        ["prosody", "--config", str(configuration), "-F"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for_port(port, process, directory / "prosody.log")
        wait_for_port(tls_port, process, directory / "prosody.log")
        yield Prosody(
            f"ws://{HOST}:{port}/xmpp-websocket",
            f"wss://{HOST}:{tls_port}/xmpp-websocket",
            authority,
            ssl.PEM_cert_to_DER_cert(issued.cert_chain_pems[0].bytes().decode()),
        )
    finally:
        process.terminate()
        process.wait(timeout=15)


@pytest.fixture
def prosody(server: Prosody) -> str:
    """Its WebSocket address in the clear."""
    return server.plain


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
        try:
            frame = await self._socket.recv()
            assert isinstance(frame, str)
            self.machine.receive(frame, self._loop.time())
        except websockets.ConnectionClosed:
            self.machine.receive_eof(self._loop.time())
        for event in self.machine.events():
            self.events.append(event)
            if isinstance(event, SaltedPasswordWanted):
                salted = await asyncio.to_thread(
                    sasl.salted_password, self._password, event.salt, event.iterations, event.hash_name
                )
                self.machine.salted_password(salted, self._loop.time())

    async def ended(self) -> StreamFailed:
        """How the stream ends."""
        event = await self.until(lambda event: isinstance(event, StreamFailed))
        assert isinstance(event, StreamFailed)
        return event

    def cut(self) -> SuspendedStream:
        """Break the TCP connection, without a word of WebSocket or XMPP; what may go on."""
        self._socket.transport.abort()
        self.machine.receive_eof(self._loop.time())
        left = self.machine.suspended()
        assert left is not None
        return left

    async def say(self, frame: str) -> None:
        """Send something that the machine never would."""
        await self._socket.send(frame)


@asynccontextmanager
async def session(
    address: str,
    password: str = CODE,
    resume: SuspendedStream | None = None,
    tls: ssl.SSLContext | None = None,
    **settings: object,
) -> AsyncIterator[Session]:
    numbers = count(1)
    prefix = uuid4().hex[:8]
    machine = StreamClient(
        StreamConfig(HOST, USER, password, **settings),  # type: ignore[arg-type]
        lambda: f"{prefix}-{next(numbers)}",
        lambda: uuid4().hex,
        resume,
    )
    async with websockets.connect(
        address,
        subprotocols=[Subprotocol("xmpp")],
        compression=None,
        proxy=None,
        ssl=tls,
        close_timeout=0.5,  # Prosody does not always close back
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
        assert await ready(live) == StreamReady(JID, True, "SCRAM-SHA-256")
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


# Resumption ------------------------------------------------------------------------------------------------


def note(number: int) -> str:
    return stanzas.message(f"m-{number}", JID, f"<n xmlns='urn:x'>{number}</n>")


def notes(live: Session) -> list[str]:
    """The messages that came, in order."""
    return [
        event.stanza.id
        for event in live.events
        if isinstance(event, StanzaReceived) and event.stanza.name == "message"
    ]


async def has_come(live: Session, id_: str) -> None:
    """Until the message `id_` is there."""
    await live.until(lambda event: isinstance(event, StanzaReceived) and event.stanza.id == id_)


async def resumed(live: Session) -> StreamResumed:
    event = await live.until(lambda event: isinstance(event, StreamResumed | StreamReady))
    assert isinstance(event, StreamResumed), event
    return event


async def test_a_cut_connection_loses_nothing_and_repeats_nothing(prosody: str) -> None:
    async with session(prosody) as first:
        await ready(first)
        first.machine.send(stanzas.presence())
        for number in (1, 2, 3):
            first.machine.send(note(number))
        await first.flush()
        await has_come(first, "m-1")
        for number in (4, 5):  # these never leave this machine
            first.machine.send(note(number))
        left = first.cut()
    assert len(left.unacked) >= 2
    async with session(prosody, resume=left) as second:
        assert await resumed(second) == StreamResumed(JID, "SCRAM-SHA-256")
        await has_come(second, "m-5")
        received = notes(first) + notes(second)
        assert received == ["m-1", "m-2", "m-3", "m-4", "m-5"]
        number = second.machine.send(note(6))
        second.machine.request_ack()
        await second.until(lambda event: isinstance(event, Delivered) and event.count == number)
        assert number == 7, "a presence and six notes, counted through both connections"
        # Prosody believes our count: it would have ended the stream over one that is too high.
        second.machine.ping(asyncio.get_running_loop().time())
        await has_come(second, "m-6")


async def test_an_answer_finds_who_asked_before_the_cut(prosody: str) -> None:
    async with session(prosody) as first:
        await ready(first)
        id_ = first.machine.request("get", HOST, PING, asyncio.get_running_loop().time())
        left = first.cut()  # the question never left
    async with session(prosody, resume=left) as second:
        await resumed(second)
        answer = await second.until(lambda event: isinstance(event, IqAnswered))
        assert isinstance(answer, IqAnswered)
        assert (answer.id, answer.stanza.type) == (id_, "result")


async def test_a_session_goes_on_twice(prosody: str) -> None:
    async with session(prosody) as live:
        await ready(live)
        left = live.cut()
    for _ in range(2):
        async with session(prosody, resume=left) as live:
            await resumed(live)
            left = live.cut()


async def test_an_unknown_session_is_followed_by_a_new_one_in_the_same_stream(prosody: str) -> None:
    unknown = SuspendedStream("nobody-knows-this", JID, 60, 0, 0, (note(1),))
    async with session(prosody, resume=unknown) as live:
        event = await ready(live)
        assert event.jid == JID
        assert event.lost == (note(1),)
        assert live.machine.session_id not in ("", unknown.id)


async def test_a_closed_session_is_not_resumed(prosody: str) -> None:
    async with session(prosody) as first:
        await ready(first)
        id_ = first.machine.session_id
        first.machine.close()
        await first.flush()
        with suppress(websockets.ConnectionClosed):
            await first._socket.recv()
    async with session(prosody, resume=SuspendedStream(id_, JID, 60, 0, 0)) as second:
        await ready(second)


async def test_a_session_that_seems_alive_is_taken_over(prosody: str) -> None:
    """The old connection is half-open: Prosody has not noticed that nobody reads it."""
    async with session(prosody) as first:
        await ready(first)
        first.machine.send(stanzas.presence())
        first.machine.send(note(1))
        await first.flush()
        await has_come(first, "m-1")
        first.machine.receive_eof(asyncio.get_running_loop().time())
        left = first.machine.suspended()
        async with session(prosody, resume=left) as second:
            await resumed(second)
            second.machine.send(note(2))
            await has_come(second, "m-2")
            assert notes(second) == ["m-2"]


async def test_a_count_that_is_too_high_ends_the_stream(prosody: str) -> None:
    """Prosody says so with an undefined-condition, and its own words."""
    async with session(prosody) as live:
        await ready(live)
        await live.say('<a xmlns="urn:xmpp:sm:3" h="7"/>')
        failed = await live.ended()
        assert isinstance(failed.error, LinkClosed)
        assert "undefined-condition" in failed.error.detail


async def test_a_resumption_with_a_count_that_is_too_high_is_given_up(prosody: str) -> None:
    """Prosody 0.12 drops the connection without a word; we must not ask the same for ever."""
    async with session(prosody) as first:
        await ready(first)
        left: SuspendedStream | None = replace(first.cut(), received=1_000)
    for _ in range(MAX_RESUME_TRIES):
        assert left is not None
        async with session(prosody, resume=left) as live:
            event = await live.until(lambda event: isinstance(event, StreamFailed | StreamReady))
            left = live.machine.suspended()
            if isinstance(event, StreamReady):
                break
    assert left is None


# Refusals --------------------------------------------------------------------------------------------------


async def test_a_stanza_that_is_too_large_ends_the_stream(prosody: str) -> None:
    async with session(prosody) as live:
        await ready(live)
        live.machine.send(note(1))
        await live.flush()
        await live.say(stanzas.message("big", JID, f"<x xmlns='urn:x'>{'x' * 70_000}</x>"))
        failed = await live.ended()
        assert isinstance(failed.error, SentTooMuch)
        assert failed.blamed is not None
        assert failed.blamed.id == "m-1", "the machine knows its own stanzas alone"


@pytest.mark.parametrize("frame", ["<!DOCTYPE a []><a/>", "<a><!-- x --></a>", "<?x y?><a/>", "<a></b>"])
async def test_what_is_no_xml_for_xmpp_ends_the_stream(prosody: str, frame: str) -> None:
    async with session(prosody) as live:
        await ready(live)
        await live.say(frame)
        failed = await live.ended()
        assert isinstance(failed.error, LocalProtocolError)


# TLS -------------------------------------------------------------------------------------------------------


async def test_over_tls_the_login_is_bound_where_prosody_can(server: Prosody) -> None:
    """Prosody 0.12 knows tls-unique alone, which TLS 1.3 does not have: so it offers no binding that is ours.

    We say that we could have bound (`y`), it agrees that it did not offer it, and the login goes on; where a
    binding is required it does not.
    """
    tls = ssl.create_default_context()
    server.authority.configure_trust(tls)
    end_point = hashlib.sha256(server.certificate).digest()
    async with session(server.secure, tls=tls, channel_binding=end_point) as live:
        assert (await ready(live)).mechanism == "SCRAM-SHA-256"
    required = BindingPolicy.REQUIRE
    async with session(server.secure, tls=tls, channel_binding=end_point, binding_policy=required) as live:
        failed = await live.ended()
        assert failed.error.fault is FaultId.CLOUD_NOT_BOUND
