"""Telephony presence: whether somebody can be called now, as far as his device shows."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class PresenceState(StrEnum):
    """What a monitored device is at."""

    FREE = "free"
    RINGING = "ringing"  # a call waits to be answered, none is talked in
    BUSY = "busy"  # off hook, calling, talking, or holding a call
    OUT_OF_SERVICE = "out-of-service"
    UNKNOWN = "unknown"  # the PBX can't be heard, or the device is not watched


@dataclass(frozen=True, slots=True)
class Presence:
    """The state of `device` since `since` (UTC)."""

    device: str
    state: PresenceState
    since: datetime
