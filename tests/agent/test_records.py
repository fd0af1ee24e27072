"""Calls as plain records of text."""

import pytest

from connector.agent.records import event_name, leg_record, shown, update_record
from connector.domain.call_model import CallModel
from connector.domain.calls import Party, Presentation, Reach
from tests.bridge.far_sides import cleared, delivered, established


def test_a_call_from_its_first_event_to_its_last() -> None:
    model = CallModel(lambda: "c-1")
    first = update_record(model.apply(delivered(), 0.0))
    assert first == {
        "time": "2026-11-20T12:00:00.000Z",
        "call": "c-1",
        "device": "3001",
        "event": "delivered",
        "state": "alerting",
        "caller": "0639980001",
        "called": "3001",
        "end": None,
    }
    (leg,) = model.live_legs()
    assert leg_record(leg) == {
        "call": "c-1",
        "device": "3001",
        "state": "alerting",
        "caller": "0639980001",
        "called": "3001",
        "started_at": "2026-11-20T12:00:00.000Z",
    }
    assert update_record(model.apply(established(), 0.0))["event"] == "established"
    last = update_record(model.apply(cleared(), 0.0))
    assert (last["event"], last["state"], last["end"]) == ("connectionCleared", "null", "answered")


@pytest.mark.parametrize(
    ("party", "text"),
    [
        (Party("3001", Reach.INTERNAL), "3001"),
        (Party("0639980001", Reach.EXTERNAL, Presentation.RESTRICTED), "withheld"),
        (Party(), "unknown"),
    ],
)
def test_a_party_is_shown_by_its_number_or_why_there_is_none(party: Party, text: str) -> None:
    assert shown(party) == text


def test_an_event_is_named_by_its_csta_word() -> None:
    assert event_name(cleared()) == "connectionCleared"
