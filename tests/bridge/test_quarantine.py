"""An event that ends every stream is found, put aside and announced; all others arrive."""

from datetime import UTC, datetime

import pytest

from connector.bridge.drafts import Draft
from connector.bridge.outbox import Outbox
from connector.domain.outbox import OutboxEntry, OutboxState
from tests.bridge.disks import SlowDisk
from tests.bridge.streams import Store, Stream

AT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
WHY = "policy-violation"


class Wary(Stream):
    """A stream to a gateway that ends it as soon as it has read an offender."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.newest = 0

    def send_event(self, entry: OutboxEntry, epoch: str, *, replayed: bool) -> None:
        super().send_event(entry, epoch, replayed=replayed)
        self.newest = entry.seq


class World:
    """An outbox, its disk, and a gateway with a few offenders."""

    def __init__(self) -> None:
        self.now = 0.0
        self.disk = SlowDisk()
        self.store = Store()
        self.box = Outbox(self.disk, OutboxState("epoch", 0, 0, 0), lambda: self.now, new_epoch=lambda: "new")
        self.disk.finish_all()
        self.aside: list[int] = []
        self.box.quarantined = lambda entry: self.aside.append(entry.seq)
        self.lives = 0

    def append(self, count: int, *, durable: bool = True) -> None:
        for _ in range(count):
            seq = self.box.last_seq + 1
            self.box.append(Draft(durable, "101", f"c-{seq}", AT, None, f"body {seq}"))
            self.disk.finish_all()

    def live(self, offenders: set[int], *, unacked: int = 0) -> Wary:
        """One life of the link, up to its end by an offender or until everything has arrived.

        The gateway reads one event after the other; what the agent had sent last is blamed. `unacked` other
        stanzas are on their way beside the event.
        """
        self.lives += 1
        stream = Wary(self.store)
        self.box.link_up(stream)
        for _ in range(2_000):
            self.disk.finish_all()
            if not stream._pipe:
                break
            item = stream._pipe[0][0]
            if isinstance(item, OutboxEntry) and item.seq in offenders:
                on_its_way = sum(isinstance(one, OutboxEntry) for one, _ in stream._pipe)
                self.box.offended(stream.newest, WHY, alone=on_its_way + unacked == 1)
                self.box.link_down()
                break
            stream.arrive(1)
            self.box.acknowledged(*stream.acknowledgement())
        return stream

    def until_calm(self, offenders: set[int]) -> Wary:
        for _ in range(40):
            stream = self.live(offenders)
            if not self.box.unacknowledged:
                return stream
            self.now += 60.0
        raise AssertionError("an offender stands in the way for ever")


@pytest.fixture
def world() -> World:
    return World()


def test_a_single_offender_needs_three_strikes(world: World) -> None:
    world.append(1)
    stream = world.until_calm({1})
    assert world.lives == 4
    assert world.aside == [1]
    assert stream.quarantined == [(1, 1, 1)]
    assert world.disk.quarantine[1].reason == WHY
    assert world.disk.quarantine[1].entry.body == "body 1"
    assert not stream.lost
    assert world.box.figures.quarantined == 1
    assert world.box.figures.lost_durable == 0


@pytest.mark.parametrize("offender", [1, 2, 150, 299, 300])
def test_among_many_the_offender_alone_is_put_aside(world: World, offender: int) -> None:
    world.append(300)
    world.until_calm({offender})
    assert world.aside == [offender]
    assert world.store.arrived == {f"body {seq}" for seq in range(1, 301) if seq != offender}
    assert world.store.quarantined == 1
    assert world.lives <= 12, "eight halvings, three strikes, and the life that goes on"
    assert offender not in world.disk.rows


def test_two_offenders_are_both_found(world: World) -> None:
    world.append(40)
    world.until_calm({7, 8})
    assert world.aside == [7, 8]
    assert len(world.store.arrived) == 38


def test_a_suspect_waits_until_the_gateway_has_all_else(world: World) -> None:
    world.append(1)
    for _ in range(2):
        world.live({1})
    world.append(1)
    stream = Wary(world.store)
    stream.clear = False
    world.box.link_up(stream)
    world.disk.finish_all()
    world.append(1)
    assert stream.events == [], "nothing passes it either"
    stream.clear = True
    world.box.link_clear()
    assert stream.events == [(1, True)], "and it goes alone"
    stream.arrive()
    world.box.acknowledged(*stream.acknowledgement())
    world.disk.finish_all()
    assert sorted(stream.events[:3]) == [(1, True), (2, True), (3, False)]


def test_with_others_on_their_way_nothing_is_put_aside(world: World) -> None:
    world.append(1)
    for _ in range(6):
        world.live({1}, unacked=1)
    assert world.aside == []
    assert list(world.disk.rows) == [1]


def test_stanzas_that_are_no_events_cost_pace_only(world: World) -> None:
    world.append(3)
    for _ in range(9):
        world.box.link_up(Wary(world.store))
        world.disk.finish_all()
        world.box.offended(0, WHY, alone=True)
        world.box.link_down()
    assert world.aside == []
    assert len(world.disk.rows) == 3
    stream = Wary(world.store)
    world.box.link_up(stream)
    world.disk.finish_all()
    assert stream.events == [(1, True)]


def test_a_volatile_offender_is_a_gap(world: World) -> None:
    world.box.link_up(stream := Wary(world.store))
    world.append(1, durable=False)
    assert stream.events == [(1, False)]
    world.box.offended(1, WHY, alone=True)
    world.box.link_down()
    stream = world.live(set())
    assert stream.gaps == [(1, 1, 1)]
    assert world.aside == []


def test_a_disk_that_refuses_puts_it_aside_later(world: World) -> None:
    world.append(1)
    for _ in range(2):
        world.live({1})
    world.box.link_up(stream := Wary(world.store))
    world.disk.finish_all()
    assert stream.events == [(1, True)]
    world.disk.refuses_writes = True
    world.box.offended(1, WHY, alone=True)
    world.box.link_down()
    stream = world.live(set())
    assert stream.events == [], "it is not sent again, although the disk still has it"
    assert stream.quarantined == [(1, 1, 1)]
    world.disk.refuses_writes = False
    world.box.disk_works()
    world.disk.finish_all()
    assert list(world.disk.quarantine) == [1]
    assert world.box.unacknowledged == 0


def test_a_process_that_dies_before_the_gap_announces_it_in_the_next(world: World) -> None:
    world.append(1)
    for _ in range(3):
        world.live({1})
    world.disk.finish_all()
    box = Outbox(world.disk, world.disk.power_cut(), lambda: 0.0, new_epoch=lambda: "new")
    stream = Stream(world.store)
    box.link_up(stream)
    world.disk.finish_all()
    assert stream.quarantined == [(1, 1, 1)]


def test_after_it_the_pace_comes_back(world: World) -> None:
    world.append(1)
    world.until_calm({1})
    world.now += 8 * 600.0
    assert world.box.pace.window(384, world.now) == 384
