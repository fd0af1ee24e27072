"""The two sides of a site: each hears of the other what it needs, in the order in which it can be used."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from typing import cast

import pytest

from connector.bridge.call_relay import CallRelay
from connector.bridge.commands import CommandDesk
from connector.bridge.configuration import ConfigurationDesk
from connector.bridge.outbox import Outbox
from connector.bridge.site import Desks, Site
from connector.domain.call_model import CallModel, CallUpdate
from connector.domain.calls import UNKNOWN_PARTY, DeviceSnapshot
from connector.domain.commands import (
    Answer,
    CommandDone,
    CommandRefused,
    CommandRequest,
    MakeCall,
    Refused,
    Remembered,
    Verb,
)
from connector.domain.configuration import Applied, CloudSettings, Monitored, MonitorsApplied
from connector.domain.devices import Device, DeviceState
from connector.domain.identifiers import Channel
from connector.domain.outbox import OutboxState
from tests.bridge.disks import SlowDisk
from tests.bridge.far_sides import (
    NOON,
    PlainEncoder,
    RecordingLink,
    StillClock,
    cleared,
    delivered,
    established,
)

DEVICES = [Device("3001", state=DeviceState.IN_SERVICE), Device("3002", state=DeviceState.IN_SERVICE)]


class FakeDesk:
    """Remembers one command, and what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[object] = []

    def received(self, request: CommandRequest, answer: Answer) -> None:
        self.asked.append((request, answer))

    def remembered(self, id_: str) -> Remembered | None:
        begun = Remembered(
            id="r1",
            verb=Verb.HOLD_CALL,
            device="3001",
            user="u1",
            fingerprint="",
            at=NOON,
            deadline=NOON,
        )
        return {"done": replace(begun, outcome=CommandDone()), "cut": begun}.get(id_)

    def settings_received(self, settings: CloudSettings, done: Applied) -> None:
        self.asked.append((settings, done))

    def monitors_received(self, monitors: Sequence[Monitored], done: MonitorsApplied) -> None:
        self.asked.append((monitors, done))


class World:
    """A site with a disk; `link` is the cloud's present life."""

    def __init__(self) -> None:
        self.disk = SlowDisk()
        outbox = Outbox(self.disk, OutboxState("epoch", 0, 0, 0), lambda: 0.0, new_epoch=lambda: "new")
        ids = count(1)
        relay = CallRelay(
            CallModel(lambda: f"c-{next(ids)}"), outbox, PlainEncoder(), lambda: 0.0, lambda _: None
        )
        self.connected: list[str] = []
        self.commands = FakeDesk()
        desks = Desks(cast("CommandDesk", self.commands), cast("ConfigurationDesk", self.commands))
        self.site = Site(relay, outbox, desks, StillClock(), self.connected.append)
        self.link = RecordingLink()

    def cloud_comes(self) -> list[tuple[object, ...]]:
        """A new life of the cloud link; what it is given."""
        self.link = RecordingLink()
        self.site.cloud_ready(self.link)
        self.disk.finish_all()
        return self.link.sent


@pytest.fixture
def world() -> World:
    return World()


def test_a_cloud_that_comes_first_learns_of_the_pbx_when_it_comes(world: World) -> None:
    assert world.cloud_comes() == [("pbx", False), ("presences", []), ("snapshot", [])]
    world.site.pbx_connected("CSTA phase II")
    world.site.devices_read(DEVICES)
    assert world.link.sent[3:] == [
        ("pbx", True),
        ("list", ["3001", "3002"]),
        ("presences", ["3001", "3002"]),
    ]
    assert world.connected == ["cloud", "pbx"]
    assert world.site.pbx_version == "CSTA phase II"


def test_a_cloud_that_comes_later_gets_list_backlog_and_snapshot_in_this_order(world: World) -> None:
    world.site.pbx_connected("")
    world.site.devices_read(DEVICES)
    world.site.call_event(delivered())
    world.site.call_event(cleared())
    world.site.call_event(delivered())
    sent = world.cloud_comes()
    assert sent == [
        ("pbx", True),
        ("list", ["3001", "3002"]),
        ("presences", ["3001", "3002"]),
        ("gap", 1),
        ("event", "ConnectionCleared", True, True),
        ("gap", 1),
        ("snapshot", ["3001"]),
    ]


