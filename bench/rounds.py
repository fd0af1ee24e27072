"""How often everything is measured, and timing of what runs inside this process."""

import gc
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

# Long enough that a timer interrupt is noise, short enough that a round's subjects meet the same machine.
_SLICE_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Rounds:
    """`count` rounds; a quick run takes fewer and shorter ones and is for trying out."""

    count: int = 7
    is_quick: bool = False

    def __iter__(self) -> Iterator[int]:
        return iter(range(1, self.count + 1))

    def scaled(self, amount: int) -> int:
        """How much of something a round takes."""
        return amount // 4 if self.is_quick else amount


NORMAL = Rounds()
QUICK = Rounds(3, is_quick=True)


def tell(text: str) -> None:
    """Progress, on standard error."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def calls_per_second(rounds: Rounds, subjects: Mapping[str, Callable[[], object]]) -> dict[str, list[float]]:
    """How often each subject runs in a second: one number a round, all subjects in turn in every round."""
    found: dict[str, list[float]] = {name: [] for name in subjects}
    slice_seconds = _SLICE_SECONDS / (4 if rounds.is_quick else 1)
    for _ in rounds:
        for name, subject in subjects.items():
            found[name].append(_rate(subject, slice_seconds))
    return found


def _rate(subject: Callable[[], object], seconds: float) -> float:
    batch = 1
    while _timed(subject, batch) < seconds / 20:
        batch *= 2
    gc.collect()
    done = 0
    spent = 0.0
    while spent < seconds:
        spent += _timed(subject, batch)
        done += batch
    return done / spent


def _timed(subject: Callable[[], object], times: int) -> float:
    began = time.perf_counter()
    for _ in range(times):
        subject()
    return time.perf_counter() - began
