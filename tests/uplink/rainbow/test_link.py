"""One life of the link over a real WSS on loopback, opposite the gateway simulator and opposite impostors."""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
import trustme

from connector.domain.call_model import LiveLeg
from connector.domain.cloud import CloudLink, ListOutcome
from connector.domain.commands import Answer, CommandRefused, CommandRequest, Outcome, Refused, Verb
from connector.domain.configuration import (
    Applied,
    CloudSettings,
    Monitored,
    MonitorRefusal,
    MonitorsApplied,
)
from connector.domain.credentials import Code, CodeKind
from connector.domain.devices import Device, DeviceDelta, DeviceState
from connector.domain.errors import (
    AuthError,
    ConnectorError,
    DialError,
    LinkClosed,
    RemoteProtocolError,
    Replaced,
    StoreError,
    TlsError,
)
from connector.domain.faults import FaultId
from connector.domain.identifiers import Channel
from connector.domain.outbox import OutboxEntry
from connector.links.certificates import PeerCertificate
from connector.links.clock import SystemClock
from connector.links.dialer import Dialer
from connector.links.tls import client_context
from connector.links.websocket import WebSocketAddress
from connector.store.journal import RecordJournal
from connector.uplink.rainbow.link import GatewaySettings, RainbowLink, Surroundings
from connector.uplink.rainbow.replies import Replies
from connector.uplink.rainbow.resumption import StreamMemory
from connector.wire.pcg import conf, http
from connector.wire.pcg.conf import DisconnectReason
from simulators.certs import Certificates
from simulators.gateway import server as gateway
from simulators.gateway.journal import Kind
from simulators.gateway.systems import Profile, System, SystemStatus, SystemType
from tests.cutter import Cut, Cutter

pytestmark = pytest.mark.usefixtures("no_task_left")

PBX_ID, CODE = "PBX834e-41da", "4711"
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
STEP_SECONDS = 5.0


class Process:
    """The process around a link: its home and its sink; what they were told can be waited for."""

    def __init__(self, directory: Path) -> None:
        self.codes: list[str] = []
        self.logins: list[Code] = []
        self.channels: list[tuple[Channel, bool]] = []
        self.acknowledged: list[tuple[str, int]] = []
        self.disconnects: list[DisconnectReason] = []
        self.security_events = 0
        self.skews: list[float] = []
        self.lost = self.paused = 0
        self.newest = 0
        self.blamed: list[tuple[int, bool]] = []
        self.clears = 0
        self.resumed: list[int | None] = []
        self.recalled: list[str] = []
        self.commands: list[tuple[CommandRequest, Answer]] = []
        self.certificates: list[PeerCertificate] = []
        self.mechanisms: list[str] = []
        self.disk_fails = False
        self.forget_waits = False
        self.link: CloudLink | None = None
        self._changed = asyncio.Event()
        self.memory = StreamMemory(RecordJournal(directory / "stream.journal", b"boot"), lambda: "9f3c")
        self.replies = Replies()

    async def until(self, is_true: Callable[[], bool]) -> None:
        """Wait until something told makes `is_true` so."""
        async with asyncio.timeout(STEP_SECONDS):
            while not is_true():
                self._changed.clear()
                await self._changed.wait()

    async def ready(self) -> CloudLink:
        """The link, once it takes events."""
        await self.until(lambda: self.link is not None)
        assert self.link is not None
        return self.link

    # Home

    def hello(self) -> conf.HelloResponse:
        return conf.HelloResponse("oxbridge/0.1.0", "oxe", "9f3c", 0)

    def known_time(self) -> datetime | None:
        return None

    def known_mechanism(self) -> str:
        return ""

    def login_weakened(self, known: str, offered: str) -> None:
        raise AssertionError(f"{known} was never known, {offered} is no worse")

    def certificate_seen(self, certificate: PeerCertificate) -> None:
        self.certificates.append(certificate)

    async def logged_in(self, code: Code, mechanism: str) -> None:
        self.mechanisms.append(mechanism)
        self.logins.append(code)
        self._changed.set()

    async def keep_access_code(self, code: str) -> None:
        await asyncio.sleep(0)
        self._changed.set()
        if self.disk_fails:
            raise StoreError(FaultId.STORE_UNUSABLE, "credentials.json: no space")
        self.codes.append(code)

    async def disconnected(self, reason: DisconnectReason) -> None:
        if self.forget_waits:  # a disk that is slower than the gateway's farewell
            await asyncio.to_thread(lambda: None)
            await asyncio.sleep(0.05)
        self.disconnects.append(reason)
        self._changed.set()

    def serve(self, request: http.HttpRequest) -> http.HttpResponse:
        return http.refusal(request, {"/status"}) or http.HttpResponse(200, body="{}")

    def gateway_time(self, time: datetime) -> None:
        self.skews.append((SystemClock().now() - time).total_seconds())

    def security_event(self) -> None:
        self.security_events += 1

    # Sink

    def cloud_ready(self, link: CloudLink) -> None:
        self.link = link
        self._changed.set()

    def cloud_paused(self) -> None:
        self.paused += 1
        self.link = None
        self._changed.set()

    def cloud_resumed(self, link: CloudLink, sent_seq: int | None) -> None:
        self.resumed.append(sent_seq)
        self.link = link
        self._changed.set()

    @property
    def told_seq(self) -> int:
        return self.newest

    def command_received(self, request: CommandRequest, answer: Answer) -> None:
        self.commands.append((request, answer))
        self._changed.set()

    def command_outcome(self, id_: str) -> tuple[Verb, Outcome]:
        self.recalled.append(id_)
        return Verb.MAKE_CALL, CommandRefused(Refused.UNKNOWN_OUTCOME)

    def settings_received(self, settings: CloudSettings, done: Applied) -> None:
        done(None if settings.country != "XX" else "country: there is no XX")

    def monitors_received(self, monitors: Sequence[Monitored], done: MonitorsApplied) -> None:
        done({one.number: MonitorRefusal.UNKNOWN_NUMBER for one in monitors if one.number == "3009"})

    def cloud_lost(self) -> None:
        self.lost += 1
        self.link = None
        self._changed.set()

    def channel_changed(self, channel: Channel, *, is_up: bool) -> None:
        self.channels.append((channel, is_up))
        self._changed.set()

    def events_acknowledged(self, epoch: str, seq: int, held: Sequence[tuple[int, int]] = ()) -> bool:
        self.acknowledged.append((epoch, seq))
        self._changed.set()
        return True

    def stanza_blamed(self, seq: int, reason: str, *, alone: bool) -> None:
        self.blamed.append((seq, alone))
        self._changed.set()

    def cloud_clear(self) -> None:
        self.clears += 1
        self._changed.set()

    def device_list_wanted(self) -> None: ...

    def live_legs(self) -> Sequence[LiveLeg]:
        return ()


