"""The page that Prometheus reads."""

import re
import shutil
import subprocess
from collections.abc import Callable

import pytest
from prometheus_client.parser import text_string_to_metric_families

from connector import __version__
from connector.agent.figures import LAG_BUCKETS_SECONDS, Figures, LagHistogram
from connector.agent.metrics import Metrics
from connector.domain.devices import DeviceState
from connector.domain.identifiers import Channel

FULL = Figures(
    channels={Channel.XMPP: True, Channel.CSTA: True},
    links={"pbx": True, "cloud": False},
    reconnects={("cloud", "cloud-closed"): 3},
    pbx_events={"delivered": 7, "established": 5},
    events_sent=12,
    events_acknowledged=11,
    events_dropped={"queue-full": 1},
    outbox_entries=4,
    outbox_lost=5,
    outbox_unsafe_writes=6,
    outbox_quarantined=7,
    outbox_quarantine_dropped=8,
    devices={DeviceState.IN_SERVICE: 20, DeviceState.OUT_OF_SERVICE: 1},
    calls_live=2,
    invitations={"sent": 1, "refused": 2},
    security_events=1,
    clock_skew_seconds=-1.5,
    alarms={"second-agent": True, "clock-wrong": False},
)

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(page: bytes) -> Samples:
    """Every sample of `page` by its name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }


def scraped(figures: Figures) -> Samples:
    return samples(Metrics(lambda: figures, LagHistogram()).page())


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        ("oxbridge_build_info", {"version": __version__}, 1),
        ("oxbridge_channel_up", {"channel": "xmpp"}, 1),
        ("oxbridge_channel_up", {"channel": "http"}, 0),
        ("oxbridge_link_up", {"link": "pbx"}, 1),
        ("oxbridge_link_up", {"link": "cloud"}, 0),
        ("oxbridge_reconnects_total", {"link": "cloud", "reason": "cloud-closed"}, 3),
        ("oxbridge_pbx_events_total", {"event": "delivered"}, 7),
        ("oxbridge_events_sent_total", {}, 12),
        ("oxbridge_events_acknowledged_total", {}, 11),
        ("oxbridge_events_dropped_total", {"reason": "queue-full"}, 1),
        ("oxbridge_outbox_entries", {}, 4),
        ("oxbridge_outbox_lost_total", {}, 5),
        ("oxbridge_outbox_unsafe_writes_total", {}, 6),
        ("oxbridge_outbox_quarantined_total", {}, 7),
        ("oxbridge_outbox_quarantine_dropped_total", {}, 8),
        ("oxbridge_devices", {"state": "in-service"}, 20),
        ("oxbridge_devices", {"state": "unknown"}, 0),
        ("oxbridge_calls_live", {}, 2),
        ("oxbridge_invitations_total", {"status": "refused"}, 2),
        ("oxbridge_invitations_total", {"status": "unknown"}, 0),
        ("oxbridge_security_events_total", {}, 1),
        ("oxbridge_clock_skew_seconds", {}, -1.5),
        ("oxbridge_alarm", {"fault": "second-agent"}, 1),
        ("oxbridge_alarm", {"fault": "clock-wrong"}, 0),
    ],
)
def test_each_figure_is_told(name: str, labels: dict[str, str], value: float) -> None:
    assert scraped(FULL)[name, tuple(sorted(labels.items()))] == value


def test_an_unknown_clock_skew_is_left_out() -> None:
    assert not any(name == "oxbridge_clock_skew_seconds" for name, _ in scraped(Figures()))


def test_figures_are_read_at_each_scrape_and_not_before() -> None:
    asked = 0

    def figures() -> Figures:
        nonlocal asked
        asked += 1
        return Figures(events_sent=asked)

    metrics = Metrics(figures, LagHistogram())
    assert asked == 0
    pages = [samples(metrics.page())["oxbridge_events_sent_total", ()] for _ in range(2)]
    assert pages == [1, 2]


def test_lags_fall_into_cumulative_buckets() -> None:
    lag = LagHistogram()
    metrics = Metrics(Figures, lag)
    for seconds in (0.001, 0.005, 0.02, 99.0):
        lag.observe(seconds)
    page = samples(metrics.page())
    buckets = {
        dict(labels)["le"]: value for (name, labels), value in page.items() if name.endswith("_bucket")
    }
    assert buckets["0.005"] == 2  # a bound belongs to its bucket
    assert buckets["0.01"] == 2
    assert buckets["0.025"] == 3
    assert buckets["30.0"] == 3
    assert buckets["+Inf"] == page["oxbridge_event_lag_seconds_count", ()] == 4
    assert page["oxbridge_event_lag_seconds_sum", ()] == pytest.approx(99.026)
    assert len(buckets) == len(LAG_BUCKETS_SECONDS) + 1


def test_two_agents_in_one_process_do_not_share_a_registry() -> None:
    assert scraped(Figures(calls_live=1)) != scraped(Figures(calls_live=2))


def test_names_follow_the_conventions_and_no_label_holds_a_number() -> None:
    for family in text_string_to_metric_families(Metrics(lambda: FULL, LagHistogram()).page().decode()):
        assert re.fullmatch(r"(oxbridge|process)_[a-z_]+", family.name)
        assert family.documentation
        for sample in family.samples:
            assert (family.type == "counter") == sample.name.endswith("_total")
            values = [value for label, value in sample.labels.items() if label not in ("le", "version")]
            assert all(re.fullmatch(r"[a-z-]+", value) for value in values)


@pytest.mark.tools
@pytest.mark.parametrize("figures", [Figures, lambda: FULL], ids=["empty", "full"])
def test_promtool_finds_nothing(figures: Callable[[], Figures]) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian package prometheus)")
    checked = subprocess.run(
        [promtool, "check", "metrics"],
        input=Metrics(figures, LagHistogram()).page(),
        capture_output=True,
        check=False,
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")
