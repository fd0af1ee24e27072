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
    """What the disk knew at the start: `last_seq` is the highest sequence number that may have been used.

    `is_stored` is False for an epoch that lives in memory only, because no disk can be used.
    `quarantined` are the numbers above `acknowledged_seq` that were put aside.
    """

    epoch: str
    last_seq: int
    acknowledged_seq: int
    unacknowledged: int
    is_stored: bool = True
    quarantined: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Condemned:
    """An entry that the gateway can't take, and why: to be put aside."""

    entry: OutboxEntry
    reason: str


@dataclass(frozen=True, slots=True)
class OutboxBatch:
    """One write: entries to keep, up to which to delete, up to which numbers are taken, what is put aside.

    `epoch` says whose numbers they are: a store with another one refuses the batch.
    """

    entries: Sequence[OutboxEntry]
    acknowledged_seq: int
    reserved_seq: int
    epoch: str
    condemned: Sequence[Condemned] = ()


@dataclass(frozen=True, slots=True)
class OutboxPage:
    """Entries read back, in order, and the numbers of those that can't be read any more.

    `is_last` says that nothing follows.
    """

    entries: Sequence[OutboxEntry]
    damaged: Sequence[int] = ()
    is_last: bool = True


class OutboxDisk(Protocol):
    """The durable half of the outbox. Calls return at once; `done` is called on the loop."""

    @property
    def entries(self) -> int:
        """How many entries are kept, as of the last write that is done."""

    @property
    def quarantine_dropped(self) -> int:
        """How many entries that had been put aside were deleted for newer ones, since the start."""

    def write(self, batch: OutboxBatch, done: Callable[[BaseException | None], None]) -> None:
        """Make `batch` durable, all of it or nothing."""

    def read(self, after_seq: int, limit: int, done: Callable[[OutboxPage | None], None]) -> None:
        """The first `limit` entries above `after_seq`; None when they can't be read now."""

    def reopen(self, new_epoch: str, done: Callable[[OutboxState | None], None]) -> None:
        """The state of the file that is there now, born with `new_epoch` if it is new; None if none can be
        used."""


class EventSender(Protocol):
    """A cloud link that is ready for events."""

    def send_event(self, entry: OutboxEntry, epoch: str, *, replayed: bool) -> None:
        """Hand one event to the link; it is ordered behind everything sent before."""

    def send_gap(
        self,
        epoch: str,
        first_seq: int,
        last_seq: int,
        count: int,
        *,
        durable: bool = False,
        quarantined: bool = False,
    ) -> None:
        """Announce that `count` events of a class between the two numbers will never come.

        `quarantined` ones are kept aside: the gateway can't take them.
        """

    def is_clear(self) -> bool:
        """Whether the far end has all that it was sent, of whatever kind.

        When not, it is asked, and the link's owner is told once it has.
        """
