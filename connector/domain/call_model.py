"""Which events belong to one call: one stable id through consultation, transfer, conference and diversion.

A PBX names a call by a reference that changes whenever calls are joined, and reuses references after 65,536
calls. Where it also gives a correlation of the whole call (OXE), that is the better key; else the old-to-new
links of transfer and conference are followed.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from connector.domain.calls import (
    UNKNOWN_PARTY,
    CallCleared,
    CallEvent,
    Conferenced,
    ConnectionCleared,
    ConnectionId,
    Delivered,
    DeviceSnapshot,
    Diverted,
    Established,
    Failed,
    Held,
    LiveConnection,
    LocalState,
    Originated,
    Party,
    Queued,
    Reach,
    Retrieved,
    ServiceInitiated,
    Transferred,
)

# An OXE node carries 15,000 sets; more live calls than sets on one site means that ends were missed.
MAX_CALLS = 20_000
# References of a call (one a join). A call joined more often than this keeps its newest ones.
MAX_REFERENCES_PER_CALL = 64
# How long an ended call is remembered, so that a diversion seen from both sides stays one call.
LINGER_SECONDS = 60.0


class CallEnd(StrEnum):
    """How a call ended, as far as the monitored devices saw it."""

    ANSWERED = "answered"
    MISSED = "missed"
    DIVERTED = "diverted"
    FAILED = "failed"
    ABANDONED = "abandoned"  # an outgoing call that nobody answered
    UNKNOWN = "unknown"  # the link was lost while it lived


@dataclass(slots=True)
class _Call:
    id: str
    started_at: datetime
    legs: dict[str, tuple[ConnectionId, LocalState | None]] = field(default_factory=dict)
    references: list[str] = field(default_factory=list)
    correlations: set[str] = field(default_factory=set)
    calling: Party = UNKNOWN_PARTY
    called: Party = UNKNOWN_PARTY
    was_delivered: bool = False
    was_answered: bool = False
    was_failed: bool = False
    ended_monotonic: float | None = None


@dataclass(frozen=True, slots=True)
class CallUpdate:
    """An event with the call it belongs to.

    `caller` and `called` are the parties of the whole call as best known so far; `is_first` marks the first
    event of the call; `end` is set on the event after which no monitored device takes part any more.
    """

    call_id: str
    device: str
    event: CallEvent
    caller: Party
    called: Party
    is_first: bool = False
    end: CallEnd | None = None


@dataclass(frozen=True, slots=True)
class LiveLeg:
    """One device's part in a live call."""

    call_id: str
    device: str
    connection: ConnectionId
    state: LocalState | None
    caller: Party
    called: Party
    started_at: datetime


