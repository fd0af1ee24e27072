"""Joins the two sides of one site: what the PBX tells goes to the cloud, what the cloud asks is answered."""

from collections.abc import Callable, Sequence

from connector.bridge.call_relay import CallRelay
from connector.bridge.device_sync import DeviceSync
from connector.bridge.outbox import Outbox
from connector.domain.call_model import LiveLeg
from connector.domain.calls import CallEvent, DeviceSnapshot
from connector.domain.cloud import CloudLink
from connector.domain.devices import Device, DeviceState
from connector.domain.identifiers import Channel
from connector.domain.ports import Clock


class Site:
    """Implements `connector.domain.ports.PbxSink` and `connector.domain.cloud.CloudSink`.

    `connected(name)` is told when a link ("pbx", "cloud") has become usable.
    """

    def __init__(
        self,
        devices: DeviceSync,
        calls: CallRelay,
        outbox: Outbox,
        clock: Clock,
        connected: Callable[[str], None],
    ) -> None:
        self.devices = devices
        self.calls = calls
        self.outbox = outbox
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

    def device_state_changed(self, number: str, state: DeviceState) -> None:
        """A device went in or out of service."""
        self.devices.device_state_changed(number, state)

    def call_event(self, event: CallEvent) -> None:
        """A monitored device reported a call event."""
        self.calls.call_event(event)

    def device_snapshot(self, snapshot: DeviceSnapshot) -> None:
        """A device's present connections, read after a (re)connection."""
        self.calls.device_snapshot(snapshot, self._clock.now())

    # The cloud's side ----------------------------------------------------------------------------------

    def cloud_ready(self, link: CloudLink) -> None:
        """The gateway takes lists and events."""
        self._cloud = link
        self._connected("cloud")
        link.send_pbx_state(is_up=self.pbx_is_up)
        self.devices.link_up(link)
        self.outbox.link_up(link)

    def cloud_lost(self) -> None:
        """The link is gone: everything durable stays, the rest is replaced by a snapshot later."""
        self._cloud = None
        self.channels = dict.fromkeys(Channel, False)
        self.devices.link_down()
        self.outbox.link_down()

    def channel_changed(self, channel: Channel, *, is_up: bool) -> None:
        """A channel opened or closed."""
        self.channels[channel] = is_up

    def events_acknowledged(self, epoch: str, seq: int) -> bool:
        """The gateway holds all events up to `seq`."""
        return self.outbox.acknowledged(epoch, seq)

    def device_list_wanted(self) -> None:
        """The gateway asks for the whole list."""
        self.devices.list_wanted()

    def live_legs(self) -> Sequence[LiveLeg]:
        """Who is in a call now."""
        return self.calls.live_legs()

    def _set_pbx_state(self, *, is_up: bool) -> None:
        self.pbx_is_up = is_up
        if self._cloud is not None:
            self._cloud.send_pbx_state(is_up=is_up)

    def _tell_present_calls(self) -> None:
        if self._cloud is not None:
            self._cloud.send_snapshot(self.calls.live_legs())
