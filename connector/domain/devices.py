"""The PBX's devices as the cloud is told of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class DeviceState(StrEnum):
    """Whether a device can be used; the wire words of protocol.md section 2."""

    IN_SERVICE = "in-service"
    OUT_OF_SERVICE = "out-of-service"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Device:
    """One device. `type` is the PBX's own word as read; `source` names the adapter that knows it."""

    number: str
    name: str = ""
    first_name: str = ""
    type: str = ""
    state: DeviceState = DeviceState.UNKNOWN
    source: str = ""


@dataclass(frozen=True, slots=True)
class DeviceDelta:
    """What changed from one list to the next: devices new or altered, and the numbers that went."""

    changed: tuple[Device, ...]
    removed: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.changed or self.removed)


def delta(old: Iterable[Device], new: Iterable[Device]) -> DeviceDelta:
    """The change from `old` to `new`, each a list of devices with distinct numbers, ordered by number."""
    before = {device.number: device for device in old}
    after = {device.number: device for device in new}
    changed = tuple(device for number, device in sorted(after.items()) if before.get(number) != device)
    return DeviceDelta(changed, tuple(sorted(before.keys() - after.keys())))
