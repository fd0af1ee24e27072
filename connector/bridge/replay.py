"""Reading back what a stream was not given, page by page, with what only memory has in between."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from connector.domain.outbox import OutboxDisk, OutboxEntry, OutboxPage

# Entries of one page when the disk is read back.
REPLAY_PAGE = 200
# A disk that can't be read is tried again so often.
RETRY_SECONDS = 1.0


class Waiting(NamedTuple):
    """An entry to be sent, and when it was appended (monotonic seconds; None when it was read back)."""

    entry: OutboxEntry
    appended_at: float | None


@dataclass(slots=True)
class Replay:
    """One stream's reading. `page` is what comes next; every number up to `page_end` is decided by it."""

    page: deque[Waiting] = field(default_factory=deque)
    page_end: int = 0
    is_over: bool = False
    _is_reading: bool = False
    _retry_at: float = 0.0

    def read(
        self, disk: OutboxDisk, after_seq: int, now: float, done: Callable[[OutboxPage | None], None]
    ) -> None:
        """Ask for the page above `after_seq`, unless one is asked for; `done` is not called after the end."""
        if self._is_reading or now < self._retry_at:
            return
        self._is_reading = True

        def page_read(page: OutboxPage | None) -> None:
            self._is_reading = False
            if self.is_over:
                return  # the stream that asked for it is gone
            self._retry_at = now + RETRY_SECONDS if page is None else 0.0
            done(page)

        disk.read(after_seq, REPLAY_PAGE, page_read)

    def retry(self) -> None:
        """The disk may be readable again."""
        self._retry_at = 0.0

    def take(self, page: OutboxPage, horizon: int, in_memory: Iterable[Waiting]) -> None:
        """Put `page` and what of `in_memory` belongs between in order. Nothing above `horizon` is decided."""
        newest = max([entry.seq for entry in page.entries[-1:]] + list(page.damaged[-1:]), default=horizon)
        self.page_end = horizon if page.is_last else min(horizon, newest)
        found = {entry.seq: Waiting(entry, None) for entry in page.entries}
        found |= {one.entry.seq: one for one in in_memory}
        self.page.extend(found[seq] for seq in sorted(found) if seq <= self.page_end)
