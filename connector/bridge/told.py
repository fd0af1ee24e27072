"""Which numbers were handed to the present stream: all up to one, and those sent ahead of a backlog."""

from bisect import bisect_right
from collections.abc import Iterator

# Each range apart costs the gateway a hole in its record; it bears 256 (docs/protocols/pcg.md, section 8).
MAX_RANGES = 64


class Told:
    """Numbers are told either next to `upto` by the replay, or ahead of it, ever higher, by live events."""

    __slots__ = ("_firsts", "_lasts", "upto")

    def __init__(self, upto: int) -> None:
        self.upto = upto
        self._firsts: list[int] = []
        self._lasts: list[int] = []

    @property
    def newest(self) -> int:
        """The highest number told."""
        return self._lasts[-1] if self._lasts else self.upto

    def __contains__(self, seq: int) -> bool:
        if seq <= self.upto:
            return True
        place = bisect_right(self._firsts, seq) - 1
        return place >= 0 and seq <= self._lasts[place]

    def add(self, seq: int) -> bool:
        """Tell `seq`, which is above all others; False when that would leave one hole too many."""
        if seq == self.upto + 1 and not self._firsts:
            self.upto = seq
        elif self._lasts and seq == self._lasts[-1] + 1:
            self._lasts[-1] = seq
        elif len(self._firsts) >= MAX_RANGES:
            return False
        else:
            self._firsts.append(seq)
            self._lasts.append(seq)
        return True

    def advance(self, seq: int) -> None:
        """Everything up to `seq` is told now."""
        self.upto = max(self.upto, seq)
        while self._firsts and self._firsts[0] <= self.upto + 1:
            self.upto = max(self.upto, self._lasts[0])
            del self._firsts[0], self._lasts[0]

    def holes(self, last: int) -> Iterator[tuple[int, int]]:
        """The runs of numbers up to `last` that were not told, first and last of each."""
        begin = self.upto + 1
        for first, end in zip(self._firsts, self._lasts, strict=True):
            if first > last:
                break
            yield begin, first - 1
            begin = end + 1
        if begin <= last:
            yield begin, last
