"""The made-up traffic, in virtual time."""

import asyncio
import heapq
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from random import Random

from connector.domain.identifiers import PbxKind
from simulators.pbx.load import LoadCount, run_load
from simulators.pbx.reports import CallReport, Report
from simulators.pbx.settings import PbxWorld
from simulators.pbx.switchboard import Switchboard, model_of
from tests.simulators.pbx.worlds import ManualClock


class VirtualTime:
    """A `sleep` that jumps: the sleeper that is due first goes on when all others wait."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    async def sleep(self, seconds: float) -> None:
        self._count += 1
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._clock.elapsed + seconds, self._count, future))
        await future

    async def play(self, task: asyncio.Task[LoadCount]) -> LoadCount:
        while not task.done():
            for _ in range(3):
                await asyncio.sleep(0)
            if self._sleepers:
                self._clock.elapsed, _, future = heapq.heappop(self._sleepers)
                future.set_result(None)
        return task.result()


async def played(seed: int, lines: int = 30) -> tuple[LoadCount, list[str], Switchboard]:
    clock = ManualClock()
    board = Switchboard(model_of(PbxWorld(kind=PbxKind.OXE, trunk_lines=lines)), clock)
    lived: list[str] = []

    def listener(reports: Iterable[Report], at: datetime) -> None:
        for report in reports:
            assert isinstance(report, CallReport)
            lived.append(f"{at:%H%M%S.%f} {report.device} {type(report.event).__name__}")

    board.listen(listener)
    time = VirtualTime(clock)
    load = run_load(board, 0.3, 600.0, random=Random(seed), sleep=time.sleep)
    count = await time.play(asyncio.create_task(load))
    return count, lived, board


async def test_a_load_makes_calls_of_every_kind_and_ends_them() -> None:
    count, lived, board = await played(1)
    assert count.completed > 100
    assert not board.calls
    kinds = Counter(line.split()[-1] for line in lived)
    assert {"Delivered", "Established", "ConnectionCleared", "NetworkReached", "Held", "Transferred"} <= set(
        kinds
    )


async def test_the_same_seed_gives_the_same_calls() -> None:
    assert (await played(2))[1] == (await played(2))[1]
    assert (await played(2))[1] != (await played(3))[1]


async def test_without_lines_outside_calls_are_refused_and_nothing_stays() -> None:
    count, _, board = await played(1, lines=1)
    assert count.refused > 50
    assert not board.calls