@pytest_asyncio.fixture
async def simulator(tmp_path: Path) -> AsyncIterator[gateway.GatewaySimulator]:
    made = gateway.GatewaySimulator(
        gateway.GatewaySettings(tmp_path / "ca"), None, random.Random(7).randbytes
    )
    await made.start()
    yield made
    await made.aclose()


@pytest.fixture
def system(simulator: gateway.GatewaySimulator) -> System:
    profile = Profile(name="Lyon", type=SystemType.OXE, site_id="s1")
    return simulator.gateway.create_system(profile, pbx_id=PBX_ID, activation_code=CODE)


@pytest.fixture
def process(tmp_path: Path) -> Process:
    return Process(tmp_path)


def link_to(
    port: int, ca_file: Path | None, process: Process, *, host: str = "127.0.0.1", **more: str
) -> RainbowLink:
    settings = GatewaySettings(
        WebSocketAddress(host, port, more.get("path", "/websocket")),
        "rainbow.test",
        more.get("pbx_id", PBX_ID),
        allow_plain=False,
        silence_timeout_seconds=120,
    )
    code = Code(CodeKind.ACTIVATION, more.get("code", CODE))
    around = Surroundings(
        client_context(ca_file), Dialer(), process, process, SystemClock(), process.memory, process.replies
    )
    return RainbowLink(settings, code, around)


@asynccontextmanager
async def running(link: RainbowLink) -> AsyncIterator["asyncio.Task[None]"]:
    """`link` alive, ended in order afterwards unless it has ended."""
    task = asyncio.create_task(link.run())
    try:
        yield task
    finally:
        link.close()
        await asyncio.wait([task], timeout=STEP_SECONDS)
        assert task.done(), "the link did not end"
        assert task.exception() is not None


async def end_of(work: Awaitable[None]) -> ConnectorError:
    """The error that a life ends with."""
    with pytest.raises(ConnectorError) as ended:
        async with asyncio.timeout(STEP_SECONDS):
            await work
    return ended.value


# -- with a gateway that is what it seems


