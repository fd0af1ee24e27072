"""The way of every event to the cloud: numbered, made durable, sent in order, repeated until acknowledged.

Durable events are on disk before they are sent; volatile ones wait only behind durable ones, so that there is
one order. What the gateway has not acknowledged when a new stream begins is read back from disk; the volatile
events of that time are gone, and the gap is announced.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from connector.domain.outbox import EventSender, OutboxBatch, OutboxDisk, OutboxEntry, OutboxState

# Sent and not yet acknowledged: 6 of the gateway's acknowledgement windows (64), about 800 kB at most. With a
# gap before each of them it still fits the 1,024 stanzas that a stream may have open (XEP-0198).
MAX_IN_FLIGHT = 384
# Kept in memory for a link that takes less than comes in; beyond it the disk is read again instead.
MAX_QUEUED = 10_000
# Entries of one page when the disk is read back.
REPLAY_PAGE = 200
# Sequence numbers are taken from the disk in blocks, so that a restart never uses one twice although
# volatile events are not written.
RESERVE_BLOCK = 2_000
# Acknowledged events are deleted in groups of so many: a write of its own for each would double the flushes
# at a steady pace. After a crash that many are sent again, which the gateway knows to drop.
ACK_WRITE_EVENTS = 64


@dataclass(frozen=True, slots=True)
class Draft:
    """An event before it has a number."""

    durable: bool
    device: str
    call: str
    at: datetime
    end: str | None
    body: str


@dataclass(slots=True)
class OutboxFigures:
    """Plain counters, read at scrape time."""

    sent: int = 0
    acknowledged: int = 0
    dropped_volatile: int = 0
    unsafe_writes: int = 0
    bad_acknowledgements: int = 0


@dataclass(slots=True)
class _Replay:
    """Reading back what the disk holds up to `last_seq`, the newest number at the time the replay began.

    It can begin when `durable_seq`, the newest durable one of that time, is on disk.
    """

    after_seq: int
    last_seq: int
    durable_seq: int
    is_reading: bool = False
    is_exhausted: bool = False


class Outbox:
    """All methods run on the loop and return at once.

    `observe_lag(seconds)` is told how long an event took from the PBX to the gateway's acknowledgement;
    `caught_up()` is called when a new stream has been given all that the disk held.
    """

    def __init__(
        self,
        disk: OutboxDisk,
        state: OutboxState,
        monotonic: Callable[[], float],
        *,
        observe_lag: Callable[[float], None] = lambda _: None,
        caught_up: Callable[[], None] = lambda: None,
    ) -> None:
        self._disk = disk
        self._monotonic = monotonic
        self.observe_lag = observe_lag
        self.caught_up = caught_up
        self.epoch = state.epoch
        self.figures = OutboxFigures()
        self._last_seq = state.last_seq
        self._acknowledged_seq = state.acknowledged_seq
        self._unacknowledged_durable = state.unacknowledged
        self._durable_seqs: deque[int] = deque()
        self._stored_before = state.unacknowledged
        self._stored_before_seq = state.last_seq
        self._reserved_seq = state.last_seq
        self._reserve_wanted = state.last_seq + RESERVE_BLOCK
        self._to_write: list[OutboxEntry] = []
        self._is_writing = False
        self._is_closing = False
        self._written_ack = state.acknowledged_seq
        self._safe_seq = state.last_seq
        self._last_durable_seq = 0
        self._told_seq = state.acknowledged_seq
        self._queue: deque[tuple[OutboxEntry, float]] = deque()
        self._replay_page: deque[OutboxEntry] = deque()
        self._sender: EventSender | None = None
        self._replay: _Replay | None = None
        self._sent_seq = state.acknowledged_seq
        self._in_flight: deque[tuple[int, float | None]] = deque()
        self._write()

    @property
    def last_seq(self) -> int:
        """The newest sequence number given to an event."""
        return self._last_seq

    @property
    def unacknowledged(self) -> int:
        """Durable events that the gateway has not acknowledged."""
        return self._stored_before + len(self._durable_seqs)

    def append(self, draft: Draft) -> int:
        """Take an event; returns its sequence number."""
        self._last_seq = seq = self._last_seq + 1
        entry = OutboxEntry(seq, draft.durable, draft.device, draft.call, draft.at, draft.end, draft.body)
        if draft.durable:
            self._last_durable_seq = seq
            self._durable_seqs.append(seq)
            self._to_write.append(entry)
        if self._sender is not None:
            self._queue.append((entry, self._monotonic()))
            if len(self._queue) > MAX_QUEUED:
                self._fall_behind()
        elif not draft.durable:
            self.figures.dropped_volatile += 1
        self._write()
        self._drain()
        return seq

    def link_up(self, sender: EventSender) -> None:
        """A new stream takes events: first what is not acknowledged, then what comes."""
        self._sender = sender
        self._in_flight.clear()
        self._told_seq = self._acknowledged_seq
        self._begin_replay(self._acknowledged_seq)
        self._drain()

    def link_down(self) -> None:
        """The stream is gone. What it had not acknowledged stays on disk; volatile events are dropped."""
        self._sender = None
        self._replay = None
        self._in_flight.clear()
        self._drop_queue()

    def acknowledged(self, epoch: str, seq: int) -> bool:
        """The gateway holds everything up to `seq`. False when it claims what it can't hold."""
        if epoch != self.epoch or seq > self._sent_seq:
            self.figures.bad_acknowledgements += 1
            return False
        if seq <= self._acknowledged_seq:
            return True
        self._acknowledged_seq = seq
        self._forget_durable(seq)
        self._forget_in_flight(seq)
        self._write()
        self._drain()
        return True

    def close(self) -> None:
        """Write down the exact newest number, so that the next start announces no gap; nothing follows."""
        self.link_down()
        self._is_closing = True
        self._reserve_wanted = self._last_seq
        self._write()

    # The disk ----------------------------------------------------------------------------------------

    def _write(self) -> None:
        """Start a write of all that waits, unless one is under way: its end starts the next."""
        if self._is_writing:
            return
        if not self._is_closing and self._reserve_wanted - self._last_seq < RESERVE_BLOCK // 2:
            self._reserve_wanted = self._last_seq + RESERVE_BLOCK
        has_reserved = self._reserved_seq == self._reserve_wanted
        if not self._to_write and has_reserved and not self._has_acks_to_write():
            return
        self._is_writing = True
        entries, self._to_write = self._to_write, []
        newest, reserve = self._last_seq, self._reserve_wanted
        if self._has_acks_to_write():
            self._written_ack = self._acknowledged_seq
        batch = OutboxBatch(entries, self._written_ack, reserve)
        self._disk.write(batch, lambda error: self._written(error, newest, reserve, len(entries)))

    def _has_acks_to_write(self) -> bool:
        freed = self._acknowledged_seq - self._written_ack
        return freed >= ACK_WRITE_EVENTS or (self._is_closing and freed > 0)

    def _written(self, error: BaseException | None, newest: int, reserve: int, count: int) -> None:
        self._is_writing = False
        if error is not None:
            # The link and live calls go on; the figure raises the alarm.
            self.figures.unsafe_writes += count
        self._reserved_seq = reserve
        self._safe_seq = max(self._safe_seq, newest)
        self._write()
        self._drain()

    def _forget_durable(self, seq: int) -> None:
        while self._durable_seqs and self._durable_seqs[0] <= seq:
            self._durable_seqs.popleft()

    def _forget_in_flight(self, seq: int) -> None:
        now = self._monotonic()
        while self._in_flight and self._in_flight[0][0] <= seq:
            sent_seq, appended_at = self._in_flight.popleft()
            self.figures.acknowledged += 1
            if appended_at is not None:
                self.observe_lag(now - appended_at)
            elif sent_seq <= self._stored_before_seq:
                self._stored_before -= 1

    # The link ----------------------------------------------------------------------------------------

    def _drain(self) -> None:
        sender = self._sender
        if sender is None:
            return
        if self._replay is not None:
            self._drain_replay(sender, self._replay)
            if self._replay is not None:
                return
        queue, in_flight = self._queue, self._in_flight
        if not queue or len(in_flight) >= MAX_IN_FLIGHT:
            return
        while queue and len(in_flight) < MAX_IN_FLIGHT:
            entry, appended_at = queue[0]
            if entry.seq > self._reserved_seq or (entry.durable and entry.seq > self._safe_seq):
                return
            queue.popleft()
            self._send(sender, entry, appended_at)

    def _send(self, sender: EventSender, entry: OutboxEntry, appended_at: float | None) -> None:
        """`appended_at` is None for an entry that was read back."""
        self._sent_seq = max(self._sent_seq, entry.seq)
        self._told_seq = entry.seq
        self._in_flight.append((entry.seq, appended_at))
        self.figures.sent += 1
        sender.send_event(entry, self.epoch, replayed=appended_at is None)

    def _begin_replay(self, after_seq: int) -> None:
        self._drop_queue()
        self._replay_page.clear()
        self._replay = None
        if self._last_seq > after_seq:
            self._replay = _Replay(after_seq, self._last_seq, self._last_durable_seq)
        else:
            self.caught_up()

    def _drain_replay(self, sender: EventSender, replay: _Replay) -> None:
        while self._replay_page and len(self._in_flight) < MAX_IN_FLIGHT:
            entry = self._replay_page.popleft()
            self._skip_to(sender, entry.seq)
            replay.after_seq = entry.seq
            self._send(sender, entry, None)
        if self._replay_page:
            return
        if replay.is_exhausted:
            self._replay = None
            self._skip_to(sender, replay.last_seq + 1)
            self.caught_up()
        elif not replay.is_reading and self._is_settled(replay):
            replay.is_reading = True
            self._disk.read(replay.after_seq, REPLAY_PAGE, lambda page: self._page_read(replay, page))

    def _is_settled(self, replay: _Replay) -> bool:
        """Whether the disk holds all that the replay needs, and no later start can use its numbers again."""
        return self._safe_seq >= replay.durable_seq and self._reserved_seq >= replay.last_seq

    def _page_read(self, replay: _Replay, page: Sequence[OutboxEntry]) -> None:
        if replay is not self._replay:
            return  # the stream that asked for it is gone
        replay.is_reading = False
        wanted = [entry for entry in page if entry.seq <= replay.last_seq]
        replay.is_exhausted = len(wanted) < REPLAY_PAGE
        self._replay_page.extend(wanted)
        self._drain()

    def _fall_behind(self) -> None:
        """The link takes less than comes in: give up the memory, go on from the disk."""
        self._begin_replay(self._told_seq)

    def _skip_to(self, sender: EventSender, seq: int) -> None:
        """Announce the numbers before `seq` that will never come.

        Each gap goes in its place of the sequence: one for all at the beginning could not be acknowledged
        before its last number is there, and a backlog longer than the window would wait for ever.
        """
        first_seq = self._told_seq + 1
        if first_seq < seq:
            sender.send_gap(self.epoch, first_seq, seq - 1, seq - first_seq)
            self._told_seq = seq - 1
            self._sent_seq = max(self._sent_seq, seq - 1)

    def _drop_queue(self) -> None:
        self.figures.dropped_volatile += sum(1 for entry, _ in self._queue if not entry.durable)
        self._queue.clear()
