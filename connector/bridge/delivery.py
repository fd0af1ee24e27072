"""Two lanes into one stream: live events, and beside them the backlog that is read back from the disk.

Live events go first, and the backlog has a window of its own, so that neither starves the other. An event of
a call that has events in the backlog joins the backlog: order is kept within each call.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from connector.bridge.call_order import CallOrder
from connector.bridge.drafts import Gap
from connector.bridge.keeping import Keeper
from connector.bridge.pace import Pace
from connector.bridge.replay import Replay, Waiting
from connector.bridge.told import Told
from connector.domain.outbox import EventSender, OutboxDisk, OutboxEntry, OutboxPage

# Live events sent and not yet acknowledged: 6 of the gateway's acknowledgement windows (64), 800 kB at most.
MAX_IN_FLIGHT = 384
# The same for the backlog. With gaps of both classes before each, and the live events beside, it still fits
# the 1,024 stanzas that a stream may have open (XEP-0198).
MAX_BACKLOG_IN_FLIGHT = 192
# Kept in memory for a link that takes less than comes in; beyond it the disk is read again instead.
MAX_QUEUED = 10_000
# Volatile events of calls that wait behind a backlog; beyond it they are given up.
MAX_DEFERRED = 1_000
# Past such a pause the old states of calls are of no use: a snapshot replaces them (design, section 6).
MAX_PAUSE_SECONDS = 30.0


class Delivery:
    """Gives the entries of one epoch to one stream after the other.

    `caught_up()` is called when a stream was given all that it had missed; `observe_lag(seconds)` for each
    live event that was acknowledged; `lost(count)` for durable events that are announced as such.
    """

    def __init__(self, epoch: str, disk: OutboxDisk, keeper: Keeper, order: CallOrder, pace: Pace) -> None:
        self._epoch = epoch
        self._disk = disk
        self._keeper = keeper
        self._order = order
        self._pace = pace
        self._figures = keeper.figures
        self.monotonic: Callable[[], float] = keeper.monotonic
        self.caught_up: Callable[[], None] = lambda: None
        self.observe_lag: Callable[[float], None] = lambda _: None
        self.lost: Callable[[int], None] = lambda _: None
        self.sender: EventSender | None = None
        self.paused_at: float | None = None
        self._queue: deque[Waiting] = deque()
        self._deferred: dict[int, Waiting] = {}
        self._live_in_flight: deque[Waiting] = deque()
        self._backlog_in_flight: deque[Waiting] = deque()
        self._replay = Replay()
        # The suspect that is on its way alone, or waits for that; 0 if there is none.
        self._on_trial = 0
        self._most_told = 0
        self.told = Told(0)
        self.begin(0)

    # Streams -----------------------------------------------------------------------------------------

    def begin(self, told_seq: int, *, has_begun: bool = False) -> None:
        """Another stream, which was given everything up to `told_seq` (with `has_begun`, by itself)."""
        self._most_told = max(self._most_told, self.told.upto, told_seq)
        self.told = Told(told_seq)
        self._replay.is_over = True
        self._replay = Replay()
        self._target = self._keeper.last_seq
        # The gateway takes the first number it is told for the oldest there is: the backlog goes first.
        self._has_begun = has_begun or self._target <= told_seq
        self._has_expired = False
        self._on_trial = 0
        # To an offended gateway events go apart from all that a stream begins with: else that is blamed.
        self._waits_for_clear = not self._pace.is_full
        self._is_behind = True
        self._held_seq = 0
        # What an earlier process gave this stream is not in flight here, so that it can't be counted.
        self._uncounted_seq = told_seq

    def recall(self, told: Told) -> None:
        """The stream was given these numbers already."""
        self.told = told
        self._uncounted_seq = told.newest
        self._target = self._keeper.last_seq

    def give_up(self) -> None:
        """The stream is gone: what it had not acknowledged is backlog, volatile events are dropped."""
        for one in chain(self._backlog_in_flight, self._live_in_flight):
            if one.entry.durable:
                self._note(one.entry)
        self._backlog_in_flight.clear()
        self._live_in_flight.clear()
        self._fall_behind()
        self.sender = self.paused_at = None

    def resume(self, sender: EventSender) -> None:
        """The paused stream goes on."""
        self._expire_pause()
        self._has_expired = False
        self.sender, self.paused_at = sender, None

    @property
    def most_told(self) -> int:
        """Up to here every number was told, in this stream or an earlier one."""
        return max(self._most_told, self.told.upto)

    def is_live(self) -> bool:
        """Whether an event of now is kept in memory for the stream."""
        return self.sender is not None or (self.paused_at is not None and not self._has_expired)

    def untold(self) -> Iterator[OutboxEntry]:
        """What waits in memory for its turn."""
        return (one.entry for one in chain(self._queue, self._deferred.values()))

    def durable_in_flight(self) -> int:
        """How many durable events from the disk are on their way."""
        lanes = chain(self._backlog_in_flight, self._live_in_flight)
        return sum(one.entry.durable and one.entry.seq not in self._keeper.unsafe for one in lanes)

    # What comes --------------------------------------------------------------------------------------

    def offer(self, entry: OutboxEntry, *, late: bool) -> None:
        """Take the newest entry: for the live lane, or behind what is not told of its call."""
        if self.paused_at is not None:
            self._expire_pause()
        is_live = self.sender is not None or self.is_live()
        order = self._order
        if is_live and (not order.newest or order.behind(entry.call, late=late) in self.told):
            self._queue.append(Waiting(entry, self.monotonic()))
            if len(self._queue) > MAX_QUEUED:
                self._fall_behind()
            return
        self._target = entry.seq
        if not entry.durable:
            if not is_live or len(self._deferred) >= MAX_DEFERRED:
                self._figures.dropped_volatile += 1
                return
            self._deferred[entry.seq] = Waiting(entry, self.monotonic())
        self._order.note(entry.call, entry.seq, is_over=late or entry.end is not None)

    def _expire_pause(self) -> None:
        if self.paused_at is None or self._has_expired:
            return
        if self.monotonic() - self.paused_at > MAX_PAUSE_SECONDS:
            self._fall_behind()
            self._has_expired = True

    def _fall_behind(self) -> None:
        """The link takes less than comes in: give up the memory, go on from the disk."""
        for one in chain(self._queue, self._deferred.values()):
            if one.entry.durable:
                self._note(one.entry)
            else:
                self._figures.dropped_volatile += 1
        self._queue.clear()
        self._deferred.clear()
        self._on_trial = 0
        self._target = self._keeper.last_seq

    def _note(self, entry: OutboxEntry) -> None:
        self._order.note(entry.call, entry.seq, is_over=entry.end is not None)

    # What goes ---------------------------------------------------------------------------------------

    def drain(self) -> None:
        """Send what may be sent."""
        sender = self.sender
        if sender is None:
            return
        if self._queue and self._has_begun:
            self._drain_live(sender)
        if self._is_behind or self._target > self.told.upto:
            self._is_behind = True
            self._drain_backlog(sender)
            if self._queue and self._has_begun:
                self._drain_live(sender)

    def retry(self) -> None:
        """The disk may be readable again."""
        self._replay.retry()
        self.drain()

    def _drain_live(self, sender: EventSender) -> None:
        queue, in_flight, keeper = self._queue, self._live_in_flight, self._keeper
        window = self._window(MAX_IN_FLIGHT)
        while queue and len(in_flight) < window:
            waiting = queue[0]
            if not keeper.may_send(waiting.entry) or self._must_wait(waiting.entry.seq, sender):
                return
            if not self.told.add(waiting.entry.seq):
                self._fall_behind()
                return
            queue.popleft()
            in_flight.append(waiting)
            self._figures.sent += 1
            sender.send_event(waiting.entry, self._epoch, replayed=False)

    def _drain_backlog(self, sender: EventSender) -> None:
        self._send_page(sender)
        if self._replay.page:
            return
        if self.told.upto >= self._target:
            if self._backlog_in_flight and not self._pace.is_full:
                return  # what follows would be blamed for the last of them
            self._is_behind = False
            self._has_begun = True
            self.caught_up()
            return
        horizon = min(self._target, self._keeper.settled_seq)
        if self._queue:
            horizon = min(horizon, self._queue[0].entry.seq - 1)  # these come by the other lane
        if horizon > self.told.upto:
            after_seq, now = self.told.upto, self.monotonic()
            self._replay.read(self._disk, after_seq, now, lambda page: self._page_read(page, horizon))

    def _page_read(self, page: OutboxPage | None, horizon: int) -> None:
        if page is None:
            self._has_begun = True  # a disk that can't be read does not stop live calls
        else:
            for seq in page.damaged:
                self._keeper.note_lost(seq)
            kept = (Waiting(entry, None) for entry in self._keeper.unsafe.values())
            self._replay.take(page, horizon, chain(kept, self._deferred.values()))
        self.drain()

    def _send_page(self, sender: EventSender) -> None:
        page, in_flight, quarantined = self._replay.page, self._backlog_in_flight, self._keeper.quarantined
        window = self._window(MAX_BACKLOG_IN_FLIGHT)
        while page and len(in_flight) < window:
            waiting = page[0]
            seq = waiting.entry.seq
            is_over = seq in self.told or seq in quarantined
            if not is_over and self._must_wait(seq, sender):
                return
            page.popleft()
            self._deferred.pop(seq, None)
            if is_over:
                continue
            self._skip_until(sender, seq - 1)
            self.told.advance(seq)
            in_flight.append(waiting)
            self._has_begun = True
            self._figures.sent += 1
            sender.send_event(waiting.entry, self._epoch, replayed=waiting.appended_at is None)
        if not page:
            self._skip_until(sender, self._replay.page_end)

    def _skip_until(self, sender: EventSender, last_seq: int) -> None:
        """Announce the numbers up to `last_seq` that were not told: they will never come.

        Each gap goes in its place of the sequence: one for all at the beginning could not be acknowledged
        before its last number is there, and a backlog longer than the window would wait for ever.
        """
        if last_seq <= self.told.upto:
            return
        for first, last in list(self.told.holes(last_seq)):
            begin = first
            for seq in sorted(one for one in self._keeper.quarantined if first <= one <= last):
                self._skip(sender, begin, seq - 1)
                Gap(self._epoch, seq, seq, 1, is_quarantined=True).announce(sender)
                begin = seq + 1
            self._skip(sender, begin, last)
        self.told.advance(last_seq)
        self._has_begun = True

    def _skip(self, sender: EventSender, first: int, last: int) -> None:
        if first > last:
            return
        lost = self._keeper.lost_within(first, last)
        if lost:
            self.lost(lost)
        Gap(self._epoch, first, last, lost).announce(sender)

    # What offends ------------------------------------------------------------------------------------

    def sole(self, seq: int) -> OutboxEntry | None:
        """The durable entry `seq`, if it alone is on its way."""
        lanes = [*self._backlog_in_flight, *self._live_in_flight]
        is_sole = len(lanes) == 1 and lanes[0].entry.seq == seq and lanes[0].entry.durable
        return lanes[0].entry if is_sole else None

    def withdraw(self, seq: int) -> None:
        """`seq` is not on its way any more, and no backlog either."""
        for lane in (self._backlog_in_flight, self._live_in_flight):
            if lane and lane[0].entry.seq == seq:
                lane.popleft()

    def _window(self, full: int) -> int:
        return full if self._pace.is_full else self._pace.window(full, self.monotonic())

    def _must_wait(self, seq: int, sender: EventSender) -> bool:
        """Whether `seq` may not go now: a suspect travels alone, so that the blame is certain."""
        if self._waits_for_clear:
            self._waits_for_clear = not sender.is_clear()
            if self._waits_for_clear:
                return True
        if not self._on_trial and seq not in self._pace.suspects:
            return False
        if self._on_trial not in (0, seq):
            return True
        self._on_trial = seq
        return bool(self._backlog_in_flight or self._live_in_flight) or not sender.is_clear()

    def _end_trial(self) -> None:
        """The suspect arrived: others may go."""
        is_over = not self._backlog_in_flight and not self._live_in_flight and self._on_trial in self.told
        self._on_trial = 0 if is_over else self._on_trial

    # What came back ----------------------------------------------------------------------------------

    def acknowledged(self, seq: int) -> None:
        """The gateway has everything up to `seq`, a new number."""
        is_counted = self._keeper.acknowledged_seq >= self._uncounted_seq
        is_counted = is_counted and seq <= self.told.upto and not 0 < self._held_seq <= seq
        for entry in self._freed((self._backlog_in_flight, self._live_in_flight), seq):
            if entry.durable:
                self._keeper.freed(entry)
        self._keeper.acknowledged(seq, at_once=not is_counted)
        self._pace.acquit(seq)
        if self._on_trial:
            self._end_trial()
        self._order.acknowledged(seq)
        if self._held_seq <= seq:
            self._held_seq = 0
        if seq > self.told.upto:
            self.told.advance(seq)  # sent in an earlier stream: the gateway has it already

    def held(self, seq: int) -> None:
        """The gateway has `seq`, and so every live event before it, for a stream is in order."""
        if self._held_seq < seq <= self.told.newest:
            self._held_seq = seq
            for entry in self._freed((self._live_in_flight,), seq):
                if entry.durable:
                    self._note(entry)  # a new stream repeats it
            if self._on_trial:
                self._end_trial()

    def _freed(self, lanes: Iterable[deque[Waiting]], upto: int) -> Iterator[OutboxEntry]:
        now = self.monotonic()
        for lane in lanes:
            while lane and lane[0].entry.seq <= upto:
                waiting = lane.popleft()
                self._figures.acknowledged += 1
                if waiting.appended_at is not None:
                    self.observe_lag(now - waiting.appended_at)
                yield waiting.entry
