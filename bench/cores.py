"""Which process runs where: the far end on one core, what is measured on another.

Left alone, the scheduler puts the two ends of a loopback connection now on one core and now on two, which
changes the rate by a factor of two from round to round. `UNPINNED` in the environment leaves it alone.
"""

import os
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path

# Anything in this variable of the environment counts.
UNPINNED = "OXBRIDGE_BENCH_UNPINNED"

_TOP = Path(__file__).parent.parent


@cache
def _cores() -> tuple[int, ...]:
    """The cores that this process had when it was first asked; fewer than two mean that nothing is pinned."""
    if not hasattr(os, "sched_getaffinity") or UNPINNED in os.environ:
        return ()
    return tuple(sorted(os.sched_getaffinity(0)))


def take_far_end_core() -> None:
    """Keep this process, and what it starts otherwise than by `near_end`, on the first core."""
    if len(_cores()) > 1:
        os.sched_setaffinity(0, _cores()[:1])


def near_end(*command: str) -> Sequence[str]:
    """`command` such that it runs on the last core."""
    if len(_cores()) < 2:
        return command
    start = f"import os, sys; os.sched_setaffinity(0, [{_cores()[-1]}]); os.execv(sys.argv[1], sys.argv[1:])"
    return (sys.executable, "-c", start, *command)


def top() -> Path:
    """The directory in which `-m bench.…` finds this package."""
    return _TOP
