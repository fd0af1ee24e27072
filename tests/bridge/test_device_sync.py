"""The gateway's list follows the PBX's: whole once a stream, then changes, one transfer at a time."""

from collections.abc import Callable, Sequence

import pytest

from connector.bridge.device_sync import MAX_DELTA_DEVICES, DeviceSync
from connector.domain.call_model import LiveLeg
from connector.domain.cloud import ListOutcome
from connector.domain.devices import Device, DeviceDelta, DeviceState
from connector.domain.outbox import OutboxEntry
from connector.domain.presence import Presence

IN, OUT = DeviceState.IN_SERVICE, DeviceState.OUT_OF_SERVICE
A, B = Device("101", state=IN), Device("102", state=IN)


class Link:
    """Records transfers and answers them when told."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, object, int]] = []
        self._done: list[Callable[[ListOutcome], None]] = []

    def send_device_list(
        self, devices: Sequence[Device], revision: int, done: Callable[[ListOutcome], None]
    ) -> None:
        self.sent.append(("list", tuple(devices), revision))
        self._done.append(done)

    def send_device_delta(
        self, change: DeviceDelta, revision: int, base: int, done: Callable[[ListOutcome], None]
    ) -> None:
        self.sent.append(("delta", change, base))
        self._done.append(done)

    def answer(self, outcome: ListOutcome = ListOutcome.STORED) -> None:
        self._done.pop(0)(outcome)

    def send_snapshot(self, legs: Sequence[LiveLeg]) -> None: ...

    def send_pbx_state(self, *, is_up: bool) -> None: ...

    def send_presences(self, presences: Sequence[Presence]) -> None: ...

    def send_event(self, entry: OutboxEntry, epoch: str, *, replayed: bool) -> None: ...

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


@pytest.fixture
def sync() -> DeviceSync:
    return DeviceSync()


@pytest.fixture
def link() -> Link:
    return Link()


def test_nothing_is_sent_before_the_pbx_was_read(sync: DeviceSync, link: Link) -> None:
    sync.link_up(link)
    assert link.sent == []
    sync.devices_read([B, A])
    assert link.sent == [("list", (A, B), 1)]


def test_a_change_goes_as_a_delta_on_the_held_revision(sync: DeviceSync, link: Link) -> None:
    sync.devices_read([A, B])
    sync.link_up(link)
    link.answer()
    sync.device_state_changed("102", OUT)
    sync.devices_read([A])
    assert link.sent[1] == ("delta", DeviceDelta((Device("102", state=OUT),), ()), 1)
    link.answer()
    assert link.sent[2] == ("delta", DeviceDelta((), ("102",)), 2)


def test_changes_wait_for_the_transfer_under_way(sync: DeviceSync, link: Link) -> None:
    sync.devices_read([A])
    sync.link_up(link)
    sync.devices_read([A, B])
    assert len(link.sent) == 1
    link.answer()
    assert link.sent[1] == ("delta", DeviceDelta((B,), ()), 1)


def test_a_gateway_that_lost_the_base_gets_the_whole_list(sync: DeviceSync, link: Link) -> None:
    sync.devices_read([A])
    sync.link_up(link)
    link.answer()
    sync.devices_read([A, B])
    link.answer(ListOutcome.BASE_UNKNOWN)
    assert link.sent[2][:2] == ("list", (A, B))


def test_a_refused_list_is_not_repeated_at_once_but_with_the_next_change(
    sync: DeviceSync, link: Link
) -> None:
    sync.devices_read([A])
    sync.link_up(link)
    link.answer(ListOutcome.REFUSED)
    assert len(link.sent) == 1
    sync.devices_read([A, B])
    assert link.sent[1][:2] == ("list", (A, B))


def test_a_large_change_goes_as_a_whole_list(sync: DeviceSync, link: Link) -> None:
    sync.devices_read([A])
    sync.link_up(link)
    link.answer()
    many = [Device(str(1000 + number)) for number in range(MAX_DELTA_DEVICES + 1)]
    sync.devices_read(many)
    assert link.sent[1][0] == "list"


def test_an_answer_of_a_lost_stream_changes_nothing(sync: DeviceSync, link: Link) -> None:
    sync.devices_read([A])
    sync.link_up(link)
    sync.link_down()
    second = Link()
    sync.link_up(second)
    link.answer()
    sync.devices_read([A, B])
    assert [one[0] for one in second.sent] == ["list"], "the second stream's own list is still under way"


def test_the_same_list_again_sends_nothing(sync: DeviceSync, link: Link) -> None:
    sync.devices_read([A])
    sync.link_up(link)
    link.answer()
    sync.devices_read([A])
    sync.device_state_changed("999", OUT)
    assert len(link.sent) == 1
    sync.list_wanted()
    assert link.sent[1][0] == "list"


def test_a_session_that_goes_on_gets_only_what_changed(sync: DeviceSync, link: Link) -> None:
    sync.devices_read([A, B])
    sync.link_up(link)
    link.answer()
    sync.link_down()
    sync.device_state_changed("102", OUT)
    resumed = Link()
    sync.link_resumed(resumed)
    assert resumed.sent == [("delta", DeviceDelta((Device("102", state=OUT),), ()), 1)]


def test_a_transfer_whose_answer_got_lost_begins_again(sync: DeviceSync, link: Link) -> None:
    sync.devices_read([A, B])
    sync.link_up(link)
    sync.link_down()
    resumed = Link()
    sync.link_resumed(resumed)
    assert resumed.sent == [("list", (A, B), 2)]
    link.answer()
    resumed.answer()
    assert len(resumed.sent) == 1
