"""Nothing durable is lost, nothing is out of order, no number is used twice, no gap is silent."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from connector.bridge import delivery as module
from connector.bridge.drafts import Draft
from connector.bridge.keeping import ACK_WRITE_EVENTS
from connector.bridge.outbox import Outbox
from connector.bridge.replay import REPLAY_PAGE
from connector.domain.outbox import OutboxBatch, OutboxState
from tests.bridge.disks import SlowDisk
from tests.bridge.streams import Store, Stream

AT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
NEW = OutboxState("epoch", 0, 0, 0)


def draft(*, durable: bool, call: str = "c-1", body: str = "") -> Draft:
    return Draft(durable, "101", call, AT, None, body)


class Gateway(Stream):
    """A stream into a gateway of its own."""

    def __init__(self) -> None:
        super().__init__(Store())


@pytest.fixture
def disk() -> SlowDisk:
    return SlowDisk()


@pytest.fixture
def outbox(disk: SlowDisk) -> Outbox:
    box = Outbox(disk, NEW, lambda: 0.0, new_epoch=lambda: "new")
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


def carry(outbox: Outbox, disk: SlowDisk, stream: Stream) -> None:
    """Let everything arrive and be acknowledged until nothing moves any more."""
    before = -1
    while stream.carried != before:
        before = stream.carried
        disk.finish_all()
        stream.arrive()
        outbox.acknowledged(*stream.acknowledgement())
        disk.finish_all()


def test_a_long_backlog_is_read_in_pages_within_the_window(disk: SlowDisk, outbox: Outbox) -> None:
    total = 2 * REPLAY_PAGE + 50
    for _ in range(total):
        outbox.append(draft(durable=True))
    disk.finish_all()
    outbox.link_up(gateway := Gateway())
    disk.finish_all()
    assert len(gateway.events) == module.MAX_BACKLOG_IN_FLIGHT
    outbox.acknowledged("epoch", 100)
    disk.finish_all()
    assert len(gateway.events) == module.MAX_BACKLOG_IN_FLIGHT + 100
    carry(outbox, disk, gateway)
    assert [seq for seq, _ in gateway.events] == list(range(1, total + 1))


def test_a_backlog_with_holes_longer_than_the_window_moves_with_acknowledgements_in_order(
    disk: SlowDisk, outbox: Outbox
) -> None:
    """A gateway can acknowledge only what it has without a hole: it must not have to wait for the rest."""
    calls = 3 * module.MAX_BACKLOG_IN_FLIGHT
    for number in range(2 * calls):
        outbox.append(draft(durable=number % 2 == 1))
    disk.finish_all()
    outbox.link_up(gateway := Gateway())
    carry(outbox, disk, gateway)
    assert outbox.unacknowledged == 0
    assert [seq for seq, _ in gateway.events] == list(range(2, 2 * calls + 1, 2))


def test_a_link_that_takes_nothing_costs_bounded_memory(
    disk: SlowDisk, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_QUEUED", 100)
    monkeypatch.setattr(module, "MAX_DEFERRED", 100)
    monkeypatch.setattr(module, "MAX_IN_FLIGHT", 10)
    outbox.link_up(gateway := Gateway())
    most = 0
    for number in range(1000):
        outbox.append(draft(durable=number % 2 == 0))
        disk.finish_all()
        most = max(most, sum(1 for _ in outbox._delivery.untold()))
    assert most <= 200
    carry(outbox, disk, gateway)
    durable = [seq for seq, _ in gateway.events if seq % 2 == 1]
    assert durable == list(range(1, 1001, 2)), "each durable event once, in order"
    volatile = sum(1 for seq, _ in gateway.events if seq % 2 == 0)
    assert volatile + sum(count for _, _, count in gateway.gaps) == 500, "no volatile event is lost silently"


def test_a_clean_stop_leaves_no_gap(disk: SlowDisk, outbox: Outbox) -> None:
    outbox.append(draft(durable=True))
    outbox.close()
    disk.finish_all()
    again = Outbox(disk, disk.power_cut(), lambda: 0.0, new_epoch=lambda: "new")
    assert again.last_seq == 1


def test_a_failed_write_stops_neither_the_link_nor_live_calls(disk: SlowDisk, outbox: Outbox) -> None:
    class FullDisk(SlowDisk):
        def write(self, batch: OutboxBatch, done: Callable[[BaseException | None], None]) -> None:
            self._jobs.append(lambda: done(OSError("disk full")))

    full = FullDisk()
    box = Outbox(full, NEW, lambda: 0.0, new_epoch=lambda: "new")
    full.finish_all()
    box.link_up(gateway := Gateway())
    box.append(draft(durable=True))
    full.finish_all()
    assert gateway.events == [(1, False)]
    assert box.figures.unsafe_writes == 1


def test_the_lag_is_observed_from_event_to_acknowledgement(disk: SlowDisk) -> None:
    now, lags = [10.0], list[float]()
    box = Outbox(disk, NEW, lambda: now[0], new_epoch=lambda: "new", observe_lag=lags.append)
    disk.finish_all()
    box.link_up(Gateway())
    box.append(draft(durable=True))
    now[0] = 10.25
    disk.finish_all()
    now[0] = 10.5
    box.acknowledged("epoch", 1)
    assert lags == [0.5]


# Beside a backlog --------------------------------------------------------------------------------------


@pytest.fixture
def backlog(disk: SlowDisk, outbox: Outbox) -> Outbox:
    """300 ended calls and the living c-1 and c-2 wait on disk."""
    for number in range(300):
        outbox.append(Draft(True, "101", f"old-{number}", AT, "answered", ""))
    for call in ("c-1", "c-2"):
        outbox.append(draft(durable=True, call=call))
    disk.finish_all()
    return outbox


def test_a_new_call_does_not_wait_for_the_backlog(disk: SlowDisk, backlog: Outbox) -> None:
    backlog.link_up(gateway := Gateway())
    disk.finish_all()
    assert len(gateway.events) == module.MAX_BACKLOG_IN_FLIGHT
    seq = backlog.append(draft(durable=False, call="new"))
    assert gateway.events[-1] == (seq, False)
    seq = backlog.append(draft(durable=True, call="new"))
    disk.finish_all()
    assert gateway.events[-1] == (seq, False)


def test_the_first_number_of_a_stream_is_the_oldest(disk: SlowDisk, backlog: Outbox) -> None:
    """A gateway that has forgotten everything takes the first number that it sees for the beginning."""
    backlog.link_up(gateway := Gateway())
    seq = backlog.append(draft(durable=False, call="new"))
    assert gateway.events == []
    disk.finish_all()
    assert gateway.events[0] == (1, True)
    assert (seq, False) in gateway.events


def test_events_of_a_call_with_a_backlog_wait_behind_it_volatile_ones_too(
    disk: SlowDisk, backlog: Outbox
) -> None:
    backlog.link_up(gateway := Gateway())
    disk.finish_all()
    first = backlog.append(draft(durable=False, call="c-1", body="volatile"))
    backlog.append(draft(durable=True, call="c-1", body="durable"))
    other = backlog.append(draft(durable=True, call="new"))
    disk.finish_all()
    assert gateway.events[-1][0] == other
    carry(backlog, disk, gateway)
    numbers = [seq for seq, _ in gateway.events]
    assert numbers.index(301) < numbers.index(first) < numbers.index(first + 1)
    assert not gateway.gaps
    seq = backlog.append(draft(durable=False, call="c-1"))
    assert gateway.events[-1] == (seq, False), "its backlog is sent: it is live again"


@pytest.mark.parametrize("call", ["old-7", "of an earlier process"])
def test_a_late_event_goes_behind_what_may_be_of_its_call(disk: SlowDisk, backlog: Outbox, call: str) -> None:
    again = Outbox(disk, disk.power_cut(), lambda: 0.0, new_epoch=lambda: "new")
    again.link_up(gateway := Gateway())
    disk.finish_all()
    seq = again.append(Draft(True, "101", call, AT, None, "", late=True))
    disk.finish_all()
    assert seq not in [one for one, _ in gateway.events]
    carry(again, disk, gateway)
    assert gateway.events[-1][0] == seq


def test_what_is_held_above_a_backlog_frees_the_window_but_not_the_disk(
    disk: SlowDisk, backlog: Outbox
) -> None:
    backlog.link_up(gateway := Gateway())
    disk.finish_all()
    sent = [backlog.append(draft(durable=True, call=f"n-{n}")) for n in range(module.MAX_IN_FLIGHT + 50)]
    disk.finish_all()
    live = [seq for seq, replayed in gateway.events if not replayed]
    assert live == sent[: module.MAX_IN_FLIGHT]
    assert backlog.acknowledged("epoch", 0, ((sent[0], sent[99]),))
    live = [seq for seq, replayed in gateway.events if not replayed]
    assert live == sent
    disk.finish_all()
    assert set(sent) <= disk.rows.keys()
    carry(backlog, disk, gateway)
    assert backlog.unacknowledged == 0
    assert not disk.rows


def test_an_old_gateway_without_ranges_gets_everything_too(disk: SlowDisk, backlog: Outbox) -> None:
    backlog.link_up(gateway := Gateway())
    disk.finish_all()
    for number in range(module.MAX_IN_FLIGHT + 50):
        backlog.append(draft(durable=True, call=f"n-{number}"))
    while backlog.unacknowledged:
        disk.finish_all()
        gateway.arrive()
        epoch, seq, _ = gateway.acknowledgement()
        assert backlog.acknowledged(epoch, seq)
        disk.finish_all()
    assert len(gateway.store.order) == 302 + module.MAX_IN_FLIGHT + 50


@pytest.mark.parametrize("held", [((10**6, 10**6 + 1),)])
def test_a_range_of_numbers_that_do_not_exist_is_refused(
    disk: SlowDisk, backlog: Outbox, held: tuple[tuple[int, int], ...]
) -> None:
    backlog.link_up(Gateway())
    disk.finish_all()
    assert not backlog.acknowledged("epoch", 1, held)
    assert backlog.unacknowledged == 302


def test_too_many_holes_put_everything_behind_the_backlog(
    disk: SlowDisk, backlog: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The gateway bears so many; the agent keeps far below it."""
    monkeypatch.setattr("connector.bridge.told.MAX_RANGES", 3)
    backlog.link_up(gateway := Gateway())
    disk.finish_all()
    for number in range(10):
        backlog.append(draft(durable=True, call="c-1"))
        backlog.append(draft(durable=True, call=f"n-{number}"))
        disk.finish_all()
    gateway.arrive()
    assert len(gateway.store.numbers.held("epoch", 10)) == 3
    carry(backlog, disk, gateway)
    assert backlog.unacknowledged == 0
    assert len(gateway.store.order) == 322


