"""The way of every event to the cloud: numbered, made durable, sent in order of its call, repeated until
acknowledged.

Durable events are on disk before they are sent. What a new stream was not given is read back from disk, the
backlog; live events go on beside it. Volatile events of a time without link are gone; the gap is announced.
"""

from array import array
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from connector.bridge.call_order import CallOrder
from connector.bridge.delivery import Delivery
from connector.bridge.drafts import Draft, Gap, OutboxFigures
from connector.bridge.keeping import Keeper
from connector.bridge.pace import MAX_STRIKES, Pace
from connector.bridge.told import Told
from connector.domain.outbox import EventSender, OutboxDisk, OutboxEntry, OutboxState

# Epochs that ended in this process: late acknowledgements of theirs are no fault of the gateway.
MAX_PAST_EPOCHS = 8
# Gaps that wait for a link to be announced: each damaged file leaves one a hole that live events made.
MAX_OBITUARIES = 128


@dataclass(slots=True)
class _Past:
    """How far an epoch came before another one took its place."""

    told: Told
    most_told: int
    acknowledged_seq: int
    lost: "array[int]"
    # Durable, in memory only, and on their way: another number is theirs if they do not arrive.
    in_flight: list[OutboxEntry]


class Outbox:
    """All methods run on the loop and return at once.

    `new_epoch()` names the numbers of a new file, or of a time without any; `observe_lag(seconds)` is told
    how long an event took from the PBX to the gateway's acknowledgement; `caught_up()` is called when a
    stream has been given all that it had missed. `events_lost(count)` is told of durable events that are
    announced as lost, `quarantined(entry)` of one that is put aside.
    """

    def __init__(
        self,
        disk: OutboxDisk,
        state: OutboxState,
        monotonic: Callable[[], float],
        *,
        new_epoch: Callable[[], str],
        observe_lag: Callable[[float], None] = lambda _: None,
        caught_up: Callable[[], None] = lambda: None,
    ) -> None:
        self._disk = disk
        self._monotonic = monotonic
        self._new_epoch = new_epoch
        self.observe_lag = observe_lag
        self.caught_up = caught_up
        self.events_lost: Callable[[int], None] = lambda _: None
        self.quarantined: Callable[[OutboxEntry], None] = lambda _: None
        self.pace = Pace()
        self.figures = OutboxFigures()
        self._obituaries: deque[Gap] = deque(maxlen=MAX_OBITUARIES)
        self._past: OrderedDict[str, _Past] = OrderedDict()
        self._begin(state, CallOrder(late_floor=state.last_seq))

    def _begin(self, state: OutboxState, order: CallOrder) -> None:
        """Go on with the numbers of `state`."""
        self.epoch = state.epoch
        self._acknowledged_seq = state.acknowledged_seq
        self._keeper = Keeper(self._disk, state, self._monotonic, self.figures)
        self._delivery = Delivery(state.epoch, self._disk, self._keeper, order, self.pace)
        self._delivery.lost = self._tell_lost
        self._delivery.caught_up = self._tell_caught_up
        self._delivery.observe_lag = self._tell_lag
        self._keeper.settled = self._delivery.drain
        self._delivery.begin(state.acknowledged_seq)
        self._keeper.write()

    @property
    def last_seq(self) -> int:
        """The newest sequence number given to an event."""
        return self._keeper.last_seq

    @property
    def told_seq(self) -> int:
        """Every number up to this one was handed to the present stream, or is at the gateway."""
        return self._delivery.told.upto

    @property
    def unacknowledged(self) -> int:
        """Durable events that the gateway has not acknowledged."""
        return self._keeper.unacknowledged

    @property
    def unsafe(self) -> int:
        """Durable events that the gateway does not have and the disk refused: only memory has them."""
        return len(self._keeper.unsafe)

    @property
    def quarantine_dropped(self) -> int:
        """Events that had been put aside and were deleted for newer ones."""
        return self._disk.quarantine_dropped

    def append(self, draft: Draft) -> int:
        """Take an event; returns its sequence number."""
        if self._keeper.is_exhausted:
            self._rebase(OutboxState(self._new_epoch(), 0, 0, 0, is_stored=False))
        seq = self._keeper.next_number()
        entry = OutboxEntry(seq, draft.durable, draft.device, draft.call, draft.at, draft.end, draft.body)
        self._take(entry, late=draft.late)
        self._keeper.write()
        self._delivery.drain()
        return seq

    def close(self) -> None:
        """Write down the exact newest number, so that the next start announces no gap; nothing follows."""
        self.link_down()
        self._keeper.close()

    # The link ----------------------------------------------------------------------------------------

    def link_up(self, sender: EventSender) -> None:
        """A new stream takes events: what is not acknowledged, and beside it what comes."""
        self.link_down()
        self._open(sender)

    def link_paused(self) -> None:
        """The stream broke and may be resumed: what it carries is not repeated, what comes waits."""
        if self._delivery.sender is not None:
            self._delivery.sender = None
            self._delivery.paused_at = self._monotonic()
            self.pace.gone(self._monotonic())

    def link_resumed(self, sender: EventSender, sent_seq: int | None = None) -> None:
        """A stream goes on where it was.

        `sent_seq` is for the first link of a process: what the process before had handed to this stream, a
        `told_seq`. Without it and without a pause this is a new stream.
        """
        if self._delivery.paused_at is not None:
            self.pace.ready(self._monotonic())
            self._delivery.resume(sender)
            self._announce_past(sender)
            self._delivery.drain()
            return
        self.link_down()
        if sent_seq is not None:
            told_seq = max(self._acknowledged_seq, min(sent_seq, self.last_seq))
            self._delivery.begin(told_seq, has_begun=True)
        self._open(sender)

    def link_down(self) -> None:
        """The stream is gone. What it had not acknowledged stays on disk; volatile events are dropped."""
        self.pace.gone(self._monotonic())
        self._delivery.give_up()
        self._delivery.begin(self._acknowledged_seq)
        for past in self._past.values():
            past.told = Told(past.acknowledged_seq)
            self._renumber(past.in_flight)
            past.in_flight = []

    def link_clear(self) -> None:
        """The gateway has all that it was sent: an event that has to travel alone may go."""
        self._delivery.drain()

    def offended(self, seq: int, reason: str, *, alone: bool) -> None:
        """The gateway ended the stream because of what it was sent last: event `seq`, 0 if that was none.

        The next streams are slower. An event that offends again and again, the last time with nothing else on
        its way, is put aside for `reason`. `link_down` follows.
        """
        strikes = self.pace.offended(seq, self._monotonic())
        entry = self._delivery.sole(seq)
        if strikes < MAX_STRIKES or entry is None or not alone:
            return
        self._delivery.withdraw(seq)
        self._keeper.condemn(entry, reason)
        self.figures.quarantined += 1
        self.quarantined(entry)

    def acknowledged(self, epoch: str, seq: int, held: Sequence[tuple[int, int]] = ()) -> bool:
        """The gateway has everything up to `seq`, and the ranges `held` above it.

        False when it claims what it can't have. What is only held stays on disk, and a new stream repeats it.
        """
        if epoch in self._past:
            past = self._past[epoch]
            past.acknowledged_seq = max(past.acknowledged_seq, min(seq, past.most_told))
            past.in_flight = [one for one in past.in_flight if one.seq > past.acknowledged_seq]
            return True
        # The highest that this stream was given; ranges above it are known from an earlier one.
        held_seq = max((last for _, last in held), default=0)
        if epoch != self.epoch or seq > self._delivery.most_told or held_seq > self.last_seq:
            self.figures.bad_acknowledgements += 1
            return False
        self._take_acknowledgement(seq)
        for _, last in held:
            self._delivery.held(last)
        self._keeper.write()
        self._delivery.drain()
        return True

    def _take_acknowledgement(self, seq: int) -> None:
        if seq > self._acknowledged_seq:
            self._acknowledged_seq = seq
            self._delivery.acknowledged(seq)

    def _open(self, sender: EventSender) -> None:
        self.pace.ready(self._monotonic())
        self._delivery.sender = sender
        self._announce_past(sender)
        self._delivery.drain()

    def _take(self, entry: OutboxEntry, *, late: bool) -> None:
        if entry.durable:
            self._keeper.keep(entry)
        self._delivery.offer(entry, late=late)

    # The store ---------------------------------------------------------------------------------------

    def disk_works(self) -> None:
        """The disk, which had refused, takes writes again."""
        if self._keeper.is_stored:
            self._keeper.disk_works()
            self._delivery.retry()
        else:
            self.store_replaced()

    def store_replaced(self) -> None:
        """Another file may stand where the store was: a damaged one was put aside, a missing one is back."""
        keeper, delivery = self._keeper, self._delivery
        # Counted before the file changes; what memory loses meanwhile is added when it has.
        gone = max(0, keeper.stored - delivery.durable_in_flight())

        def reopened(state: OutboxState | None) -> None:
            if state is None or keeper is not self._keeper:
                return
            if state.epoch == self.epoch:
                keeper.disk_works()
                return
            lost = gone + len(keeper.lost)
            gaps = list(_gaps(self.epoch, delivery.told.holes(keeper.last_seq), lost))
            self._obituaries.extend(gap for gap in gaps if gap.lost)
            self._rebase(state)

        self._disk.reopen(self._new_epoch(), reopened)

    def _rebase(self, state: OutboxState) -> None:
        """Go on with the numbers of `state`; what is only in memory and was not sent gets new ones."""
        old, is_live = self._delivery, self._delivery.is_live()
        entries = {one.seq: one for one in chain(self._keeper.unkept(), old.untold())}
        told = [one for seq, one in sorted(entries.items()) if is_live and seq in old.told]
        self._past[self.epoch] = _Past(
            old.told, old.most_told, self._acknowledged_seq, self._keeper.lost, told
        )
        if len(self._past) > MAX_PAST_EPOCHS:
            self._past.popitem(last=False)
        old.begin(0)
        self.pace.forget()
        # Which calls the rows of that file belong to is not known: everything goes behind them.
        self._begin(state, CallOrder(floor=state.last_seq))
        past = self._past.pop(state.epoch, None)
        if past is not None:
            self._keeper.lost = array("Q", [one for one in past.lost if one <= state.last_seq])
            for _ in range(len(past.lost) - len(self._keeper.lost)):
                # The disk never heard of their numbers, which will be others'.
                self._keeper.note_lost(self._keeper.next_number())
            for entry in past.in_flight:
                self._keeper.keep(entry)
            self._delivery.recall(past.told)
            self._take_acknowledgement(past.acknowledged_seq)
        self._delivery.sender, self._delivery.paused_at = old.sender, old.paused_at
        self._renumber(one for seq, one in sorted(entries.items()) if not (is_live and seq in old.told))
        if old.sender is not None:
            self._open(old.sender)

    def _renumber(self, entries: Iterable[OutboxEntry]) -> None:
        """Take events of another epoch as new ones."""
        for entry in entries:
            self._take(replace(entry, seq=self._keeper.next_number()), late=True)
        self._keeper.write()

    def _announce_past(self, sender: EventSender) -> None:
        """What a store that was put aside took with it."""
        while self._obituaries:
            gap = self._obituaries.popleft()
            self._tell_lost(gap.lost)
            gap.announce(sender)

    def _tell_caught_up(self) -> None:
        self.caught_up()

    def _tell_lost(self, count: int) -> None:
        self.figures.lost_durable += count
        self.events_lost(count)

    def _tell_lag(self, seconds: float) -> None:
        self.observe_lag(seconds)


def _gaps(epoch: str, holes: Iterable[tuple[int, int]], lost: int) -> Iterator[Gap]:
    """The `holes`, with `lost` durable events in them; where in them is not known."""
    for first, last in holes:
        here = min(lost, last - first + 1)
        lost -= here
        yield Gap(epoch, first, last, here)
