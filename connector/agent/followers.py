"""One source of records, any number of slow readers: each has a bounded queue of its own.

A reader that falls behind loses its oldest records and is told how many; the source never waits.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final, Self

from connector.domain.errors import Overflow
from connector.domain.faults import FaultId

# A busy site has some ten calls a second, each with a handful of events: ten seconds of them for a reader
# that stands still, at about 300 bytes each.
MAX_QUEUED: Final = 512
# People and scripts at one machine; each one costs a queue and a share of the loop at every event.
MAX_FOLLOWERS: Final = 16

Record = Mapping[str, Any]


class Follower:
    """Iterates over the records published since it was made; `{"lost": n}` stands where n were dropped."""

    def __init__(self, leave: Callable[["Follower"], None]) -> None:
        self._leave = leave
        self._records: deque[Record] = deque(maxlen=MAX_QUEUED)
        self._lost = 0
        self._has_ended = False
        self._changed = asyncio.Event()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Record:
        while not self._records:
            if self._has_ended:
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        if self._lost:
            lost, self._lost = self._lost, 0
            return {"lost": lost}
        return self._records.popleft()

    def put(self, record: Record) -> None:
        """Queue one record; the oldest makes room if need be."""
        self._lost += len(self._records) == MAX_QUEUED
        self._records.append(record)
        self._changed.set()

    def end(self) -> None:
        """No further record will come: the iteration ends after what is queued."""
        self._has_ended = True
        self._changed.set()

    def close(self) -> None:
        """Stop following."""
        self.end()
        self._leave(self)


class Followers:
    """Hands each published record to every follower."""

    def __init__(self) -> None:
        self._followers: set[Follower] = set()
        self._has_ended = False

    def __len__(self) -> int:
        return len(self._followers)

    def publish(self, record: Record) -> None:
        """Queue `record` for each follower; returns at once."""
        for follower in self._followers:
            follower.put(record)

    def follow(self) -> Follower:
        """A new follower, to be closed by who asked for it. Raises `Overflow` if there are too many."""
        if len(self._followers) >= MAX_FOLLOWERS:
            raise Overflow(FaultId.QUEUE_FULL, f"{MAX_FOLLOWERS} follow already")
        follower = Follower(self._followers.discard)
        if self._has_ended:
            follower.end()
        self._followers.add(follower)
        return follower

    def end(self) -> None:
        """End every follower's iteration, the later ones' too: the agent stops."""
        self._has_ended = True
        for follower in self._followers:
            follower.end()