def test_after_the_backlog_events_go_as_they_come(world: World) -> None:
    world.cloud_comes()
    world.site.call_event(delivered())
    world.site.call_event(established())
    assert [one[1:] for one in world.link.sent if one[0] == "event"] == [
        ("Delivered", False, False),
        ("Established", False, False),
    ]


def test_a_lost_pbx_is_told_and_its_calls_stay_until_they_can_be_read_again(world: World) -> None:
    world.cloud_comes()
    world.site.pbx_connected("")
    world.site.call_event(delivered())
    world.site.pbx_lost()
    assert world.link.sent[-1] == ("pbx", False)
    assert [leg.device for leg in world.site.live_legs()] == ["3001"]
    world.site.pbx_connected("")
    world.site.device_snapshot(DeviceSnapshot("3001", ()))
    world.disk.finish_all()
    assert world.link.sent[-2:] == [("pbx", True), ("event", "ConnectionCleared", True, False)]
    assert world.site.live_legs() == ()


def test_a_lost_cloud_closes_every_channel_and_is_told_nothing_more(world: World) -> None:
    world.cloud_comes()
    for channel in Channel:
        world.site.channel_changed(channel, is_up=True)
    world.site.cloud_lost()
    assert not any(world.site.channels.values())
    before = len(world.link.sent)
    world.site.pbx_connected("")
    world.site.devices_read(DEVICES)
    world.site.call_event(cleared())
    world.disk.finish_all()
    assert len(world.link.sent) == before
    assert world.site.outbox.unacknowledged == 1


def test_acknowledgements_and_requests_reach_their_owners(world: World) -> None:
    world.site.devices_read(DEVICES)
    world.cloud_comes()
    world.site.call_event(cleared())
    world.disk.finish_all()
    assert not world.site.events_acknowledged("another", 1)
    assert world.site.events_acknowledged("epoch", 1)
    assert world.site.outbox.unacknowledged == 0
    world.site.device_list_wanted()
    assert world.link.names().count("list") == 2


def test_a_device_out_of_service_goes_as_a_change(world: World) -> None:
    world.site.devices_read(DEVICES)
    world.cloud_comes()
    world.site.device_state_changed("3002", DeviceState.OUT_OF_SERVICE)
    assert world.link.sent[-1] == ("delta", ["3002"])


def test_a_session_that_goes_on_hears_only_what_may_have_changed(world: World) -> None:
    world.site.devices_read(DEVICES)
    world.site.pbx_connected("")
    world.cloud_comes()
    world.site.call_event(delivered())
    world.site.cloud_paused()
    assert not any(world.site.channels.values())
    world.site.call_event(established())
    resumed = RecordingLink()
    world.site.cloud_resumed(resumed, None)
    world.disk.finish_all()
    assert resumed.sent == [
        ("pbx", True),
        ("presences", ["3001", "3002"]),
        ("event", "Established", False, False),
    ]
    assert world.connected == ["pbx", "cloud", "cloud"]


def test_who_is_busy_is_told_as_it_changes(world: World) -> None:
    world.site.devices_read(DEVICES)
    world.site.pbx_connected("")
    world.cloud_comes()
    update = CallUpdate("c-1", "3001", established(), UNKNOWN_PARTY, UNKNOWN_PARTY)
    world.site.call_updated(update)
    assert world.link.sent[-1] == ("presences", ["3001"])


def test_what_the_cloud_asks_for_reaches_its_desk(world: World) -> None:
    request = CommandRequest("r1", "3001", "u1", NOON, MakeCall("3001", "3002"))
    settings, monitors = CloudSettings(1), [Monitored("3001")]
    world.site.command_received(request, print)
    world.site.settings_received(settings, print)
    world.site.monitors_received(monitors, print)
    assert world.commands.asked == [(request, print), (settings, print), (monitors, print)]


def test_a_command_of_another_process_is_told_by_its_outcome_and_never_run(world: World) -> None:
    assert world.site.command_outcome("done") == (Verb.HOLD_CALL, CommandDone())
    assert world.site.command_outcome("cut")[1] == CommandRefused(Refused.UNKNOWN_OUTCOME)
    assert world.site.command_outcome("never begun")[1] == CommandRefused(Refused.STORE)
