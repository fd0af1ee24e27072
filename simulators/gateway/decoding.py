"""A frame of the agent as plain values, for the journal's readers: pages, tests, demos. PURE."""

from collections.abc import Mapping
from dataclasses import fields

from connector.domain.calls import CallEvent, ConnectionId, Party, Presentation
from connector.domain.errors import ProtocolError
from connector.wire.pcg import csta, rva
from connector.wire.pcg.csta import EventHead, ReceivedEvent
from connector.wire.pcg.fields import timestamp
from connector.wire.xmpp.xml import parse

# What stands for a number that the PBX does not tell.
WITHHELD = "withheld"
UNAVAILABLE = "unavailable"


def decoded_event(frame: str) -> Mapping[str, object]:
    """An event message's head and content; what can't be decoded is told as `error`."""
    try:
        payload = parse(frame)[0]
        received = csta.read_report(payload)
        if not isinstance(received, ReceivedEvent):
            return {}
        return {**_head(received.head), **_content(received)}
    except ProtocolError as error:
        return {"error": error.detail}


def _head(head: EventHead) -> dict[str, object]:
    return {
        "epoch": head.epoch,
        "seq": head.seq,
        "class": "durable" if head.durable else "volatile",
        "device": head.device,
        "call": head.call,
        "time": timestamp(head.time),
        "replayed": head.replayed,
        "end": head.end,
    }


def _content(received: ReceivedEvent) -> dict[str, object]:
    if rva.is_invitation_event(received.content):
        outcome = rva.read_invitation_event(received.content, at=received.head.time)
        return {
            "name": outcome.status.value,
            "invitation": outcome.id,
            "agent": outcome.agent,
            "reason": outcome.reason,
            "to": outcome.to,
        }
    event = received.call_event()
    return {"name": received.word, **({} if event is None else _event(event))}


def _event(event: CallEvent) -> dict[str, object]:
    """Every field of the event that a reader of a journal can use, parties as texts."""
    values: dict[str, object] = {
        "state": None if event.state is None else event.state.value,
        "cause": None if event.cause is None else event.cause.value,
        "connection": _connection(event.connection),
    }
    for field in fields(event):
        value = getattr(event, field.name)
        if isinstance(value, Party) and value.presentation is not Presentation.NOT_REQUIRED:
            values[field.name] = _party(value)
    return values


def _connection(connection: ConnectionId) -> str:
    return f"{connection.call}#{connection.device}"


def _party(party: Party) -> str:
    if party.presentation is Presentation.RESTRICTED:
        return WITHHELD
    if party.presentation is Presentation.UNAVAILABLE:
        return UNAVAILABLE
    return party.number
