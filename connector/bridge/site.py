"""Joins the two sides of one site: what the PBX tells goes to the cloud, what the cloud asks is answered."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from connector.bridge.call_relay import CallRelay
from connector.bridge.commands import CommandDesk
from connector.bridge.configuration import ConfigurationDesk
from connector.bridge.device_sync import DeviceSync
from connector.bridge.outbox import Outbox
from connector.bridge.presence import PresenceBoard
from connector.domain.call_model import CallUpdate, LiveLeg
from connector.domain.calls import CallEvent, DeviceSnapshot
from connector.domain.cloud import CloudLink
from connector.domain.commands import Answer, CommandRefused, CommandRequest, Outcome, Refused, Verb
from connector.domain.configuration import Applied, CloudSettings, Monitored, MonitorsApplied
from connector.domain.devices import Device, DeviceState
from connector.domain.identifiers import Channel
from connector.domain.ports import Clock
from connector.domain.presence import Presence


@dataclass(frozen=True, slots=True)
class Desks:
    """Who serves what the cloud asks for."""

    commands: CommandDesk
    configuration: ConfigurationDesk


class Site:
    """Implements `connector.domain.ports.PbxSink` and `connector.domain.cloud.CloudSink`.

    `connected(name)` is told when a link ("pbx", "cloud") has become usable.
    """

    def __init__(
        self,
        calls: CallRelay,
        outbox: Outbox,
        desks: Desks,
        clock: Clock,
        connected: Callable[[str], None],
    ) -> None:
        self.devices = DeviceSync()
        self.calls = calls
        self.outbox = outbox
        self.presences = PresenceBoard(clock.now, self._presence_changed)
        self._desks = desks
        self._clock = clock
        self._connected = connected
        self._cloud: CloudLink | None = None
        self.pbx_is_up = False
        self.pbx_version = ""
        self.channels: dict[Channel, bool] = dict.fromkeys(Channel, False)
        outbox.caught_up = self._tell_present_calls

    # The PBX's side ------------------------------------------------------------------------------------

    def pbx_connected(self, version: str) -> None:
        """The PBX can be heard."""
        self.pbx_version = version
        self._connected("pbx")
        self._set_pbx_state(is_up=True)

    def pbx_lost(self) -> None:
        """The PBX can't be heard any more; its live calls stay until they can be read again."""
        self._set_pbx_state(is_up=False)

    def devices_read(self, devices: Sequence[Device]) -> None:
        """The PBX's whole list of devices."""
        self.devices.devices_read(devices)
        self.presences.devices_read(devices)

    def device_state_changed(self, number: str, state: DeviceState) -> None:
        """A device went in or out of service."""
        self.devices.device_state_changed(number, state)
        self.presences.device_state_changed(number, state)

    def call_event(self, event: CallEvent) -> None:
        """A monitored device reported a call event."""
        self.calls.call_event(event)

    def device_snapshot(self, snapshot: DeviceSnapshot) -> None:
        """A device's present connections, read after a (re)connection."""
        self.calls.device_snapshot(snapshot, self._clock.now())
        self.presences.device_snapshot(snapshot)

    def call_updated(self, update: CallUpdate) -> None:
        """The call model placed an event in its call."""
        self.presences.call_update(update)

    # The cloud's side ----------------------------------------------------------------------------------

    def cloud_ready(self, link: CloudLink) -> None:
        """The gateway takes lists and events."""
        self._cloud = link
        self._connected("cloud")
        link.send_pbx_state(is_up=self.pbx_is_up)
        self.devices.link_up(link)
        link.send_presences(self.presences.present())
        self.outbox.link_up(link)

    def cloud_paused(self) -> None:
        """The link broke; its session may go on over another one."""
        self._disconnect()
        self.outbox.link_paused()

    def cloud_resumed(self, link: CloudLink, sent_seq: int | None) -> None:
        """The session goes on: only what may have changed meanwhile is told."""
        self._cloud = link
        self._connected("cloud")
        link.send_pbx_state(is_up=self.pbx_is_up)
        self.devices.link_resumed(link)
        link.send_presences(self.presences.present())
        self.outbox.link_resumed(link, sent_seq=sent_seq)

    def cloud_lost(self) -> None:
        """The link is gone: everything durable stays, the rest is replaced by a snapshot later."""
        self._disconnect()
        self.outbox.link_down()

    def channel_changed(self, channel: Channel, *, is_up: bool) -> None:
        """A channel opened or closed."""
        self.channels[channel] = is_up

    @property
    def told_seq(self) -> int:
        """Every event up to this number was handed to the present session."""
        return self.outbox.told_seq

    def events_acknowledged(self, epoch: str, seq: int, held: Sequence[tuple[int, int]] = ()) -> bool:
        """The gateway holds all events up to `seq`, and the ranges `held`."""
        return self.outbox.acknowledged(epoch, seq, held)

    def stanza_blamed(self, seq: int, reason: str, *, alone: bool) -> None:
        """The gateway ended the session because of what was sent."""
        self.outbox.offended(seq, reason, alone=alone)

    def cloud_clear(self) -> None:
        """The gateway has all that it was sent."""
        self.outbox.link_clear()

    def device_list_wanted(self) -> None:
        """The gateway asks for the whole list."""
        self.devices.list_wanted()

    def command_received(self, request: CommandRequest, answer: Answer) -> None:
        """The cloud asks for call control."""
        self._desks.commands.received(request, answer)

    def command_outcome(self, id_: str) -> tuple[Verb, Outcome]:
        """What became of a command of the process before; one that it had not begun was never run."""
        known = self._desks.commands.remembered(id_)
        if known is None:
            return Verb.MAKE_CALL, CommandRefused(Refused.STORE)
        return known.verb, known.outcome or CommandRefused(Refused.UNKNOWN_OUTCOME)

    def settings_received(self, settings: CloudSettings, done: Applied) -> None:
        """The cloud's configuration."""
        self._desks.configuration.settings_received(settings, done)

    def monitors_received(self, monitors: Sequence[Monitored], done: MonitorsApplied) -> None:
        """The numbers that the cloud wants watched."""
        self._desks.configuration.monitors_received(monitors, done)

    def live_legs(self) -> Sequence[LiveLeg]:
        """Who is in a call now."""
        return self.calls.live_legs()

    def _disconnect(self) -> None:
        self._cloud = None
        self.channels = dict.fromkeys(Channel, False)
        self.devices.link_down()

    def _set_pbx_state(self, *, is_up: bool) -> None:
        self.pbx_is_up = is_up
        self.presences.pbx_changed(is_up=is_up)
        if self._cloud is not None:
            self._cloud.send_pbx_state(is_up=is_up)

    def _presence_changed(self, presences: Sequence[Presence]) -> None:
        if self._cloud is not None:
            self._cloud.send_presences(presences)

    def _tell_present_calls(self) -> None:
        if self._cloud is not None:
            self._cloud.send_snapshot(self.calls.live_legs())
