"""What goes into the outbox, and what is counted on the way."""

from dataclasses import dataclass
from datetime import datetime

from connector.domain.outbox import EventSender


@dataclass(frozen=True, slots=True)
class Draft:
    """An event before it has a number. `late` says that its call may be over, or of an earlier process."""

    durable: bool
    device: str
    call: str
    at: datetime
    end: str | None
    body: str
    late: bool = False


@dataclass(slots=True)
class OutboxFigures:
    """Plain counters, read at scrape time.

    `unsafe_writes` counts durable events that the disk refused, `lost_durable` those announced as lost,
    `quarantined` those put aside because the gateway can't take them.
    """

    sent: int = 0
    acknowledged: int = 0
    dropped_volatile: int = 0
    unsafe_writes: int = 0
    lost_durable: int = 0
    bad_acknowledgements: int = 0
    quarantined: int = 0


@dataclass(frozen=True, slots=True)
class Gap:
    """Numbers that will never come: `lost` of them were durable, the others volatile.

    With `is_quarantined` it is one durable event, kept aside.
    """

    epoch: str
    first_seq: int
    last_seq: int
    lost: int
    is_quarantined: bool = False

    def announce(self, sender: EventSender) -> None:
        """Tell it, each class for itself."""
        span = self.last_seq - self.first_seq + 1
        if self.is_quarantined:
            sender.send_gap(self.epoch, self.first_seq, self.last_seq, span, durable=True, quarantined=True)
            return
        if self.lost:
            sender.send_gap(self.epoch, self.first_seq, self.last_seq, self.lost, durable=True)
        if span > self.lost:
            sender.send_gap(self.epoch, self.first_seq, self.last_seq, span - self.lost)
