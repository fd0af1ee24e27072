"""Far ends that send anything: the agent names the fault, stays small, and serves the other side."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.e2e.sites import Site

# The resting agent takes some 60 MB; nobody outside may make it much larger.
MAX_RSS_MEGABYTES = 150
# Far more than any limit of ours, in pieces that a socket takes at once.
FLOOD_BYTES, PIECE_BYTES = 64_000_000, 64_000

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Play = Callable[[ServerConnection], Awaitable[None]]


def megabytes(pid: int) -> int:
    """The greatest resident memory of a process so far."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    (peak,) = [line for line in lines if line.startswith("VmHWM:")]
    return int(peak.split()[1]) // 1_024


async def lives_on(site: Site) -> None:
    """It answers, is small, and has no connection too many."""
    assert site.agent.is_running
    assert (await site.status())["pbx_id"] == site.entry.pbx_id
    assert megabytes(site.agent.pid) < MAX_RSS_MEGABYTES


# -- the PBX


async def noise(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    chance = random.Random(1)
    writer.write(b"P")
    for _ in range(FLOOD_BYTES // PIECE_BYTES):
        writer.write(chance.randbytes(PIECE_BYTES))
        await writer.drain()


async def a_frame_without_end(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Of a length that the framing allows, with a length inside that it does not hold."""
    writer.write(b"P")
    for _ in range(FLOOD_BYTES // PIECE_BYTES):
        writer.write(b"\xff\xff\x30\x84\x7f\xff\xff\xff" + b"\x24\x80" * (PIECE_BYTES // 2))
        await writer.drain()


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"P")
    await reader.read(-1)


async def another_service(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 ready\r\n")
    await reader.read(-1)


async def a_hang_up(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await asyncio.sleep(0)


@asynccontextmanager
async def hostile_pbx(port: int, answer: Answer) -> AsyncIterator[None]:
    """Serves every connection with `answer`, then closes it."""
    tasks: set[asyncio.Task[None]] = set()

    async def live(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await answer(reader, writer)
        writer.transport.abort()

    server = await asyncio.start_server(live, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (noise, "pbx-protocol"),
        (a_frame_without_end, "pbx-protocol"),
        pytest.param(silence, "pbx-silent", marks=pytest.mark.slow),
        (another_service, "pbx-not-serving"),
        (a_hang_up, "pbx-not-serving"),
    ],
    ids=["noise", "a frame without end", "silence", "another service", "a hang-up"],
)
async def test_a_hostile_pbx_costs_only_its_own_link(site: Site, answer: Answer, fault: str) -> None:
    await site.begin()
    site.tables["pbx"]["request_timeout_seconds"] = 1.0
    port = site.pbx.port
    await site.pbx_goes()
    async with hostile_pbx(port, answer):
        await site.start()
        assert (await site.activate()).code == 0
        await site.fault("pbx", fault)
        status = await site.status()
        assert status["links"]["cloud"]["state"] == "connected"
        assert not status["channels"]["csta"]
        await lives_on(site)


# -- the gateway


def says(*messages: str | bytes) -> Play:
    """Sends these, and then waits for the agent to go."""

    async def play(socket: ServerConnection) -> None:
        for message in messages:
            await socket.send(message)
        async for _ in socket:
            pass

    return play


async def flood(socket: ServerConnection) -> None:
    while True:
        await socket.send('<message xmlns="jabber:client"/>' * 100)


async def fragments(socket: ServerConnection) -> None:
    """One message whose end never comes."""

    async def pieces() -> AsyncIterator[str]:
        while True:
            yield "<a>" * 5_000
            await asyncio.sleep(0)

    await socket.send(pieces())


async def hang_up(socket: ServerConnection) -> None:
    await socket.close()


@asynccontextmanager
async def hostile_gateway(site: Site, port: int, play: Play) -> AsyncIterator[None]:
    """A WebSocket server with a good certificate and bad manners."""

    async def live(socket: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            await play(socket)

    async with serve(
        live,
        "127.0.0.1",
        port,
        ssl=site.certificates.server_context(),
        subprotocols=[Subprotocol("xmpp")],
        compression=None,
        max_size=None,
        close_timeout=1,
    ):
        yield


BOMB = (
    '<!DOCTYPE a [<!ENTITY a "'
    + "a" * 1_000
    + '"><!ENTITY b "'
    + "&a;" * 1_000
    + '">]><a>'
    + "&b;" * 1_000
    + "</a>"
)


@pytest.mark.parametrize(
    ("play", "fault"),
    [
        (says("garbage"), "cloud-protocol"),
        (says(BOMB), "cloud-protocol"),
        (says("x" * 5_000_000), "cloud-protocol"),
        (flood, "cloud-protocol"),
        (fragments, "cloud-protocol"),
        (hang_up, "cloud-closed"),
    ],
    ids=["garbage", "bomb", "size", "flood", "fragments", "hang-up"],
)
async def test_a_hostile_gateway_costs_only_its_own_link(site: Site, play: Play, fault: str) -> None:
    await site.open()
    port = site.gateway.port
    await site.gateway_goes()
    async with hostile_gateway(site, port, play):
        told = await site.fault("cloud", fault)
        assert len(told["detail"]) <= 400
        status = await site.status()
        assert status["links"]["pbx"]["state"] == "connected"
        assert status["activation"] == "activated"
        site.pbx.ring_from_outside("0639980001", site.expert)
        site.pbx.release(site.expert)
        await site.until(lambda status: status["outbox"]["unacknowledged"] == 1)
        await lives_on(site)
