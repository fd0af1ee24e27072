"""The csta channel (docs/protocols/pcg.md, section 3): events, acknowledgements, gaps, snapshots, PBX state.

An event is made of a body that is built once and stored, and a head that is put around it when it is sent:
the head alone knows the outbox's numbering. Commands stand in `connector.wire.pcg.commands`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from xml.etree.ElementTree import Element

from connector.domain.call_model import CallEnd, LiveLeg
from connector.domain.calls import CallEvent, DeviceSnapshot, LiveConnection
from connector.domain.errors import LocalProtocolError
from connector.domain.faults import FaultId
from connector.wire.pcg import ecma323
from connector.wire.pcg.fields import (
    boolean_field,
    broken,
    children,
    expect,
    integer_field,
    only_child,
    optional_field,
    text_field,
    time_field,
    timestamp,
)
from connector.wire.pcg.names import (
    CSTA,
    MAX_CALLS_PER_DEVICE,
    MAX_DEVICES_PER_PAGE,
    MAX_NUMBER_CHARS,
    MAX_WORD_CHARS,
)
from connector.wire.pcg.paging import page_of, paged
from connector.wire.xmpp.xml import attributes, escaped

# Ranges above the acknowledged number in one acknowledgement: a backlog beside live events makes one, each
# live call that waits for the backlog one more.
MAX_HELD_RANGES = 8

_CLAUSE = "protocol, section 3"
_EVENT = f"{{{CSTA}}}event"
_CALL = f"{{{CSTA}}}call"
_ENDS = {end.value: end for end in CallEnd}
_END_ATTRIBUTES: dict[str | None, str] = {end.value: f' end="{end.value}"' for end in CallEnd}
_END_ATTRIBUTES[None] = ""
_IS_DURABLE = {"durable": True, "volatile": False}


@dataclass(frozen=True, slots=True)
class EventHead:
    """What an event is told with.

    `epoch` and `seq` identify it for ever. `device` is the monitored number, `call` our stable id of the call
    (empty when the event is about no call), `time` when it happened (UTC). `end` is a `CallEnd` word on a
    call's last event. `replayed` marks an event that was sent before, in another stream.
    """

    epoch: str
    seq: int
    durable: bool
    device: str
    call: str
    time: datetime
    replayed: bool = False
    end: str | None = None


@dataclass(frozen=True, slots=True)
class ReceivedEvent:
    """An event as it came: `content` is an ECMA-323 event or an invitation, not yet decoded."""

    head: EventHead
    content: Element

    @property
    def word(self) -> str:
        """The event's name as a person would say it: "delivered", "transferred", "invitation"."""
        return ecma323.event_word(self.content)

    def call_event(self) -> CallEvent | None:
        """The call event in it, or None if it is none. Raises `RemoteProtocolError`."""
        return ecma323.call_event(self.content, device=self.head.device, at=self.head.time)


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The gateway holds everything of `epoch` up to and including `seq`, and the ranges `held` above it.

    A range is its first and last number; the ranges rise. At most `MAX_HELD_RANGES`, the highest ones.
    """

    epoch: str
    seq: int
    held: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Gap:
    """`count` events of a class, numbered within `first` to `last`, will never come."""

    epoch: str
    first: int
    last: int
    durable: bool
    count: int
    reason: str


@dataclass(frozen=True, slots=True)
class SnapshotEntry:
    """One device's connections, and our id of each connection's call in the same order (or no ids at all)."""

    snapshot: DeviceSnapshot
    calls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SnapshotRequest:
    """The gateway asks for a snapshot."""


@dataclass(frozen=True, slots=True)
class SnapshotPage:
    """A page of the state at `time`; a monitored device that no page names is idle."""

    time: datetime
    entries: tuple[SnapshotEntry, ...]
    page: int = 1
    pages: int = 1


def event_body(event: CallEvent) -> str:
    """The part of a call event that is built once. Raises `TranslationError`."""
    return ecma323.event_element(event, event.device)


def event_payload(head: EventHead, body: str) -> str:
    """A → G, message: `body` (of `event_body` or `rva.invitation_event`) with its head."""
    end = _END_ATTRIBUTES.get(head.end)
    if end is None:
        raise LocalProtocolError(FaultId.OWN_PROTOCOL, f"{head.end!r} is no end of a call")
    call = f' call="{escaped(head.call)}"' if head.call else ""
    replayed = ' replayed="true"' if head.replayed else ""
    return (
        f'<event xmlns="{CSTA}" epoch="{escaped(head.epoch)}" seq="{head.seq}"'
        f' class="{"durable" if head.durable else "volatile"}" device="{escaped(head.device)}"{call}'
        f' time="{timestamp(head.time)}"{end}{replayed}>{body}</event>'
    )


def acknowledgement(ack: Acknowledgement) -> str:
    """G → A, message."""
    head = f'<ack xmlns="{CSTA}" epoch="{escaped(ack.epoch)}" seq="{ack.seq}"'
    if not ack.held:
        return head + "/>"
    held = "".join(f'<held from="{first}" to="{last}"/>' for first, last in ack.held)
    return f"{head}>{held}</ack>"


def gap(announced: Gap) -> str:
    """A → G, message."""
    fields = attributes(
        epoch=announced.epoch,
        from_=str(announced.first),
        to=str(announced.last),
        class_="durable" if announced.durable else "volatile",
        count=str(announced.count),
        reason=announced.reason,
    )
    return f'<gap xmlns="{CSTA}"{fields}/>'


def snapshot_request() -> str:
    """G → A, get."""
    return f'<snapshot xmlns="{CSTA}"/>'


def snapshot_entries(legs: Iterable[LiveLeg]) -> list[SnapshotEntry]:
    """The legs of all live calls, gathered by device."""
    by_device: dict[str, list[LiveLeg]] = {}
    for leg in legs:
        by_device.setdefault(leg.device, []).append(leg)
    return [
        SnapshotEntry(
            DeviceSnapshot(device, tuple(LiveConnection(leg.connection, leg.state) for leg in its_legs)),
            tuple(leg.call_id for leg in its_legs),
        )
        for device, its_legs in by_device.items()
    ]


def snapshot_pages(entries: Sequence[SnapshotEntry], time: datetime) -> list[SnapshotPage]:
    """The state at `time` in pages that each fit a frame; nobody in a call is one empty page."""
    cut = paged(entries, _snapshot_entry, limit=MAX_DEVICES_PER_PAGE)
    return [SnapshotPage(time, tuple(page), number, len(cut)) for number, page in enumerate(cut, start=1)]


def snapshot(page: SnapshotPage) -> str:
    """A → G: the first page as the result of `snapshot_request`; further and unasked ones as sets."""
    fields = attributes(time=timestamp(page.time), page=str(page.page), pages=str(page.pages))
    return f'<snapshot xmlns="{CSTA}"{fields}>{"".join(map(_snapshot_entry, page.entries))}</snapshot>'


def system_status(status: ecma323.SystemStatus) -> str:
    """A → G, set: whether the PBX can be heard."""
    return f'<system xmlns="{CSTA}">{ecma323.status_element(status)}</system>'


def system_status_response() -> str:
    """G → A, the result of `system_status`."""
    return f'<system xmlns="{CSTA}">{ecma323.status_response_element()}</system>'


def read_report(payload: Element) -> ReceivedEvent | Gap:
    """What a message of the agent brings. The content of an event is not decoded."""
    if payload.tag == _EVENT:
        return ReceivedEvent(_read_head(payload), only_child(payload, _CLAUSE))
    return _read_gap(payload)


def read_event(payload: Element) -> tuple[EventHead, CallEvent | Element]:
    """The head of an event and what it says: a call event, or the element itself when it is none."""
    expect(payload, CSTA, "event", _CLAUSE)
    received = ReceivedEvent(_read_head(payload), only_child(payload, _CLAUSE))
    return received.head, received.call_event() or received.content


def read_acknowledgement(payload: Element) -> Acknowledgement:
    """What a message of the gateway brings."""
    expect(payload, CSTA, "ack", _CLAUSE)
    seq = integer_field(payload, "seq", _CLAUSE)
    held: list[tuple[int, int]] = []
    free = seq + 1
    for one in children(payload, "held", _CLAUSE, limit=MAX_HELD_RANGES):
        # Between two ranges at least one number is missing: else they were one.
        first = integer_field(one, "from", _CLAUSE, low=free + 1)
        last = integer_field(one, "to", _CLAUSE, low=first)
        held.append((first, last))
        free = last + 1
    return Acknowledgement(text_field(payload, "epoch", _CLAUSE), seq, tuple(held))


def read_snapshot_request(payload: Element) -> SnapshotRequest:
    """The gateway's get."""
    expect(payload, CSTA, "snapshot", _CLAUSE)
    return SnapshotRequest()


