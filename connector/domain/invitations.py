"""Invitations to a video call: who is asked, what was decided, how it ended; and the ports they need."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class InvitationStatus(StrEnum):
    """How an invitation ended; the words of the rva channel (docs/protocols/pcg.md, section 5)."""

    SENT = "sent"
    REFUSED = "refused"  # by our own policy: the hub was never asked
    FAILED = "failed"  # certainly not sent
    UNKNOWN = "unknown"  # perhaps sent; never tried again


class Refusal(StrEnum):
    """Why our policy refused; the words of the rva channel."""

    RATE_NUMBER = "rate-number"
    COUNTRY = "country"
    KIND = "kind"
    QUIET_HOURS = "quiet-hours"
    CONSENT = "consent"
    BUDGET = "budget"
    KILL_SWITCH = "kill-switch"
    NO_EXPERT = "no-expert"
    WITHHELD = "withheld"
    DUPLICATE = "duplicate"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationOptions:
    """The hub's nine switches (product facts: the invitation request).

    The vendor states no defaults; these are ours: the guest comes in alone with the rear camera, to show the
    fault, and silent, because the telephone call goes on and two voice paths would echo.
    """

    auto_answer: bool = True
    answer_in_video: bool = True
    use_rear_camera: bool = True
    use_screen_sharing: bool = False
    hide_switch_in_video: bool = False
    enable_chat: bool = True
    mute_conference: bool = True
    auto_start: bool = False
    mirror_mode: bool = False


@dataclass(frozen=True, slots=True)
class Invite:
    """The decision to invite: `to` is E.164, `agent_id` the expert's Rainbow user id."""

    call: str
    device: str
    agent_id: str
    to: str = field(repr=False)
    options: InvitationOptions = field(default=InvitationOptions(), repr=False)


@dataclass(frozen=True, slots=True)
class Refuse:
    """The decision not to invite a caller who was a candidate. `to` is E.164, or empty if there is none."""

    call: str
    device: str
    agent_id: str
    reason: Refusal
    to: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class HubOutcome:
    """What one request to the hub came to. `reason` is a short stable word, empty when sent."""

    status: InvitationStatus
    hub_id: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class InvitationOutcome:
    """The end of an invitation, however it ended. `at` is UTC; `reason` is empty when sent."""

    id: str
    call: str
    device: str
    agent: str
    status: InvitationStatus
    reason: str
    to: str = field(repr=False)
    at: datetime


class InvitationHub(Protocol):
    """The far end that sends the message."""

    async def invite(self, invite: Invite) -> HubOutcome:
        """Ask once. Never raises on what the network or the hub did: the outcome says it."""


class InvitationLedger(Protocol):
    """What survives a crash, so that nobody is invited twice."""

    async def claim(self, invitation_id: str, invite: Invite, at: datetime) -> Refusal | None:
        """Take the call and the number for this invitation, durably, before anything is sent.

        None is the right to send once. Raises `StoreError`; then nothing may be sent.
        """

    async def settle(self, invitation_id: str, outcome: HubOutcome) -> None:
        """Write down how it ended. Raises `StoreError`."""

    async def recover(self, at: datetime) -> Sequence[InvitationOutcome]:
        """Give up the invitations that a crash left open: each becomes unknown and is returned once."""
