"""ECMA-323 elements: the schema's order, round trips, other editions."""

import dataclasses
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.domain.calls import (
    UNKNOWN_PARTY,
    CallEvent,
    Cause,
    ConnectionCleared,
    ConnectionId,
    Delivered,
    DeviceSnapshot,
    Held,
    ListedConnection,
    LiveConnection,
    LocalState,
    Party,
    Presentation,
    Reach,
    Transferred,
)
from connector.domain.errors import LocalProtocolError, RemoteProtocolError, TranslationError
from connector.wire.pcg import ecma323
from connector.wire.pcg.names import ECMA323, MAX_CALLS_PER_DEVICE, MAX_CONNECTIONS, MAX_NUMBER_CHARS
from connector.wire.xmpp.xml import parse
from tests.wire.pcg.call_events import KINDS, as_carried, events

LONG = "1" * 257
AT = datetime(2026, 11, 20, 9, tzinfo=UTC)

# Typed from the standard's listing, not from our writer.
ORDER_FILE = Path(__file__).parents[2] / "vectors" / "ecma323_ed6_order.txt"
# EventCause of the sixth edition, as far as phases I and II have a word for it.
NOT_IN_SCHEMA = {"voiceUnit"}


def schema() -> dict[str, list[str]]:
    """The order of the children of each event; "!" marks what the schema requires."""
    table: dict[str, list[str]] = {}
    name = ""
    for line in ORDER_FILE.read_text().splitlines():
        if line.startswith("    "):
            table[name] += line.split()
        elif line and not line.startswith("#"):
            name = line
            table[name] = ["monitorCrossRefID!"]
    return table


SCHEMA = schema()


def local_names(element: Element) -> list[str]:
    assert all(child.tag.startswith(f"{{{ECMA323}}}") for child in element)
    return [child.tag.rpartition("}")[2] for child in element]


def check_order(element: Element) -> None:
    sequence = SCHEMA[element.tag.rpartition("}")[2]]
    order = [name.removesuffix("!") for name in sequence]
    found = local_names(element)
    assert found == sorted(found, key=order.index)
    assert {name.removesuffix("!") for name in sequence if name.endswith("!")} <= set(found)
    assert len(found) == len(set(found))


def check_choices(element: Element) -> None:
    """What stands inside: one choice per party, callID before deviceID, no empty parts."""
    for child in element:
        name = child.tag.rpartition("}")[2]
        if name.endswith("Connection") or name in {
            "connection",
            "primaryOldCall",
            "secondaryOldCall",
            "clearedCall",
        }:
            assert local_names(child) in (["callID", "deviceID"], ["callID"], ["deviceID"])
        elif name == "lastRedirectionDevice":
            assert local_names(child)[0] in {
                "numberDialed",
                "notKnown",
                "notRequired",
                "notSpecified",
                "restricted",
            }
        elif name.endswith("Device") or name in {
            "queue",
            "addedParty",
            "newDestination",
            "networkInterfaceUsed",
        }:
            assert local_names(child)[0] in {"deviceIdentifier", "notKnown", "restricted"}
        elif name == "cause":
            assert child.text not in NOT_IN_SCHEMA
        elif name.endswith("Connections"):
            for item in child:
                assert local_names(item) in (["newConnection"], ["newConnection", "endpoint"])
        elif name == "callLinkageDataList":
            assert local_names(child) == ["newCallLinkageData", "oldCallLinkageData"]
        elif name == "extensions":
            assert local_names(child) == ["privateData"]
            assert local_names(child[0]) == ["private"]


