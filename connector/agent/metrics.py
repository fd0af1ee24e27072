"""The agent in Prometheus' words.

The bridge counts in plain integers; they are read when somebody scrapes, so that nothing on the way of an
event pays for a metric. Labels take their values from fixed vocabularies: never a number, a name or an id.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from connector import __version__
from connector.domain.devices import DeviceState
from connector.domain.identifiers import Channel

# From "the disk and the gateway are near" (10 ms and less) to "the link was down" (over 30 s).
LAG_BUCKETS_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

_LINKS: Final = ("pbx", "cloud")
_INVITATION_STATUSES: Final = ("sent", "refused", "failed", "unknown")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What the agent counted since its start, read at one moment.

    `reconnects`: by (link, fault id) · `pbx_events`: by event name ("delivered") · `events_dropped`: by
    reason · `invitations`: by status · `clock_skew_seconds`: ours minus the gateway's, None if not known.
    """

    channels: Mapping[Channel, bool] = field(default_factory=dict)
    links: Mapping[str, bool] = field(default_factory=dict)
    reconnects: Mapping[tuple[str, str], int] = field(default_factory=dict)
    pbx_events: Mapping[str, int] = field(default_factory=dict)
    events_sent: int = 0
    events_acknowledged: int = 0
    events_dropped: Mapping[str, int] = field(default_factory=dict)
    outbox_entries: int = 0
    devices: Mapping[DeviceState, int] = field(default_factory=dict)
    calls_live: int = 0
    invitations: Mapping[str, int] = field(default_factory=dict)
    security_events: int = 0
    clock_skew_seconds: float | None = None


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


class Metrics:
    """The page of `GET /metrics`, made anew from `figures()` at each scrape."""

    content_type: Final = CONTENT_TYPE_PLAIN_0_0_4

    def __init__(self, figures: Callable[[], Figures]) -> None:
        self.event_lag = LagHistogram()
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_AgentCollector(figures, self.event_lag))
        ProcessCollector(registry=self._registry)

    def page(self) -> bytes:
        """All metrics in the text format 0.0.4."""
        return generate_latest(self._registry)


class _AgentCollector(Collector):
    def __init__(self, figures: Callable[[], Figures], lag: LagHistogram) -> None:
        self._figures = figures
        self._lag = lag

    def collect(self) -> Iterator[Metric]:
        figures = self._figures()
        yield from _link_metrics(figures)
        yield from _event_metrics(figures)
        yield from _state_metrics(figures)
        lag = HistogramMetricFamily(
            "oxbridge_event_lag_seconds", "From the PBX's report to the gateway's acknowledgement."
        )
        rows, total = self._lag.buckets()
        lag.add_metric([], buckets=rows, sum_value=total)
        yield lag


def _link_metrics(figures: Figures) -> Iterator[Metric]:
    build = GaugeMetricFamily("oxbridge_build_info", "The running version; always 1.", labels=["version"])
    build.add_metric([__version__], 1)
    yield build
    channels = {channel.value: int(figures.channels.get(channel, False)) for channel in Channel}
    yield _gauge("oxbridge_channel_up", "Whether a channel to the cloud works.", channels, "channel")
    links = {link: int(figures.links.get(link, False)) for link in _LINKS}
    yield _gauge("oxbridge_link_up", "Whether a link is authenticated and usable.", links, "link")
    reconnects = CounterMetricFamily(
        "oxbridge_reconnects",
        "Ended lives of a link, by the fault that ended them.",
        labels=["link", "reason"],
    )
    for key, count in sorted(figures.reconnects.items()):
        reconnects.add_metric(list(key), count)
    yield reconnects
    yield CounterMetricFamily(
        "oxbridge_security_events", "Stanzas from strangers and failed proofs.", value=figures.security_events
    )
    if figures.clock_skew_seconds is not None:
        yield GaugeMetricFamily(
            "oxbridge_clock_skew_seconds", "Our clock minus the gateway's.", value=figures.clock_skew_seconds
        )


def _event_metrics(figures: Figures) -> Iterator[Metric]:
    yield _counter("oxbridge_pbx_events", "Events the PBX reported.", figures.pbx_events, "event")
    yield CounterMetricFamily("oxbridge_events_sent", "Events sent, repeats too.", value=figures.events_sent)
    yield CounterMetricFamily(
        "oxbridge_events_acknowledged", "Events the gateway has stored.", value=figures.events_acknowledged
    )
    yield _counter("oxbridge_events_dropped", "Events given up.", figures.events_dropped, "reason")
    yield GaugeMetricFamily(
        "oxbridge_outbox_entries", "Durable events not yet acknowledged.", value=figures.outbox_entries
    )


def _state_metrics(figures: Figures) -> Iterator[Metric]:
    devices = {state.value: figures.devices.get(state, 0) for state in DeviceState}
    yield _gauge("oxbridge_devices", "Devices of the PBX.", devices, "state")
    yield GaugeMetricFamily("oxbridge_calls_live", "Calls in progress.", value=figures.calls_live)
    invitations = {status: figures.invitations.get(status, 0) for status in _INVITATION_STATUSES}
    yield _counter("oxbridge_invitations", "RVA invitations, by how they ended.", invitations, "status")


def _gauge(name: str, text: str, values: Mapping[str, float], label: str) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=[label])
    for value, number in sorted(values.items()):
        family.add_metric([value], number)
    return family


def _counter(name: str, text: str, values: Mapping[str, float], label: str) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=[label])
    for value, number in sorted(values.items()):
        family.add_metric([value], number)
    return family
