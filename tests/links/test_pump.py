"""The pump: reads, writes, timers and ends, over a transport in memory."""

import asyncio
from collections.abc import Sequence

from connector.domain.errors import LinkClosed
from connector.domain.faults import FaultId
from connector.links.clock import SystemClock
from connector.links.pump import Pump


class Echo:
    """A machine that says back what it hears, reports it, and can be timed."""

    def __init__(self) -> None:
        self._out: list[bytes] = []
        self._events: list[str] = []
        self.is_closed = False
        self.wakes_at: float | None = None

    def receive(self, data: bytes, now: float) -> None:
        self._out.append(data)
        self._events.append(f"heard {data.decode()}")
        if data == b"bye":
            self.is_closed = True

    def receive_eof(self, now: float) -> None:
        if not self.is_closed:
            self._events.append("eof")
        self.is_closed = True

    def say(self, data: bytes) -> None:
        self._out.append(data)

    def to_send(self) -> Sequence[bytes]:
        out, self._out = self._out, []
        return out

    def events(self) -> Sequence[str]:
        events, self._events = self._events, []
        return events

    def deadline(self) -> float | None:
        return self.wakes_at

    def tick(self, now: float) -> None:
        self.wakes_at = None
        self._events.append("tick")


class Line:
    """A transport whose far end is the test."""

    def __init__(self) -> None:
        self.incoming: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.sent: list[bytes] = []
        self.is_broken = False
        self.closed = 0

    async def read(self) -> bytes | None:
        return await self.incoming.get()

    async def write(self, units: Sequence[bytes]) -> None:
        if self.is_broken:
            raise LinkClosed(FaultId.PBX_CLOSED)
        self.sent += units

    async def aclose(self) -> None:
        self.closed += 1


async def run(machine: Echo, line: Line) -> list[str]:
    heard: list[str] = []
    async with asyncio.timeout(2):
        await Pump(machine, line, SystemClock(), heard.append).run()
    return heard


async def test_what_is_read_is_delivered_and_answered_until_the_machine_closes(no_task_left: None) -> None:
    line = Line()
    for data in (b"a", b"b", b"bye"):
        line.incoming.put_nowait(data)
    assert await run(Echo(), line) == ["heard a", "heard b", "heard bye"]
    assert line.sent == [b"a", b"b", b"bye"], "the last words are sent before the end"
    assert line.closed == 1


async def test_the_end_of_the_stream_ends_the_pump(no_task_left: None) -> None:
    line = Line()
    line.incoming.put_nowait(None)
    assert await run(Echo(), line) == ["eof"]


async def test_a_broken_write_is_an_end_of_the_stream(no_task_left: None) -> None:
    line, machine = Line(), Echo()
    line.is_broken = True
    machine.say(b"x")
    assert await run(machine, line) == ["eof"]


async def test_the_machine_s_deadline_is_kept(no_task_left: None) -> None:
    line, machine = Line(), Echo()
    machine.wakes_at = SystemClock().monotonic() + 0.01
    heard: list[str] = []

    def deliver(event: str) -> None:
        heard.append(event)
        line.incoming.put_nowait(None)

    async with asyncio.timeout(2):
        await Pump(machine, line, SystemClock(), deliver).run()
    assert heard == ["tick", "eof"]


async def test_a_command_from_outside_is_sent_after_a_wake(no_task_left: None) -> None:
    line, machine = Line(), Echo()
    pump = Pump(machine, line, SystemClock(), lambda _: None)
    async with asyncio.timeout(2), asyncio.TaskGroup() as tasks:
        tasks.create_task(pump.run())
        await asyncio.sleep(0)
        machine.say(b"hello")
        pump.wake()
        while not line.sent:  # noqa: ASYNC110 - bounded by the timeout above
            await asyncio.sleep(0)
        line.incoming.put_nowait(None)
    assert line.sent == [b"hello"]


async def test_cancelling_closes_the_transport(no_task_left: None) -> None:
    line = Line()
    task = asyncio.create_task(Pump(Echo(), line, SystemClock(), lambda _: None).run())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert line.closed == 1
