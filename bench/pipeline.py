"""The whole path: PBX event → agent → disk → wss → gateway → acknowledgement."""

import asyncio
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench import traffic
from bench.figures import Figure, at_least, at_most, percentile
from bench.rounds import Rounds, tell
from bench.site import AgentCommand, PacedRun, Site
from bench.world import World

# What a large OXE produces in its busy hour: 300,000 call attempts with six events each.
PACED_PER_SECOND = 500

_AGENT = (sys.executable, "-m", "bench.agent")
_MICROSECONDS = 1e6

_Traffic = Callable[[int, int], Iterator[bytes]]


@dataclass(slots=True)
class _Series:
    """One number a round of each quantity."""

    echo: list[float] = field(default_factory=list)
    durable: list[float] = field(default_factory=list)
    mixed: list[float] = field(default_factory=list)
    slow: list[float] = field(default_factory=list)
    round_trips: list[list[float]] = field(default_factory=list)
    paced: list[PacedRun] = field(default_factory=list)


async def run(rounds: Rounds) -> list[Figure]:
    """Measure; the figures."""
    async with World() as world:
        acknowledged = world.directory / "acknowledged"
        plain = await world.site()
        tapped = await world.site(AgentCommand(_AGENT, ("--acknowledged", str(acknowledged))))
        how, command = await _slow_disk(world.directory)
        slow = await world.site(command)
        series = _Series()
        calls = iter(range(0, 10**9, 100_000))
        await _warm_up(world, (plain, tapped, slow), next(calls))
        for number in rounds:
            tell(f"pipeline: round {number} of {rounds.count}")
            await _round(world, (plain, tapped, slow), series, rounds, next(calls))
        await tapped.aclose()
        moments = [float(line) for line in acknowledged.read_text().split()]
    return [*_rates(series, how), *_latencies(series, moments), *_shares(series)]


async def _warm_up(world: World, sites: tuple[Site, ...], first_call: int) -> None:
    await world.echo.rate(5_000)
    for site in sites:
        await site.saturated(list(traffic.mixed(5_000, first_call)))


async def _round(
    world: World, sites: tuple[Site, Site, Site], series: _Series, rounds: Rounds, first_call: int
) -> None:
    plain, tapped, slow = sites
    count = rounds.scaled(20_000)
    await world.settle()
    series.echo.append(await world.echo.rate(count))
    for site, kind, into in (
        (plain, traffic.durable, series.durable),
        (plain, traffic.mixed, series.mixed),
        (slow, traffic.durable, series.slow),
    ):
        frames = list(kind(count, first_call))
        first_call += count
        await world.settle()
        into.append(await site.saturated(frames))
    series.round_trips.append(await world.echo.round_trips(rounds.scaled(4_000)))
    frames = list(traffic.durable(rounds.scaled(5 * PACED_PER_SECOND), first_call))
    await world.settle()
    series.paced.append(await tapped.paced(frames, PACED_PER_SECOND))


def _rates(series: _Series, how: str) -> Iterator[Figure]:
    base = ("wss echo, 64 in flight", series.echo)
    unit = "events/s"
    yield Figure("pipeline.saturated.durable", unit, series.durable, *base, at_least(0.5))
    yield Figure("pipeline.saturated.mixed", unit, series.mixed, *base, at_least(0.5))
    name = f"pipeline.slow_disk ({how})"
    yield Figure(name, unit, series.slow, "the same without delay", series.durable, at_least(0.75))


def _latencies(series: _Series, moments: list[float]) -> Iterator[Figure]:
    for percent, bound in ((50, 4), (99, 7)):
        base = [percentile(seconds, percent) * _MICROSECONDS for seconds in series.round_trips]
        for what in ("parsed", "acknowledged"):
            latency = [
                percentile(_seconds(paced, what, moments), percent) * _MICROSECONDS for paced in series.paced
            ]
            name = f"pipeline.at_500_per_s.{what}.p{percent}"
            yield Figure(name, "us", latency, f"wss round trip p{percent}", base, at_most(bound))


def _seconds(paced: PacedRun, what: str, moments: list[float]) -> list[float]:
    ends = paced.parsed if what == "parsed" else moments[paced.first : paced.first + len(paced.written)]
    return [end - begin for begin, end in zip(paced.written, ends, strict=True)]


def _shares(series: _Series) -> Iterator[Figure]:
    share = [paced.cpu_share * 100 for paced in series.paced]
    yield Figure("pipeline.at_500_per_s.cpu", "% of a core", share, goal=at_most(30))


async def _slow_disk(directory: Path) -> tuple[str, AgentCommand]:
    """How the disk is made slow, and the agent that has it: by a preloaded library if a compiler is there."""
    compiler = shutil.which("cc")
    if compiler is None:
        return "10 ms a commit", AgentCommand(_AGENT, ("--slow-commit",))
    library = directory / "slow_fsync.so"
    source = Path(__file__).with_name("slow_fsync.c")
    process = await asyncio.create_subprocess_exec(
        compiler, "-shared", "-fPIC", "-O2", "-o", str(library), str(source), "-ldl"
    )
    if await process.wait() != 0:
        return "10 ms a commit", AgentCommand(_AGENT, ("--slow-commit",))
    return "10 ms a flush", AgentCommand(environment={"LD_PRELOAD": str(library)})
