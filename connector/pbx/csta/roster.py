"""The configured devices: which exist, which are monitored, and what the PBX must still be asked.

Without I/O: the adapter asks what `next_ask` says and tells what came back. MonitorStart doubles as the probe
for a device, since CSTA has no list of devices. All numbers are probed first, then each monitored device's
calls are read. A monitor that only probed, because nobody wants that device's calls, is stopped at once.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from itertools import chain

from connector.domain.configuration import MonitorRefusal
from connector.wire import rose
from connector.wire.csta import errors

# Five tries with pauses of 1, 2, 4 and 8 s outlast the start of a PBX that is busy with all its applications.
MAX_TRIES = 5
FIRST_PAUSE_SECONDS = 1.0

_ABSENT = frozenset((errors.OBJECT_NOT_KNOWN, errors.INVALID_DEVICE))
_LIMIT = frozenset((errors.OVERALL_MONITOR_LIMIT, errors.OBJECT_MONITOR_LIMIT))
_BUSY = frozenset((errors.OUTSTANDING_REQUEST_LIMIT, errors.SERVICE_BUSY, errors.RESOURCE_BUSY))
_BUSY_CLASSES = frozenset((errors.ErrorClass.STATE, errors.ErrorClass.PERFORMANCE))


class Verdict(Enum):
    """What a failed request means."""

    ABSENT = auto()  # the PBX has no such device
    LIMIT = auto()  # no further monitor is allowed
    BUSY = auto()  # ask again, more slowly
    REFUSED = auto()  # not to be had, for another reason


def verdict(error: errors.ServiceError | rose.Reject | None) -> Verdict:
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


class Purpose(Enum):
    """What is asked of the PBX."""

    START = auto()  # MonitorStart: probe and watch
    STOP = auto()  # MonitorStop
    SNAPSHOT = auto()  # SnapshotDevice: the calls that run


_REFUSALS = {
    Verdict.ABSENT: MonitorRefusal.UNKNOWN_NUMBER,
    Verdict.LIMIT: MonitorRefusal.LIMIT,
    Verdict.REFUSED: MonitorRefusal.REFUSED,
}


@dataclass(frozen=True, slots=True)
class Ask:
    """One request to make about `number`; `cross_ref` is the monitor's that is to be stopped."""

    number: str
    purpose: Purpose = Purpose.START
    cross_ref: bytes = b""
    tries: int = 1