# Pause and resumption ----------------------------------------------------------------------------------


def test_a_resumed_stream_goes_on_where_it_was(disk: SlowDisk, outbox: Outbox) -> None:
    outbox.link_up(gateway := Gateway())
    outbox.append(draft(durable=True))
    disk.finish_all()
    outbox.link_paused()
    outbox.append(draft(durable=False))
    outbox.append(draft(durable=True))
    disk.finish_all()
    assert [seq for seq, _ in gateway.events] == [1]
    outbox.link_resumed(gateway)
    assert gateway.events == [(1, False), (2, False), (3, False)]
    assert not gateway.gaps
    assert outbox.acknowledged("epoch", 3)


def test_a_new_stream_after_a_pause_repeats(disk: SlowDisk, outbox: Outbox) -> None:
    outbox.link_up(Gateway())
    outbox.append(draft(durable=True))
    disk.finish_all()
    outbox.link_paused()
    outbox.append(draft(durable=False))
    outbox.link_up(gateway := Gateway())
    disk.finish_all()
    assert gateway.events == [(1, True)]
    assert gateway.gaps == [(2, 2, 1)]


def test_volatile_events_of_a_long_pause_are_given_up_and_announced(disk: SlowDisk) -> None:
    now, told = [0.0], list[int]()
    gateway = Gateway()
    box = Outbox(
        disk, NEW, lambda: now[0], new_epoch=lambda: "new", caught_up=lambda: told.append(len(gateway.events))
    )
    box.link_up(gateway)
    disk.finish_all()
    box.link_paused()
    for durable in (False, True, False):
        box.append(draft(durable=durable))
        now[0] += module.MAX_PAUSE_SECONDS / 2 + 1
    disk.finish_all()
    box.link_resumed(gateway)
    disk.finish_all()
    assert gateway.events == [(2, True)]
    assert gateway.gaps == [(1, 1, 1), (3, 3, 1)]
    assert told == [0, 1], "a snapshot replaces them"


