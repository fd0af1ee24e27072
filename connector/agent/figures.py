"""What the agent counts of itself: plain integers, which cost the way of an event next to nothing.

`connector.agent.metrics` puts them into Prometheus' words, and needs its library only for that.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from connector.domain.devices import DeviceState
from connector.domain.identifiers import Channel

# From "the disk and the gateway are near" (10 ms and less) to "the link was down" (over 30 s).
LAG_BUCKETS_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What the agent counted since its start, read at one moment.

    `reconnects`: by (link, fault id) · `pbx_events`: by event name ("delivered") · `events_dropped`: by
    reason · `invitations`: by status · `clock_skew_seconds`: ours minus the gateway's, None if not known ·
    `alarms`: by fault id, whether it is raised; those that were never raised are left out.
    """

    channels: Mapping[Channel, bool] = field(default_factory=dict)
    links: Mapping[str, bool] = field(default_factory=dict)
    reconnects: Mapping[tuple[str, str], int] = field(default_factory=dict)
    pbx_events: Mapping[str, int] = field(default_factory=dict)
    events_sent: int = 0
    events_acknowledged: int = 0
    events_dropped: Mapping[str, int] = field(default_factory=dict)
    outbox_entries: int = 0
    outbox_unsafe_writes: int = 0
    outbox_lost: int = 0
    outbox_quarantined: int = 0
    outbox_quarantine_dropped: int = 0
    devices: Mapping[DeviceState, int] = field(default_factory=dict)
    calls_live: int = 0
    invitations: Mapping[str, int] = field(default_factory=dict)
    security_events: int = 0
    clock_skew_seconds: float | None = None
    alarms: Mapping[str, bool] = field(default_factory=dict)


class LagHistogram:
    """Cumulative buckets of one quantity. `observe` costs a bisection: it stands on the way of each event."""

    __slots__ = ("_counts", "_sum")

    def __init__(self) -> None:
        self._counts = [0] * (len(LAG_BUCKETS_SECONDS) + 1)
        self._sum = 0.0

    def observe(self, seconds: float) -> None:
        """Count one event that took `seconds`."""
        self._counts[bisect_left(LAG_BUCKETS_SECONDS, seconds)] += 1
        self._sum += seconds

    def buckets(self) -> tuple[Sequence[tuple[str, float]], float]:
        """(upper bound, number at or under it) for each bucket and +Inf, and the sum of all values."""
        bounds = [*map(str, LAG_BUCKETS_SECONDS), "+Inf"]
        total = 0
        rows: list[tuple[str, float]] = []
        for bound, count in zip(bounds, self._counts, strict=True):
            total += count
            rows.append((bound, total))
        return rows, self._sum
