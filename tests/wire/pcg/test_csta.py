"""The csta channel beyond its vectors: heads, gaps, snapshots, refusals."""

import dataclasses
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.domain.call_model import CallEnd, LiveLeg
from connector.domain.calls import (
    UNKNOWN_PARTY,
    CallEvent,
    ConnectionId,
    DeviceSnapshot,
    Held,
    LiveConnection,
    LocalState,
    Party,
)
from connector.domain.errors import LocalProtocolError, RemoteProtocolError
from connector.wire.pcg import csta, ecma323
from connector.wire.pcg.names import MAX_PAYLOAD_BYTES
from connector.wire.pcg.paging import size
from connector.wire.xmpp.xml import MAX_FRAME_BYTES, parse
from tests.wire.pcg.call_events import KINDS, as_carried, events, moments, references

NS = 'xmlns="urn:oxbridge:csta:1"'
AT = datetime(2026, 11, 20, 9, tzinfo=UTC)
HEAD = csta.EventHead("9f3c0a", 1, durable=True, device="3001", call="c-1", time=AT)
HELD = Held(
    device="3001",
    connection=ConnectionId("1", "3001"),
    state=LocalState.HOLD,
    cause=None,
    at=AT,
    by=Party("3001"),
)

heads = st.builds(
    csta.EventHead,
    epoch=references,
    seq=st.integers(1, 2**63 - 1),
    durable=st.booleans(),
    device=references,
    call=st.just("") | references,
    time=moments,
    replayed=st.booleans(),
    end=st.none() | st.sampled_from([end.value for end in CallEnd]),
)


@settings(max_examples=80, deadline=None)
@given(heads, st.sampled_from(KINDS).flatmap(events))
def test_an_event_is_read_back(head: csta.EventHead, event: CallEvent) -> None:
    event = dataclasses.replace(event, at=head.time)
    frame = csta.event_payload(head, csta.event_body(event))
    read_head, read = csta.read_event(parse(frame))
    expected = as_carried(event)
    assert dataclasses.replace(read_head, epoch=head.epoch, device=head.device, call=head.call) == head
    assert read == dataclasses.replace(expected, device=read_head.device)


def test_a_stored_body_is_told_again_with_another_head() -> None:
    body = csta.event_body(HELD)
    first = csta.read_event(parse(csta.event_payload(HEAD, body)))
    again_head = dataclasses.replace(HEAD, replayed=True)
    again = csta.read_event(parse(csta.event_payload(again_head, body)))
    assert first[0] != again[0] == again_head
    assert first[1] == again[1]


def test_content_is_decoded_when_it_is_asked_for() -> None:
    frame = csta.event_payload(HEAD, csta.event_body(HELD)).replace("heldConnection", "droppedConnection")
    received = csta.read_report(parse(frame))
    assert isinstance(received, csta.ReceivedEvent)
    assert (received.head, received.word) == (HEAD, "held")
    with pytest.raises(RemoteProtocolError):
        received.call_event()


def test_an_end_that_is_none_is_not_written() -> None:
    with pytest.raises(LocalProtocolError):
        csta.event_payload(dataclasses.replace(HEAD, end="vanished"), "")


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ('seq="1"', 'seq="0"'),
        ('seq="1"', 'seq="9223372036854775808"'),
        ('seq="1"', ""),
        ('epoch="9f3c0a"', 'epoch=""'),
        ('class="durable"', 'class="eternal"'),
        ('class="durable"', ""),
        ('device="3001"', ""),
        ('time="2026-11-20T09:00:00.000Z"', 'time="2026-11-20"'),
        ('call="c-1"', f'call="{"c" * 129}"'),
        ('class="durable"', 'class="durable" replayed="perhaps"'),
        ("<event ", "<gap "),
    ],
)
def test_heads_that_break_the_protocol(was: str, becomes: str) -> None:
    frame = csta.event_payload(HEAD, csta.event_body(HELD))
    changed = frame.replace(was, becomes, 1)
    assert changed != frame
    if becomes == "<gap ":
        changed = changed.replace("</event>", "</gap>")
    with pytest.raises(RemoteProtocolError) as refused:
        csta.read_report(parse(changed))
    assert refused.value.clause == "protocol, section 3"