async def test_a_life_from_the_login_to_the_orderly_end(
    simulator: gateway.GatewaySimulator, system: System, process: Process
) -> None:
    link = link_to(simulator.port, simulator.ca_file, process)
    async with running(link) as life:
        await process.ready()
        await process.until(lambda: (Channel.HTTP, True) in process.channels)
        await simulator.journal.wait_for(lambda one: one.name == "acknowledged", STEP_SECONDS)
        link.close()
        error = await end_of(life)
    assert isinstance(error, LinkClosed)
    assert process.lost == 1
    assert process.codes == [system.private_code]
    assert [code.kind for code in process.logins] == [CodeKind.ACTIVATION]
    assert abs(process.skews[0]) < STEP_SECONDS
    assert (Channel.CONF, True) in process.channels
    assert CODE not in repr(link.__dict__)


async def test_devices_events_and_the_pbx_state_arrive_and_are_acknowledged(
    simulator: gateway.GatewaySimulator, system: System, process: Process
) -> None:
    async with running(link_to(simulator.port, simulator.ca_file, process)):
        link = await process.ready()
        outcomes: list[ListOutcome] = []
        listed = [Device(str(number), state=DeviceState.IN_SERVICE) for number in range(3001, 3451)]
        link.send_device_list(listed, 1, outcomes.append)
        link.send_pbx_state(is_up=True)
        for seq in (1, 2, 3):
            entry = OutboxEntry(seq, True, "3001", "c-1", NOON, None, '<x xmlns="urn:x"/>')
            link.send_event(entry, "9f3c", replayed=False)
        link.send_snapshot(())
        await process.until(lambda: ("9f3c", 3) in process.acknowledged)
        await process.until(lambda: (Channel.CSTA, True) in process.channels)
        await simulator.journal.wait_for(lambda one: one.values.get("name") == "list", STEP_SECONDS)
        link.send_device_delta(DeviceDelta((), ("3001",)), 2, 1, outcomes.append)
        link.send_device_delta(DeviceDelta((), ("3002",)), 9, 8, outcomes.append)
        await simulator.journal.wait_for(lambda one: one.name == "change", STEP_SECONDS)
        await simulator.journal.wait_for(lambda one: one.kind is Kind.REFUSED, STEP_SECONDS)
        link.send_gap("9f3c", 4, 5, 2)
        await process.until(lambda: ("9f3c", 5) in process.acknowledged)
    assert outcomes == [ListOutcome.STORED, ListOutcome.STORED, ListOutcome.BASE_UNKNOWN]
    assert len(system.phone_book) == 449


async def test_a_code_that_can_not_be_stored_leaves_the_gateway_waiting_and_the_link_alive(
    simulator: gateway.GatewaySimulator, system: System, process: Process
) -> None:
    process.disk_fails = True
    async with running(link_to(simulator.port, simulator.ca_file, process)) as life:
        await simulator.journal.wait_for(
            lambda one: one.kind is Kind.ACTIVATION and one.name == "refused", STEP_SECONDS
        )
        assert not life.done()
    assert system.status is SystemStatus.ACTIVATING


async def test_a_reset_reaches_the_home_even_when_the_farewell_is_quicker_than_the_disk(
    simulator: gateway.GatewaySimulator, system: System, process: Process
) -> None:
    process.forget_waits = True
    async with running(link_to(simulator.port, simulator.ca_file, process)) as life:
        await process.ready()
        simulator.gateway.reset(system)
        error = await end_of(life)
    assert isinstance(error, LinkClosed)
    assert process.disconnects == [DisconnectReason.RESET]


async def test_the_older_of_two_links_is_replaced(
    simulator: gateway.GatewaySimulator, system: System, process: Process, tmp_path: Path
) -> None:
    (tmp_path / "2").mkdir()
    async with running(link_to(simulator.port, simulator.ca_file, process)) as first:
        await simulator.journal.wait_for(lambda one: one.name == "acknowledged", STEP_SECONDS)
        second = link_to(simulator.port, simulator.ca_file, Process(tmp_path / "2"), code=system.private_code)
        async with running(second):
            error = await end_of(first)
    assert isinstance(error, Replaced)
    assert error.fault is FaultId.CLOUD_REPLACED


@pytest.mark.parametrize("wrong", [{"code": "4712"}, {"pbx_id": "PBX0"}])
async def test_a_wrong_code_and_an_unknown_pbx_id_are_not_authorised(
    simulator: gateway.GatewaySimulator, system: System, process: Process, wrong: dict[str, str]
) -> None:
    error = await end_of(link_to(simulator.port, simulator.ca_file, process, **wrong).run())
    assert isinstance(error, AuthError)
    assert error.fault is FaultId.CLOUD_NOT_AUTHORIZED
    assert "4712" not in str(error)
    assert process.lost == 0
    assert process.logins == []


