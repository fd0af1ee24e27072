"""What the agent tells of itself: the answer of `GET /status`, and its JSON.

`SCHEMA_VERSION` grows when a field changes its meaning or goes; new fields come without it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from connector.domain.alarms import Alarm
from connector.domain.credentials import Activation
from connector.domain.devices import Device, DeviceState
from connector.domain.faults import FAULTS
from connector.domain.hops import hop_of
from connector.domain.identifiers import Channel
from connector.domain.links import LinkStatus
from connector.domain.switch import Disabled

SCHEMA_VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The whole agent at one moment.

    `links`: "pbx" and "cloud". `devices`: how many in each state, of the list with `devices_revision`.
    `invitations`: how many ended as sent, refused, failed or unknown since the start. Of durable events,
    since the start: `outbox_unsafe_writes` that the disk refused, `outbox_lost_durable` announced as lost,
    `outbox_quarantined` put aside, `outbox_quarantine_dropped` of those deleted for newer ones.
    """

    version: str
    pbx_id: str
    started_at: datetime
    activation: Activation
    links: Mapping[str, LinkStatus]
    channels: Mapping[Channel, bool]
    devices: Mapping[DeviceState, int]
    devices_revision: int
    calls_live: int
    outbox_epoch: str
    outbox_last_seq: int
    outbox_unacknowledged: int
    invitations: Mapping[str, int]
    outbox_lost_durable: int = 0
    outbox_unsafe_writes: int = 0
    outbox_quarantined: int = 0
    outbox_quarantine_dropped: int = 0
    disabled: Disabled | None = None
    alarms: Sequence[Alarm] = ()

    def as_json(self) -> dict[str, Any]:
        """The body of `GET /status`."""
        return {
            "schema_version": SCHEMA_VERSION,
            "version": self.version,
            "pbx_id": self.pbx_id,
            "started_at": instant(self.started_at),
            "activation": self.activation.value,
            "disabled": _disabled_json(self.disabled),
            "alarms": [alarm_json(alarm) for alarm in self.alarms],
            "links": {name: link_json(link) for name, link in self.links.items()},
            "channels": {channel.value: self.channels.get(channel, False) for channel in Channel},
            "devices": self._devices_json(),
            "calls": {"live": self.calls_live},
            "outbox": {
                "epoch": self.outbox_epoch,
                "last_seq": self.outbox_last_seq,
                "unacknowledged": self.outbox_unacknowledged,
                "lost_durable": self.outbox_lost_durable,
                "unsafe_writes": self.outbox_unsafe_writes,
                "quarantined": self.outbox_quarantined,
                "quarantine_dropped": self.outbox_quarantine_dropped,
            },
            "invitations": {
                status: self.invitations.get(status, 0) for status in ("sent", "refused", "failed", "unknown")
            },
        }

    def _devices_json(self) -> dict[str, int]:
        return {
            "total": sum(self.devices.values()),
            "in_service": self.devices.get(DeviceState.IN_SERVICE, 0),
            "out_of_service": self.devices.get(DeviceState.OUT_OF_SERVICE, 0),
            "revision": self.devices_revision,
        }


def link_json(link: LinkStatus) -> dict[str, Any]:
    """A link's entry under `links`; sentence and remedy come from the catalogue of faults."""
    error = link.error
    words = FAULTS[error.fault] if error else None
    return {
        "state": link.state.value,
        "since": instant(link.since),
        "down_since": instant(link.down_since) if link.down_since else None,
        "hop": hop_of(error.fault).value if error else None,
        "fault": error.fault.value if error else None,
        "sentence": words.sentence if words else "",
        "remedy": words.remedy if words else "",
        "detail": error.detail if error else "",
        "next_try_at": instant(link.next_try_at) if link.next_try_at else None,
        "reconnects": link.reconnects,
    }


def alarm_json(alarm: Alarm) -> dict[str, Any]:
    """An entry under `alarms`; sentence and remedy come from the catalogue of faults."""
    words = FAULTS[alarm.fault]
    return {
        "fault": alarm.fault.value,
        "since": instant(alarm.since),
        "count": alarm.count,
        "detail": alarm.detail,
        "sentence": words.sentence,
        "remedy": words.remedy,
    }


def _disabled_json(disabled: Disabled | None) -> dict[str, str] | None:
    if disabled is None:
        return None
    return {"since": instant(disabled.since), "by": disabled.by.value}


def instant(at: datetime) -> str:
    """`at` (aware) as RFC 3339 in UTC with milliseconds: 2026-11-20T09:00:00.123Z."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def device_json(device: Device) -> dict[str, str]:
    """A row of `GET /devices`."""
    return {
        "number": device.number,
        "name": device.name,
        "first_name": device.first_name,
        "type": device.type,
        "state": device.state.value,
        "source": device.source,
    }