def test_an_event_without_content_is_refused() -> None:
    with pytest.raises(RemoteProtocolError):
        csta.read_event(parse(csta.event_payload(HEAD, "")))


@pytest.mark.parametrize(
    "numbers",
    [
        'from="0" to="1" count="1"',
        'from="5" to="4" count="1"',
        'from="5" to="6" count="3"',
        'from="5" to="6" count="0"',
        'from="5" to="6"',
    ],
)
def test_gaps_that_can_not_be(numbers: str) -> None:
    frame = f'<gap {NS} epoch="e" {numbers} class="volatile" reason="overflow"/>'
    with pytest.raises(RemoteProtocolError):
        csta.read_report(parse(frame))


@pytest.mark.parametrize(
    "frame", [f"<ack {NS} epoch='e'/>", f"<ack {NS} seq='1'/>", f"<nack {NS} epoch='e' seq='1'/>"]
)
def test_acknowledgements_that_break_the_protocol(frame: str) -> None:
    with pytest.raises(RemoteProtocolError):
        csta.read_acknowledgement(parse(frame))


def leg(call: str, device: str, reference: str) -> LiveLeg:
    return LiveLeg(
        call, device, ConnectionId(reference, device), LocalState.CONNECTED, UNKNOWN_PARTY, UNKNOWN_PARTY, AT
    )


def test_legs_are_gathered_by_device() -> None:
    entries = csta.snapshot_entries(
        [leg("c-1", "3001", "A"), leg("c-1", "3002", "A"), leg("c-2", "3001", "B")]
    )
    connected = LocalState.CONNECTED
    assert entries == [
        csta.SnapshotEntry(
            DeviceSnapshot(
                "3001",
                (
                    LiveConnection(ConnectionId("A", "3001"), connected),
                    LiveConnection(ConnectionId("B", "3001"), connected),
                ),
            ),
            ("c-1", "c-2"),
        ),
        csta.SnapshotEntry(
            DeviceSnapshot("3002", (LiveConnection(ConnectionId("A", "3002"), connected),)), ("c-1",)
        ),
    ]


@pytest.mark.parametrize("count", [0, 1, 500])
def test_a_snapshot_of_any_size_fits_its_frames(count: int) -> None:
    entries = csta.snapshot_entries([leg(f"c-{number}", str(number), "2AD8") for number in range(count)])
    pages = csta.snapshot_pages(entries, AT)
    frames = [csta.snapshot(page) for page in pages]
    assert all(size(frame) <= MAX_PAYLOAD_BYTES < MAX_FRAME_BYTES for frame in frames)
    assert [csta.read_snapshot(parse(frame)) for frame in frames] == pages
    assert [entry for page in pages for entry in page.entries] == entries
    assert {page.pages for page in pages} == {len(pages)}


def test_call_ids_that_do_not_match_the_connections_are_not_taken() -> None:
    (page,) = csta.snapshot_pages(csta.snapshot_entries([leg("c-1", "3001", "A")]), AT)
    frame = csta.snapshot(page).replace("</device>", '<call id="c-2"/></device>')
    (entry,) = csta.read_snapshot(parse(frame)).entries
    assert (entry.calls, len(entry.snapshot.connections)) == ((), 1)


@pytest.mark.parametrize(
    "frame",
    [
        f"<snapshot {NS}/>",
        f"<snapshot {NS} time='2026-11-20T09:00:00Z'><device number='1'/></snapshot>",
        f"<snapshot {NS} time='2026-11-20T09:00:00Z'><device number='1'><Other/></device></snapshot>",
        f"<snapshot {NS} time='2026-11-20T09:00:00Z'><device><Other/></device></snapshot>",
        f"<event {NS}/>",
    ],
)
def test_snapshots_that_break_the_protocol(frame: str) -> None:
    with pytest.raises(RemoteProtocolError):
        csta.read_snapshot(parse(frame))


def test_the_answer_to_a_system_status_is_the_standards() -> None:
    answer = parse(csta.system_status_response())
    assert ecma323.is_ecma323(answer[0])
    assert answer[0].tag.endswith("}SystemStatusResponse")
    with pytest.raises(RemoteProtocolError):
        csta.read_system_status(answer)