async def test_a_gateway_that_shuts_down_says_so_to_everybody(
    simulator: gateway.GatewaySimulator, system: System, process: Process
) -> None:
    async with running(link_to(simulator.port, simulator.ca_file, process)) as life:
        await process.ready()
        simulator.gateway.shut_down()
        for session in list(simulator.gateway._wakers):
            simulator.gateway._wake(session)
        error = await end_of(life)
    assert isinstance(error, LinkClosed)
    assert error.announced
    assert (process.paused, process.lost) == (1, 0)


async def test_a_life_that_is_cancelled_leaves_nothing(
    simulator: gateway.GatewaySimulator, system: System, process: Process
) -> None:
    life = asyncio.create_task(link_to(simulator.port, simulator.ca_file, process).run())
    await process.ready()
    life.cancel()
    with pytest.raises(asyncio.CancelledError):
        await life
    assert process.lost == 1
    await simulator.journal.wait_for(lambda one: one.kind is Kind.DISCONNECTED, STEP_SECONDS)


# -- with far ends that are not


async def test_an_authority_that_is_not_ours_is_not_trusted(
    simulator: gateway.GatewaySimulator, process: Process, tmp_path: Path
) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    error = await end_of(link_to(simulator.port, other, process).run())
    assert isinstance(error, TlsError)
    assert error.fault is FaultId.CLOUD_CERTIFICATE_UNTRUSTED


@pytest.mark.parametrize(
    ("name", "not_after", "fault"),
    [
        ("agent.elsewhere.test", None, FaultId.CLOUD_CERTIFICATE_NAME),
        ("127.0.0.1", timedelta(days=-1), FaultId.CLOUD_CERTIFICATE_EXPIRED),
    ],
)
async def test_a_certificate_for_another_name_or_another_time_is_named_as_such(
    tmp_path: Path, process: Process, name: str, not_after: timedelta | None, fault: FaultId
) -> None:
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    certificates = Certificates(tmp_path / "ca.pem", tmp_path / "cert.pem", tmp_path / "key.pem")
    now = datetime.now(UTC)
    leaf = authority.issue_cert(
        name,
        key_type=trustme.KeyType.ECDSA,
        not_before=now - timedelta(days=9),
        not_after=now + (not_after or timedelta(days=9)),
    )
    authority.cert_pem.write_to_path(str(certificates.ca_file))
    leaf.private_key_pem.write_to_path(str(certificates.key_file))
    for blob in leaf.cert_chain_pems:
        blob.write_to_path(str(certificates.cert_file), append=True)
    far = gateway.GatewaySimulator(gateway.GatewaySettings(tmp_path, certificates=certificates))
    await far.start()
    try:
        error = await end_of(link_to(far.port, certificates.ca_file, process).run())
    finally:
        await far.aclose()
    assert isinstance(error, TlsError)
    assert error.fault is fault


async def test_a_wrong_path_is_no_gateway(simulator: gateway.GatewaySimulator, process: Process) -> None:
    error = await end_of(link_to(simulator.port, simulator.ca_file, process, path="/elsewhere").run())
    assert isinstance(error, DialError)
    assert error.fault is FaultId.CLOUD_NOT_WEBSOCKET


@asynccontextmanager
async def tcp_server(answer: bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Answers the first bytes of every connection with `answer` and closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4_096)
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


async def test_a_server_without_tls_is_named_as_such(process: Process) -> None:
    async with tcp_server(b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        error = await end_of(link_to(port, None, process).run())
    assert isinstance(error, TlsError)
    assert error.fault is FaultId.CLOUD_TLS


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 404 Not Found\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nLocation: wss://localhost:1/elsewhere\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"",
        b"\x00" * 5_000,
    ],
)
async def test_another_kind_of_server_behind_tls_is_no_gateway(
    simulator: gateway.GatewaySimulator, process: Process, answer: bytes
) -> None:
    async with tcp_server(answer, simulator._certificates.server_context()) as port:
        error = await end_of(link_to(port, simulator.ca_file, process).run())
    assert isinstance(error, DialError)
    assert error.fault is FaultId.CLOUD_NOT_WEBSOCKET


async def test_a_port_that_nobody_listens_on_can_not_be_reached(process: Process) -> None:
    async with tcp_server(b"") as port:
        pass  # it was free a moment ago
    error = await end_of(link_to(port, None, process).run())
    assert isinstance(error, DialError)
    assert error.fault is FaultId.CLOUD_UNREACHABLE


async def test_a_name_that_does_not_exist_is_unknown(process: Process) -> None:
    error = await end_of(link_to(443, None, process, host="nonexistent.invalid").run())
    assert isinstance(error, DialError)
    assert error.fault is FaultId.CLOUD_NAME_UNKNOWN


