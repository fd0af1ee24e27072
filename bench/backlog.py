"""A million events wait on disk: how soon the agent is ready, what it holds, how fast it catches up.

While it does, new calls go on: what their events take from the PBX's socket to the gateway.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench import traffic
from bench.figures import Figure, at_least, at_most, percentile
from bench.machine import resident_megabytes
from bench.rounds import Rounds, tell
from bench.site import AgentCommand, Arrivals, BenchmarkFailed, Site
from bench.startup import first_answer
from bench.world import World
from connector.agent.parts import MIGRATIONS
from connector.domain.calls import ConnectionCleared, ConnectionId, LocalState, Party, Reach
from connector.domain.outbox import OutboxBatch, OutboxEntry
from connector.store.outbox import OutboxTable
from connector.store.writer import Writer
from connector.wire.pcg import csta

_ROWS = 1_000_000
_ROWS_AT_A_TIME = 5_000
# New calls of a busy site while the backlog of its outage is sent; three events each.
_LIVE_EVENTS_PER_SECOND = 60
# At the least rate that is allowed, a million would take a quarter of an hour.
_PATIENCE_SECONDS = 1_200.0
_SAMPLE_SECONDS = 0.1
_MILLISECONDS = 1e3


class _Drained(Arrivals):
    """Tells live events, whose numbers are above `backlog_seq`, from those of the backlog."""

    def __init__(self, backlog_seq: int) -> None:
        super().__init__()
        self._backlog_seq = backlog_seq
        self.live_moments: list[float] = []
        self.first_at = self.last_at = 0.0
        self.came = 0

    def add(self, epoch: str, seq: int) -> bool:
        """Take one event, and keep no moment of a million."""
        is_new = super().add(epoch, seq)
        now = self.moments.pop()
        if seq > self._backlog_seq:
            self.live_moments.append(now)
        else:
            self.first_at = self.first_at or now
            self.last_at = now
            self.came += is_new
        return is_new


@dataclass(frozen=True, slots=True)
class _Measured:
    empty: float
    answers: float
    connected: float
    memory: float
    rate: float
    lags: Sequence[float]


async def run(rounds: Rounds) -> list[Figure]:
    """Measure once, for a round takes minutes; the figures."""
    rows = rounds.scaled(_ROWS)
    async with World() as world:
        measured = await _measured(await world.site(), rows)
    name = f"backlog.{rows // 1_000}k"
    lags = [lag * _MILLISECONDS for lag in measured.lags]
    return [
        Figure("backlog.none.connected", "s", [measured.empty]),
        Figure(f"{name}.answers", "s", [measured.answers], goal=at_most(2)),
        Figure(f"{name}.connected", "s", [measured.connected], goal=at_most(2)),
        Figure(f"{name}.memory", "MB", [measured.memory], goal=at_most(150)),
        Figure(f"{name}.drained", "events/s", [measured.rate], goal=at_least(1_000)),
        Figure(f"{name}.live_p50", "ms", [percentile(lags, 50)]),
        Figure(f"{name}.live_p99", "ms", [percentile(lags, 99)], goal=at_most(500)),
    ]


async def _measured(site: Site, rows: int) -> _Measured:
    await site.stop()
    _, empty = await _started(site)
    await site.stop()
    tell(f"backlog: {rows:,} rows are written")
    arrivals = _Drained(await _filled(site.place.directory / "state" / "store.db", rows))
    site.watch(arrivals)
    tell("backlog: the agent starts and drains them")
    answers, connected = await _started(site)
    memory: list[float] = [0.0]
    sampler = asyncio.create_task(_sample(site.pid, memory))
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            written = await _live_until_drained(site, arrivals, rows)
    finally:
        sampler.cancel()
        with suppress(asyncio.CancelledError):
            await sampler
    if arrivals.missing > rows:  # numbers that were reserved and never used are no loss
        raise BenchmarkFailed(f"{arrivals.missing} events were given up")
    rate = rows / (arrivals.last_at - arrivals.first_at)
    lags = [at - start for start, at in zip(written, arrivals.live_moments, strict=True)]
    return _Measured(empty, answers, connected, memory[0], rate, lags)


async def _started(site: Site) -> tuple[float, float]:
    """Start the agent: seconds until its control socket answers, and until the gateway takes its events."""
    site.place.socket.unlink(missing_ok=True)
    began = time.monotonic()
    await site.launch(AgentCommand())
    await first_answer(site.place.socket)
    answers = time.monotonic() - began
    await site.connected()
    return answers, time.monotonic() - began


async def _live_until_drained(site: Site, arrivals: _Drained, rows: int) -> list[float]:
    """New calls at a steady rate until the backlog is at the gateway: when each event was written."""
    written: list[float] = []
    began = time.monotonic()
    for frame in traffic.mixed(10**9, 0):
        if arrivals.came >= rows:
            break
        await asyncio.sleep(max(0.0, began + len(written) / _LIVE_EVENTS_PER_SECOND - time.monotonic()))
        written.append(time.monotonic())
        site.send([frame])
    while len(arrivals.live_moments) < len(written):  # noqa: ASYNC110 - another process makes it so
        await asyncio.sleep(_SAMPLE_SECONDS)
    return written


async def _sample(pid: int, most: list[float]) -> None:
    while True:
        most[0] = max(most[0], resident_megabytes(pid))
        await asyncio.sleep(_SAMPLE_SECONDS)


async def _filled(path: Path, rows: int) -> int:
    """Put `rows` ends of calls into the store of a stopped agent; the newest number that it may use."""
    writer = Writer(path, MIGRATIONS)
    await writer.start()
    try:
        table = OutboxTable(writer)
        state = await table.open("unused")
        newest = state.last_seq
        for batch in _batches(rows, newest + 1):
            newest = batch[-1].seq
            await _written(table, OutboxBatch(batch, state.acknowledged_seq, newest, state.epoch))
    finally:
        await writer.aclose()
    return newest


async def _written(table: OutboxTable, batch: OutboxBatch) -> None:
    done: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()
    table.write(batch, done.set_result)
    error = await done
    if error is not None:
        raise BenchmarkFailed("the store takes no backlog") from error


def _batches(rows: int, first_seq: int) -> Iterator[list[OutboxEntry]]:
    at = datetime.now(UTC) - timedelta(hours=12)
    for start in range(first_seq, first_seq + rows, _ROWS_AT_A_TIME):
        last = min(start + _ROWS_AT_A_TIME, first_seq + rows)
        yield [_row(seq, at) for seq in range(start, last)]


def _row(seq: int, at: datetime) -> OutboxEntry:
    device = traffic.DEVICES[seq % len(traffic.DEVICES)]
    call = f"{seq % 65_536:04X}"
    event = ConnectionCleared(
        device=device,
        connection=ConnectionId(call, device),
        state=LocalState.NULL,
        cause=None,
        at=at,
        releasing=Party(device, Reach.INTERNAL),
    )
    body = csta.event_body(event)
    call_id = f"c-0123456789abcdef-{seq:x}"
    return OutboxEntry(seq, durable=True, device=device, call=call_id, at=at, end="answered", body=body)