def test_a_pause_costs_bounded_memory(
    disk: SlowDisk, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_QUEUED", 10)
    outbox.link_up(gateway := Gateway())
    outbox.link_paused()
    for _ in range(50):
        outbox.append(draft(durable=True))
        assert sum(1 for _ in outbox._delivery.untold()) <= 10
    outbox.link_resumed(gateway)
    carry(outbox, disk, gateway)
    assert [seq for seq, _ in gateway.events] == list(range(1, 51))


def test_a_restarted_process_goes_on_with_the_stream_of_the_one_before(
    disk: SlowDisk, outbox: Outbox
) -> None:
    outbox.link_up(before := Gateway())
    for _ in range(5):
        outbox.append(draft(durable=True))
    disk.finish_all()
    told = outbox.told_seq
    again = Outbox(disk, disk.power_cut(), lambda: 0.0, new_epoch=lambda: "new")
    again.link_resumed(after := Gateway(), sent_seq=told)
    again.append(draft(durable=True))
    disk.finish_all()
    assert told == 5
    assert min(seq for seq, _ in after.events) > 5
    before.arrive()
    assert again.acknowledged(*before.acknowledgement())
    disk.finish_all()
    assert again.unacknowledged == 1


# A disk that fails -------------------------------------------------------------------------------------


def test_what_the_disk_refused_is_sent_from_memory_and_written_when_it_works(
    disk: SlowDisk, outbox: Outbox
) -> None:
    disk.is_failing = True
    seqs = [outbox.append(draft(durable=True)) for _ in range(3)]
    disk.finish_all()
    assert outbox.unsafe == 3
    disk.is_failing = False
    outbox.disk_works()
    disk.finish_all()
    assert (outbox.unsafe, sorted(disk.rows)) == (0, seqs)
    assert outbox.unacknowledged == 3


def test_a_backlog_in_memory_comes_although_the_disk_can_only_be_read(disk: SlowDisk, outbox: Outbox) -> None:
    outbox.append(draft(durable=True))
    disk.finish_all()
    disk.refuses_writes = True
    outbox.append(draft(durable=True))
    outbox.append(draft(durable=False))
    disk.finish_all()
    outbox.link_up(gateway := Gateway())
    disk.finish_all()
    assert [seq for seq, _ in gateway.events] == [1, 2]
    assert gateway.gaps == [(3, 3, 1)]


def test_a_disk_that_cannot_be_read_does_not_stop_live_calls_and_loses_nothing(disk: SlowDisk) -> None:
    now = [0.0]
    box = Outbox(disk, NEW, lambda: now[0], new_epoch=lambda: "new")
    box.append(draft(durable=True))
    disk.finish_all()
    disk.is_failing = True
    box.link_up(gateway := Gateway())
    live = box.append(draft(durable=True, call="new"))
    disk.finish_all()
    assert gateway.events == [(live, False)]
    assert not gateway.gaps
    disk.is_failing = False
    box.disk_works()
    disk.finish_all()
    assert sorted(gateway.events) == [(1, True), (live, False)]


def test_events_that_fit_nowhere_are_announced_as_lost(
    disk: SlowDisk, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.bridge.keeping.MAX_UNSAFE", 2)
    disk.is_failing = True
    for durable in (True, True, True, False, True):
        outbox.append(draft(durable=durable))
    disk.finish_all()
    disk.is_failing = False
    outbox.disk_works()
    outbox.link_up(gateway := Gateway())
    carry(outbox, disk, gateway)
    assert [seq for seq, _ in gateway.events] == [1, 2]
    assert gateway.lost == [(3, 5, 2)]
    assert gateway.gaps == [(3, 5, 1)]
    assert outbox.figures.lost_durable == 2
    assert gateway.store.numbers.upto("epoch") == 5


def test_a_refusing_disk_is_tried_again_after_a_while(disk: SlowDisk) -> None:
    now = [0.0]
    box = Outbox(disk, NEW, lambda: now[0], new_epoch=lambda: "new")
    disk.finish_all()
    disk.is_failing = True
    box.append(draft(durable=True))
    disk.finish_all()
    disk.is_failing = False
    box.append(draft(durable=True))
    disk.finish_all()
    assert not disk.rows
    now[0] += 1.0
    box.append(draft(durable=True))
    disk.finish_all()
    assert sorted(disk.rows) == [1, 2, 3]


def test_numbers_that_a_restart_could_use_again_are_never_used(
    disk: SlowDisk, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk refuses for longer than the numbers last that it gave: those of another epoch are used."""
    outbox.append(draft(durable=True, body="safe"))
    disk.finish_all()
    reserved = disk.reserved
    disk.is_failing = True
    outbox.link_up(gateway := Gateway())
    for number in range(reserved + 10):
        outbox.append(draft(durable=True, call=f"n-{number}", body=str(number)))
        disk.finish_all()
        gateway.arrive()
        outbox.acknowledged(*gateway.acknowledgement())
    assert outbox.epoch == "new"
    assert max(seq for epoch, seq in gateway.store.bodies if epoch == "epoch") <= reserved
    disk.is_failing = False
    outbox.disk_works()
    carry(outbox, disk, gateway)
    assert outbox.epoch == "epoch"
    came = {body for _, body in gateway.store.order}
    assert came == {"safe", *map(str, range(reserved + 10))}
    assert outbox.unacknowledged == 0


def test_a_start_without_a_disk_works_in_memory_and_keeps_when_it_can(disk: SlowDisk) -> None:
    """The store of before comes back: its rows are sent, and what happened meanwhile."""
    first = Outbox(disk, NEW, lambda: 0.0, new_epoch=lambda: "new")
    first.append(draft(durable=True, body="before"))
    disk.finish_all()
    disk.power_cut()
    homeless = OutboxState("memory", 0, 0, 0, is_stored=False)
    box = Outbox(disk, homeless, lambda: 0.0, new_epoch=lambda: "new")
    box.append(draft(durable=True, body="meanwhile"))
    disk.finish_all()
    assert box.unacknowledged == box.unsafe == 1
    box.disk_works()
    disk.finish_all()
    assert (box.epoch, box.unsafe, len(disk.rows)) == ("epoch", 0, 2)
    box.link_up(gateway := Gateway())
    carry(box, disk, gateway)
    assert [body for _, body in gateway.store.order] == ["before", "meanwhile"]


def test_a_damaged_store_is_announced_and_what_memory_has_goes_on(disk: SlowDisk, outbox: Outbox) -> None:
    for number in range(3):
        outbox.append(draft(durable=True, body=str(number)))
    disk.finish_all()
    disk.swap("second")
    outbox.append(draft(durable=True, body="kept"))
    outbox.append(draft(durable=False, body="given up"))
    disk.finish_all()
    assert outbox.unsafe == 1, "the other file does not take numbers of this one"
    outbox.store_replaced()
    disk.finish_all()
    outbox.link_up(gateway := Gateway())
    carry(outbox, disk, gateway)
    assert outbox.epoch == "second"
    assert [body for _, body in gateway.store.order] == ["kept"]
    assert outbox.unacknowledged == 0
