"""What waits for the cloud: the words of the outbox and its port to the disk."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """One event on its way. `body` is what the cloud's dialect made of it, opaque here.

    `seq` numbers all events of an epoch without holes; only durable ones are written to disk. `end` says how
    the call ended, on the last event of a call.
    """

    seq: int
    durable: bool
    device: str
    call: str
    at: datetime
    end: str | None
    body: str


@dataclass(frozen=True, slots=True)
class OutboxState:
    """What the disk knew at the start: `last_seq` is the highest sequence number that may have been used."""

    epoch: str
    last_seq: int
    acknowledged_seq: int
    unacknowledged: int


@dataclass(frozen=True, slots=True)
class OutboxBatch:
    """One write: entries to keep, up to which to delete, up to which numbers are taken."""

    entries: Sequence[OutboxEntry]
    acknowledged_seq: int
    reserved_seq: int


class OutboxDisk(Protocol):
    """The durable half of the outbox. Calls return at once; `done` is called on the loop."""

    def write(self, batch: OutboxBatch, done: Callable[[BaseException | None], None]) -> None:
        """Make `batch` durable, all of it or nothing."""

    def read(self, after_seq: int, limit: int, done: Callable[[Sequence[OutboxEntry]], None]) -> None:
        """The first `limit` entries above `after_seq`, in order; empty when there are none."""


class EventSender(Protocol):
    """A cloud link that is ready for events."""

    def send_event(self, entry: OutboxEntry, epoch: str, *, replayed: bool) -> None:
        """Hand one event to the link; it is ordered behind everything sent before."""

    def send_gap(self, epoch: str, first_seq: int, last_seq: int, count: int) -> None:
        """Announce that `count` volatile events between the two numbers will never come."""
