"""Everything that can happen to an outbox, in any order: nothing durable is lost, nothing is silent."""

from collections import Counter
from datetime import UTC, datetime

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from connector.bridge import call_order, delivery, keeping, replay, told
from connector.bridge.drafts import Draft
from connector.bridge.outbox import Outbox
from connector.domain.outbox import OutboxState
from tests.bridge.disks import SlowDisk
from tests.bridge.streams import Store, Stream

AT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
# Small enough for a few dozen steps to meet them.
SMALL = (
    (delivery, "MAX_IN_FLIGHT", 3),
    (delivery, "MAX_BACKLOG_IN_FLIGHT", 2),
    (delivery, "MAX_QUEUED", 6),
    (delivery, "MAX_DEFERRED", 2),
    (replay, "REPLAY_PAGE", 2),
    (told, "MAX_RANGES", 2),
    (keeping, "ACK_WRITE_EVENTS", 2),
    (keeping, "MAX_WRITE", 3),
    (keeping, "MAX_UNSAFE", 3),
    (call_order, "MAX_CALLS", 2),
)
CALLS = 4


class OutboxLife(RuleBasedStateMachine):
    """Events, disk, streams, acknowledgements, pauses, resumptions, failures and kills."""

    def __init__(self) -> None:
        super().__init__()
        self._before = [(module, name, getattr(module, name)) for module, name, _ in SMALL]
        for module, name, value in SMALL:
            setattr(module, name, value)
        self.now = 0.0
        self.disk = SlowDisk()
        self.store = Store()
        self.stream: Stream | None = None
        self.paused: Stream | None = None
        self.processes = self.epochs = 0
        self.count = 0
        self.ended: set[str] = set()
        # Durable events by their body: those of this process, and those known to be safe.
        self.durable: set[str] = set()
        self.safe: set[str] = set()
        self.begin(OutboxState("epoch", 0, 0, 0))

    def begin(self, state: OutboxState) -> None:
        self.processes += 1
        self.box = Outbox(self.disk, state, lambda: self.now, new_epoch=self.new_epoch)

    # What happens -------------------------------------------------------------------------------------

    @rule(durable=st.booleans(), call=st.integers(0, CALLS - 1), ends=st.booleans())
    def append(self, durable: bool, call: int, ends: bool) -> None:
        name = f"{self.processes}-{call}"
        if name in self.ended:
            return
        if ends and durable:
            self.ended.add(name)
        self.put(Draft(durable, "101", name, AT, "answered" if ends and durable else None, self.body()))

    @rule(process=st.integers(1, 3), call=st.integers(0, CALLS - 1))
    def append_late(self, process: int, call: int) -> None:
        name = f"{min(process, self.processes)}-{call}"
        self.put(Draft(True, "101", name, AT, None, self.body(), late=True))

    @rule()
    def disk_works(self) -> None:
        self.disk.finish_one()
        self.note_safe()

    @rule()
    def disk_fails(self) -> None:
        self.disk.is_failing = True

    @precondition(lambda self: self.disk.is_failing)
    @rule(is_told=st.booleans())
    def disk_recovers(self, is_told: bool) -> None:
        self.disk.is_failing = False
        if is_told:
            self.box.disk_works()

    @rule(seconds=st.sampled_from((0.5, 2.0, 31.0)))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def stream_begins(self) -> None:
        self.paused = None
        self.stream = Stream(self.store)
        self.box.link_up(self.stream)

    @precondition(lambda self: self.stream or self.paused)
    @rule()
    def stream_ends(self) -> None:
        self.stream = self.paused = None
        self.box.link_down()

    @precondition(lambda self: self.stream)
    @rule()
    def stream_pauses(self) -> None:
        self.paused, self.stream = self.stream, None
        self.box.link_paused()

    @precondition(lambda self: self.paused)
    @rule()
    def stream_resumes(self) -> None:
        assert self.paused is not None
        self.stream, self.paused = self.paused, None
        self.box.link_resumed(self.stream)

    @precondition(lambda self: self.stream)
    @rule(count=st.integers(1, 6))
    def events_arrive(self, count: int) -> None:
        assert self.stream is not None
        self.stream.arrive(count)

    @precondition(lambda self: self.stream)
    @rule(with_ranges=st.booleans())
    def gateway_acknowledges(self, with_ranges: bool) -> None:
        assert self.stream is not None
        epoch, seq, held = self.stream.acknowledgement()
        self.box.acknowledged(epoch, seq, held if with_ranges else ())

    @rule()
    def process_is_killed(self) -> None:
        self.stream = self.paused = None
        self.restart()

    @precondition(lambda self: self.stream or self.paused)
    @rule(behind=st.integers(0, 3))
    def process_is_killed_and_resumes(self, behind: int) -> None:
        """The journal of the stream knows what it was given; the number beside it may be a little older."""
        stream = self.stream or self.paused
        assert stream is not None
        sent_seq = max(0, self.box.told_seq - behind)
        self.restart()
        self.paused = None
        self.stream = stream.resumed_by_another_process()
        self.box.link_resumed(self.stream, sent_seq=sent_seq)

    # What holds ---------------------------------------------------------------------------------------

    @invariant()
    def what_was_safe_is_on_disk_or_on_its_way(self) -> None:
        on_disk = {entry.body for entry in self.disk.rows.values()}
        assert self.safe <= on_disk | self.arrived()

    @invariant()
    def the_gateway_has_each_call_in_order(self) -> None:
        newest: Counter[str] = Counter()
        for call, body in self.store.order[-50:]:
            assert int(body) > newest[call], f"call {call}"
            newest[call] = int(body)

    def teardown(self) -> None:
        """At the end a good link and a good disk carry everything that is to be had."""
        self.disk.is_failing = False
        self.box.disk_works()
        self.stream_begins()
        assert self.stream is not None
        for _ in range(200):
            self.disk.finish_all()
            self.stream.arrive()
            self.now += 2.0
            self.box.acknowledged(*self.stream.acknowledgement())
        for module, name, value in self._before:
            setattr(module, name, value)
        self.the_gateway_has_each_call_in_order()
        assert self.safe <= self.arrived()
        missing = self.durable - self.arrived()
        assert len(missing) <= self.store.lost_durable, "every loss is announced, class and all"
        assert self.box.unacknowledged == 0
        self.box.close()
        self.disk.finish_all()
        assert not self.disk.rows
        assert self.store.numbers.upto(self.box.epoch) in (self.box.last_seq, None), "no number is silent"

    # Helpers ------------------------------------------------------------------------------------------

    def body(self) -> str:
        self.count += 1
        return str(self.count)

    def put(self, draft: Draft) -> None:
        self.box.append(draft)
        if draft.durable:
            self.durable.add(draft.body)

    def note_safe(self) -> None:
        self.safe |= {entry.body for entry in self.disk.rows.values()}

    def arrived(self) -> set[str]:
        return self.store.arrived

    def new_epoch(self) -> str:
        self.epochs += 1
        return f"memory-{self.epochs}"

    def restart(self) -> None:
        """What was only in the memory of the process is gone, with nobody left to announce it."""
        self.disk.is_failing = False
        state = self.disk.power_cut()
        self.durable = {body for body in self.durable if body in self.safe}
        self.begin(state)


OutboxLife.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
TestOutboxLife = OutboxLife.TestCase


def test_what_memory_had_no_room_for_while_the_first_store_was_away_is_announced() -> None:
    """A disk that never took anything, more events than memory keeps, and the disk back in a stream."""
    life = OutboxLife()
    life.disk_fails()
    life.append_late(0, 1)
    life.append_late(0, 1)
    life.disk_works()
    life.append_late(0, 1)
    life.disk_recovers(is_told=True)
    life.append_late(0, 1)
    life.teardown()
