"""Named moments in the caller's time, for a machine that has no clock."""

from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

Name = TypeVar("Name", bound=Hashable)


class Timers(Generic[Name]):
    """Each name runs at most once. Times are monotonic seconds."""

    __slots__ = ("_at", "_waiting")

    def __init__(self) -> None:
        self._at: dict[Name, float] = {}
        # Started by a command, which is not told the time: they begin to run with the next `due`.
        self._waiting: dict[Name, float] = {}

    def start(self, name: Name, at: float) -> None:
        """`name` is due at `at`."""
        self._waiting.pop(name, None)
        self._at[name] = at

    def start_unless_running(self, name: Name, seconds: float) -> None:
        """`name` is due `seconds` after the next `due`, unless it runs already."""
        if name not in self._at and name not in self._waiting:
            self._waiting[name] = seconds

    def stop(self, name: Name) -> None:
        """`name` is not wanted any more, or never was."""
        self._at.pop(name, None)
        self._waiting.pop(name, None)

    def clear(self) -> None:
        """Nothing is wanted any more."""
        self._at.clear()
        self._waiting.clear()

    def deadline(self, now: float) -> float | None:
        """When `due` has to be called at the latest; `now`, hence at once, for one that waits to run."""
        if self._waiting:
            return now
        return min(self._at.values(), default=None)

    def begin(self, now: float) -> None:
        """What waits to run begins to run: the time is known."""
        if self._waiting:
            for name, seconds in self._waiting.items():
                self._at[name] = now + seconds
            self._waiting.clear()

    def due(self, now: float) -> Sequence[Name]:
        """Take the names whose moment has come, the oldest first."""
        self.begin(now)
        names = sorted((at, index, name) for index, (name, at) in enumerate(self._at.items()) if at <= now)
        for _, _, name in names:
            del self._at[name]
        return [name for _, _, name in names]
