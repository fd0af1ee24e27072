"""Calls as the control API shows them: plain records of text."""

from connector.agent.followers import Record
from connector.agent.status import instant
from connector.domain.call_model import CallUpdate, LiveLeg
from connector.domain.calls import Party, Presentation


def leg_record(leg: LiveLeg) -> Record:
    """One device's part in a live call."""
    return {
        "call": leg.call_id,
        "device": leg.device,
        "state": leg.state.value if leg.state else "",
        "caller": shown(leg.caller),
        "called": shown(leg.called),
        "started_at": instant(leg.started_at),
    }


def update_record(update: CallUpdate) -> Record:
    """One event of a call, as it happened."""
    event = update.event
    return {
        "time": instant(event.at),
        "call": update.call_id,
        "device": update.device,
        "event": event_name(event),
        "state": event.state.value if event.state else "",
        "caller": shown(update.caller),
        "called": shown(update.called),
        "end": update.end.value if update.end else None,
    }


def event_name(event: object) -> str:
    """The CSTA word of an event: "delivered", "connectionCleared"."""
    name = type(event).__name__
    return name[0].lower() + name[1:]


def shown(party: Party) -> str:
    """A party's number, or why there is none."""
    if party.presentation is Presentation.RESTRICTED:
        return "withheld"
    return party.number or "unknown"