def read_snapshot(payload: Element) -> SnapshotPage:
    """A page of the agent's state."""
    expect(payload, CSTA, "snapshot", _CLAUSE)
    page, of_pages = page_of(payload, _CLAUSE)
    devices = children(payload, "device", _CLAUSE, limit=MAX_DEVICES_PER_PAGE)
    return SnapshotPage(
        time=time_field(payload, "time", _CLAUSE),
        entries=tuple(map(_read_snapshot_entry, devices)),
        page=page,
        pages=of_pages,
    )


def read_system_status(payload: Element) -> ecma323.SystemStatus:
    """Whether the agent can hear its PBX."""
    expect(payload, CSTA, "system", _CLAUSE)
    return ecma323.system_status(only_child(payload, _CLAUSE))


def _read_head(payload: Element) -> EventHead:
    end = payload.get("end")
    return EventHead(
        epoch=text_field(payload, "epoch", _CLAUSE),
        seq=integer_field(payload, "seq", _CLAUSE, low=1),
        durable=_read_class(payload),
        device=text_field(payload, "device", _CLAUSE, limit=MAX_NUMBER_CHARS),
        call=optional_field(payload, "call", _CLAUSE),
        time=time_field(payload, "time", _CLAUSE),
        replayed=boolean_field(payload, "replayed", _CLAUSE, default=False),
        end=None if end is None else _ENDS.get(end, CallEnd.UNKNOWN).value,
    )


