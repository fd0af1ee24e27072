"""Off closes every connection at once and outlasts a restart; on needs nothing; both may be said twice."""

from pathlib import Path

import pytest

from connector.agent.switch import Switch
from connector.domain.errors import StoreError
from connector.domain.faults import FaultId
from connector.domain.switch import Disabled, SwitchedBy
from connector.store.switch import DisabledFile
from tests.agent.clocks import NOON, StillClock


class Link:
    """A supervisor that writes down how it was switched."""

    def __init__(self, told: list[str], name: str) -> None:
        self._told = told
        self._name = name

    def pause(self) -> None:
        self._told.append(f"{self._name} paused")

    def resume(self) -> None:
        self._told.append(f"{self._name} resumed")


class World:
    """A switch over all that has connections; `told` is what they heard."""

    def __init__(self, directory: Path) -> None:
        self.told: list[str] = []
        self.file = DisabledFile(directory / "disabled.json")
        links = [Link(self.told, name) for name in ("pbx", "cloud", "desk")]
        self.switch = Switch(self.file, StillClock(), links)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


OFF = ["pbx paused", "cloud paused", "desk paused"]


async def test_a_new_agent_is_on(world: World) -> None:
    await world.switch.load()
    assert world.switch.disabled is None
    assert world.told == []


@pytest.mark.parametrize("by", SwitchedBy)
async def test_off_closes_everything_once_and_outlasts_a_restart(
    world: World, tmp_path: Path, by: SwitchedBy
) -> None:
    assert await world.switch.disable(by)
    assert not await world.switch.disable(SwitchedBy.SITE), "the first one who did it stays named"
    assert world.told == OFF
    again = World(tmp_path)
    await again.switch.load()
    assert again.switch.disabled == Disabled(NOON, by)
    assert again.told == OFF


async def test_on_again_connects_at_once_and_stays_on(world: World, tmp_path: Path) -> None:
    await world.switch.disable(SwitchedBy.SITE)
    assert await world.switch.enable()
    assert not await world.switch.enable()
    assert world.told == [*OFF, "pbx resumed", "cloud resumed", "desk resumed"]
    again = World(tmp_path)
    await again.switch.load()
    assert again.switch.disabled is None


async def test_a_full_disk_does_not_keep_the_agent_on(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: object) -> None:
        raise StoreError(FaultId.STORE_UNUSABLE, "no space")

    monkeypatch.setattr(world.file, "save", fails)
    with pytest.raises(StoreError):
        await world.switch.disable(SwitchedBy.SITE)
    assert world.told == OFF
    assert world.switch.disabled is not None
    with pytest.raises(StoreError):
        await world.switch.enable()
    assert world.switch.disabled is not None, "what can't be kept is not begun"
