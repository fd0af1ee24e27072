"""A gateway that stores what arrives, and the streams that carry it: for tests of the outbox."""

from collections import deque
from dataclasses import dataclass, field

from connector.domain.outbox import OutboxEntry
from simulators.gateway.sequence import EventStore
from simulators.gateway.sequence import Gap as Missing


@dataclass(frozen=True, slots=True)
class Gap:
    epoch: str
    first: int
    last: int
    count: int
    durable: bool
    quarantined: bool = False


@dataclass
class Store:
    """The gateway's memory: survives every stream and drops what it has. `order` is that of first arrivals.

    An event that got another number, because its store was lost, may come under both.
    """

    numbers: EventStore = field(default_factory=EventStore)
    bodies: dict[tuple[str, int], str] = field(default_factory=dict)
    order: list[tuple[str, str]] = field(default_factory=list)
    arrived: set[str] = field(default_factory=set)
    lost_durable: int = 0
    quarantined: int = 0

    def take(self, item: OutboxEntry | Gap, epoch: str) -> None:
        if isinstance(item, Gap):
            missing = Missing(item.first, item.last, item.count, item.durable)
            if self.numbers.skip(item.epoch, missing) and item.durable:
                self.lost_durable += 0 if item.quarantined else item.count
                self.quarantined += item.count if item.quarantined else 0
            return
        known = self.bodies.setdefault((epoch, item.seq), item.body)
        assert known == item.body, "a number means one event for ever"
        is_first = item.body not in self.arrived or not item.body
        self.arrived.add(item.body)
        if self.numbers.add(epoch, item.seq) and is_first:
            self.order.append((item.call, item.body))


class Stream:
    """Implements `EventSender`: one ordered stream; `arrive` is the network.

    Every number is told once, as an event or within a gap.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.events: list[tuple[int, bool]] = []
        self.gaps: list[tuple[int, int, int]] = []
        self.lost: list[tuple[int, int, int]] = []
        self.quarantined: list[tuple[int, int, int]] = []
        self.clear = True
        self._told: set[tuple[str, int]] = set()
        self._last_gap: Gap | None = None
        self._pipe: deque[tuple[OutboxEntry | Gap, str]] = deque()
        self._epoch = ""

    def send_event(self, entry: OutboxEntry, epoch: str, *, replayed: bool) -> None:
        self._tell(epoch, entry.seq, entry.seq)
        self.events.append((entry.seq, replayed))
        self._pipe.append((entry, epoch))

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
        gap = Gap(epoch, first_seq, last_seq, count, durable, quarantined)
        before = self._last_gap
        if before is not None and (before.first, before.last, before.durable) == (first_seq, last_seq, True):
            assert not durable
            assert before.count + count == last_seq - first_seq + 1
        else:
            assert durable or count == last_seq - first_seq + 1
            self._tell(epoch, first_seq, last_seq)
        self._last_gap = gap
        kept = self.quarantined if quarantined else self.lost if durable else self.gaps
        kept.append((first_seq, last_seq, count))
        self._pipe.append((gap, epoch))

    def is_clear(self) -> bool:
        return self.clear

    def arrive(self, count: int = 1_000_000) -> None:
        while self._pipe and count:
            item, epoch = self._pipe.popleft()
            self._epoch = epoch
            self.store.take(item, epoch)
            count -= 1

    def acknowledgement(self) -> tuple[str, int, tuple[tuple[int, int], ...]]:
        """What the gateway says now: epoch, number, ranges above it."""
        numbers = self.store.numbers
        return self._epoch, numbers.upto(self._epoch) or 0, numbers.held(self._epoch, 8)

    def resumed_by_another_process(self) -> "Stream":
        """The same pipe; what the process before was told is no concern of the next one."""
        stream = Stream(self.store)
        stream._pipe, stream._epoch = self._pipe, self._epoch
        return stream

    @property
    def carried(self) -> int:
        """How many events and gaps were handed over."""
        return len(self.events) + len(self.gaps) + len(self.lost) + len(self.quarantined)

    def _tell(self, epoch: str, first: int, last: int) -> None:
        numbers = {(epoch, seq) for seq in range(first, last + 1)}
        assert not numbers & self._told, "a stream is told a number once"
        self._told |= numbers