class CallModel:
    """All live calls of one PBX. `new_id` makes call ids that are never used twice."""

    def __init__(self, new_id: Callable[[], str]) -> None:
        self._new_id = new_id
        self._calls: OrderedDict[str, _Call] = OrderedDict()
        self._by_reference: dict[str, _Call] = {}
        self._by_correlation: dict[str, _Call] = {}
        self._ended: OrderedDict[str, _Call] = OrderedDict()
        self.forgotten = 0

    def __len__(self) -> int:
        return len(self._calls)

    def is_alive(self, call_id: str) -> bool:
        """Whether the call `call_id` is known and has not ended."""
        return call_id in self._calls

    def apply(self, event: CallEvent, now: float) -> CallUpdate:
        """Assign `event` to its call and follow what it changes. `now` is monotonic seconds."""
        self._forget_ended(now)
        call = self._find(event)
        is_first = call is None
        if call is None:
            call = self._begin(event.at)
        elif call.ended_monotonic is not None:
            self._revive(call)
        self._know(call, event.connection.call, event.correlation)
        if isinstance(event, (Transferred, Conferenced)):
            call = self._join(call, event)
        _learn(call, event)
        _move_leg(call, event)
        end = None
        if not call.legs:
            end = _end_of(call, event)
            self._end(call, now)
        return CallUpdate(call.id, event.device, event, call.calling, call.called, is_first, end)

    def live_legs(self) -> Iterator[LiveLeg]:
        """Every monitored device's part in every live call."""
        for call in self._calls.values():
            for device, (connection, state) in call.legs.items():
                yield LiveLeg(call.id, device, connection, state, call.calling, call.called, call.started_at)

    def reconcile(self, snapshot: DeviceSnapshot, at: datetime, now: float) -> list[CallUpdate]:
        """Take a device's present connections after a gap; legs it no longer has end as unknown.

        Connections that were not known become calls whose parties are unknown: a snapshot names none.
        """
        present = {connection.connection.call: connection for connection in snapshot.connections}
        ended = [
            update
            for call in list(self._calls.values())
            if snapshot.device in call.legs and not (present.keys() & set(call.references))
            for update in self._drop_leg(call, snapshot.device, at, now)
        ]
        for live in snapshot.connections:
            self._adopt(snapshot.device, live, at)
        return ended

    # -------------------------------------------------------------------------------------------------

    def _adopt(self, device: str, live: LiveConnection, at: datetime) -> None:
        call = self._by_reference.get(live.connection.call)
        if call is None or call.ended_monotonic is not None:
            call = self._begin(at)
            call.was_answered = live.state in (LocalState.CONNECTED, LocalState.HOLD)
        self._know(call, live.connection.call, "")
        call.legs[device] = (live.connection, live.state)

    def _drop_leg(self, call: _Call, device: str, at: datetime, now: float) -> Iterator[CallUpdate]:
        connection, _ = call.legs.pop(device)
        event = ConnectionCleared(
            device=device,
            connection=connection,
            state=LocalState.NULL,
            cause=None,
            at=at,
            releasing=UNKNOWN_PARTY,
        )
        end = None
        if not call.legs:
            end = CallEnd.UNKNOWN
            self._end(call, now)
        yield CallUpdate(call.id, device, event, call.calling, call.called, end=end)

    def _find(self, event: CallEvent) -> _Call | None:
        if event.correlation:
            call = self._by_correlation.get(event.correlation)
            if call is not None:
                return call
        call = self._by_reference.get(event.connection.call)
        if call is None or not event.correlation or not call.correlations:
            return call
        # Same reference, another correlation: the reference was reused for a new call, unless the PBX
        # joined calls without telling (then the reference's call still lives).
        return call if call.ended_monotonic is None else None

    def _begin(self, at: datetime) -> _Call:
        call = _Call(self._new_id(), at)
        self._calls[call.id] = call
        if len(self._calls) > MAX_CALLS:
            _, oldest = self._calls.popitem(last=False)
            self._unknow(oldest)
            self.forgotten += 1
        return call

    def _know(self, call: _Call, reference: str, correlation: str) -> None:
        if self._by_reference.get(reference) is not call:
            self._by_reference[reference] = call
            call.references.append(reference)
            if len(call.references) > MAX_REFERENCES_PER_CALL:
                self._drop_reference(call, call.references.pop(0))
        if correlation and correlation not in call.correlations:
            call.correlations.add(correlation)
            self._by_correlation[correlation] = call

    def _join(self, call: _Call, event: Transferred | Conferenced) -> _Call:
        """Merge the calls that `event` joined; the older one's id survives."""
        olds = [event.primary_old] + ([event.secondary_old] if event.secondary_old else [])
        joined = {call.id: call}
        for old in olds:
            other = self._by_reference.get(old.call)
            if other is not None and other.ended_monotonic is None:
                joined[other.id] = other
        survivor = min(joined.values(), key=lambda one: one.started_at)
        for other in joined.values():
            if other is not survivor:
                self._absorb(survivor, other)
        for listed in event.connections:
            self._know(survivor, listed.connection.call, "")
        return survivor

    def _absorb(self, survivor: _Call, other: _Call) -> None:
        self._calls.pop(other.id, None)
        for reference in other.references:
            self._by_reference[reference] = survivor
            survivor.references.append(reference)
        for correlation in other.correlations:
            self._by_correlation[correlation] = survivor
        survivor.correlations |= other.correlations
        survivor.legs = {**other.legs, **survivor.legs}
        survivor.was_answered |= other.was_answered
        survivor.was_delivered |= other.was_delivered

    def _end(self, call: _Call, now: float) -> None:
        self._calls.pop(call.id, None)
        call.ended_monotonic = now
        self._ended[call.id] = call

    def _revive(self, call: _Call) -> None:
        self._ended.pop(call.id, None)
        call.ended_monotonic = None
        self._calls[call.id] = call

    def _forget_ended(self, now: float) -> None:
        while self._ended:
            call = next(iter(self._ended.values()))
            lingers = call.ended_monotonic is not None and now - call.ended_monotonic < LINGER_SECONDS
            if lingers and len(self._ended) <= MAX_CALLS:
                return
            self._ended.popitem(last=False)
            self._unknow(call)

    def _unknow(self, call: _Call) -> None:
        for reference in call.references:
            self._drop_reference(call, reference)
        for correlation in call.correlations:
            if self._by_correlation.get(correlation) is call:
                del self._by_correlation[correlation]

    def _drop_reference(self, call: _Call, reference: str) -> None:
        if self._by_reference.get(reference) is call:
            del self._by_reference[reference]


