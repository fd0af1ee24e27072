"""Which events of an agent's outbox are here: de-duplication and the number to acknowledge. PURE.

Events come over one ordered stream, but a backlog may be sent beside live events: numbers can arrive in any
order, each more than once. Everything up to the acknowledged number is here or will never come.
"""

from bisect import insort
from dataclasses import dataclass

# Each range apart is a hole in the sequence. An agent that drains one backlog beside live events makes one;
# hundreds are no backlog any more, but a defect that must not cost memory and time.
MAX_RANGES_APART = 256
# Gaps of one class whose other numbers are still to come: one for each overflow of the agent's memory.
MAX_OPEN_GAPS = 32
# An epoch is one life of the agent's store. The last few answer a late repetition from a restored backup.
MAX_EPOCHS = 8


class TooScattered(Exception):
    """The sequence numbers leave more holes than `MAX_RANGES_APART` or `MAX_OPEN_GAPS`."""


@dataclass(frozen=True, slots=True)
class Gap:
    """`count` of the numbers `first` to `last`, all of one class, will never come; the others may."""

    first: int
    last: int
    count: int
    is_durable: bool

    @property
    def span(self) -> int:
        """How many numbers the range has."""
        return self.last - self.first + 1


class Received:
    """The sequence numbers of one epoch that are here or will never come.

    `start` is where this gateway's knowledge begins: what was before it was acknowledged by an earlier life
    of the gateway, or comes later as something new.
    """

    __slots__ = ("_apart", "_gaps", "_start", "upto")

    def __init__(self, start: int) -> None:
        self._start = start
        self.upto = start - 1
        self._apart: list[tuple[int, int]] = []
        self._gaps: list[Gap] = []

    def add(self, seq: int) -> bool:
        """Take one number; False when it was here already. Raises `TooScattered`, and then takes nothing."""
        if seq == self.upto + 1 and not self._apart and not self._gaps:
            self.upto = seq
            return True
        if self._covered(seq, seq):
            return False
        self._merge(seq, seq)
        self._close_gaps()
        return True

    def skip(self, gap: Gap) -> bool:
        """Take a gap; False when it was known. Raises `TooScattered`, and then takes nothing."""
        if gap in self._gaps or self._covered(gap.first, gap.last) == gap.span:
            return False
        if len(self._gaps) >= MAX_OPEN_GAPS:
            raise TooScattered
        self._gaps.append(gap)
        self._close_gaps()
        return True

    def held(self, limit: int) -> tuple[tuple[int, int], ...]:
        """The highest ranges above `upto`, at most `limit`."""
        return tuple([one for one in self._apart if one[0] > self.upto][-limit:])

    def _close_gaps(self) -> None:
        """A gap whose other numbers are all here, or in gaps within it, holds nothing up any more."""
        for gap in list(self._gaps):
            inner = sum(one.count for one in self._gaps if gap.first <= one.first and one.last <= gap.last)
            if self._covered(gap.first, gap.last) + inner >= gap.span:
                self._merge(gap.first, gap.last)
        self._gaps = [gap for gap in self._gaps if self._covered(gap.first, gap.last) < gap.span]

    def _covered(self, first: int, last: int) -> int:
        """How many of the numbers are here."""
        ranges = ((self._start, self.upto), *self._apart)
        return sum(max(0, min(last, high) - max(first, low) + 1) for low, high in ranges)

    def _merge(self, first: int, last: int) -> None:
        """Join the range with every one that it touches."""
        kept: list[tuple[int, int]] = []
        holds_start = False
        for low, high in (*self._apart, (self._start, self.upto)):
            if high + 1 < first or last + 1 < low:
                insort(kept, (low, high))
                continue
            first, last = min(first, low), max(last, high)
            holds_start = holds_start or low == self._start
        if holds_start:
            self._start, self.upto, self._apart = first, last, kept
            return
        kept.remove((self._start, self.upto))
        if len(kept) >= MAX_RANGES_APART:
            raise TooScattered
        insort(kept, (first, last))
        self._apart = kept


class EventStore:
    """What one system's agents have delivered, over all their streams and the last few epochs."""

    def __init__(self) -> None:
        self._epochs: dict[str, Received] = {}
        self.stored = 0
        self.duplicates = 0
        self.missing = 0

    def add(self, epoch: str, seq: int) -> bool:
        """Take one event; False for one that is here already. Raises `TooScattered`."""
        is_new = self._epoch(epoch, seq).add(seq)
        if is_new:
            self.stored += 1
        else:
            self.duplicates += 1
        return is_new

    def skip(self, epoch: str, gap: Gap) -> bool:
        """Take a gap; False when it was known. Raises `TooScattered`."""
        is_new = self._epoch(epoch, gap.first).skip(gap)
        if is_new:
            self.missing += gap.count
        return is_new

    def upto(self, epoch: str) -> int | None:
        """The number to acknowledge, or None when nothing of `epoch` is here."""
        received = self._epochs.get(epoch)
        return None if received is None else received.upto

    def held(self, epoch: str, limit: int) -> tuple[tuple[int, int], ...]:
        """The highest ranges above `upto`, at most `limit`."""
        received = self._epochs.get(epoch)
        return () if received is None else received.held(limit)

    def _epoch(self, epoch: str, first: int) -> Received:
        received = self._epochs.get(epoch)
        if received is None:
            if len(self._epochs) >= MAX_EPOCHS:
                del self._epochs[next(iter(self._epochs))]
            received = self._epochs[epoch] = Received(first)
        return received
