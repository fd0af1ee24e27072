"""T23: whatever happens in whatever order, no command runs twice or late, and each request gets one answer.

Time, disk and PBX move only when an action says so, and the process may be killed between any two steps.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial

from hypothesis import given, settings
from hypothesis import strategies as st

from connector.bridge.commands import CommandLimits
from connector.domain.calls import ConnectionId
from connector.domain.commands import (
    AnswerCall,
    CommandDone,
    CommandRefused,
    CommandRequest,
    HoldCall,
    Outcome,
    Refused,
)
from tests.bridge.command_parts import DONE, Bench, refusals, settled

IDS = ("a", "b", "c")
# What says that the request was certainly not executed.
CERTAIN = frozenset(Refused) - {Refused.UNKNOWN_OUTCOME, Refused.PBX, Refused.UNSUPPORTED}


@dataclass
class Life:
    """One process: its request stanzas with their answers."""

    stanzas: list[tuple[CommandRequest, list[Outcome]]] = field(default_factory=list)
    first_execution: int = 0


class World:
    """The bench, and what a checker with both journals sees."""

    def __init__(self) -> None:
        limits = CommandLimits(in_flight=2, commands_per_user_minute=8, grace_seconds=0)
        self.bench = Bench(limits=limits)
        self.life = Life()
        # By the call that each is about, which tells commands apart whatever their ids.
        self.requests: dict[str, CommandRequest] = {}
        self.bench.disk.is_slow = self.bench.pbx.is_slow = True

    def ask(self, id_: str, seconds: int) -> None:
        """A request; a repeated id repeats the whole request."""
        self._ask(self.bench.request(id_=id_, seconds=seconds))

    def ask_something_else(self, id_: str) -> None:
        """Another command under an id that may be in use."""
        self._ask(self.bench.request(HoldCall(ConnectionId(f"other {id_}", "3001")), id_=id_))

    def _ask(self, request: CommandRequest) -> None:
        request = self.requests.setdefault(_call_of(request.command), request)
        self.life.stanzas.append((request, self.bench.send(request)))

    def write(self, *, fails: bool) -> None:
        """The disk ends a write."""
        if self.bench.disk.waiting:
            self.bench.disk.finish(fails=fails)

    def answer(self, outcome: Outcome) -> None:
        """The PBX answers."""
        if self.bench.pbx.waiting:
            self.bench.pbx.finish(outcome)

    def connect(self, *, is_up: bool) -> None:
        """The PBX link comes or goes."""
        if is_up:
            self.bench.desk.attach(self.bench.pbx)
        else:
            self.bench.desk.detach()

    async def kill(self, written: int) -> None:
        """The process ends; `written` of the waiting writes reached the disk. Then a new one starts."""
        self.bench.disk.cut(written)
        rows = dict(self.bench.disk.rows)
        self.check()
        heard = [list(answers) for _, answers in self.life.stanzas]
        await self.bench.desk.aclose()
        self.bench.disk.rows = rows  # what the dying tasks still did, a dead process did not
        self.bench.disk.cut(0)
        self.bench.pbx._waiting.clear()
        assert all(len(answers) <= 1 for answers in heard)
        self.life = Life(first_execution=len(self.bench.pbx.asked))
        self.bench.new_desk()
        await self.bench.desk.recover()

    async def drain(self) -> None:
        """Everything under way comes to its end."""
        await settled()
        while self.bench.disk.waiting or self.bench.pbx.waiting:
            self.write(fails=False)
            self.answer(DONE)
            await settled()

    def check(self) -> None:
        """What must hold at every moment."""
        executed = [_call_of(command) for command in self.bench.pbx.commands]
        assert len(executed) == len(set(executed)), "executed twice"
        for command, at in self.bench.pbx.asked:
            assert at < self.requests[_call_of(command)].deadline, "executed late"
        in_this_life = set(executed[self.life.first_execution :])
        for request, answers in self.life.stanzas:
            assert len(answers) <= 1, "answered twice"
            for outcome in answers:
                if isinstance(outcome, CommandDone):
                    assert _call_of(request.command) in executed, "done, says the answer"
                elif outcome.reason in CERTAIN:
                    assert _call_of(request.command) not in in_this_life, "not executed, says the answer"


def _call_of(command: object) -> str:
    assert isinstance(command, AnswerCall | HoldCall)
    return command.connection.call


Action = Callable[[World], Awaitable[None] | None]


def _moved(world: World, seconds: int) -> None:
    world.bench.clock.seconds += seconds


def _jumped(world: World, seconds: int) -> None:
    world.bench.clock.jump_seconds += seconds


OUTCOMES = (DONE, CommandRefused(Refused.PBX, "generic"), CommandRefused(Refused.UNSUPPORTED))
# What takes a command further: drawn more often than what disturbs it.
PROGRESS: tuple[st.SearchStrategy[Action], ...] = (
    st.builds(
        partial, st.just(World.ask), id_=st.sampled_from(IDS), seconds=st.sampled_from((30, 30, 1, -1))
    ),
    st.builds(partial, st.just(World.write), fails=st.sampled_from((False, False, True))),
    st.builds(partial, st.just(World.answer), outcome=st.sampled_from(OUTCOMES)),
)
ACTIONS: st.SearchStrategy[Action] = st.one_of(
    *PROGRESS * 3,
    st.builds(partial, st.just(World.ask_something_else), id_=st.sampled_from(IDS)),
    st.builds(partial, st.just(_moved), seconds=st.sampled_from((1, 31, 301))),
    st.builds(partial, st.just(_jumped), seconds=st.sampled_from((-40, 40))),
    st.builds(partial, st.just(World.connect), is_up=st.booleans()),
    st.builds(partial, st.just(World.kill), written=st.integers(0, 2)),
)
# Mostly everything comes to rest between two actions, else the interesting states are deep.
STEPS = st.lists(st.tuples(ACTIONS, st.sampled_from((True, True, True, False))), min_size=15, max_size=40)


async def _play(steps: list[tuple[Action, bool]]) -> None:
    world = World()
    await world.bench.desk.recover()
    for action, comes_to_rest in steps:
        ending = action(world)
        if ending is not None:
            await ending
        world.check()
        await (settled() if comes_to_rest else asyncio.sleep(0))
        world.check()
    await world.drain()
    world.check()
    assert all(len(answers) == 1 for _, answers in world.life.stanzas), "not answered"
    await world.bench.desk.aclose()


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_never_twice_never_late_always_answered(steps: list[tuple[Action, bool]]) -> None:
    asyncio.run(_play(steps))


async def _answers_after(kill_at: int, *, written: bool) -> tuple[list[Outcome], int]:
    """One command in a process that is killed at its `kill_at`-th wait; the answer of the next process."""
    world = World()
    await world.bench.desk.recover()
    world.ask("a", 30)
    for step in range(3):
        await settled()
        if step == kill_at:
            break
        if step == 1:
            world.answer(DONE)
        else:
            world.write(fails=False)
    await world.kill(1 if written else 0)
    world.bench.disk.is_slow = world.bench.pbx.is_slow = False
    world.ask("a", 30)
    await settled()
    return world.life.stanzas[0][1], len(world.bench.pbx.asked)


def test_a_kill_at_each_step() -> None:
    """Claim, execution, settlement: each not yet begun on disk, or on disk and nobody heard of it."""

    async def every_step() -> list[tuple[list[Refused], int] | tuple[str, int]]:
        found: list[tuple[list[Refused], int] | tuple[str, int]] = []
        for kill_at in range(3):
            for written in (False, True):
                answers, executions = await _answers_after(kill_at, written=written)
                found.append(("done", executions) if answers == [DONE] else (refusals(answers), executions))
        return found

    unknown = [Refused.UNKNOWN_OUTCOME]
    assert asyncio.run(every_step()) == [
        ("done", 1),  # nothing was on disk: the repeated request is the first one
        (unknown, 0),  # it was, so it may have been asked; it was not, which nobody can know
        (unknown, 1),
        (unknown, 1),
        (unknown, 1),  # executed, but the outcome did not reach the disk
        ("done", 1),  # it did
    ]