def test_the_table_has_every_event_that_we_write() -> None:
    assert len(SCHEMA) == len(KINDS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_what_is_written_is_in_order_and_read_back(kind: type[CallEvent]) -> None:
    @settings(max_examples=80, deadline=None)
    @given(events(kind))
    def check(event: CallEvent) -> None:
        element = parse(ecma323.event_element(event, event.device))
        check_order(element)
        check_choices(element)
        assert ecma323.call_event(element, device=event.device, at=event.at) == as_carried(event)

    check()


def delivered(**changes: Any) -> Delivered:
    event = Delivered(
        device="3001",
        connection=ConnectionId("2AD8", "3001"),
        state=LocalState.ALERTING,
        cause=Cause.NEW_CALL,
        at=AT,
        alerting=Party("3001", Reach.INTERNAL),
        calling=Party("0639980001", Reach.EXTERNAL),
        called=Party("3001", Reach.INTERNAL),
    )
    return dataclasses.replace(event, **changes)


def test_a_withheld_name_is_neither_written_nor_read() -> None:
    withheld = Party(presentation=Presentation.RESTRICTED, reach=Reach.EXTERNAL, name="Mata Hari")
    written = ecma323.event_element(delivered(calling=withheld), "3001")
    assert "Mata" not in written
    forged = written.replace('role="calling"', 'role="calling" name="Mata Hari"')
    assert forged != written
    read = ecma323.call_event(parse(forged), device="3001", at=AT)
    assert isinstance(read, Delivered)
    assert read.calling == dataclasses.replace(withheld, name="")


@pytest.mark.parametrize(
    ("namespace", "is_ours"),
    [
        (ECMA323, True),
        (ECMA323[:-1] + "3", True),
        (ECMA323[:-1] + "9", True),
        ("http://www.ecma.ch/standards/ecma-323/csta/ed2", True),
        (ECMA323[:-1], False),
        (ECMA323 + "/short_tags", False),
        (ECMA323[:-1] + "x", False),
        ("urn:oxbridge:csta:1", False),
        ("", False),
    ],
)
def test_editions(namespace: str, is_ours: bool) -> None:
    frame = ecma323.event_element(delivered(), "3001").replace(ECMA323, namespace)
    element = parse(frame)
    assert ecma323.is_ecma323(element) is is_ours
    assert (ecma323.call_event(element, device="3001", at=AT) == delivered()) is is_ours


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("TransferedEvent", "transferred"),
        ("TransferredEvent", "transferred"),
        ("ConnectionClearedEvent", "connectionCleared"),
        ("MessageWaitingEvent", "MessageWaitingEvent"),
    ],
)
def test_words(name: str, word: str) -> None:
    assert ecma323.event_word(Element(f"{{{ECMA323}}}{name}")) == word


def test_children_in_any_order_with_white_space() -> None:
    element = parse(ecma323.event_element(delivered(correlation="00AF"), "3001"))
    element[:] = reversed(element)
    for leaf in element.iter():
        if leaf.text and len(leaf) == 0:
            leaf.text = f"\n  {leaf.text}\t"
    assert ecma323.call_event(element, device="3001", at=AT) == delivered(correlation="00AF")


def test_the_device_defaults_to_the_monitor() -> None:
    read = ecma323.call_event(parse(ecma323.event_element(delivered(), "3001")), device="", at=AT)
    assert read == delivered()


def test_a_subject_of_an_unknown_kind_has_no_equivalent() -> None:
    common = CallEvent(device="1", connection=ConnectionId("1", "1"), state=None, cause=None, at=AT)
    with pytest.raises(TranslationError):
        ecma323.event_element(common, "1")


@pytest.mark.parametrize(
    "change",
    [
        {"calling": Party("1" * (MAX_NUMBER_CHARS + 1))},
        {"connection": ConnectionId("1" * (MAX_NUMBER_CHARS + 1), "")},
        {"correlation": "1" * (MAX_NUMBER_CHARS + 1)},
    ],
)
def test_over_long_identifiers_are_not_written(change: dict[str, object]) -> None:
    with pytest.raises(TranslationError):
        ecma323.event_element(delivered(**change), "3001")


def test_over_long_lists_are_neither_written_nor_read() -> None:
    entry = ListedConnection(ConnectionId("1", "2"))
    event = Transferred(
        device="3001",
        connection=ConnectionId("1", "1"),
        state=None,
        cause=None,
        at=AT,
        primary_old=ConnectionId("1", "1"),
        secondary_old=None,
        connections=(entry,) * MAX_CONNECTIONS,
        transferring=UNKNOWN_PARTY,
        transferred=UNKNOWN_PARTY,
    )
    frame = ecma323.event_element(event, "3001")
    with pytest.raises(TranslationError):
        ecma323.event_element(
            dataclasses.replace(event, connections=(entry,) * (MAX_CONNECTIONS + 1)), "3001"
        )
    item = "<connectionListItem/>"
    longer = parse(frame.replace("</transferredConnections>", f"{item}</transferredConnections>"))
    with pytest.raises(RemoteProtocolError, match="over 64"):
        ecma323.call_event(longer, device="3001", at=AT)


@pytest.mark.parametrize(
    "frame",
    [
        f'<HeldEvent xmlns="{ECMA323}"><monitorCrossRefID>1</monitorCrossRefID></HeldEvent>',
        f'<HeldEvent xmlns="{ECMA323}"><heldConnection><callID> </callID></heldConnection></HeldEvent>',
        f'<HeldEvent xmlns="{ECMA323}"><heldConnection><callID>{LONG}</callID></heldConnection></HeldEvent>',
        f'<HeldEvent xmlns="{ECMA323}">{"<x/>" * 65}</HeldEvent>',
    ],
    ids=["no connection", "empty connection", "long reference", "many children"],
)
def test_what_is_refused(frame: str) -> None:
    with pytest.raises(RemoteProtocolError) as refused:
        ecma323.call_event(parse(frame), device="1", at=AT)
    assert refused.value.clause.startswith("protocol, section 3")


def test_bare_text_is_taken_for_the_reference() -> None:
    frame = f'<HeldEvent xmlns="{ECMA323}"><heldConnection>17</heldConnection></HeldEvent>'
    read = ecma323.call_event(parse(frame), device="1", at=AT)
    assert isinstance(read, Held)
    assert (read.connection, read.by) == (ConnectionId("17", ""), UNKNOWN_PARTY)