def _read_gap(payload: Element) -> Gap:
    expect(payload, CSTA, "gap", _CLAUSE)
    first = integer_field(payload, "from", _CLAUSE, low=1)
    last = integer_field(payload, "to", _CLAUSE, low=first)
    return Gap(
        epoch=text_field(payload, "epoch", _CLAUSE),
        first=first,
        last=last,
        durable=_read_class(payload),
        count=integer_field(payload, "count", _CLAUSE, low=1, high=last - first + 1),
        reason=text_field(payload, "reason", _CLAUSE, limit=MAX_WORD_CHARS),
    )


def _read_class(payload: Element) -> bool:
    is_durable = _IS_DURABLE.get(payload.get("class", ""))
    if is_durable is None:
        raise broken(payload, "has no class 'durable' or 'volatile'", _CLAUSE)
    return is_durable


def _snapshot_entry(entry: SnapshotEntry) -> str:
    shown = entry.snapshot
    calls = "".join(
        f"<call{attributes(id=call, ref=live.connection.call)}/>"
        for call, live in zip(entry.calls, shown.connections, strict=bool(entry.calls))
    )
    return f'<device number="{escaped(shown.device)}">{ecma323.snapshot_element(shown)}{calls}</device>'


def _read_snapshot_entry(element: Element) -> SnapshotEntry:
    number = text_field(element, "number", _CLAUSE, limit=MAX_NUMBER_CHARS)
    shown = ecma323.device_snapshot(only_child(element, _CLAUSE), device=number)
    calls = children(element, "call", _CLAUSE, limit=MAX_CALLS_PER_DEVICE)
    ids = tuple(text_field(call, "id", _CLAUSE) for call in calls)
    return SnapshotEntry(shown, ids if len(ids) == len(shown.connections) else ())
