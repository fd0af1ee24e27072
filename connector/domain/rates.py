"""At most so many things in so many seconds, counted for each key by itself."""

from collections import OrderedDict, deque

# Users of one site that command within a minute; the largest OXE has 15,000. Beyond it a new one is refused.
MAX_KEYS = 20_000


class SlidingWindow:
    """Lets `limit` things of a key pass in any `seconds`. What is refused does not count."""

    def __init__(self, limit: int, seconds: float) -> None:
        self._limit = limit
        self._seconds = seconds
        # By the time of the newest thing, the longest idle key first.
        self._taken: OrderedDict[str, deque[float]] = OrderedDict()

    def has_room(self, key: str, now: float) -> bool:
        """Whether one more of `key` may pass at `now`, in seconds that only grow."""
        self._forget(now)
        taken = self._taken.get(key)
        if taken is None:
            return len(self._taken) < MAX_KEYS
        while taken and taken[0] <= now - self._seconds:
            taken.popleft()
        return len(taken) < self._limit

    def take(self, key: str, now: float) -> None:
        """Count one of `key` at `now`."""
        self._taken.setdefault(key, deque(maxlen=self._limit)).append(now)
        self._taken.move_to_end(key)

    def _forget(self, now: float) -> None:
        while self._taken:
            key, taken = next(iter(self._taken.items()))
            if taken[-1] > now - self._seconds:
                return
            del self._taken[key]