def test_either_form_of_the_global_linkage() -> None:
    frame = (
        f'<ConnectionClearedEvent xmlns="{ECMA323}"><droppedConnection><callID>1</callID></droppedConnection>'
        "<callLinkageData><globalCallData><globalCallSwitchingSubDomainName>x</globalCallSwitchingSubDomainName>"
        "<globalCallLinkageID><globallyUniqueCallLinkageID>00AF</globallyUniqueCallLinkageID></globalCallLinkageID>"
        "</globalCallData></callLinkageData></ConnectionClearedEvent>"
    )
    read = ecma323.call_event(parse(frame), device="1", at=AT)
    assert isinstance(read, ConnectionCleared)
    assert read.correlation == "00AF"


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.builds(
            LiveConnection,
            st.builds(ConnectionId, st.text("0123456789AF", min_size=1, max_size=8), st.just("3001")),
            st.none() | st.sampled_from(LocalState),
        ),
        max_size=5,
    )
)
def test_snapshots_are_in_order_and_read_back(connections: list[LiveConnection]) -> None:
    snapshot = DeviceSnapshot("3001", tuple(connections))
    element = parse(ecma323.snapshot_element(snapshot))
    assert local_names(element) == ["crossRefIDorSnapshotData"]
    assert local_names(element[0]) == ["snapshotData"]
    for item in element[0][0]:
        assert local_names(item) == ["connectionIdentifier", "localCallState"]
        assert local_names(item[1])[0] in {"compoundCallState", "unknown"}
    assert ecma323.device_snapshot(element, device="3001") == snapshot


def test_a_device_has_no_more_calls_than_the_limit() -> None:
    live = LiveConnection(ConnectionId("1", "3001"), LocalState.HOLD)
    full = DeviceSnapshot("3001", (live,) * MAX_CALLS_PER_DEVICE)
    frame = ecma323.snapshot_element(full)
    with pytest.raises(TranslationError):
        ecma323.snapshot_element(DeviceSnapshot("3001", (live,) * (MAX_CALLS_PER_DEVICE + 1)))
    extra = frame.replace("</snapshotData>", "<snapshotDeviceResponseInfo/></snapshotData>")
    with pytest.raises(RemoteProtocolError):
        ecma323.device_snapshot(parse(extra), device="3001")
    # An entry that names no connection is skipped, when there is room for it.
    short = extra.replace("<snapshotDeviceResponseInfo><", "<other><", 1).replace(
        "</snapshotDeviceResponseInfo>", "</other>", 1
    )
    assert len(ecma323.device_snapshot(parse(short), device="3001").connections) == MAX_CALLS_PER_DEVICE - 1


@pytest.mark.parametrize("status", ecma323.SystemStatus)
def test_system_status(status: ecma323.SystemStatus) -> None:
    assert ecma323.system_status(parse(ecma323.status_element(status))) is status


@pytest.mark.parametrize(
    "content", ["", "<systemStatus/>", "<systemStatus>fine</systemStatus>", "<other>normal</other>"]
)
def test_a_status_without_its_word_is_refused(content: str) -> None:
    with pytest.raises(RemoteProtocolError):
        ecma323.system_status(parse(f'<SystemStatus xmlns="{ECMA323}">{content}</SystemStatus>'))


def test_only_a_disabled_or_starting_pbx_is_out_of_service() -> None:
    out = {status.value for status in ecma323.SystemStatus if not status.is_in_service}
    assert out == {"disabled", "initializing"}


@pytest.mark.parametrize(
    "error",
    [
        ecma323.CstaError(ecma323.ErrorCategory.OPERATION),
        ecma323.CstaError(ecma323.ErrorCategory.UNSPECIFIED, "generic"),
    ],
)
def test_an_error_has_a_value_unless_it_is_unspecified(error: ecma323.CstaError) -> None:
    with pytest.raises(LocalProtocolError):
        ecma323.error_element(error)


@pytest.mark.parametrize("content", ["<novelty>x</novelty>", "<operation/>", "<unspecified>x</unspecified>"])
def test_an_error_that_says_nothing_we_know_is_unspecified(content: str) -> None:
    read = ecma323.csta_error(parse(f'<CSTAErrorCode xmlns="{ECMA323}">{content}</CSTAErrorCode>'))
    assert read == ecma323.CstaError(ecma323.ErrorCategory.UNSPECIFIED)


@pytest.mark.parametrize(
    "frame", [f'<CSTAErrorCode xmlns="{ECMA323}"/>', f'<Other xmlns="{ECMA323}"><operation/></Other>']
)
def test_no_error_at_all_is_refused(frame: str) -> None:
    with pytest.raises(RemoteProtocolError):
        ecma323.csta_error(parse(frame))
