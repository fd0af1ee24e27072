"""Nothing durable is lost, nothing is out of order, no number is used twice, no gap is silent."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from connector.bridge import outbox as module
from connector.bridge.outbox import ACK_WRITE_EVENTS, Draft, Outbox
from connector.domain.outbox import OutboxBatch, OutboxEntry, OutboxState
from tests.bridge.disks import SlowDisk

AT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
NEW = OutboxState("epoch", 0, 0, 0)


def draft(*, durable: bool, call: str = "c-1", body: str = "") -> Draft:
    return Draft(durable, "101", call, AT, None, body)


class Gateway:
    """Records what a stream carried, and sees to it that every number is accounted for, in order."""

    def __init__(self) -> None:
        self.events: list[tuple[int, bool]] = []
        self.bodies: dict[int, str] = {}
        self.gaps: list[tuple[int, int, int]] = []
        self.upto: int | None = None

    def _account(self, first_seq: int, last_seq: int) -> None:
        assert self.upto is None or first_seq == self.upto + 1
        self.upto = last_seq

    def send_event(self, entry: OutboxEntry, epoch: str, *, replayed: bool) -> None:
        assert epoch == "epoch"
        self._account(entry.seq, entry.seq)
        self.events.append((entry.seq, replayed))
        self.bodies[entry.seq] = entry.body

    def send_gap(self, epoch: str, first_seq: int, last_seq: int, count: int) -> None:
        assert count == last_seq - first_seq + 1
        self._account(first_seq, last_seq)
        self.gaps.append((first_seq, last_seq, count))


@pytest.fixture
def disk() -> SlowDisk:
    return SlowDisk()


@pytest.fixture
def outbox(disk: SlowDisk) -> Outbox:
    box = Outbox(disk, NEW, lambda: 0.0)
    disk.finish_all()
    return box


def test_a_durable_event_is_sent_only_after_it_is_on_disk(disk: SlowDisk, outbox: Outbox) -> None:
    outbox.link_up(gateway := Gateway())
    outbox.append(draft(durable=True))
    assert gateway.events == []
    disk.finish_all()
    assert gateway.events == [(1, False)]
    assert list(disk.rows) == [1]


def test_a_volatile_event_waits_only_behind_durable_ones(disk: SlowDisk, outbox: Outbox) -> None:
    outbox.link_up(gateway := Gateway())
    outbox.append(draft(durable=False))
    assert gateway.events == [(1, False)]
    outbox.append(draft(durable=True))
    outbox.append(draft(durable=False))
    assert gateway.events == [(1, False)]
    disk.finish_all()
    assert gateway.events == [(1, False), (2, False), (3, False)]


def test_writes_that_wait_for_the_disk_are_committed_together(disk: SlowDisk, outbox: Outbox) -> None:
    for _ in range(50):
        outbox.append(draft(durable=True))
    assert disk.finish_one()
    assert len(disk.rows) == 1
    assert disk.finish_one()
    assert len(disk.rows) == 50


def test_an_acknowledgement_is_no_write_of_its_own(disk: SlowDisk, outbox: Outbox) -> None:
    outbox.link_up(Gateway())
    for _ in range(3):
        outbox.append(draft(durable=True))
    disk.finish_all()
    assert outbox.unacknowledged == 3
    assert outbox.acknowledged("epoch", 2)
    assert outbox.unacknowledged == 1
    assert not disk.finish_one()
    assert list(disk.rows) == [1, 2, 3]


def test_acknowledged_events_are_deleted_in_groups(disk: SlowDisk, outbox: Outbox) -> None:
    outbox.link_up(Gateway())
    for _ in range(ACK_WRITE_EVENTS):
        outbox.append(draft(durable=True))
    disk.finish_all()
    assert outbox.acknowledged("epoch", ACK_WRITE_EVENTS - 1)
    disk.finish_all()
    assert len(disk.rows) == ACK_WRITE_EVENTS
    assert outbox.acknowledged("epoch", ACK_WRITE_EVENTS)
    disk.finish_all()
    assert not disk.rows


def test_an_orderly_end_frees_all_that_was_acknowledged(disk: SlowDisk, outbox: Outbox) -> None:
    outbox.link_up(Gateway())
    outbox.append(draft(durable=True))
    disk.finish_all()
    assert outbox.acknowledged("epoch", 1)
    outbox.close()
    disk.finish_all()
    assert not disk.rows


@pytest.mark.parametrize(("epoch", "seq"), [("other", 1), ("epoch", 2), ("epoch", 10**9)])
def test_an_acknowledgement_of_what_was_never_sent_is_refused(
    disk: SlowDisk, outbox: Outbox, epoch: str, seq: int
) -> None:
    outbox.link_up(Gateway())
    outbox.append(draft(durable=True))
    disk.finish_all()
    assert not outbox.acknowledged(epoch, seq)
    assert outbox.figures.bad_acknowledgements == 1
    assert outbox.unacknowledged == 1


def test_a_new_stream_repeats_durable_events_and_announces_the_rest_as_a_gap(
    disk: SlowDisk, outbox: Outbox
) -> None:
    outbox.link_up(Gateway())
    for durable in (False, True, False, True):
        outbox.append(draft(durable=durable))
    disk.finish_all()
    outbox.link_down()
    outbox.append(draft(durable=False))
    outbox.append(draft(durable=True))
    disk.finish_all()
    outbox.link_up(second := Gateway())
    disk.finish_all()
    assert second.events == [(2, True), (4, True), (6, True)]
    assert second.gaps == [(1, 1, 1), (3, 3, 1), (5, 5, 1)]
    outbox.append(draft(durable=False))
    assert second.events[-1] == (7, False)


def test_a_volatile_event_after_the_last_write_does_not_hold_up_a_new_stream(
    disk: SlowDisk, outbox: Outbox
) -> None:
    outbox.append(draft(durable=True))
    outbox.append(draft(durable=False))
    outbox.link_up(gateway := Gateway())
    disk.finish_all()
    assert gateway.events == [(1, True)]


def test_the_snapshot_is_asked_for_when_the_backlog_is_sent(disk: SlowDisk, outbox: Outbox) -> None:
    told: list[int] = []
    gateway = Gateway()
    outbox.caught_up = lambda: told.append(len(gateway.events))
    for _ in range(3):
        outbox.append(draft(durable=True))
    outbox.link_up(gateway)
    assert told == []
    disk.finish_all()
    assert told == [3]


def test_a_long_backlog_is_read_in_pages_within_the_window(disk: SlowDisk, outbox: Outbox) -> None:
    for _ in range(module.MAX_IN_FLIGHT + module.REPLAY_PAGE):
        outbox.append(draft(durable=True))
    disk.finish_all()
    outbox.link_up(gateway := Gateway())
    disk.finish_all()
    assert len(gateway.events) == module.MAX_IN_FLIGHT
    outbox.acknowledged("epoch", module.MAX_IN_FLIGHT - 12)
    disk.finish_all()
    assert [seq for seq, _ in gateway.events] == list(range(1, module.MAX_IN_FLIGHT + module.REPLAY_PAGE + 1))


def test_a_backlog_with_holes_longer_than_the_window_moves_with_acknowledgements_in_order(
    disk: SlowDisk, outbox: Outbox
) -> None:
    """A gateway can acknowledge only what it has without a hole: it must not have to wait for the rest."""
    calls = 3 * module.MAX_IN_FLIGHT
    for number in range(2 * calls):
        outbox.append(draft(durable=number % 2 == 1))
    disk.finish_all()
    outbox.link_up(gateway := Gateway())
    disk.finish_all()
    while outbox.unacknowledged:
        assert gateway.upto is not None
        assert outbox.acknowledged("epoch", gateway.upto)
        disk.finish_all()
    assert [seq for seq, _ in gateway.events] == list(range(2, 2 * calls + 1, 2))
    assert gateway.upto == 2 * calls


def test_a_link_that_takes_nothing_costs_bounded_memory(
    disk: SlowDisk, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_QUEUED", 100)
    monkeypatch.setattr(module, "MAX_IN_FLIGHT", 10)
    outbox.link_up(gateway := Gateway())
    for number in range(1000):
        outbox.append(draft(durable=number % 2 == 0))
        disk.finish_all()
    assert len(outbox._queue) <= 101
    while outbox.unacknowledged:
        outbox.acknowledged("epoch", gateway.events[-1][0])
        disk.finish_all()
    durable = [seq for seq, _ in gateway.events if seq % 2 == 1]
    assert durable == list(range(1, 1001, 2)), "each durable event once, in order"
    volatile = sum(1 for seq, _ in gateway.events if seq % 2 == 0)
    assert volatile + sum(count for _, _, count in gateway.gaps) == 500, "no volatile event is lost silently"


def test_a_clean_stop_leaves_no_gap(disk: SlowDisk, outbox: Outbox) -> None:
    outbox.append(draft(durable=True))
    outbox.close()
    disk.finish_all()
    again = Outbox(disk, disk.power_cut(), lambda: 0.0)
    assert again.last_seq == 1


def test_a_failed_write_stops_neither_the_link_nor_live_calls(disk: SlowDisk, outbox: Outbox) -> None:
    class FullDisk(SlowDisk):
        def write(self, batch: OutboxBatch, done: Callable[[BaseException | None], None]) -> None:
            self._jobs.append(lambda: done(OSError("disk full")))

    full = FullDisk()
    box = Outbox(full, NEW, lambda: 0.0)
    full.finish_all()
    box.link_up(gateway := Gateway())
    box.append(draft(durable=True))
    full.finish_all()
    assert gateway.events == [(1, False)]
    assert box.figures.unsafe_writes == 1


def test_the_lag_is_observed_from_event_to_acknowledgement(disk: SlowDisk) -> None:
    now, lags = [10.0], list[float]()
    box = Outbox(disk, NEW, lambda: now[0], observe_lag=lags.append)
    disk.finish_all()
    box.link_up(Gateway())
    box.append(draft(durable=True))
    now[0] = 10.25
    disk.finish_all()
    now[0] = 10.5
    box.acknowledged("epoch", 1)
    assert lags == [0.5]


class OutboxLife(RuleBasedStateMachine):
    """Appends, disk, links, acknowledgements and power cuts in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.disk = SlowDisk()
        self.box = Outbox(self.disk, NEW, lambda: 0.0)
        self.gateway: Gateway | None = None
        self.stored: set[int] = set()
        self.safe: set[int] = set()
        self.durable: set[int] = set()
        self.count = 0
        self.seen: dict[int, str] = {}
        self.gone: set[int] = set()

    @rule(durable=st.booleans())
    def append(self, durable: bool) -> None:
        self.count += 1
        seq = self.box.append(draft(durable=durable, body=f"{self.count}"))
        self.durable.discard(seq)  # never left the machine before a power cut: the number is free again
        if durable:
            self.durable.add(seq)

    @rule()
    def disk_works(self) -> None:
        self.disk.finish_one()
        self.safe |= self.disk.rows.keys()

    @rule()
    def link_comes(self) -> None:
        self.gateway = Gateway()
        self.box.link_up(self.gateway)

    @precondition(lambda self: self.gateway)
    @rule()
    def link_goes(self) -> None:
        self.gateway = None
        self.box.link_down()

    @precondition(lambda self: self.gateway and self.gateway.events)
    @rule(share=st.floats(0, 1))
    def acknowledge(self, share: float) -> None:
        assert self.gateway is not None
        events = self.gateway.events
        seq = events[round(share * (len(events) - 1))][0]
        self.stored |= {one for one, _ in events if one <= seq}
        self.box.acknowledged("epoch", seq)

    @rule()
    def power_fails(self) -> None:
        self.gateway = None
        self.box = Outbox(self.disk, self.disk.power_cut(), lambda: 0.0)

    @invariant()
    def what_was_safe_is_on_disk_or_at_the_gateway(self) -> None:
        assert self.safe <= self.disk.rows.keys() | self.stored

    @invariant()
    def a_stream_is_in_order(self) -> None:
        if self.gateway is not None:
            numbers = [seq for seq, _ in self.gateway.events]
            assert numbers == sorted(set(numbers))

    @invariant()
    def a_number_means_one_event_for_ever(self) -> None:
        if self.gateway is not None:
            for seq, body in self.gateway.bodies.items():
                assert self.seen.setdefault(seq, body) == body

    @invariant()
    def what_was_said_never_to_come_never_comes(self) -> None:
        if self.gateway is not None:
            for first, last, _ in self.gateway.gaps:
                self.gone.update(range(first, last + 1))
            assert not self.gone & self.gateway.bodies.keys()

    @invariant()
    def a_durable_event_is_never_sent_before_it_is_safe(self) -> None:
        if self.gateway is not None:
            sent = {seq for seq, _ in self.gateway.events} & self.durable
            self.safe |= self.disk.rows.keys()
            assert sent <= self.safe

    def teardown(self) -> None:
        """At the end a good link and a good disk carry everything that was safe."""
        self.link_comes()
        assert self.gateway is not None
        for _ in range(200):
            self.disk.finish_all()
            if self.gateway.events:
                self.acknowledge(1.0)
        assert self.safe <= self.stored
        assert self.box.unacknowledged == 0


OutboxLife.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestOutboxLife = OutboxLife.TestCase
