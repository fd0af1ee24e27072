"""The configured devices: which exist, which are monitored, and what the PBX must still be asked.

Without I/O: the adapter asks what `next_ask` says and tells what came back. MonitorStart doubles as the probe
for a device, since CSTA has no list of devices. All numbers are probed first, then each monitored device's
calls are read.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto

from connector.wire import rose
from connector.wire.csta import messages as m

# Five tries with pauses of 1, 2, 4 and 8 s outlast the start of a PBX that is busy with all its applications.
MAX_TRIES = 5
FIRST_PAUSE_SECONDS = 1.0

_ABSENT = frozenset((m.OBJECT_NOT_KNOWN, m.INVALID_DEVICE))
_LIMIT = frozenset((m.OVERALL_MONITOR_LIMIT, m.OBJECT_MONITOR_LIMIT))
_BUSY = frozenset((m.OUTSTANDING_REQUEST_LIMIT, m.SERVICE_BUSY, m.RESOURCE_BUSY))
_BUSY_CLASSES = frozenset((m.ErrorClass.STATE, m.ErrorClass.PERFORMANCE))


class Verdict(Enum):
    """What a failed request means."""

    ABSENT = auto()  # the PBX has no such device
    LIMIT = auto()  # no further monitor is allowed
    BUSY = auto()  # ask again, more slowly
    REFUSED = auto()  # not to be had, for another reason


def verdict(error: m.ServiceError | rose.Reject | None) -> Verdict:
    """What `error`, or a silence (None), means for a MonitorStart or SnapshotDevice."""
    if error is None:
        return Verdict.BUSY
    if isinstance(error, rose.Reject):
        is_full = (error.kind, error.problem) == rose.RESOURCE_LIMITATION
        return Verdict.BUSY if is_full else Verdict.REFUSED
    if error in _ABSENT:
        return Verdict.ABSENT
    if error in _LIMIT:
        return Verdict.LIMIT
    if error in _BUSY or error.error_class in _BUSY_CLASSES:
        return Verdict.BUSY
    return Verdict.REFUSED


@dataclass(frozen=True, slots=True)
class Ask:
    """One request to make: a MonitorStart for `number`, or a snapshot of it."""

    number: str
    is_snapshot: bool = False
    tries: int = 1


class Roster:
    """State of all devices over one life of a link. Times are monotonic seconds."""

    def __init__(self, numbers: Sequence[str], max_open: int) -> None:
        self._todo = deque(Ask(number) for number in numbers)
        self._open: dict[int, Ask] = {}
        self._window = max_open
        self._resume_at = 0.0
        self._device_of: dict[bytes, str] = {}

    @property
    def monitored(self) -> list[str]:
        """Numbers with a monitor, in the order in which the PBX granted them."""
        return list(self._device_of.values())

    @property
    def is_probing(self) -> bool:
        """Whether the existence of a device is still being asked."""
        return any(not ask.is_snapshot for ask in (*self._open.values(), *self._todo))

    def device_of(self, cross_ref: bytes) -> str | None:
        """The number whose monitor has `cross_ref`."""
        return self._device_of.get(cross_ref)

    def next_ask(self, now: float) -> Ask | None:
        """What to ask now, or None while the window is full, a pause runs, or nothing is left."""
        if not self._todo or len(self._open) >= self._window or now < self._resume_at:
            return None
        return self._todo.popleft()

    def resume_in(self, now: float) -> float | None:
        """Seconds until `next_ask` has something although no answer comes; None if only answers help."""
        if not self._todo or (self._open and now >= self._resume_at):
            return None
        return max(0.0, self._resume_at - now)

    def sent(self, invoke_id: int, ask: Ask) -> None:
        """`ask` went out under `invoke_id`."""
        self._open[invoke_id] = ask

    def answered(self, invoke_id: int) -> Ask | None:
        """The ask that `invoke_id` answers; None if it is none of ours."""
        return self._open.pop(invoke_id, None)

    def granted(self, number: str, cross_ref: bytes) -> None:
        """`number` is monitored."""
        self._device_of[cross_ref] = number

    def failed(self, ask: Ask, error: m.ServiceError | rose.Reject | None, now: float) -> Verdict:
        """Take a refusal or a silence. A busy PBX is asked again, later and half as much at once."""
        result = verdict(error)
        if result is Verdict.LIMIT:
            self._todo = deque(other for other in self._todo if other.is_snapshot)
        elif result is Verdict.BUSY:
            if ask.tries >= MAX_TRIES:
                return Verdict.REFUSED
            if now >= self._resume_at:  # what fails during a pause was asked before it
                self._window = max(1, self._window // 2)
            pause = FIRST_PAUSE_SECONDS * 2 ** (ask.tries - 1)
            self._resume_at = max(self._resume_at, now + pause)
            self._todo.append(replace(ask, tries=ask.tries + 1))
        return result

    def ended(self, cross_ref: bytes) -> str | None:
        """The PBX ended a monitor by itself: it is asked for again. The number, if it was one of ours."""
        number = self._device_of.pop(cross_ref, None)
        if number is not None:
            self._todo.append(Ask(number))
        return number

    def read_calls(self, numbers: Iterable[str]) -> None:
        """Ask for the present calls of `numbers`, unless that is to be asked already."""
        waiting = {ask.number for ask in self._todo if ask.is_snapshot}
        self._todo.extend(Ask(number, is_snapshot=True) for number in numbers if number not in waiting)
