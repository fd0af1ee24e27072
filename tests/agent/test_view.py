"""What the agent shows of itself, to people, Prometheus and the gateway."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from connector.domain.credentials import Activation
from connector.domain.devices import Device, DeviceState
from connector.domain.errors import DialError, RequestRefused, StoreError
from connector.domain.faults import FaultId
from connector.domain.identifiers import Channel
from connector.domain.links import LinkState, LinkStatus
from connector.domain.switch import Disabled, SwitchedBy
from tests.agent.clocks import NOON
from tests.agent.running_parts import Parts
from tests.bridge.far_sides import RecordingLink, cleared, delivered


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    return Parts(tmp_path)


def everything_up(parts: Parts) -> RecordingLink:
    """Both links connected, every channel open, two devices."""
    parts.site.pbx_connected("CSTA phase II")
    parts.site.devices_read(
        [Device("3001", state=DeviceState.IN_SERVICE), Device("3002", state=DeviceState.OUT_OF_SERVICE)]
    )
    parts.site.cloud_ready(link := RecordingLink())
    for channel in Channel:
        parts.site.channel_changed(channel, is_up=True)
    parts.disk.finish_all()
    return link


def test_at_the_start_nothing_is_ready_and_each_link_says_so(parts: Parts) -> None:
    assert parts.view.is_ready() == (False, ["pbx: stopped", "cloud: stopped"])


def test_ready_means_that_calls_reach_the_cloud(parts: Parts) -> None:
    everything_up(parts)
    assert parts.view.is_ready() == (True, [])
    parts.site.channel_changed(Channel.HTTP, is_up=False)
    assert parts.view.is_ready() == (True, []), "http is for looking only"
    parts.site.channel_changed(Channel.CSTA, is_up=False)
    assert parts.view.is_ready() == (False, ["The channel csta is closed."])


def test_a_link_that_is_down_says_why_in_the_catalogues_words(parts: Parts) -> None:
    everything_up(parts)
    error = DialError(FaultId.CLOUD_UNREACHABLE, "agent.example", link="cloud")
    parts.cloud.status = LinkStatus("cloud", LinkState.WAITING, NOON, error, NOON, 2)
    assert parts.view.is_ready() == (False, ["cloud: The gateway can't be reached."])


async def test_healthy_means_that_the_store_writes_whatever_the_far_ends_do(parts: Parts) -> None:
    await parts.writer.start()
    assert await parts.view.is_healthy() == (True, [])
    await parts.writer.aclose()
    is_healthy, (reason,) = await parts.view.is_healthy()
    assert not is_healthy
    assert reason.startswith("The local store can't be used.")


async def test_a_disk_in_trouble_is_told_and_no_reason_to_restart(parts: Parts) -> None:
    await parts.writer.start()
    parts.writer.trouble = StoreError(FaultId.STORE_UNUSABLE, "disk full")
    is_healthy, (reason,) = await parts.view.is_healthy()
    assert is_healthy, "what the disk refused is in memory alone"
    assert "disk full" in reason
    await parts.writer.aclose()


def test_the_figures_are_those_of_the_parts(parts: Parts) -> None:
    link = everything_up(parts)
    parts.cloud.ended_lives["cloud", "cloud-closed"] += 2
    parts.pbx.ended_lives["pbx", "pbx-closed"] += 1
    for event in (delivered(), cleared(), delivered()):
        parts.site.call_event(event)
    parts.disk.finish_all()
    parts.site.events_acknowledged("epoch", 1)
    parts.site.events_acknowledged("wrong", 1)
    parts.view.invitations["sent"] += 1
    parts.home.security_event()
    parts.home.gateway_time(NOON + timedelta(seconds=3.5))
    figures = parts.view.figures()
    assert figures.links == {"pbx": True, "cloud": True}
    assert figures.reconnects == {("cloud", "cloud-closed"): 2, ("pbx", "pbx-closed"): 1}
    assert figures.pbx_events == {"Delivered": 2, "ConnectionCleared": 1}
    assert (figures.events_sent, figures.events_acknowledged) == (3, 1)
    assert figures.outbox_entries == 1
    assert figures.devices == {DeviceState.IN_SERVICE: 1, DeviceState.OUT_OF_SERVICE: 1}
    assert (figures.calls_live, figures.invitations["sent"]) == (1, 1)
    assert figures.security_events == 2, "a stranger, and an acknowledgement of what is not ours"
    assert figures.clock_skew_seconds == -3.5
    assert len(link.sent) == 7


def test_the_pages_for_the_gateway_are_json_of_the_same(parts: Parts) -> None:
    everything_up(parts)
    parts.site.call_event(delivered())
    assert json.loads(parts.view.status_json()) == parts.view.status().as_json()
    (call,) = json.loads(parts.view.calls_json())["calls"]
    assert (call["device"], call["state"], call["caller"]) == ("3001", "alerting", "0639980001")


def test_the_device_list_comes_with_its_revision(parts: Parts) -> None:
    everything_up(parts)
    revision, devices = parts.view.devices()
    assert revision == 1
    assert [device.number for device in devices] == ["3001", "3002"]


async def test_switched_off_is_shown_and_nothing_is_ready_or_activated(parts: Parts) -> None:
    everything_up(parts)
    assert await parts.view.disable() == "The agent is off. No connection is open."
    assert await parts.view.disable() == "The agent was off already."
    assert parts.view.is_ready() == (False, ["The agent is switched off."])
    assert parts.view.status().disabled == Disabled(NOON, SwitchedBy.SITE)
    with pytest.raises(RequestRefused) as refused:
        await parts.view.activate("4711", lambda _: None)
    assert refused.value.fault is FaultId.AGENT_DISABLED
    assert await parts.view.enable() == "The agent is on and connects."
    assert await parts.view.enable() == "The agent was on already."
    assert parts.view.is_ready() == (True, [])


async def test_a_reset_forgets_the_codes_and_keeps_the_configuration(parts: Parts) -> None:
    await parts.home.keep_access_code("9f0c")
    before = parts.view.configuration()
    assert "every setting is kept" in await parts.view.reset()
    assert parts.view.status().activation is Activation.NOT_ACTIVATED
    assert parts.view.configuration() == before


def test_an_alarm_is_in_the_status_and_in_the_figures(parts: Parts) -> None:
    parts.alarms.report(FaultId.CLOCK_WRONG, "+90 s")
    parts.alarms.report(FaultId.STORE_UNUSABLE)
    parts.alarms.clear(FaultId.STORE_UNUSABLE)
    assert [alarm["detail"] for alarm in parts.view.status().as_json()["alarms"]] == ["+90 s"]
    assert parts.view.figures().alarms == {"clock-wrong": True, "store-unusable": False}
