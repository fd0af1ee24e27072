"""The PBX simulator on a real loopback socket."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest

from connector.domain.identifiers import PbxKind
from connector.wire.csta import messages as m
from connector.wire.csta.session import CstaClient
from connector.wire.csta.session_events import (
    Answered,
    Associated,
    ClientEvent,
    ClientOptions,
    EventReported,
    Refused,
    StatusReported,
)
from simulators.clock import SystemClock
from simulators.pbx import server as server_module
from simulators.pbx.server import PbxSimulator
from simulators.pbx.settings import CstaBehaviour, PbxWorld


class Client:
    """A CSTA client on a real connection. Reading waits for the peer, never for a clock."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.machine = CstaClient(ClientOptions(), 0.0)
        self.events: list[ClientEvent] = []

    async def until(self, *kinds: type[ClientEvent]) -> ClientEvent:
        """Read until an event of one of `kinds` came; it is taken."""
        while True:
            for event in self.events:
                if isinstance(event, kinds):
                    self.events.remove(event)
                    return event
            self.writer.writelines(self.machine.to_send())
            data = await self.reader.read(65_536)
            assert data, "the PBX closed"
            self.machine.receive(data, 0.0)
            self.events += self.machine.events()

    async def monitor(self, number: str) -> None:
        self.machine.monitor_start(number, 0.0)
        assert isinstance(await self.until(Answered, Refused), Answered)

    async def event(self) -> m.Event:
        reported = await self.until(EventReported)
        assert isinstance(reported, EventReported)
        return reported.report.event


@pytest.fixture
async def pbx() -> AsyncIterator[PbxSimulator]:
    simulator = PbxSimulator(PbxWorld(kind=PbxKind.OXE, max_clients=2, max_monitors=2), clock=SystemClock())
    await simulator.start()
    yield simulator
    await simulator.aclose()
    assert not simulator.monitored


@pytest.fixture
async def connect(pbx: PbxSimulator) -> AsyncIterator["Connect"]:
    factory = Connect(pbx.port)
    yield factory
    await factory.aclose()


class Connect:
    """Makes clients, and closes them at the end of the test."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._writers: list[asyncio.StreamWriter] = []

    async def raw(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers.append(writer)
        return reader, writer

    async def __call__(self) -> Client:
        client = Client(*await self.raw())
        await client.until(Associated)
        return client

    async def aclose(self) -> None:
        for writer in self._writers:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def until_closed(reader: asyncio.StreamReader) -> bytes:
    """What still came before the PBX closed or reset the connection."""
    data = b""
    with contextlib.suppress(ConnectionError):
        while more := await reader.read(65_536):
            data += more
    return data


async def test_a_call_reaches_every_client_that_monitors_the_set(pbx: PbxSimulator, connect: Connect) -> None:
    first, second = await connect(), await connect()
    await first.monitor("3001")
    await second.monitor("3001")
    call = pbx.ring_from_outside("0199001234", "3001").call
    pbx.answer("3001", call)
    pbx.release("3001")
    for client in (first, second):
        kinds = [type(await client.event()) for _ in range(3)]
        assert kinds == [m.Delivered, m.Established, m.ConnectionCleared]
    assert not pbx.calls


async def test_a_client_over_the_cap_is_dropped(connect: Connect) -> None:
    await connect()
    await connect()
    reader, writer = await connect.raw()
    writer.write(b"B")
    greeting = b""
    with contextlib.suppress(ConnectionError):
        greeting = await reader.read(1)
    assert greeting == b""


async def test_a_client_that_leaves_gives_its_place_and_monitors_back(
    pbx: PbxSimulator, connect: Connect
) -> None:
    client = await connect()
    await client.monitor("3001")
    await client.monitor("3002")
    assert pbx.monitored == ["3001", "3002"]
    client.machine.release(0.0)
    client.writer.writelines(client.machine.to_send())
    await until_closed(client.reader)
    await connect()
    last = await connect()
    assert pbx.monitored == []
    await last.monitor("3003")
    assert pbx.monitored == ["3003"]


async def test_a_restart_loses_calls_and_connections(pbx: PbxSimulator, connect: Connect) -> None:
    client = await connect()
    await client.monitor("3001")
    pbx.ring_from_outside("0199001234", "3001")
    pbx.restart()
    await until_closed(client.reader)
    assert not pbx.calls
    again = await connect()
    await again.monitor("3001")


async def test_status_reaches_every_client(pbx: PbxSimulator, connect: Connect) -> None:
    client = await connect()
    pbx.send_status(m.SystemStatus.OVERLOAD_REACHED)
    assert await client.until(StatusReported) == StatusReported(m.SystemStatus.OVERLOAD_REACHED)


async def test_a_client_that_reads_nothing_is_cut_off(
    pbx: PbxSimulator, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Small kernel buffers, which the accepted connection inherits, so that few events fill them.
    assert pbx._server is not None
    pbx._server.sockets[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)
    monkeypatch.setattr(server_module, "MAX_UNSENT_BYTES", 10_000)
    client = await connect()
    await client.monitor("3001")
    for _ in range(5_000):  # without letting the client's side of the loop read
        pbx.ring_from_outside("0199001234", "3001")
        pbx.release("3001")
    for _ in range(100):
        await asyncio.sleep(0)
    assert pbx.monitored == []
    await connect()


async def test_garbage_costs_the_sender_its_connection_alone(pbx: PbxSimulator, connect: Connect) -> None:
    good = await connect()
    await good.monitor("3002")
    reader, writer = await connect.raw()
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    assert await reader.read(100) == b""
    pbx.ring_from_outside("0199001234", "3002")
    assert isinstance(await good.event(), m.Delivered)


async def test_a_standby_says_another_byte_and_closes() -> None:
    world = PbxWorld(kind=PbxKind.OXE, csta=CstaBehaviour(greeting="S"))
    simulator = PbxSimulator(world, clock=SystemClock())
    await simulator.start()
    connect = Connect(simulator.port)
    reader, writer = await connect.raw()
    writer.write(b"B")
    assert await reader.read() == b"S"
    await connect.aclose()
    await simulator.aclose()


async def test_the_port_is_known_only_while_it_listens() -> None:
    simulator = PbxSimulator(PbxWorld(), clock=SystemClock())
    with pytest.raises(RuntimeError):
        _ = simulator.port
    await simulator.start()
    assert simulator.port > 0
    await simulator.aclose()
    await simulator.aclose()
    with pytest.raises(RuntimeError):
        _ = simulator.port
