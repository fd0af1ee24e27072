"""One stable id through consultation, transfer, conference and diversion."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from connector.domain.call_model import LINGER_SECONDS, CallEnd, CallModel, CallUpdate
from connector.domain.calls import (
    CallEvent,
    Cause,
    Conferenced,
    ConnectionCleared,
    ConnectionId,
    Delivered,
    DeviceSnapshot,
    Diverted,
    Established,
    Failed,
    Held,
    ListedConnection,
    LiveConnection,
    LocalState,
    Originated,
    Party,
    Reach,
    ServiceInitiated,
    Transferred,
)

OUTSIDE = Party("0639980001", Reach.EXTERNAL)
A, B = Party("101", Reach.INTERNAL), Party("102", Reach.INTERNAL)
_START = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


class Day:
    """A model and a clock that ticks a second an event."""

    def __init__(self) -> None:
        ids = count(1)
        self.model = CallModel(lambda: f"c-{next(ids)}")
        self.now = 0.0

    def see(
        self, kind: type[CallEvent], device: str, call: str, state: LocalState | None, **more: Any
    ) -> CallUpdate:
        self.now += 1
        common: dict[str, Any] = {
            "device": device,
            "connection": ConnectionId(call, more.pop("leg", device)),
            "state": state,
            "cause": more.pop("cause", Cause.NEW_CALL),
            "at": _START + timedelta(seconds=self.now),
        }
        return self.model.apply(kind(**common, **more), self.now)

    def delivered(self, call: str, device: str = "101", **more: Any) -> CallUpdate:
        party = Party(device, Reach.INTERNAL)
        return self.see(
            Delivered,
            device,
            call,
            LocalState.ALERTING,
            alerting=party,
            calling=OUTSIDE,
            called=party,
            **more,
        )

    def established(self, call: str, device: str = "101", **more: Any) -> CallUpdate:
        party = Party(device, Reach.INTERNAL)
        return self.see(
            Established,
            device,
            call,
            LocalState.CONNECTED,
            answering=party,
            calling=OUTSIDE,
            called=party,
            **more,
        )

    def cleared(self, call: str, device: str = "101", **more: Any) -> CallUpdate:
        return self.see(
            ConnectionCleared, device, call, LocalState.NULL, releasing=Party(device, Reach.INTERNAL), **more
        )


@pytest.fixture
def day() -> Day:
    return Day()


def test_a_plain_answered_call_has_one_id_and_ends_answered(day: Day) -> None:
    updates = [day.delivered("11"), day.established("11"), day.cleared("11")]
    assert [update.call_id for update in updates] == ["c-1"] * 3
    assert [update.is_first for update in updates] == [True, False, False]
    assert [update.end for update in updates] == [None, None, CallEnd.ANSWERED]
    assert updates[-1].caller == OUTSIDE
    assert len(day.model) == 0


def test_a_call_that_only_rang_is_missed(day: Day) -> None:
    day.delivered("11")
    assert day.cleared("11").end is CallEnd.MISSED


def test_an_outgoing_call_that_nobody_answered_is_abandoned(day: Day) -> None:
    day.see(ServiceInitiated, "101", "11", LocalState.INITIATED)
    day.see(Originated, "101", "11", LocalState.CONNECTED, calling=A, called=OUTSIDE)
    assert day.cleared("11").end is CallEnd.ABANDONED


def test_who_goes_off_hook_is_the_caller(day: Day) -> None:
    assert day.see(ServiceInitiated, "101", "11", LocalState.INITIATED).caller == A


def test_a_failed_call_ends_failed(day: Day) -> None:
    day.see(Originated, "101", "11", LocalState.CONNECTED, calling=A, called=B)
    day.see(Failed, "101", "11", LocalState.FAIL, failing=B, called=B, cause=Cause.BUSY)
    assert day.cleared("11").end is CallEnd.FAILED


def test_the_other_party_leaving_is_not_the_end(day: Day) -> None:
    day.delivered("11")
    day.established("11")
    update = day.see(ConnectionCleared, "101", "11", LocalState.CONNECTED, leg="t", releasing=OUTSIDE)
    assert update.end is None
    (leg,) = day.model.live_legs()
    assert leg.connection == ConnectionId("11", "101"), "our own leg stays the one to control"


def test_two_monitored_devices_share_one_call(day: Day) -> None:
    day.delivered("11", "101")
    other = day.see(Delivered, "102", "11", LocalState.CONNECTED, alerting=A, calling=B, called=A, leg="101")
    assert other.call_id == "c-1"
    assert day.cleared("11", "101").end is None
    assert day.cleared("11", "102").end is CallEnd.MISSED


def _consultation(day: Day, **correlations: str) -> None:
    day.delivered("11", correlation=correlations.get("first", ""))
    day.established("11", correlation=correlations.get("first", ""))
    day.see(Held, "101", "11", LocalState.HOLD, by=A, correlation=correlations.get("first", ""))
    second = correlations.get("second", "")
    day.see(ServiceInitiated, "101", "12", LocalState.INITIATED, correlation=second)
    day.see(
        Established, "102", "12", LocalState.CONNECTED, answering=B, calling=A, called=B, correlation=second
    )


@pytest.mark.parametrize("correlations", [{}, {"first": "g1", "second": "g2"}])
def test_a_transfer_keeps_the_customer_s_call(day: Day, correlations: dict[str, str]) -> None:
    _consultation(day, **correlations)
    listed = (
        ListedConnection(ConnectionId("13", "t"), "0639980001"),
        ListedConnection(ConnectionId("13", "102"), "102"),
    )
    transfer: dict[str, Any] = {
        "primary_old": ConnectionId("11", "101"),
        "secondary_old": ConnectionId("12", "101"),
        "transferring": A,
        "transferred": B,
        "connections": listed,
        "cause": Cause.TRANSFER,
    }
    away = day.see(Transferred, "101", "11", LocalState.NULL, **transfer)
    there = day.see(Transferred, "102", "11", LocalState.CONNECTED, **transfer)
    assert (away.call_id, there.call_id) == ("c-1", "c-1")
    assert (away.end, there.end) == (None, None)
    assert there.caller == OUTSIDE, "the original caller goes with the call"
    end = day.cleared("13", "102", correlation=correlations.get("first", ""))
    assert (end.call_id, end.end) == ("c-1", CallEnd.ANSWERED)
    assert len(day.model) == 0


def test_a_conference_joins_both_calls_under_the_older_id(day: Day) -> None:
    _consultation(day)
    joined = day.see(
        Conferenced,
        "101",
        "11",
        LocalState.CONNECTED,
        primary_old=ConnectionId("11", "101"),
        secondary_old=ConnectionId("12", "101"),
        connections=(ListedConnection(ConnectionId("14", "101"), "101"),),
        controller=A,
        added=B,
    )
    assert joined.call_id == "c-1"
    assert len(day.model) == 1
    assert day.cleared("14", "101").end is None
    assert day.cleared("14", "102").end is CallEnd.ANSWERED


def test_a_diversion_seen_from_both_sides_stays_one_call(day: Day) -> None:
    day.delivered("11", "101")
    left = day.see(Diverted, "101", "11", LocalState.NULL, diverting=A, destination=B, cause=Cause.REDIRECTED)
    assert left.end is CallEnd.DIVERTED
    assert day.delivered("11", "102").call_id == "c-1"
    assert day.established("11", "102").call_id == "c-1"


def test_a_reused_reference_is_a_new_call(day: Day) -> None:
    day.delivered("11")
    day.cleared("11")
    day.now += LINGER_SECONDS
    assert day.delivered("11").call_id == "c-2"


def test_a_reused_reference_with_another_correlation_is_a_new_call_at_once(day: Day) -> None:
    day.delivered("11", correlation="g1")
    day.cleared("11", correlation="g1")
    assert day.delivered("11", correlation="g2").call_id == "c-2"


def test_after_a_gap_calls_that_are_gone_end_as_unknown(day: Day) -> None:
    day.delivered("11")
    day.established("11")
    gone = day.model.reconcile(DeviceSnapshot("101", []), _START, day.now)
    assert [(update.call_id, update.end) for update in gone] == [("c-1", CallEnd.UNKNOWN)]
    assert isinstance(gone[0].event, ConnectionCleared)
    assert gone[0].event.cause is None, "an end that was not seen has no invented cause"


def test_after_a_gap_calls_that_live_go_on_and_unknown_ones_are_adopted(day: Day) -> None:
    day.delivered("11")
    day.established("11")
    present = [
        LiveConnection(ConnectionId("11", "101"), LocalState.HOLD),
        LiveConnection(ConnectionId("15", "101"), LocalState.CONNECTED),
    ]
    assert day.model.reconcile(DeviceSnapshot("101", present), _START, day.now) == []
    assert {(leg.call_id, leg.state) for leg in day.model.live_legs()} == {
        ("c-1", LocalState.HOLD),
        ("c-2", LocalState.CONNECTED),
    }
    assert day.cleared("15").end is CallEnd.ANSWERED


def test_memory_is_bounded_when_ends_are_never_seen(day: Day, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.domain.call_model.MAX_CALLS", 50)
    for number in range(500):
        day.delivered(f"x{number}", str(1000 + number))
    assert len(day.model) == 50
    assert day.model.forgotten == 450
    assert len(day.model._by_reference) == 50
