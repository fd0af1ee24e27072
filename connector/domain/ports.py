"""What the bridge asks of the outside, and what it offers to it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from connector.domain.calls import CallEvent, DeviceSnapshot
from connector.domain.devices import Device, DeviceState


class Clock(Protocol):
    """The only source of time."""

    def now(self) -> datetime:
        """Wall time, UTC, timezone-aware. It may jump: never measure with it."""

    def monotonic(self) -> float:
        """Seconds that only grow; for every timer."""


class PbxSink(Protocol):
    """What a PBX adapter tells. Every method returns at once and never raises."""

    def pbx_connected(self, version: str) -> None:
        """The link is usable; `version` is what the PBX says of itself, perhaps empty."""

    def devices_read(self, devices: Sequence[Device]) -> None:
        """The whole list of devices, with distinct numbers."""

    def device_state_changed(self, number: str, state: DeviceState) -> None:
        """One device went in or out of service."""

    def call_event(self, event: CallEvent) -> None:
        """A monitored device reported a call event."""

    def device_snapshot(self, snapshot: DeviceSnapshot) -> None:
        """The present connections of one device, read after a (re)connection."""


class PbxLink(Protocol):
    """One life of a link to a PBX: `run` opens it and ends only by raising or being cancelled."""

    async def run(self) -> None:
        """Open, read the devices, monitor them, report until the link ends.

        Raises a `LinkError` or `ProtocolError` that says why it ended.
        """
