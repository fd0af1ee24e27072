"""Each event of the PBX goes to the outbox once, with its call's id and its class, whoever else watches."""

from itertools import count

import pytest

from connector.bridge.call_relay import CallRelay
from connector.bridge.drafts import Draft
from connector.bridge.outbox import Outbox
from connector.domain.call_model import CallEnd, CallModel, CallUpdate
from connector.domain.calls import CallEvent, DeviceSnapshot, LiveConnection, LocalState
from connector.domain.invitations import InvitationOutcome, InvitationStatus
from connector.domain.outbox import OutboxEntry, OutboxState
from tests.bridge.disks import SlowDisk
from tests.bridge.far_sides import (
    DURABLE,
    NOON,
    VOLATILE,
    PlainEncoder,
    cleared,
    connection,
    delivered,
    established,
)


class Collector:
    """Takes the outbox's entries whole."""

    def __init__(self) -> None:
        self.entries: list[OutboxEntry] = []

    def send_event(self, entry: OutboxEntry, epoch: str, *, replayed: bool) -> None:
        self.entries.append(entry)

    def is_clear(self) -> bool:
        return True

    def send_gap(
        self,
        epoch: str,
        first_seq: int,
        last_seq: int,
        count: int,
        *,
        durable: bool = False,
        quarantined: bool = False,
    ) -> None: ...


class Relay:
    """A relay between a made-up PBX and a cloud that takes everything."""

    def __init__(self) -> None:
        disk = SlowDisk()
        outbox = Outbox(disk, OutboxState("epoch", 0, 0, 0), lambda: 0.0, new_epoch=lambda: "new")
        outbox.link_up(cloud := Collector())
        ids = count(1)
        self.encoder = PlainEncoder()
        self.watched: list[CallUpdate] = []
        self.relay = CallRelay(
            CallModel(lambda: f"c-{next(ids)}"), outbox, self.encoder, lambda: 0.0, self.watched.append
        )
        self._disk, self._cloud = disk, cloud

    def sent(self) -> list[OutboxEntry]:
        """What reached the cloud."""
        self._disk.finish_all()
        return self._cloud.entries


@pytest.fixture
def site() -> Relay:
    return Relay()


@pytest.mark.parametrize("event", DURABLE, ids=lambda event: type(event).__name__)
def test_what_tells_that_a_call_happened_and_how_it_ended_is_durable(site: Relay, event: CallEvent) -> None:
    site.relay.call_event(event)
    assert [entry.durable for entry in site.sent()] == [True]


@pytest.mark.parametrize("event", VOLATILE, ids=lambda event: type(event).__name__)
def test_what_only_tells_the_moment_is_volatile(site: Relay, event: CallEvent) -> None:
    site.relay.call_event(event)
    assert [entry.durable for entry in site.sent()] == [False]


def test_every_event_of_a_call_carries_the_same_id_and_the_last_one_how_it_ended(site: Relay) -> None:
    for event in (delivered(), established(), cleared(), delivered()):
        site.relay.call_event(event)
    assert [(entry.call, entry.end) for entry in site.sent()] == [
        ("c-1", None),
        ("c-1", None),
        ("c-1", CallEnd.ANSWERED.value),
        ("c-1", None),
    ], "the same reference soon after is the same call: a diversion seen from both sides"
    assert [entry.body for entry in site.sent()][:2] == ["Delivered", "Established"]
    assert {entry.at for entry in site.sent()} == {NOON}


def test_an_event_without_a_word_in_the_dialect_is_counted_watched_and_followed_by_the_next(
    site: Relay,
) -> None:
    site.encoder.is_speechless = True
    site.relay.call_event(delivered())
    site.encoder.is_speechless = False
    site.relay.call_event(established())
    assert site.relay.untranslatable == 1
    assert [entry.body for entry in site.sent()] == ["Established"]
    assert [type(update.event).__name__ for update in site.watched] == ["Delivered", "Established"]
    assert site.relay.counts == {"Delivered": 1, "Established": 1}


def test_calls_that_ended_while_nobody_listened_end_as_unknown(site: Relay) -> None:
    site.relay.call_event(delivered())
    site.relay.device_snapshot(DeviceSnapshot("3001", ()), NOON)
    last = site.sent()[-1]
    assert (last.call, last.durable, last.end) == ("c-1", True, "unknown")
    assert site.relay.live_calls == 0
    site.relay.device_snapshot(DeviceSnapshot("3001", ()), NOON)
    assert len(site.sent()) == 2, "told once"


def test_calls_that_began_while_nobody_listened_live_without_an_event(site: Relay) -> None:
    live = LiveConnection(connection("99"), LocalState.CONNECTED)
    site.relay.device_snapshot(DeviceSnapshot("3001", (live,)), NOON)
    assert [leg.device for leg in site.relay.live_legs()] == ["3001"]
    assert site.sent() == []


@pytest.mark.parametrize("status", InvitationStatus)
def test_an_invitations_end_is_a_durable_event_of_its_call(site: Relay, status: InvitationStatus) -> None:
    outcome = InvitationOutcome("i-1", "c-9", "3001", "agent", status, "", "+33639980001", NOON)
    site.relay.invitation_ended(outcome)
    (entry,) = site.sent()
    assert (entry.call, entry.device, entry.durable, entry.end) == ("c-9", "3001", True, None)
    assert entry.body == f"invitation {status.value}"


def test_an_outcome_after_the_end_of_its_call_goes_behind_what_is_stored(site: Relay) -> None:
    """The call may be of an earlier process, whose events wait on disk."""
    drafts: list[Draft] = []

    def append(draft: Draft) -> int:
        drafts.append(draft)
        return 0

    site.relay._outbox.append = append  # type: ignore[method-assign]
    for call in ("c-1", "c-of-another-process"):
        site.relay.call_event(delivered())
        outcome = InvitationOutcome(
            "i-1", call, "3001", "agent", InvitationStatus.SENT, "", "+33639980001", NOON
        )
        site.relay.invitation_ended(outcome)
    assert [(one.call, one.late) for one in drafts if one.body.startswith("invitation")] == [
        ("c-1", False),
        ("c-of-another-process", True),
    ]
