"""The rva channel (docs/protocols/pcg.md, section 5): invitations asked for, and all outcomes."""

from dataclasses import dataclass
from datetime import datetime
from xml.etree.ElementTree import Element

from connector.domain.invitations import InvitationOutcome, InvitationStatus, Refusal
from connector.wire.pcg.fields import broken, expect, optional_field, text_field, time_field, timestamp
from connector.wire.pcg.names import MAX_NUMBER_CHARS, MAX_WORD_CHARS, RVA
from connector.wire.xmpp.xml import attributes

_CLAUSE = "protocol, section 5"
_STATUSES = {status.value: status for status in InvitationStatus}


@dataclass(frozen=True, slots=True)
class InvitationRequest:
    """The gateway asks to invite the caller of `call` at `device`; void after `deadline` (UTC)."""

    device: str
    call: str
    deadline: datetime


@dataclass(frozen=True, slots=True)
class InvitationSent:
    """The agent did: `id` names the invitation in the event that will follow."""

    id: str


def invitation_request(request: InvitationRequest) -> str:
    """G → A, set."""
    fields = attributes(device=request.device, call=request.call, deadline=timestamp(request.deadline))
    return f'<invite xmlns="{RVA}"{fields}/>'


def invitation_sent(sent: InvitationSent) -> str:
    """A → G, the result of `invitation_request`."""
    return f'<invitation xmlns="{RVA}"{attributes(id=sent.id)} status="{InvitationStatus.SENT.value}"/>'


def refused(reason: Refusal) -> str:
    """A → G, beside the condition of the error that answers `invitation_request`."""
    return f'<refused xmlns="{RVA}" reason="{reason.value}"/>'


def invitation_event(outcome: InvitationOutcome) -> str:
    """A → G: the body of the durable event that every invitation ends with (`csta.event_payload`).

    The outcome's time is the time of the event's head.
    """
    fields = attributes(
        id=outcome.id,
        call=outcome.call or None,
        device=outcome.device,
        agent=outcome.agent or None,
        status=outcome.status.value,
        reason=outcome.reason or None,
        to=outcome.to or None,
    )
    return f'<invitation xmlns="{RVA}"{fields}/>'


def read_invitation_request(payload: Element) -> InvitationRequest:
    """The gateway's set."""
    expect(payload, RVA, "invite", _CLAUSE)
    return InvitationRequest(
        device=text_field(payload, "device", _CLAUSE, limit=MAX_NUMBER_CHARS),
        call=text_field(payload, "call", _CLAUSE),
        deadline=time_field(payload, "deadline", _CLAUSE),
    )


def read_invitation_sent(payload: Element) -> InvitationSent:
    """The agent's result."""
    expect(payload, RVA, "invitation", _CLAUSE)
    if payload.get("status") != InvitationStatus.SENT:
        raise broken(payload, "is a result and not sent", _CLAUSE)
    return InvitationSent(text_field(payload, "id", _CLAUSE))


def read_refused(payload: Element) -> Refusal:
    """Why the agent refused; it tells no other reasons than these."""
    expect(payload, RVA, "refused", _CLAUSE)
    try:
        return Refusal(payload.get("reason", ""))
    except ValueError:
        raise broken(payload, "has no reason that we know", _CLAUSE) from None


def is_invitation_event(content: Element) -> bool:
    """Whether an event's content is for `read_invitation_event`."""
    return content.tag == f"{{{RVA}}}invitation"


def read_invitation_event(content: Element, *, at: datetime) -> InvitationOutcome:
    """How an invitation ended; `at` is the time of the event's head. A status we don't know is unknown."""
    expect(content, RVA, "invitation", _CLAUSE)
    return InvitationOutcome(
        id=text_field(content, "id", _CLAUSE),
        call=optional_field(content, "call", _CLAUSE),
        device=text_field(content, "device", _CLAUSE, limit=MAX_NUMBER_CHARS),
        agent=optional_field(content, "agent", _CLAUSE),
        status=_STATUSES.get(content.get("status", ""), InvitationStatus.UNKNOWN),
        reason=optional_field(content, "reason", _CLAUSE, limit=MAX_WORD_CHARS),
        to=optional_field(content, "to", _CLAUSE, limit=MAX_NUMBER_CHARS),
        at=at,
    )
