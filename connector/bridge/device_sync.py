"""Keeps the gateway's list of devices equal to the PBX's: the whole list once a stream, then changes."""

from collections.abc import Sequence
from dataclasses import replace

from connector.domain.cloud import CloudLink, ListOutcome
from connector.domain.devices import Device, DeviceState, delta

# A change that touches more devices than one page holds is sent as a whole list.
MAX_DELTA_DEVICES = 200


class DeviceSync:
    """One transfer at a time; what changes meanwhile goes with the next."""

    def __init__(self) -> None:
        self._devices: dict[str, Device] = {}
        self._is_known = False
        self._revision = 0
        self._held: tuple[Device, ...] | None = None
        self._held_revision = 0
        self._sending = False
        self._link: CloudLink | None = None

    @property
    def devices(self) -> tuple[Device, ...]:
        """All devices, by number."""
        return tuple(device for _, device in sorted(self._devices.items()))

    def has(self, number: str) -> bool:
        """Whether the PBX has a device with this number."""
        return number in self._devices

    @property
    def revision(self) -> int:
        """The revision of the list last sent."""
        return self._revision

    def devices_read(self, devices: Sequence[Device]) -> None:
        """The PBX's whole list."""
        self._devices = {device.number: device for device in devices}
        self._is_known = True
        self._send()

    def device_state_changed(self, number: str, state: DeviceState) -> None:
        """One device's state; a number that is not in the list is no device of ours."""
        device = self._devices.get(number)
        if device is not None and device.state is not state:
            self._devices[number] = replace(device, state=state)
            self._send()

    def link_up(self, link: CloudLink) -> None:
        """A new stream: the gateway may have forgotten everything."""
        self._link = link
        self._held = None
        self._sending = False
        self._send()

    def link_resumed(self, link: CloudLink) -> None:
        """The stream goes on over `link`. A transfer whose answers got lost begins again."""
        self._link = link
        if self._sending:
            self._held = None
            self._sending = False
        self._send()

    def link_down(self) -> None:
        """The stream is gone; its answers will not come."""
        self._link = None

    def list_wanted(self) -> None:
        """The gateway asks for the whole list."""
        self._held = None
        self._send()

    def _send(self) -> None:
        link = self._link
        if link is None or self._sending or not self._is_known:
            return
        wanted = self.devices
        if self._held is None:
            self._begin()
            link.send_device_list(wanted, self._revision, lambda outcome: self._sent(link, wanted, outcome))
            return
        change = delta(self._held, wanted)
        if not change:
            return
        if len(change.changed) + len(change.removed) > MAX_DELTA_DEVICES:
            self._held = None
            self._send()
            return
        base = self._held_revision
        self._begin()
        link.send_device_delta(
            change, self._revision, base, lambda outcome: self._sent(link, wanted, outcome)
        )

    def _begin(self) -> None:
        self._sending = True
        self._revision += 1

    def _sent(self, link: CloudLink, wanted: tuple[Device, ...], outcome: ListOutcome) -> None:
        if link is not self._link:
            return  # an answer of a stream that is gone
        self._sending = False
        if outcome is ListOutcome.STORED:
            self._held, self._held_revision = wanted, self._revision
            self._send()
        elif outcome is ListOutcome.BASE_UNKNOWN:
            self._held = None
            self._send()
        else:
            # Refused as it is: the next change of the list, or the next stream, tries again.
            self._held = None
