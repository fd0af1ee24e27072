"""The disk's side of the outbox: events made durable, numbers reserved, acknowledged rows deleted.

A disk that refuses does not stop the link. What it refused is kept here, bounded, and offered again; what
does not fit either is noted as lost, so that it can be announced.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from itertools import chain, islice, takewhile
from math import inf

from connector.bridge.drafts import OutboxFigures
from connector.domain.outbox import Condemned, OutboxBatch, OutboxDisk, OutboxEntry, OutboxState

# Sequence numbers are taken from the disk in blocks, so that a restart never uses one twice although
# volatile events are not written.
RESERVE_BLOCK = 2_000
# Acknowledged events are deleted in groups of so many: a write of its own for each would double the flushes
# at a steady pace. After a crash that many are sent again, which the gateway knows to drop.
ACK_WRITE_EVENTS = 64
# Rows of one write: a disk that comes back must not keep the events of now waiting behind all it missed.
MAX_WRITE = 2_000
# Refused by the disk and kept in memory, about 10 MB: an hour of a busy site's durable events.
MAX_UNSAFE = 10_000
# Lost numbers whose class is remembered, 8 bytes each; those beyond are announced as volatile.
MAX_LOST = 100_000
# A disk that refused is tried again so often: it may be full for hours, and each try costs a flush.
RETRY_SECONDS = 1.0


class Keeper:
    """Gives numbers and keeps durable entries until the gateway has them.

    `settled()` is called when a write ended: more may be sent now.
    """

    def __init__(
        self,
        disk: OutboxDisk,
        state: OutboxState,
        monotonic: Callable[[], float],
        figures: OutboxFigures,
    ) -> None:
        self._disk = disk
        self.monotonic = monotonic
        self.settled: Callable[[], None] = lambda: None
        self.figures = figures
        self._epoch = state.epoch
        self.last_seq = state.last_seq
        self.is_stored = state.is_stored
        self.reserved_seq = state.last_seq
        self.safe_seq = state.last_seq
        self.unsafe: dict[int, OutboxEntry] = {}
        self._reserve_wanted = state.last_seq
        self._waiting: list[OutboxEntry] = []
        self._new_in_write = 0
        self._is_writing = False
        self._is_refusing = not state.is_stored
        self._is_trimming_in_vain = False
        self._retry_at = 0.0 if state.is_stored else inf
        self._is_closing = False
        self.acknowledged_seq = state.acknowledged_seq
        self._written_ack = state.acknowledged_seq
        self._freed = 0
        self._must_delete = False
        self.lost = array("Q")
        # Not acknowledged numbers whose events are put aside, and what of that the disk has still to do.
        self.quarantined = set(state.quarantined)
        self._condemned: list[Condemned] = []

    @property
    def unacknowledged(self) -> int:
        """Durable events that the gateway has not acknowledged."""
        return self.stored + len(self.unsafe) + len(self._waiting) + self._new_in_write

    @property
    def stored(self) -> int:
        """How many of them are on disk."""
        return max(0, self._disk.entries - self._freed) if self.is_stored else 0

    @property
    def is_exhausted(self) -> bool:
        """Whether no number is left that a restart could not use again: the disk refused for too long."""
        return self._is_refusing and self.is_stored and self.last_seq >= self.reserved_seq

    @property
    def settled_seq(self) -> int:
        """Every number up to this one may be told, and its event is on disk, in `unsafe`, or gone."""
        is_idle = not self._waiting and not self._new_in_write
        final = self.last_seq if is_idle else self.safe_seq
        return min(final, self.reserved_seq) if self.is_stored else final

    def next_number(self) -> int:
        """A number that was never used in this epoch."""
        self.last_seq += 1
        return self.last_seq

    def keep(self, entry: OutboxEntry) -> None:
        """Make `entry` durable, with the next write."""
        if self._is_refusing and not self._is_writing and self.monotonic() < self._retry_at:
            self._refused([entry])
        else:
            self._waiting.append(entry)

    def may_send(self, entry: OutboxEntry) -> bool:
        """Whether `entry` may leave: it is safe, or the disk refused it."""
        seq = entry.seq
        if seq > self.safe_seq and entry.durable:
            return False
        return seq <= self.reserved_seq or not self.is_stored

    def unkept(self) -> Iterator[OutboxEntry]:
        """Durable entries that are not on disk, in order."""
        return chain(self.unsafe.values(), self._waiting)

    # Acknowledgements ------------------------------------------------------------------------------------

    def freed(self, entry: OutboxEntry) -> None:
        """The gateway has the durable `entry`, which is on disk until the next deletion."""
        if self.is_stored and entry.seq not in self.unsafe and not self._is_lost(entry.seq):
            self._freed += 1

    def acknowledged(self, seq: int, *, at_once: bool = False) -> None:
        """The gateway has everything up to `seq`; `at_once` deletes it with the next write."""
        self.acknowledged_seq = seq
        self._must_delete |= at_once
        if self.unsafe:
            for kept in list(takewhile(lambda one: one <= seq, self.unsafe)):
                del self.unsafe[kept]
        if self.lost and self.lost[0] <= seq:
            del self.lost[: bisect_right(self.lost, seq)]
        if self.quarantined:
            self.quarantined = {one for one in self.quarantined if one > seq}

    def condemn(self, entry: OutboxEntry, reason: str) -> None:
        """Put the durable `entry` aside, with the next write: it is not sent again.

        A process has few of them, each costs three streams.
        """
        self.unsafe.pop(entry.seq, None)
        self.quarantined.add(entry.seq)
        if self.is_stored:
            self._condemned.append(Condemned(entry, reason))
        self.write()

    def note_lost(self, seq: int) -> None:
        """The durable event `seq` can't be had any more."""
        place = bisect_left(self.lost, seq)
        if len(self.lost) < MAX_LOST and not self._is_lost(seq):
            self.lost.insert(place, seq)

    def lost_within(self, first_seq: int, last_seq: int) -> int:
        """How many durable events between the two numbers are lost."""
        return bisect_right(self.lost, last_seq) - bisect_left(self.lost, first_seq) if self.lost else 0

    def _is_lost(self, seq: int) -> bool:
        return bool(self.lost) and self.lost_within(seq, seq) > 0

    # Writing ---------------------------------------------------------------------------------------------

    def write(self) -> None:
        """Start a write of all that waits, unless one is under way: its end starts the next."""
        if self._is_writing or not self.is_stored:
            return
        if not self._is_closing and self._reserve_wanted - self.last_seq < RESERVE_BLOCK // 2:
            self._reserve_wanted = self.last_seq + RESERVE_BLOCK
        if self._is_refusing and self.monotonic() < self._retry_at:
            if self._has_acks_to_write() and not self._is_trimming_in_vain:
                self._start([], 0)  # deleting makes room where the store is full
            return
        has_more = self._condemned or self._has_acks_to_write() or self._wants_numbers()
        if self._waiting or self.unsafe or has_more:
            entries = list(islice(self.unkept(), MAX_WRITE))
            self._start(entries, max(0, len(entries) - len(self.unsafe)))

    def disk_works(self) -> None:
        """The disk may take again what it refused."""
        if self.is_stored:
            self._retry_at = 0.0
            self.write()

    def close(self) -> None:
        """Write down the exact newest number, so that the next start announces no gap; nothing follows."""
        self._is_closing = True
        self._reserve_wanted = self.last_seq
        self.disk_works()

    def _wants_numbers(self) -> bool:
        return self.reserved_seq != self._reserve_wanted

    def _has_acks_to_write(self) -> bool:
        freed = self.acknowledged_seq - self._written_ack
        return freed >= ACK_WRITE_EVENTS or (freed > 0 and (self._is_closing or self._must_delete))

    def _start(self, entries: list[OutboxEntry], new: int) -> None:
        """Write `entries`, the last `new` of which for the first time."""
        self._is_writing = True
        del self._waiting[:new]
        self._new_in_write = new
        covered = self._waiting[0].seq - 1 if self._waiting else self.last_seq
        ack, freed = self._written_ack, 0
        if self._has_acks_to_write():
            ack, freed, self._must_delete = self.acknowledged_seq, self._freed, False
        batch = OutboxBatch(entries, ack, self._reserve_wanted, self._epoch, tuple(self._condemned))

        def done(error: BaseException | None) -> None:
            self._is_writing = False
            self._new_in_write = 0
            self.safe_seq = max(self.safe_seq, covered)
            if error is None:
                self._written(batch, freed)
            else:
                self._is_trimming_in_vain = not entries
                self._retry_at = self.monotonic() + RETRY_SECONDS
                self._refused([*entries[len(entries) - new :], *self._waiting])
            self.settled()

        self._disk.write(batch, done)

    def _written(self, batch: OutboxBatch, freed: int) -> None:
        for entry in batch.entries if self.unsafe else ():
            self.unsafe.pop(entry.seq, None)
        del self._condemned[: len(batch.condemned)]
        self.reserved_seq = batch.reserved_seq
        self._is_trimming_in_vain = False
        if batch.acknowledged_seq > self._written_ack:
            self._written_ack = batch.acknowledged_seq
            self._freed -= freed
            self._retry_at = 0.0
        if batch.entries or not self.unsafe:
            self._is_refusing = False
        self.write()

    def _refused(self, entries: list[OutboxEntry]) -> None:
        """The disk does not take `entries`, the last ones there are: they may leave without it."""
        self._is_refusing = True
        self._waiting = []
        self.safe_seq = self.last_seq
        self.figures.unsafe_writes += len(entries)
        for entry in entries:
            if entry.seq <= self.acknowledged_seq:
                continue
            if len(self.unsafe) < MAX_UNSAFE:
                self.unsafe[entry.seq] = entry
            else:
                self.note_lost(entry.seq)
