"""The rva channel: every word both ways, and the event in its head."""

from datetime import UTC, datetime

import pytest

from connector.domain.errors import RemoteProtocolError
from connector.domain.invitations import InvitationOutcome, InvitationStatus, Refusal
from connector.wire.pcg import csta, rva
from connector.wire.xmpp.xml import parse

NS = 'xmlns="urn:oxbridge:rva:1"'
AT = datetime(2026, 11, 20, 9, tzinfo=UTC)


@pytest.mark.parametrize("reason", Refusal)
def test_reasons(reason: Refusal) -> None:
    assert rva.read_refused(parse(rva.refused(reason))) is reason


@pytest.mark.parametrize("status", InvitationStatus)
def test_an_outcome_travels_as_an_event(status: InvitationStatus) -> None:
    outcome = InvitationOutcome("i-7", "c-1", "3001", "5f9e8c", status, "rate-number", "+33639980001", AT)
    head = csta.EventHead("e", 1, durable=True, device="3001", call="c-1", time=AT)
    received = csta.read_report(parse(csta.event_payload(head, rva.invitation_event(outcome))))
    assert isinstance(received, csta.ReceivedEvent)
    assert received.call_event() is None
    assert received.word == "invitation"
    assert rva.is_invitation_event(received.content)
    assert rva.read_invitation_event(received.content, at=received.head.time) == outcome


def test_an_invitation_event_is_handed_on_undecoded() -> None:
    outcome = InvitationOutcome("i-7", "", "3001", "", InvitationStatus.FAILED, "", "", AT)
    head = csta.EventHead("e", 1, durable=True, device="3001", call="", time=AT)
    payload = parse(csta.event_payload(head, rva.invitation_event(outcome)))
    read_head, content = csta.read_event(payload)
    assert read_head == head
    assert content is payload[0]
    assert rva.read_invitation_event(payload[0], at=AT) == outcome


def test_a_status_of_a_later_version_is_unknown() -> None:
    frame = f'<invitation {NS} id="i-7" device="3001" status="teleported"/>'
    assert rva.read_invitation_event(parse(frame), at=AT).status is InvitationStatus.UNKNOWN


@pytest.mark.parametrize(
    ("reader", "frame"),
    [
        (rva.read_invitation_request, f"<invite {NS} device='1' call='c'/>"),
        (rva.read_invitation_request, f"<invite {NS} device='1' deadline='2026-11-20T09:00:00Z'/>"),
        (rva.read_invitation_request, f"<invitation {NS} id='1' status='sent'/>"),
        (rva.read_invitation_sent, f"<invitation {NS} id='1' status='refused'/>"),
        (rva.read_invitation_sent, f"<invitation {NS} status='sent'/>"),
        (rva.read_refused, f"<refused {NS} reason='mood'/>"),
        (rva.read_refused, f"<refused {NS}/>"),
        (
            lambda element: rva.read_invitation_event(element, at=AT),
            f"<invitation {NS} id='1' status='sent'/>",
        ),
        (
            lambda element: rva.read_invitation_event(element, at=AT),
            f"<invitation {NS} id='1' device='1' status='sent' reason='{'x' * 65}'/>",
        ),
    ],
)
def test_what_breaks_the_protocol(reader: object, frame: str) -> None:
    assert callable(reader)
    with pytest.raises(RemoteProtocolError) as refused:
        reader(parse(frame))
    assert refused.value.clause == "protocol, section 5"
