"""The agent in Prometheus' words.

The bridge counts in plain integers; they are read when somebody scrapes, so that nothing on the way of an
event pays for a metric. Labels take their values from fixed vocabularies: never a number, a name or an id.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from connector import __version__
from connector.agent.figures import Figures, LagHistogram
from connector.domain.devices import DeviceState
from connector.domain.identifiers import Channel

_LINKS: Final = ("pbx", "cloud")
_INVITATION_STATUSES: Final = ("sent", "refused", "failed", "unknown")


class Metrics:
    """The page of `GET /metrics`, made anew from `figures()` and `event_lag` at each scrape."""

    content_type: Final = CONTENT_TYPE_PLAIN_0_0_4

    def __init__(self, figures: Callable[[], Figures], event_lag: LagHistogram) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_AgentCollector(figures, event_lag))
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
    yield CounterMetricFamily(
        "oxbridge_outbox_unsafe_writes",
        "Durable events that the disk refused.",
        value=figures.outbox_unsafe_writes,
    )
    yield CounterMetricFamily(
        "oxbridge_outbox_lost", "Durable events announced as lost.", value=figures.outbox_lost
    )
    yield CounterMetricFamily(
        "oxbridge_outbox_quarantined",
        "Events put aside that the gateway can't take.",
        value=figures.outbox_quarantined,
    )
    yield CounterMetricFamily(
        "oxbridge_outbox_quarantine_dropped",
        "Events put aside and deleted for newer ones.",
        value=figures.outbox_quarantine_dropped,
    )


def _state_metrics(figures: Figures) -> Iterator[Metric]:
    devices = {state.value: figures.devices.get(state, 0) for state in DeviceState}
    yield _gauge("oxbridge_devices", "Devices of the PBX.", devices, "state")
    yield GaugeMetricFamily("oxbridge_calls_live", "Calls in progress.", value=figures.calls_live)
    alarms = {fault: int(is_raised) for fault, is_raised in figures.alarms.items()}
    yield _gauge("oxbridge_alarm", "Whether an alarm is raised.", alarms, "fault")
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
