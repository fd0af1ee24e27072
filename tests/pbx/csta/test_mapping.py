"""From CSTA's words to the business's."""

from datetime import UTC, datetime
from typing import Any

import pytest

from connector.domain import calls
from connector.domain.calls import NO_PARTY, UNKNOWN_PARTY, Cause, LocalState, Party, Presentation, Reach
from connector.domain.errors import TranslationError
from connector.domain.faults import FaultId
from connector.pbx.csta import mapping
from connector.wire.csta import messages as m
from connector.wire.csta.messages import DeviceForm, DeviceId

AT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
LEG = m.Connection(b"\x00\x11", b"\x00\x01\x01\x00")
LEG_ID = calls.ConnectionId("0011", "00010100")
COMMON: dict[str, Any] = {
    "device": "101",
    "connection": LEG_ID,
    "state": LocalState.CONNECTED,
    "cause": Cause.NEW_CALL,
    "at": AT,
    "correlation": "",
}


def inside(number: str) -> DeviceId:
    return DeviceId(DeviceForm.IMPLICIT_PRIVATE, number)


def outside(number: str) -> DeviceId:
    return DeviceId(DeviceForm.IMPLICIT_PUBLIC, number)


def mapped(kind: type[m.CallEvent], private: m.PrivateData | None = None, **fields: Any) -> calls.CallEvent:
    event = kind(connection=LEG, state=LocalState.CONNECTED, cause=Cause.NEW_CALL, **fields)
    return mapping.call_event(m.EventReport(b"\x01", event, private=private), "101", AT)


@pytest.mark.parametrize(
    ("device", "party"),
    [
        (inside("102"), Party("102", Reach.INTERNAL)),
        (outside("0199001234"), Party("0199001234", Reach.EXTERNAL)),
        (DeviceId(DeviceForm.EXPLICIT_PUBLIC, "33199001234", 1), Party("33199001234", Reach.EXTERNAL)),
        (DeviceId(DeviceForm.EXPLICIT_PRIVATE, "55", 5), Party("55", Reach.INTERNAL)),
        (DeviceId(DeviceForm.DIALING, "102"), Party("102", Reach.UNKNOWN)),
        (DeviceId(DeviceForm.OTHER, "x"), Party("x", Reach.UNKNOWN)),
        (m.NOT_KNOWN, UNKNOWN_PARTY),
        (DeviceId(DeviceForm.NOT_SPECIFIED), UNKNOWN_PARTY),
        (m.NOT_REQUIRED, NO_PARTY),
        (outside(""), Party("", Reach.EXTERNAL, Presentation.RESTRICTED)),
    ],
)
def test_parties(device: DeviceId, party: Party) -> None:
    assert mapping.party(device) == party


def test_an_incoming_call_from_outside() -> None:
    event = mapped(
        m.Delivered,
        m.PrivateData(outside=1, name="Zoë", call_reference=b"\x03\x72"),
        alerting=inside("101"),
        calling=outside("0199001234"),
        called=inside("101"),
    )
    assert event == calls.Delivered(
        **COMMON | {"correlation": "0372"},
        alerting=Party("101", Reach.INTERNAL),
        calling=Party("0199001234", Reach.EXTERNAL, name="Zoë"),
        called=Party("101", Reach.INTERNAL),
        last_redirection=NO_PARTY,
    )


def test_the_name_is_the_other_party_s() -> None:
    named = m.PrivateData(name="Zoë")
    event = mapped(m.Established, named, answering=inside("102"), calling=inside("101"), called=inside("102"))
    assert isinstance(event, calls.Established)
    assert (event.answering.name, event.calling.name, event.called.name) == ("Zoë", "", "")


@pytest.mark.parametrize("caller", [m.NOT_KNOWN, m.NOT_REQUIRED, outside("")])
def test_a_secret_caller_stays_secret(caller: DeviceId) -> None:
    event = mapped(
        m.Delivered, m.PrivateData(name="Zoë"), alerting=inside("101"), calling=caller, called=inside("101")
    )
    assert isinstance(event, calls.Delivered)
    assert (event.calling.number, event.calling.name) == ("", "")
    assert event.alerting.name == event.called.name == ""


