"""The ports between the bridge and a dialect of the cloud gateway."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Protocol

from connector.domain.call_model import CallUpdate, LiveLeg
from connector.domain.commands import Answer, CommandRequest, Outcome, Verb
from connector.domain.configuration import Applied, CloudSettings, Monitored, MonitorsApplied
from connector.domain.devices import Device, DeviceDelta
from connector.domain.identifiers import Channel
from connector.domain.invitations import InvitationOutcome
from connector.domain.outbox import EventSender
from connector.domain.presence import Presence


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

    def send_presences(self, presences: Sequence[Presence]) -> None:
        """Tell the telephony presence of these devices; the others are as they were."""


class CloudSink(Protocol):
    """What a cloud link tells the bridge. Every method returns at once and never raises.

    Whatever is asked for with a function to answer is answered by calling it exactly once, perhaps later.
    """

    def cloud_ready(self, link: CloudLink) -> None:
        """The gateway opened its channels; `link` takes lists and events from now on."""

    def cloud_paused(self) -> None:
        """The link that was ready broke; another may go on with its session."""

    def cloud_resumed(self, link: CloudLink, sent_seq: int | None) -> None:
        """`link` goes on with the session: the gateway knows what it knew, and nothing is repeated.

        `sent_seq` is None if the session was of this process, else the newest event that the one before it
        had sent.
        """

    def cloud_lost(self) -> None:
        """The session is gone for good."""

    @property
    def told_seq(self) -> int:
        """Every event up to this number was handed to the present session."""

    def channel_changed(self, channel: Channel, *, is_up: bool) -> None:
        """One of the four channels opened or closed."""

    def events_acknowledged(self, epoch: str, seq: int, held: Sequence[tuple[int, int]] = ()) -> bool:
        """The gateway holds all events up to `seq` and the ranges `held`. False when that can't be."""

    def stanza_blamed(self, seq: int, reason: str, *, alone: bool) -> None:
        """The gateway ended the session because of what was sent; the end of the link follows.

        `seq` is the event that was sent last, 0 if that was none; `alone` says that nothing else was on its
        way.
        """

    def cloud_clear(self) -> None:
        """The gateway has all that it was sent; `is_clear` had asked for it."""

    def device_list_wanted(self) -> None:
        """The gateway asks for the whole list."""

    def command_received(self, request: CommandRequest, answer: Answer) -> None:
        """The cloud asks for call control."""

    def command_outcome(self, id_: str) -> tuple[Verb, Outcome]:
        """What became of a command that another process was asked for: it is not run any more."""

    def settings_received(self, settings: CloudSettings, done: Applied) -> None:
        """The cloud's configuration, whole."""

    def monitors_received(self, monitors: Sequence[Monitored], done: MonitorsApplied) -> None:
        """All numbers that the cloud wants watched."""

    def live_legs(self) -> Sequence[LiveLeg]:
        """Who is in a call now: the answer to the gateway's request for a snapshot."""


class EventEncoder(Protocol):
    """What a dialect makes of an event; the result is stored and sent as it is."""

    def call_event(self, update: CallUpdate) -> str:
        """The body of a call event. Raises `TranslationError` when the dialect has no word for it."""

    def invitation(self, outcome: InvitationOutcome) -> str:
        """The body of the event that tells how an invitation ended."""
