"""What stands around a command desk in tests: time, disk and PBX, which move when the test says so."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from connector.bridge.commands import CommandDesk, CommandLimits
from connector.domain.calls import ConnectionId
from connector.domain.command_policy import CommandPolicy
from connector.domain.commands import (
    AnswerCall,
    Command,
    CommandDone,
    CommandRefused,
    CommandRequest,
    Outcome,
    Recovery,
    Refused,
    Remembered,
    Verb,
)
from connector.domain.errors import StoreError
from connector.domain.faults import FaultId
from connector.domain.numbers import DialPlan, NumberRange

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
PLAN = DialPlan("FR", internal_ranges=(NumberRange("3000", "3099"),))
POLICY = CommandPolicy(frozenset(Verb), (NumberRange("3000", "3099"),), ("+33",))
DONE = CommandDone()
DISK_ERROR = StoreError(FaultId.STORE_UNUSABLE, "disk full")


class VirtualClock:
    """Stands still until it is moved; the wall can jump by itself."""

    def __init__(self) -> None:
        self.seconds = 1_000.0
        self.jump_seconds = 0.0

    def now(self) -> datetime:
        """Wall time."""
        return NOON + timedelta(seconds=self.seconds - 1_000 + self.jump_seconds)

    def monotonic(self) -> float:
        """Seconds."""
        return self.seconds


class FakeDisk:
    """Implements `CommandLedger` in memory. While `is_slow`, each write waits for `finish`."""

    def __init__(self) -> None:
        self.rows: dict[str, Remembered] = {}
        self.is_slow = False
        self.fails = False
        self._waiting: list[tuple[Callable[[], None], asyncio.Future[None]]] = []

    async def claim(self, begun: Remembered) -> None:
        def write() -> None:
            if begun.id in self.rows:
                raise DISK_ERROR
            self.rows[begun.id] = begun

        await self._write(write)

    async def settle(self, id_: str, outcome: Outcome) -> None:
        def write() -> None:
            self.rows[id_] = replace(self.rows[id_], outcome=outcome)

        await self._write(write)

    async def recover(self, now: datetime) -> Recovery:
        if self.fails:
            raise DISK_ERROR
        unknown = CommandRefused(Refused.UNKNOWN_OUTCOME)
        interrupted = [id_ for id_, row in self.rows.items() if row.outcome is None]
        for id_ in interrupted:
            self.rows[id_] = replace(self.rows[id_], outcome=unknown)
        return Recovery(tuple(self.rows.values()), interrupted)

    @property
    def waiting(self) -> int:
        """How many writes wait."""
        return len(self._waiting)

    def finish(self, *, fails: bool = False) -> None:
        """Let the oldest write end."""
        write, done = self._waiting.pop(0)
        if done.done():
            return
        if fails:
            done.set_exception(DISK_ERROR)
            return
        write()
        done.set_result(None)

    def cut(self, written: int) -> None:
        """The machine stops: the first `written` waiting writes made it, nobody hears of any."""
        for write, _ in self._waiting[:written]:
            write()
        self._waiting.clear()

    async def _write(self, write: Callable[[], None]) -> None:
        if not self.is_slow:
            if self.fails:
                raise DISK_ERROR
            write()
            return
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((write, done))
        await done


class FakePbx:
    """Implements `CommandExecutor`. While `is_slow`, each command waits for `finish`."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.is_slow = False
        self.outcome: Outcome = DONE
        self.failure: Exception | None = None
        # What was asked, and when; and until when it might be sent, from then.
        self.asked: list[tuple[Command, datetime]] = []
        self.left_seconds: list[float] = []
        self._waiting: list[asyncio.Future[Outcome]] = []

    async def execute(self, command: Command, until: float) -> Outcome:
        self.asked.append((command, self._clock.now()))
        self.left_seconds.append(until - self._clock.monotonic())
        if self.failure is not None:
            raise self.failure
        if not self.is_slow:
            return self.outcome
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append(answer)
        return await answer

    @property
    def commands(self) -> list[Command]:
        """What was asked."""
        return [command for command, _ in self.asked]

    @property
    def waiting(self) -> int:
        """How many commands wait."""
        return len(self._waiting)

    def finish(self, outcome: Outcome = DONE) -> None:
        """Answer the oldest command that waits."""
        answer = self._waiting.pop(0)
        if not answer.done():
            answer.set_result(outcome)


class Bench:
    """A desk with its surroundings."""

    def __init__(self, policy: CommandPolicy = POLICY, limits: CommandLimits | None = None) -> None:
        self.clock = VirtualClock()
        self.disk = FakeDisk()
        self.pbx = FakePbx(self.clock)
        self.policy = policy
        self.limits = limits
        self.dialled: Callable[[str], str] = str
        self.owns: Callable[[str, ConnectionId], bool] = lambda device, leg: leg.device == device
        self.desk = self.new_desk()

    def new_desk(self) -> CommandDesk:
        """A desk as a new process would have it: nothing is known but the disk."""
        self.desk = CommandDesk(
            self.policy,
            self.disk,
            self.clock,
            plan=lambda: PLAN,
            # As they are when they are asked: a test may exchange them.
            dialled=lambda number: self.dialled(number),  # noqa: PLW0108 - looked up late
            owns=lambda device, leg: self.owns(device, leg),  # noqa: PLW0108 - looked up late
            is_device=lambda number: number == "4000",
            limits=self.limits,
        )
        self.desk.attach(self.pbx)
        return self.desk

    async def ready(self) -> "Bench":
        """After recovery."""
        await self.desk.recover()
        return self

    def request(
        self, command: Command | None = None, *, id_: str = "cmd-1", seconds: float = 30, user: str = "anna"
    ) -> CommandRequest:
        """A request for 3001 whose deadline is in `seconds`."""
        deadline = self.clock.now() + timedelta(seconds=seconds)
        asked = command or AnswerCall(ConnectionId(id_, "3001"))
        return CommandRequest(id_, "3001", user, deadline, asked)

    def send(self, request: CommandRequest) -> list[Outcome]:
        """Hand `request` in; its answers, as they come."""
        answers: list[Outcome] = []
        self.desk.received(request, answers.append)
        return answers

    async def outcome(self, request: CommandRequest) -> Outcome:
        """Hand `request` in and let everything end."""
        answers = self.send(request)
        await settled()
        (outcome,) = answers
        return outcome


async def settled() -> None:
    """Let all that can go on go on: claim, execution and settlement take a handful of turns."""
    for _ in range(12):
        await asyncio.sleep(0)


def refusals(outcomes: Sequence[Outcome]) -> list[Refused]:
    """The reasons of outcomes that are all refusals."""
    assert all(isinstance(outcome, CommandRefused) for outcome in outcomes)
    return [outcome.reason for outcome in outcomes if isinstance(outcome, CommandRefused)]
