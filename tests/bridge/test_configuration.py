"""The cloud's configuration: stored before it is acknowledged, in force at once, refused as a whole."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from connector.bridge.configuration import MAX_WAITING, ConfigurationDesk, Report
from connector.domain.configuration import (
    MAX_MONITORED,
    CloudSettings,
    Monitored,
    MonitorRefusal,
    OwnConfiguration,
    RuleText,
)
from connector.domain.errors import StoreError
from connector.domain.faults import FaultId
from connector.domain.numbers import DialPlan

pytestmark = pytest.mark.usefixtures("no_task_left")

OWN = OwnConfiguration(DialPlan("FR"), 120.0)
FULL = CloudSettings(17, country="GB", rules=(RuleText("^7", "00"),), ping_timeout_seconds=60.0)


@dataclass(frozen=True)
class Kept:
    settings: CloudSettings | None = None
    monitors: Sequence[Monitored] | None = None


class Disk:
    """Implements `Table`; `writes` in their order."""

    def __init__(self, kept: Kept | None = None) -> None:
        self.kept = kept or Kept()
        self.writes: list[object] = []
        self.is_full = False
        self.free = asyncio.Event()
        self.free.set()

    async def load(self) -> Kept:
        return self.kept

    async def save_settings(self, settings: CloudSettings) -> None:
        await self._write(settings)

    async def save_monitors(self, monitors: Sequence[Monitored]) -> None:
        await self._write(monitors)

    async def _write(self, what: object) -> None:
        await self.free.wait()
        if self.is_full:
            raise StoreError(FaultId.STORE_UNUSABLE, "no space")
        self.writes.append(what)


class World:
    """A desk with its surroundings."""

    def __init__(self, kept: Kept | None = None) -> None:
        self.disk = Disk(kept)
        self.watched: list[frozenset[str] | None] = []
        self.refuses: Mapping[str, MonitorRefusal] = {}
        self.timeouts: list[float] = []
        self.verdicts: list[str | None] = []
        self.desk = ConfigurationDesk(
            self.disk,
            OWN,
            apply_monitors=self._watch,
            on_ping_timeout=self.timeouts.append,
            on_verdict=self.verdicts.append,
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator["World"]:
        await self.desk.load()
        task = asyncio.create_task(self.desk.run())
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def settings(self, settings: CloudSettings) -> str | None:
        """What the gateway is answered."""
        answered: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self.desk.settings_received(settings, answered.set_result)
        return await answered

    async def monitors(self, *numbers: str) -> dict[str, MonitorRefusal] | None:
        answered: asyncio.Future[dict[str, MonitorRefusal] | None] = (
            asyncio.get_running_loop().create_future()
        )
        self.desk.monitors_received([Monitored(number, "anna") for number in numbers], answered.set_result)
        return await answered

    def _watch(self, numbers: frozenset[str] | None, report: Report) -> None:
        self.watched.append(numbers)
        report(self.refuses)


async def test_before_the_cloud_says_anything_the_sites_own_values_hold() -> None:
    async with World().running() as world:
        desk = world.desk
        assert (desk.dial_plan, desk.ping_timeout_seconds, desk.monitored) == (OWN.plan, 120.0, None)
        assert desk.dialled("712") == "712"
        assert world.watched == []


async def test_a_set_is_stored_and_in_force_when_it_is_acknowledged() -> None:
    async with World().running() as world:
        assert await world.settings(FULL) is None
        assert world.disk.writes == [FULL]
        assert world.desk.dial_plan.country == "GB"
        assert world.desk.dialled("712") == "0012"
        assert world.desk.ping_timeout_seconds == 60.0
        assert (world.timeouts, world.verdicts) == ([60.0], [None])


async def test_nothing_is_acknowledged_or_in_force_before_the_disk_has_it() -> None:
    async with World().running() as world:
        world.disk.free.clear()
        answer = asyncio.create_task(world.settings(FULL))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not answer.done()
        assert world.desk.dial_plan is OWN.plan
        world.disk.free.set()
        assert await answer is None


async def test_the_same_set_again_is_acknowledged_and_changes_nothing() -> None:
    async with World().running() as world:
        for _ in range(2):
            assert await world.settings(FULL) is None
        assert world.disk.writes == [FULL]
        assert world.timeouts == [60.0]


async def test_the_last_set_wins_whatever_its_revision() -> None:
    async with World().running() as world:
        await world.settings(FULL)
        older = CloudSettings(3, country="DE")
        assert await world.settings(older) is None
        assert world.desk.dial_plan.country == "DE"
        assert world.desk.dialled("712") == "712", "a set is whole: its rules are gone"
        assert world.timeouts == [60.0, 120.0]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (CloudSettings(18, country="XX"), "country"),
        (CloudSettings(18, outbound_prefix="123456789"), "outbound_prefix"),
        (CloudSettings(18, rules=(RuleText("1", ""), RuleText("(", ""))), "rule 2"),
        (CloudSettings(18, rules=(RuleText("1", ""),) * 101), "100 rules"),
        (CloudSettings(18, ping_timeout_seconds=5.0), "ping timeout"),
        (CloudSettings(18, ping_timeout_seconds=4_000.0), "ping timeout"),
    ],
)
async def test_one_wrong_value_refuses_the_whole_and_the_old_one_stays(
    wrong: CloudSettings, words: str
) -> None:
    async with World().running() as world:
        await world.settings(FULL)
        reason = await world.settings(wrong)
        assert reason is not None
        assert words in reason
        assert world.verdicts == [None, reason]
        assert world.disk.writes == [FULL]
        assert world.desk.dial_plan.country == "GB"


async def test_a_full_disk_refuses_and_leaves_everything_as_it_was() -> None:
    async with World().running() as world:
        world.disk.is_full = True
        assert "local store" in (await world.settings(FULL) or "")
        assert world.desk.dial_plan is OWN.plan
        assert await world.monitors("3001") is None
        assert (world.desk.monitored, world.watched) == (None, [])
        world.disk.is_full = False
        assert await world.settings(FULL) is None


async def test_monitored_numbers_are_applied_and_those_that_can_not_be_are_told() -> None:
    async with World().running() as world:
        world.refuses = {"3009": MonitorRefusal.UNKNOWN_NUMBER}
        assert await world.monitors("3001", "3009") == {"3009": MonitorRefusal.UNKNOWN_NUMBER}
        assert world.watched == [frozenset({"3001", "3009"})]
        assert world.desk.users == {"3001": "anna", "3009": "anna"}
        world.refuses = {}
        assert await world.monitors("3001", "3009") == {}, "tried again"
        assert len(world.disk.writes) == 1
        assert await world.monitors() == {}
        assert world.desk.monitored == frozenset(), "nobody, which is not everybody"


async def test_more_numbers_than_any_pbx_has_are_refused() -> None:
    async with World().running() as world:
        numbers = [f"{number:05}" for number in range(MAX_MONITORED + 1)]
        assert await world.monitors(*numbers) == {numbers[-1]: MonitorRefusal.LIMIT}
        assert world.watched == []


async def test_a_start_without_the_cloud_goes_on_with_what_it_last_said() -> None:
    async with World(Kept(FULL, (Monitored("3001"),))).running() as world:
        assert world.desk.dial_plan.country == "GB"
        assert world.desk.ping_timeout_seconds == 60.0
        assert world.desk.monitored == frozenset({"3001"})
        assert world.desk.users == {}
        sources = {row.setting: row.source for row in world.desk.effective()}
        assert sources["site.country"] == "cloud revision 17"


async def test_what_an_older_agent_stored_and_we_can_not_use_is_left_out() -> None:
    async with World(Kept(CloudSettings(1, country="XX"))).running() as world:
        assert world.desk.dial_plan is OWN.plan


async def test_sets_are_taken_in_their_order_and_only_so_many_wait() -> None:
    world = World()
    answers: list[str | None] = []
    for number in range(MAX_WAITING + 2):
        country = "GB" if number % 2 else "DE"
        world.desk.settings_received(CloudSettings(number, country=country), answers.append)
    assert answers == ["too many sets at once"] * 2
    async with world.running():
        assert await world.monitors("3001") is None, "that one came too late as well"
        assert await asyncio.wait_for(world.settings(CloudSettings(99)), 1) in (None, "too many sets at once")
    assert [one.revision for one in world.disk.writes if isinstance(one, CloudSettings)][
        :MAX_WAITING
    ] == list(range(MAX_WAITING))
