"""The model's reports on the wire, against frames that our encoder did not make."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from connector.domain import calls
from connector.domain.calls import Cause, ConnectionId, LocalState, Party, Presentation, Reach
from connector.domain.devices import DeviceState
from connector.domain.identifiers import PbxKind
from connector.wire.csta import messages as m
from connector.wire.csta.events import encode_event_report
from simulators.pbx.reports import CallReport, SetReport
from simulators.pbx.words import Dialect

AT = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
OXO = Dialect(PbxKind.OXO, "0", timedelta(hours=1))
OXE = Dialect(PbxKind.OXE, "0", timedelta(hours=1))
CALLER = Party("0199001234", Reach.EXTERNAL)

# Arguments of the event reports of the facts' synthetic vectors (P1: phase I, P2: phase II), made by hand.
P1_DELIVERED = """
30 3d 55 04 00 00 00 01 80 01 04 30 32 6b 0a 82 02 00 11 83 04 00 01 01 02 63 05 84 03 31 30 31
61 0c 82 0a 30 31 39 39 30 30 31 32 33 34 62 05 84 03 31 30 31 64 02 88 00 4e 01 02 0a 01 16
"""
P1_CLEARED = """
30 24 55 04 00 00 00 01 80 01 03 30 19 6b 0a 82 02 00 11 83 04 00 01 01 02 63 05 84 03 31 30 31
4e 01 00 0a 01 30
"""
P2_DELIVERED = """
30 77 55 04 01 d2 65 03 a0 39 a3 37 30 35 6b 0a 82 02 12 34 83 04 08 b4 01 00 63 06 84 04 33 30
30 31 61 0d 82 0b 30 30 31 39 39 30 30 31 32 33 34 62 06 84 04 33 30 30 31 64 02 88 00 4e 01 02
0a 01 16 7e 34 a0 0f 17 0d 32 33 31 31 31 34 32 33 31 33 32 30 5a a1 21 30 0b 06 06 2b 0c 89 36
83 78 02 01 01 30 12 06 06 2b 0c 89 36 84 09 04 08 00 f1 53 65 34 12 01 00
"""
P2_FAILED = """
30 57 55 04 01 d2 65 03 a0 26 a6 24 30 22 6b 0a 82 02 12 34 83 04 08 b4 01 00 63 06 84 04 33 30
30 32 62 06 84 04 33 30 30 32 4e 01 06 0a 01 03 7e 27 a0 0f 17 0d 32 33 31 31 31 34 32 33 31 33
32 30 5a a1 14 30 12 06 06 2b 0c 89 36 84 09 04 08 00 f1 53 65 34 12 01 00
"""

OXO_CONNECTION = ConnectionId("0011", "00010102")
OXE_CONNECTION = ConnectionId("1234", "08b40100")
OXE_REFERENCE = "00f1536534120100"


def delivered(expert: str, connection: ConnectionId, reference: str) -> CallReport:
    party = Party(expert, Reach.INTERNAL)
    event = calls.Delivered(
        device=expert,
        connection=connection,
        state=LocalState.ALERTING,
        cause=Cause.NEW_CALL,
        at=AT,
        correlation=reference,
        alerting=party,
        calling=CALLER,
        called=party,
    )
    return CallReport(event, CALLER, has_outside=True)


def test_oxo_delivered() -> None:
    report = OXO.event_report(b"\0\0\0\1", delivered("101", OXO_CONNECTION, OXE_REFERENCE), AT)
    assert encode_event_report(report, m.Phase.ONE) == bytes.fromhex(P1_DELIVERED)


def test_oxo_connection_cleared() -> None:
    event = calls.ConnectionCleared(
        device="101",
        connection=OXO_CONNECTION,
        state=LocalState.NULL,
        cause=Cause.NORMAL_CLEARING,
        at=AT,
        releasing=Party("101", Reach.INTERNAL),
    )
    report = OXO.event_report(b"\0\0\0\1", CallReport(event, CALLER, has_outside=True), AT)
    assert encode_event_report(report, m.Phase.ONE) == bytes.fromhex(P1_CLEARED)


def test_oxe_delivered() -> None:
    report = OXE.event_report(b"\x01\xd2\x65\x03", delivered("3001", OXE_CONNECTION, OXE_REFERENCE), AT)
    assert encode_event_report(report, m.Phase.TWO) == bytes.fromhex(P2_DELIVERED)


def test_oxe_failed() -> None:
    busy = Party("3002", Reach.INTERNAL)
    event = calls.Failed(
        device="3001",
        connection=OXE_CONNECTION,
        state=LocalState.FAIL,
        cause=Cause.BUSY,
        at=AT,
        correlation=OXE_REFERENCE,
        failing=busy,
        called=busy,
    )
    report = OXE.event_report(b"\x01\xd2\x65\x03", CallReport(event, busy, has_outside=False), AT)
    assert encode_event_report(report, m.Phase.TWO) == bytes.fromhex(P2_FAILED)


@pytest.mark.parametrize(
    ("party", "device"),
    [
        (Party("3001", Reach.INTERNAL), m.DeviceId(m.DeviceForm.IMPLICIT_PRIVATE, "3001")),
        (CALLER, m.DeviceId(m.DeviceForm.IMPLICIT_PUBLIC, "00199001234")),
        (Party("", Reach.EXTERNAL, Presentation.RESTRICTED), m.NOT_KNOWN),
        (calls.UNKNOWN_PARTY, m.NOT_KNOWN),
        (calls.NO_PARTY, m.NOT_REQUIRED),
    ],
)
def test_parties_of_an_oxe(party: Party, device: m.DeviceId) -> None:
    assert OXE.device(party) == device


def test_only_the_oxo_names_the_last_redirection() -> None:
    report = delivered("101", OXO_CONNECTION, OXE_REFERENCE)
    assert isinstance(report.event, calls.Delivered)
    event = replace(report.event, last_redirection=Party("102", Reach.INTERNAL))
    redirected = CallReport(event, CALLER, has_outside=True)
    by_oxo, by_oxe = OXO.event(redirected), OXE.event(redirected)
    assert isinstance(by_oxo, m.Delivered)
    assert isinstance(by_oxe, m.Delivered)
    assert by_oxo.last_redirection == m.DeviceId(m.DeviceForm.IMPLICIT_PRIVATE, "102")
    assert by_oxe.last_redirection == m.NOT_REQUIRED


def test_a_transfer_carries_both_references_and_the_list() -> None:
    merged = (
        calls.ListedConnection(ConnectionId("2b82", "02000104"), "0199001234"),
        calls.ListedConnection(ConnectionId("2b82", "08010100"), "3002"),
        calls.ListedConnection(ConnectionId("2b82", "02010104"), ""),
    )
    event = calls.Transferred(
        device="3002",
        connection=ConnectionId("2b7a", "08b40100"),
        state=LocalState.CONNECTED,
        cause=Cause.TRANSFER,
        at=AT,
        correlation=OXE_REFERENCE,
        primary_old=ConnectionId("2b7a", "08b40100"),
        secondary_old=ConnectionId("2b7e", "08b40100"),
        connections=merged,
        transferring=Party("3001", Reach.INTERNAL),
        transferred=Party("3002", Reach.INTERNAL),
    )
    report = OXE.event_report(b"1", CallReport(event, CALLER, has_outside=True, second_reference="0102"), AT)
    assert report.private is not None
    assert report.private.call_reference == bytes.fromhex(OXE_REFERENCE)
    assert report.private.second_reference == b"\1\2"
    assert isinstance(report.event, m.Transferred)
    assert report.event.secondary_old == m.Connection(b"\x2b\x7e", b"\x08\xb4\1\0")
    assert [entry.device and entry.device.number for entry in report.event.connections] == [
        "00199001234",
        "3002",
        None,
    ]


@pytest.mark.parametrize(
    ("state", "kind"),
    [(DeviceState.IN_SERVICE, m.BackInService), (DeviceState.OUT_OF_SERVICE, m.OutOfService)],
)
def test_service_states(state: DeviceState, kind: type[m.BackInService]) -> None:
    device = m.DeviceId(m.DeviceForm.IMPLICIT_PRIVATE, "101")
    assert OXO.event(SetReport("101", state)) == kind(device)
