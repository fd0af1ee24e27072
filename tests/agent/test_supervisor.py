"""A link is kept alive: lives that fail, are held, replaced, stopped, or broken by a defect of ours."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest
import pytest_asyncio

from connector.agent import supervisor as module
from connector.agent.supervisor import LinkSupervisor
from connector.domain.backoff import Backoff
from connector.domain.errors import AuthError, ConnectorError, DialError, LinkClosed
from connector.domain.faults import FaultId
from connector.domain.links import LinkState
from tests.agent.clocks import NOON, StillClock

pytestmark = pytest.mark.usefixtures("no_task_left")

UNREACHABLE = DialError(FaultId.CLOUD_UNREACHABLE, "127.0.0.1", link="cloud")
REFUSED = AuthError(FaultId.CLOUD_NOT_AUTHORIZED, link="cloud")
NOT_ACTIVATED = AuthError(FaultId.NOT_ACTIVATED, link="cloud")
CLOSED = LinkClosed(FaultId.CLOUD_CLOSED, link="cloud")


class FakeLife:
    """Lives until the test, or `close`, ends it."""

    def __init__(self) -> None:
        self._end: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()
        self.ignores_close = False
        self.was_closed = False
        self.was_cancelled = False

    async def run(self) -> None:
        try:
            error = await self._end
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        if error is not None:
            raise error

    def close(self) -> None:
        self.was_closed = True
        if not self.ignores_close:
            self.end(CLOSED)

    def end(self, error: BaseException | None) -> None:
        if not self._end.done():
            self._end.set_result(error)


class World:
    """A supervisor with its lives. Waits of `Backoff` are 0 s unless `is_patient`: then as long as can be."""

    def __init__(self) -> None:
        self.clock = StillClock()
        self.lives: list[FakeLife] = []
        self.forbids: ConnectorError | None = None
        self.settled: list[ConnectorError] = []
        self.may_go_on = False
        self.is_patient = False
        backoff = Backoff(lambda _, high: high if self.is_patient else 0.0)
        self.supervisor = LinkSupervisor("cloud", self._new_life, backoff, self.clock, settle=self._settle)
        self.task = asyncio.create_task(self.supervisor.run())

    async def life(self, number: int) -> FakeLife:
        """The `number`-th life, from 1, once it lives."""
        await until(lambda: len(self.lives) >= number)
        return self.lives[number - 1]

    def _new_life(self) -> FakeLife:
        if self.forbids is not None:
            raise self.forbids
        self.lives.append(FakeLife())
        return self.lives[-1]

    def _settle(self, error: ConnectorError) -> bool:
        self.settled.append(error)
        return self.may_go_on


async def until(is_true: Callable[[], bool]) -> None:
    """Let the loop turn until it is so."""
    for _ in range(1_000):
        if is_true():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never became so")


@pytest_asyncio.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    await made.supervisor.stop()
    await until(made.task.done)
    assert made.supervisor.status.state is LinkState.STOPPED


async def test_a_life_that_ends_is_followed_by_the_next(world: World) -> None:
    for number in (1, 2, 3):
        (await world.life(number)).end(UNREACHABLE)
    await world.life(4)
    assert world.supervisor.ended_lives == {("cloud", "cloud-unreachable"): 3}
    assert world.supervisor.status.reconnects == 3
    assert world.settled == [UNREACHABLE] * 3


async def test_the_reason_is_shown_until_the_link_is_connected_again(world: World) -> None:
    (await world.life(1)).end(UNREACHABLE)
    await world.life(2)
    status = world.supervisor.status
    assert (status.state, status.error) == (LinkState.CONNECTING, UNREACHABLE)
    world.supervisor.connected()
    status = world.supervisor.status
    assert (status.state, status.error) == (LinkState.CONNECTED, None)


async def test_how_long_the_link_has_been_down_outlasts_every_try(world: World) -> None:
    world.clock.seconds = 10.0
    (await world.life(1)).end(UNREACHABLE)
    await world.life(2)
    world.clock.seconds = 20.0
    world.lives[-1].end(UNREACHABLE)
    await world.life(3)
    never_up = world.supervisor.status
    world.supervisor.connected()
    up = world.supervisor.status
    assert (never_up.down_since, up.down_since) == (NOON, None)
    world.clock.seconds = 30.0
    world.lives[-1].end(CLOSED)
    await world.life(4)
    assert world.supervisor.status.down_since == NOON + timedelta(seconds=30)


async def test_a_fault_that_a_person_must_mend_is_held_for_a_minute_and_more(world: World) -> None:
    world.is_patient = True
    (await world.life(1)).end(REFUSED)
    await until(lambda: world.supervisor.status.state is LinkState.WAITING)
    next_try = world.supervisor.status.next_try_at
    assert next_try is not None
    assert (next_try - world.clock.now()).total_seconds() == 66
    assert len(world.lives) == 1


async def test_a_person_who_changed_something_need_not_wait(world: World) -> None:
    world.is_patient = True
    (await world.life(1)).end(REFUSED)
    await until(lambda: world.supervisor.status.state is LinkState.WAITING)
    world.supervisor.retry_now()
    (await world.life(2)).end(REFUSED)
    await until(lambda: world.supervisor.status.state is LinkState.WAITING)
    next_try = world.supervisor.status.next_try_at
    assert next_try is not None
    assert (next_try - world.clock.now()).total_seconds() == 66, "the failures before are forgotten"


async def test_a_life_that_works_makes_way_for_what_a_person_changed(world: World) -> None:
    world.is_patient = True
    life = await world.life(1)
    world.supervisor.connected()
    world.supervisor.retry_now()
    await world.life(2)
    assert life.was_closed


async def test_without_a_code_nothing_is_tried_until_there_is_one(world: World) -> None:
    world.forbids = NOT_ACTIVATED
    (await world.life(1)).end(UNREACHABLE)
    await until(lambda: world.supervisor.status.state is LinkState.WAITING)
    for _ in range(50):
        await asyncio.sleep(0)
    status = world.supervisor.status
    assert (status.error, status.next_try_at) == (NOT_ACTIVATED, None)
    world.forbids = None
    world.supervisor.retry_now()
    await world.life(2)


async def test_an_owner_that_has_another_way_goes_on_at_once(world: World) -> None:
    world.is_patient = True
    world.may_go_on = True
    (await world.life(1)).end(REFUSED)
    await world.life(2)


async def test_a_link_that_held_for_half_a_minute_was_good(world: World) -> None:
    world.is_patient = True
    for _ in range(2):
        await until(lambda: world.supervisor.status.state is LinkState.CONNECTING)
        world.supervisor.connected()
        world.clock.seconds += 31
        world.lives[-1].end(CLOSED)
        await until(lambda: world.supervisor.status.state is LinkState.WAITING)
        next_try = world.supervisor.status.next_try_at
        assert next_try is not None
        assert (next_try - world.clock.now()).total_seconds() == 2
        world.supervisor._wakeup.set()
        await asyncio.sleep(0)


async def test_short_lives_wait_longer_each_time(world: World) -> None:
    world.is_patient = True
    waits = []
    for _ in range(4):
        await until(lambda: world.supervisor.status.state is LinkState.CONNECTING)
        world.supervisor.connected()
        world.clock.seconds += 1
        world.lives[-1].end(CLOSED)
        await until(lambda: world.supervisor.status.state is LinkState.WAITING)
        next_try = world.supervisor.status.next_try_at
        assert next_try is not None
        waits.append((next_try - world.clock.now()).total_seconds())
        world.supervisor._wakeup.set()
        await asyncio.sleep(0)
    assert waits == [2, 6, 18, 54]


# -- defects


@pytest.mark.parametrize("defect", [ZeroDivisionError("a defect"), None])
async def test_a_defect_of_a_life_ends_only_that_life(
    world: World, defect: Exception | None, caplog: pytest.LogCaptureFixture
) -> None:
    (await world.life(1)).end(defect)
    await world.life(2)
    assert world.supervisor.ended_lives == {("cloud", "own-protocol"): 1}
    tracebacks = [record for record in caplog.records if record.exc_info]
    assert len(tracebacks) == (1 if defect else 0)


async def test_the_first_failure_of_a_kind_is_a_warning_and_its_repetitions_are_not(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger=module.__name__)
    for number, error in enumerate((UNREACHABLE, UNREACHABLE, UNREACHABLE, CLOSED, UNREACHABLE), start=1):
        (await world.life(number)).end(error)
    await world.life(6)
    levels = [record.levelname for record in caplog.records if record.message == "link down"]
    assert levels == ["WARNING", "DEBUG", "DEBUG", "WARNING", "WARNING"]
    assert all(record.__dict__["remedy"] for record in caplog.records if record.message == "link down")


# -- the stop, in every state


async def test_a_stop_before_the_first_life_begins_none() -> None:
    world = World()
    await world.supervisor.stop()
    await until(world.task.done)
    assert world.lives == []


async def test_a_stop_cuts_a_life_that_is_not_connected_yet(world: World) -> None:
    life = await world.life(1)
    await asyncio.sleep(0)
    await world.supervisor.stop()
    await until(world.task.done)
    assert life.was_cancelled
    assert not life.was_closed


async def test_a_stop_ends_a_connected_life_in_order(world: World) -> None:
    life = await world.life(1)
    world.supervisor.connected()
    await asyncio.sleep(0)
    await world.supervisor.stop()
    await until(world.task.done)
    assert life.was_closed
    assert not life.was_cancelled


async def test_a_life_that_does_not_end_in_order_is_cut(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CLOSE_TIMEOUT_SECONDS", 0.01)
    life = await world.life(1)
    life.ignores_close = True
    world.supervisor.connected()
    await asyncio.sleep(0)
    await world.supervisor.stop()
    await until(world.task.done)
    assert life.was_closed
    assert life.was_cancelled


@pytest.mark.parametrize("error", [REFUSED, NOT_ACTIVATED])
async def test_a_stop_does_not_wait_for_the_next_try(world: World, error: ConnectorError) -> None:
    world.is_patient = True
    (await world.life(1)).end(error)
    await until(lambda: world.supervisor.status.state is LinkState.WAITING)
    await world.supervisor.stop()
    await until(world.task.done)
    assert len(world.lives) == 1


async def test_a_retry_cuts_a_life_that_is_not_connected_yet(world: World) -> None:
    world.is_patient = True
    first = await world.life(1)
    world.supervisor.retry_now()
    await world.life(2)
    assert first.was_cancelled
    assert [error.fault for error in world.settled] == [FaultId.ENDED_ON_SITE]


async def test_a_pause_ends_the_life_and_begins_none_until_resumed(world: World) -> None:
    first = await world.life(1)
    world.supervisor.connected()
    world.supervisor.pause()
    await until(lambda: world.supervisor.status.state is LinkState.STOPPED)
    assert first.was_closed
    assert world.settled == [CLOSED]
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(world.lives) == 1
    world.supervisor.resume()
    await world.life(2)


async def test_a_pause_ends_a_wait_too(world: World) -> None:
    world.is_patient = True
    (await world.life(1)).end(UNREACHABLE)
    await until(lambda: world.supervisor.status.state is LinkState.WAITING)
    world.supervisor.pause()
    await until(lambda: world.supervisor.status.state is LinkState.STOPPED)
    assert world.supervisor.status.next_try_at is None
    world.supervisor.resume()
    await world.life(2)


async def test_a_paused_supervisor_can_be_stopped(world: World) -> None:
    await world.life(1)
    world.supervisor.pause()
    await world.supervisor.stop()
    await until(world.task.done)
    assert len(world.lives) == 1
