"""The ports between the bridge and a dialect of the cloud gateway."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Protocol

from connector.domain.call_model import CallUpdate, LiveLeg
from connector.domain.devices import Device, DeviceDelta
from connector.domain.identifiers import Channel
from connector.domain.invitations import InvitationOutcome
from connector.domain.outbox import EventSender


class ListOutcome(StrEnum):
    """What became of a device list or delta that was sent."""

    STORED = "stored"
    BASE_UNKNOWN = "base-unknown"  # the gateway does not hold the list that the delta builds on
    REFUSED = "refused"


class CloudLink(EventSender, Protocol):
    """A cloud link whose channels are open. Calls return at once; order is kept."""

    def send_device_list(
        self, devices: Sequence[Device], revision: int, done: Callable[[ListOutcome], None]
    ) -> None:
        """Send the whole list; `done` is called when the gateway stored its last page or refused one."""

    def send_device_delta(
        self, change: DeviceDelta, revision: int, base: int, done: Callable[[ListOutcome], None]
    ) -> None:
        """Send the change from revision `base` to `revision`."""

    def send_snapshot(self, legs: Sequence[LiveLeg]) -> None:
        """Tell the present state of every device that takes part in a call."""

    def send_pbx_state(self, *, is_up: bool) -> None:
        """Tell whether the PBX can be heard."""


class CloudSink(Protocol):
    """What a cloud link tells the bridge. Every method returns at once and never raises."""

    def cloud_ready(self, link: CloudLink) -> None:
        """The gateway opened its channels; `link` takes lists and events from now on."""

    def cloud_lost(self) -> None:
        """The link that was ready is gone."""

    def channel_changed(self, channel: Channel, *, is_up: bool) -> None:
        """One of the four channels opened or closed."""

    def events_acknowledged(self, epoch: str, seq: int) -> bool:
        """The gateway holds all events up to `seq`. False when that can't be."""

    def device_list_wanted(self) -> None:
        """The gateway asks for the whole list."""

    def live_legs(self) -> Sequence[LiveLeg]:
        """Who is in a call now: the answer to the gateway's request for a snapshot."""


class EventEncoder(Protocol):
    """What a dialect makes of an event; the result is stored and sent as it is."""

    def call_event(self, update: CallUpdate) -> str:
        """The body of a call event. Raises `TranslationError` when the dialect has no word for it."""

    def invitation(self, outcome: InvitationOutcome) -> str:
        """The body of the event that tells how an invitation ended."""
