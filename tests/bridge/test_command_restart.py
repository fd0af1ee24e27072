"""The desk on a real database: a process that dies at a named point, and the one after it."""

import asyncio
import itertools
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.bridge.commands import CommandDesk, CommandLimits
from connector.domain.calls import ConnectionId
from connector.domain.commands import (
    AnswerCall,
    Command,
    CommandDone,
    CommandRefused,
    Outcome,
    Recovery,
    Refused,
    Remembered,
)
from connector.store.commands import CommandTable, create_commands
from connector.store.writer import Writer
from tests.bridge.command_parts import DONE, PLAN, POLICY, Bench, VirtualClock

POINTS = ("before claim", "after claim", "asked", "before settlement", "after settlement")
UNKNOWN = CommandRefused(Refused.UNKNOWN_OUTCOME)


class DyingProcess:
    """Ledger and PBX of a process that stops for ever at `point` of the commands in `victims`."""

    def __init__(self, table: CommandTable, executions: Counter[str], point: str, victims: set[str]) -> None:
        self._table = table
        self._executions = executions
        self._point = point
        self._victims = victims

    async def _reach(self, point: str, id_: str) -> None:
        if point == self._point and id_ in self._victims:
            await asyncio.get_running_loop().create_future()

    async def claim(self, begun: Remembered) -> None:
        await self._reach("before claim", begun.id)
        await self._table.claim(begun)
        await self._reach("after claim", begun.id)

    async def settle(self, id_: str, outcome: Outcome) -> None:
        await self._reach("before settlement", id_)
        await self._table.settle(id_, outcome)
        await self._reach("after settlement", id_)

    async def recover(self, now: object) -> Recovery:
        return await self._table.recover(VirtualClock().now())

    async def execute(self, command: Command, until: float) -> Outcome:
        assert isinstance(command, AnswerCall)
        id_ = command.connection.call
        self._executions[id_] += 1
        await self._reach("asked", id_)
        return DONE


async def _live(
    path: Path, executions: Counter[str], point: str, victims: set[str]
) -> dict[str, list[Outcome]]:
    """One process gets every command twice; its answers by id. What stands still in it dies with it."""
    clock = VirtualClock()
    writer = Writer(path, [create_commands])
    await writer.start()
    process = DyingProcess(CommandTable(writer), executions, point, victims)
    limits = CommandLimits(grace_seconds=0)
    desk = CommandDesk(POLICY, process, clock, plan=lambda: PLAN, limits=limits)
    desk.attach(process)
    await desk.recover()
    answers: dict[str, list[asyncio.Future[Outcome]]] = {
        id_: [asyncio.get_running_loop().create_future() for _ in range(2)] for id_ in "abc"
    }
    for turn, id_ in itertools.product(range(2), "abc"):
        request = Bench().request(AnswerCall(ConnectionId(id_, "3001")), id_=id_)
        desk.received(request, answers[id_][turn].set_result)
    survivors = [answer for id_, found in answers.items() if id_ not in victims for answer in found]
    async with asyncio.timeout(5):
        await asyncio.gather(*survivors)
        # Jobs are done in turn, and none has more than two: who is to stand still, stands still now.
        for _ in range(3):
            await writer.submit(lambda _: None)
    heard = {id_: [one.result() for one in found if one.done()] for id_, found in answers.items()}
    await desk.aclose()
    await writer.aclose()
    return heard


@pytest.mark.parametrize(
    ("point", "executed_before", "answer_after"),
    [
        ("before claim", 0, DONE),  # nothing is known of it: the repeated request is the first one
        ("after claim", 0, UNKNOWN),
        ("asked", 1, UNKNOWN),
        ("before settlement", 1, UNKNOWN),
        ("after settlement", 1, DONE),
    ],
)
async def test_a_process_that_dies_between_two_steps(
    tmp_path: Path, point: str, executed_before: int, answer_after: Outcome
) -> None:
    executions: Counter[str] = Counter()
    heard = await _live(tmp_path / "store", executions, point, {"b"})
    assert heard == {"a": [DONE] * 2, "b": [], "c": [DONE] * 2}
    assert executions["b"] == executed_before
    heard = await _live(tmp_path / "store", executions, "", set())
    assert heard == {"a": [DONE] * 2, "b": [answer_after] * 2, "c": [DONE] * 2}
    assert max(executions.values()) == 1


@settings(max_examples=8, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(POINTS), st.sets(st.sampled_from("abc"))), max_size=4))
def test_lives_in_a_row(tmp_path_factory: pytest.TempPathFactory, lives: list[tuple[str, set[str]]]) -> None:
    path = tmp_path_factory.mktemp("lives") / "store"

    async def play() -> None:
        executions: Counter[str] = Counter()
        known: dict[str, Outcome] = {}
        for point, victims in [*lives, ("", set())]:
            for id_, outcomes in (await _live(path, executions, point, set(victims))).items():
                for outcome in outcomes:
                    assert known.setdefault(id_, outcome) == outcome, "one id, two answers"
        assert set(executions.values()) <= {1}, "executed twice"
        assert set(known) == set("abc"), "not answered"
        assert all(isinstance(outcome, CommandDone) or outcome == UNKNOWN for outcome in known.values())

    asyncio.run(play())