def _learn(call: _Call, event: CallEvent) -> None:
    """Keep the first parties that are really known: later legs of the call name their own."""
    if isinstance(event, (Delivered, Established, Queued, Originated)):
        if not call.calling.number:
            call.calling = event.calling
        if not call.called.number:
            call.called = event.called
    elif isinstance(event, ServiceInitiated) and not call.calling.number:
        call.calling = Party(event.device, Reach.INTERNAL)
    if isinstance(event, Delivered):
        call.was_delivered |= event.state is LocalState.ALERTING
    elif isinstance(event, Established):
        call.was_answered = True
    elif isinstance(event, Failed):
        call.was_failed = True


def _move_leg(call: _Call, event: CallEvent) -> None:
    """Follow the monitored device's own leg.

    The connection of an event is its subject's; another party's ringing or leaving changes only our state.
    """
    if isinstance(event, CallCleared):
        call.legs.clear()
        return
    if _leaves(event):
        call.legs.pop(event.device, None)
        return
    own_connection, own_state = call.legs.get(event.device, (event.connection, None))
    if _subject(event) in (event.device, ""):
        own_connection = event.connection
    call.legs[event.device] = (own_connection, event.state or own_state)


def _subject(event: CallEvent) -> str:
    """The number of the device whose connection `event` speaks of, empty where it is the reporting one's."""
    match event:
        case Delivered():
            return event.alerting.number
        case Established():
            return event.answering.number
        case Held() | Retrieved():
            return event.by.number
        case Failed():
            return event.failing.number
        case ConnectionCleared():
            return event.releasing.number
        case _:
            return ""


def _leaves(event: CallEvent) -> bool:
    """Whether the reporting device is no longer in the call after `event` (facts: own number or state 0)."""
    if event.state is LocalState.NULL:
        return True
    if event.state is not None:
        return False
    if isinstance(event, ConnectionCleared):
        return event.releasing.number == event.device
    if isinstance(event, Diverted):
        return event.diverting.number == event.device
    return isinstance(event, Transferred) and event.transferring.number == event.device


def _end_of(call: _Call, event: CallEvent) -> CallEnd:
    if call.was_answered:
        return CallEnd.ANSWERED
    if isinstance(event, Diverted):
        return CallEnd.DIVERTED
    if call.was_failed:
        return CallEnd.FAILED
    return CallEnd.MISSED if call.was_delivered else CallEnd.ABANDONED