class Roster:
    """State of all devices over one life of a link. Times are monotonic seconds."""

    def __init__(self, numbers: Sequence[str], max_open: int) -> None:
        self._configured = frozenset(numbers)
        self._todo = deque(Ask(number) for number in numbers)
        self._open: dict[int, Ask] = {}
        self._window = max_open
        self._resume_at = 0.0
        self._device_of: dict[bytes, str] = {}
        self._ending: set[bytes] = set()  # monitors that are being stopped
        self._found: dict[str, None] = {}  # numbers that exist, in the order in which that was learnt
        self._wanted: frozenset[str] | None = None
        self._refused: dict[str, MonitorRefusal] = {}

    @property
    def monitored(self) -> list[str]:
        """Numbers with a monitor, in the order in which the PBX granted them."""
        return list(self._device_of.values())

    @property
    def found(self) -> list[str]:
        """Numbers that exist, monitored or not."""
        return list(self._found)

    def is_found(self, number: str) -> bool:
        """Whether `number` exists, as far as is known."""
        return number in self._found

    @property
    def is_probing(self) -> bool:
        """Whether a monitor is still being started or stopped."""
        # Chained, since while there is much to do the first one found is enough.
        return any(ask.purpose is not Purpose.SNAPSHOT for ask in chain(self._open.values(), self._todo))

    def is_wanted(self, number: str) -> bool:
        """Whether the calls of `number` are to be reported."""
        return self._wanted is None or number in self._wanted

    def is_ending(self, cross_ref: bytes) -> bool:
        """Whether the monitor `cross_ref` is being stopped, so that its events mean nothing any more."""
        return cross_ref in self._ending

    def refusals_of(self, numbers: frozenset[str]) -> dict[str, MonitorRefusal]:
        """Those of `numbers` that are not monitored, and why; final once nothing is being probed."""
        missing = numbers.difference(self._device_of.values())
        return {number: self._refusal(number) for number in sorted(missing)}

    def _refusal(self, number: str) -> MonitorRefusal:
        if number not in self._configured:
            return MonitorRefusal.UNKNOWN_NUMBER
        return self._refused.get(number, MonitorRefusal.REFUSED)

    def want(self, numbers: frozenset[str] | None) -> list[str]:
        """Report the calls of `numbers` alone, of all configured if None; asks for what that takes.

        Returns the numbers that were watched and are not any more.
        """
        self._wanted = numbers
        # What is already known not to be wanted need not be started; an unknown device is still probed.
        self._todo = deque(
            ask
            for ask in self._todo
            if ask.purpose is Purpose.STOP or self.is_wanted(ask.number) or ask.number not in self._found
        )
        dropped = [item for item in self._device_of.items() if not self.is_wanted(item[1])]
        for cross_ref, number in dropped:
            self._stop(cross_ref, number)
        self._start_missing()
        return [number for _, number in dropped]

    def _start_missing(self) -> None:
        """Ask for monitors of what is wanted and has none, also of what could not be had before."""
        asked = {ask.number for ask in (*self._todo, *self._open.values()) if ask.purpose is Purpose.START}
        asked.update(self._device_of.values())
        lost = [number for number in self._refused if number not in self._found]
        self._todo.extend(
            Ask(number) for number in (*self._found, *lost) if self.is_wanted(number) and number not in asked
        )

    def _stop(self, cross_ref: bytes, number: str) -> None:
        """Stop a monitor before anything else is asked: it makes room for another one."""
        self._device_of.pop(cross_ref, None)
        self._ending.add(cross_ref)
        self._todo.appendleft(Ask(number, Purpose.STOP, cross_ref))

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

    def granted(self, number: str, cross_ref: bytes) -> bool:
        """`number` has a monitor. False if nobody wants it: then it will be stopped."""
        self._found[number] = None
        self._refused.pop(number, None)
        if self.is_wanted(number):
            self._device_of[cross_ref] = number
            return True
        self._stop(cross_ref, number)
        return False

    def stopped(self, cross_ref: bytes) -> None:
        """The PBX stopped a monitor as it was asked, or does not know it any more."""
        self._ending.discard(cross_ref)

    def failed(self, ask: Ask, error: errors.ServiceError | rose.Reject | None, now: float) -> Verdict:
        """Take a refusal or a silence. A busy PBX is asked again, later and half as much at once."""
        result = verdict(error)
        if result is Verdict.BUSY:
            if ask.tries < MAX_TRIES:
                self._postpone(ask, now)
                return result
            result = Verdict.REFUSED
        if ask.purpose is Purpose.START:
            self._refused[ask.number] = _REFUSALS[result]
        if result is Verdict.LIMIT:
            self._take_limit()
        return result

    def _postpone(self, ask: Ask, now: float) -> None:
        if now >= self._resume_at:  # what fails during a pause was asked before it
            self._window = max(1, self._window // 2)
        pause = FIRST_PAUSE_SECONDS * 2 ** (ask.tries - 1)
        self._resume_at = max(self._resume_at, now + pause)
        self._todo.append(replace(ask, tries=ask.tries + 1))

    def _take_limit(self) -> None:
        """No further monitor is to be had: those that are still to be asked for are not."""
        for ask in self._todo:
            if ask.purpose is Purpose.START:
                self._refused[ask.number] = MonitorRefusal.LIMIT
        self._todo = deque(ask for ask in self._todo if ask.purpose is not Purpose.START)

    def ended(self, cross_ref: bytes) -> str | None:
        """The PBX ended a monitor by itself: it is asked for again. The number, if it was one of ours."""
        number = self._device_of.pop(cross_ref, None)
        if number is not None:
            self._todo.append(Ask(number))
        return number

    def read_calls(self, numbers: Iterable[str]) -> None:
        """Ask for the present calls of `numbers`, unless that is to be asked already."""
        waiting = {ask.number for ask in self._todo if ask.purpose is Purpose.SNAPSHOT}
        self._todo.extend(Ask(number, Purpose.SNAPSHOT) for number in numbers if number not in waiting)