def test_every_other_event() -> None:
    other, own = Party("102", Reach.INTERNAL), Party("101", Reach.INTERNAL)
    trunk = Party("75302", Reach.INTERNAL)
    expected: list[tuple[calls.CallEvent, calls.CallEvent]] = [
        (mapped(m.ServiceInitiated), calls.ServiceInitiated(**COMMON)),
        (mapped(m.CallCleared), calls.CallCleared(**COMMON)),
        (
            mapped(m.Originated, calling=inside("101"), called=inside("102")),
            calls.Originated(**COMMON, calling=own, called=other),
        ),
        (
            mapped(m.NetworkReached, trunk=inside("75302"), called=inside("102")),
            calls.NetworkReached(**COMMON, trunk=trunk, called=other),
        ),
        (mapped(m.Held, holding=inside("102")), calls.Held(**COMMON, by=other)),
        (mapped(m.Retrieved, retrieving=inside("102")), calls.Retrieved(**COMMON, by=other)),
        (
            mapped(m.Diverted, diverting=inside("101"), destination=inside("102")),
            calls.Diverted(**COMMON, diverting=own, destination=other),
        ),
        (
            mapped(m.Failed, failing=inside("102"), called=inside("102")),
            calls.Failed(**COMMON, failing=other, called=other),
        ),
        (
            mapped(m.ConnectionCleared, releasing=inside("102")),
            calls.ConnectionCleared(**COMMON, releasing=other),
        ),
        (
            mapped(m.Queued, queue=inside("500"), calling=inside("102"), called=inside("500"), waiting=3),
            calls.Queued(
                **COMMON,
                queue=Party("500", Reach.INTERNAL),
                calling=other,
                called=Party("500", Reach.INTERNAL),
                waiting=3,
            ),
        ),
    ]
    for got, wanted in expected:
        assert got == wanted


@pytest.mark.parametrize("kind", [m.Transferred, m.Conferenced])
def test_joined_calls(kind: type[m.CallEvent]) -> None:
    first, second = ("transferring", "transferred") if kind is m.Transferred else ("controller", "added")
    new = m.Connection(b"\x00\x13", b"\x00\x01\x01\x00")
    event = mapped(
        kind,
        m.PrivateData(call_reference=b"\x01", second_reference=b"\x02"),
        secondary_old=m.Connection(b"\x00\x12", b"\x09"),
        connections=(
            m.ListedConnection(m.Connection(b"\x00\x13", b"\x08"), inside("102")),
            m.ListedConnection(new, DeviceId(DeviceForm.DIALING, "101")),
            m.ListedConnection(m.Connection(b"\x00\x13", b"\x07")),
        ),
        **{first: inside("101"), second: inside("102")},
    )
    assert isinstance(event, (calls.Transferred, calls.Conferenced))
    assert event.connection == calls.ConnectionId("0013", "00010100")
    assert event.primary_old == LEG_ID
    assert event.secondary_old == calls.ConnectionId("0012", "09")
    assert [entry.number for entry in event.connections] == ["102", "101", ""]
    assert (getattr(event, first).number, getattr(event, second).number) == ("101", "102")
    assert event.correlation == "01"


def test_a_joined_call_without_a_list_keeps_its_connection() -> None:
    event = mapped(m.Transferred)
    assert isinstance(event, calls.Transferred)
    assert (event.connection, event.secondary_old, event.connections) == (LEG_ID, None, ())


def test_a_static_device_names_the_connection() -> None:
    connection = m.Connection(b"\x00\x11", static=DeviceId(DeviceForm.DIALING, "101"))
    assert mapping.connection_id(connection) == calls.ConnectionId("0011", "101")


@pytest.mark.parametrize("event", [m.OtherEvent("102"), m.BackInService(), m.OutOfService(), m.Delivered()])
def test_what_has_no_equivalent(event: m.Event) -> None:
    with pytest.raises(TranslationError) as caught:
        mapping.call_event(m.EventReport(b"\x01", event), "101", AT)
    assert caught.value.fault is FaultId.EVENT_NOT_TRANSLATABLE


def test_a_snapshot_keeps_the_connections_of_its_device() -> None:
    snapshot = m.DeviceSnapshot(
        (
            m.SnapshotEntry(inside("101"), LEG, LocalState.HOLD),
            m.SnapshotEntry(inside("102"), m.Connection(b"\x00\x12", b"\x01")),
            m.SnapshotEntry(m.NOT_KNOWN, m.Connection(b"\x00\x13", b"\x01")),
        )
    )
    assert mapping.device_snapshot(snapshot, "101") == calls.DeviceSnapshot(
        "101",
        (
            calls.LiveConnection(LEG_ID, LocalState.HOLD),
            calls.LiveConnection(calls.ConnectionId("0013", "01"), None),
        ),
    )