# -- with a gateway that turns hostile after the upgrade


@asynccontextmanager
async def websocket_server(
    certificates: Certificates, messages: Sequence[str | bytes], code: int = 1000
) -> AsyncIterator[int]:
    """A server of the `websockets` library that sends `messages`, waits for one, and closes."""
    from websockets.asyncio.server import ServerConnection, serve
    from websockets.exceptions import ConnectionClosed
    from websockets.typing import Subprotocol

    async def play(socket: ServerConnection) -> None:
        try:
            for message in messages:
                await socket.send(message)
            if messages:
                async for _ in socket:
                    pass
        except ConnectionClosed:
            return
        await socket.close(code)

    async with serve(
        play,
        "127.0.0.1",
        0,
        ssl=certificates.server_context(),
        subprotocols=[Subprotocol("xmpp")],
        compression=None,
        max_size=None,
    ) as server:
        yield next(iter(server.sockets)).getsockname()[1]


@pytest.mark.parametrize(
    "message",
    [
        "garbage",
        '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        "<a><!-- --></a>",
        "<a>" * 40 + "</a>" * 40,
        "x" * 65_536,
        "x" * 70_000,
        b"\x00\x01",
        b"\xff" * 70_000,
    ],
)
async def test_a_message_that_is_no_frame_is_a_breach_of_the_protocol(
    simulator: gateway.GatewaySimulator, process: Process, message: str | bytes
) -> None:
    async with websocket_server(simulator._certificates, [message]) as port:
        error = await end_of(link_to(port, simulator.ca_file, process).run())
    assert isinstance(error, RemoteProtocolError)
    assert error.fault is FaultId.CLOUD_PROTOCOL


@pytest.mark.parametrize(("code", "is_announced"), [(1000, False), (1001, True), (1012, True), (4000, False)])
async def test_a_gateway_that_closes_at_once_has_closed_the_link(
    simulator: gateway.GatewaySimulator, process: Process, code: int, is_announced: bool
) -> None:
    async with websocket_server(simulator._certificates, [], code) as port:
        error = await end_of(link_to(port, simulator.ca_file, process).run())
    assert isinstance(error, LinkClosed)
    assert error.fault is FaultId.CLOUD_CLOSED
    assert error.announced is is_announced


# -- a link that breaks, and the next one


async def test_the_next_link_goes_on_with_the_session_of_one_that_was_cut(
    simulator: gateway.GatewaySimulator, system: System, process: Process
) -> None:
    cutter = Cutter(simulator.port)
    await cutter.start()
    try:
        async with running(link_to(cutter.port, simulator.ca_file, process)) as first:
            await process.ready()
            await simulator.journal.wait_for(lambda one: one.name == "acknowledged", STEP_SECONDS)
            cutter.cut(Cut.RESET)
            assert isinstance(await end_of(first), LinkClosed)
        assert (process.paused, process.lost) == (1, 0)
        again = link_to(cutter.port, simulator.ca_file, process, code=system.private_code)
        async with running(again):
            await process.ready()
            assert process.resumed == [None]
    finally:
        await cutter.aclose()
    assert len(simulator.journal.find(kind=Kind.HELLO)) == 1


async def test_the_next_process_goes_on_with_the_session_of_one_that_was_killed(
    simulator: gateway.GatewaySimulator, system: System, process: Process, tmp_path: Path
) -> None:
    cutter = Cutter(simulator.port)
    await cutter.start()
    try:
        async with running(link_to(cutter.port, simulator.ca_file, process)) as first:
            link = await process.ready()
            await simulator.journal.wait_for(lambda one: one.name == "acknowledged", STEP_SECONDS)
            process.newest = 1
            entry = OutboxEntry(1, True, "3001", "c-1", NOON, None, '<x xmlns="urn:x"/>')
            link.send_event(entry, "9f3c", replayed=False)
            await process.until(lambda: ("9f3c", 1) in process.acknowledged)
            # What a killed process leaves is what stands in the file now.
            left = (tmp_path / "stream.journal").read_bytes()
            cutter.cut(Cut.RESET)
            await end_of(first)
        (tmp_path / "second").mkdir()
        (tmp_path / "second" / "stream.journal").write_bytes(left)
        second = Process(tmp_path / "second")
        second.memory.load()
        again = link_to(cutter.port, simulator.ca_file, second, code=system.private_code)
        async with running(again):
            await second.ready()
            assert second.resumed == [1]
        second.memory.close()
    finally:
        await cutter.aclose()
    assert len(simulator.journal.find(kind=Kind.HELLO)) == 1
    assert len(simulator.journal.find(kind=Kind.CALL_EVENT)) == 1
