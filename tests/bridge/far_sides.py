"""What stands around a site in its tests: a cloud link that records, and events of a PBX."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from connector.domain.call_model import CallUpdate, LiveLeg
from connector.domain.calls import (
    CallCleared,
    CallEvent,
    Conferenced,
    ConnectionCleared,
    ConnectionId,
    Delivered,
    Diverted,
    Established,
    Failed,
    Held,
    LocalState,
    NetworkReached,
    Originated,
    Party,
    Queued,
    Reach,
    Retrieved,
    ServiceInitiated,
    Transferred,
)
from connector.domain.cloud import ListOutcome
from connector.domain.devices import Device, DeviceDelta
from connector.domain.errors import TranslationError
from connector.domain.faults import FaultId
from connector.domain.invitations import InvitationOutcome
from connector.domain.outbox import OutboxEntry
from connector.domain.presence import Presence

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
OUTSIDE = Party("0639980001", Reach.EXTERNAL)
EXPERT = Party("3001", Reach.INTERNAL)
Event = TypeVar("Event", bound=CallEvent)

OTHER = Party("3002", Reach.INTERNAL)


class StillClock:
    """Implements `Clock`; it does not move."""

    def now(self) -> datetime:
        return NOON

    def monotonic(self) -> float:
        return 0.0


class PlainEncoder:
    """The name of the event is its body; `speechless` has no word for call events."""

    is_speechless = False

    def call_event(self, update: CallUpdate) -> str:
        if self.is_speechless:
            raise TranslationError(FaultId.EVENT_NOT_TRANSLATABLE, "no word for it")
        return type(update.event).__name__

    def invitation(self, outcome: InvitationOutcome) -> str:
        return f"invitation {outcome.status.value}"


class RecordingLink:
    """Implements `CloudLink`: everything in one list, in order."""

    def __init__(self) -> None:
        self.sent: list[tuple[object, ...]] = []

    def names(self) -> list[object]:
        """What was sent, by its kind."""
        return [one[0] for one in self.sent]

    def send_event(self, entry: OutboxEntry, epoch: str, *, replayed: bool) -> None:
        self.sent.append(("event", entry.body, entry.durable, replayed))

    def is_clear(self) -> bool:
        return True

    def send_gap(
        self,
        epoch: str,
        first_seq: int,
        last_seq: int,
        count: int,
        *,
        durable: bool = False,
        quarantined: bool = False,
    ) -> None:
        self.sent.append(("gap", count))

    def send_device_list(
        self, devices: Sequence[Device], revision: int, done: Callable[[ListOutcome], None]
    ) -> None:
        self.sent.append(("list", [device.number for device in devices]))
        done(ListOutcome.STORED)

    def send_device_delta(
        self, change: DeviceDelta, revision: int, base: int, done: Callable[[ListOutcome], None]
    ) -> None:
        self.sent.append(("delta", [device.number for device in change.changed]))
        done(ListOutcome.STORED)

    def send_snapshot(self, legs: Sequence[LiveLeg]) -> None:
        self.sent.append(("snapshot", [leg.device for leg in legs]))

    def send_pbx_state(self, *, is_up: bool) -> None:
        self.sent.append(("pbx", is_up))

    def send_presences(self, presences: Sequence[Presence]) -> None:
        self.sent.append(("presences", [one.device for one in presences]))


def connection(call: str = "77", device: str = "3001") -> ConnectionId:
    """A connection of the expert's."""
    return ConnectionId(call, device)


def event(kind: type[Event], state: LocalState | None, **parts: object) -> Event:
    """An event that the expert's set reports."""
    head: dict[str, object] = {"device": "3001", "connection": connection(), "cause": None, "at": NOON}
    return kind(**{**head, "state": state, **parts})  # type: ignore[arg-type]


def delivered() -> Delivered:
    """The outside caller rings."""
    return event(Delivered, LocalState.ALERTING, alerting=EXPERT, calling=OUTSIDE, called=EXPERT)


def established() -> Established:
    """The expert answers."""
    return event(Established, LocalState.CONNECTED, answering=EXPERT, calling=OUTSIDE, called=EXPERT)


def cleared() -> ConnectionCleared:
    """The expert hangs up."""
    return event(ConnectionCleared, LocalState.NULL, releasing=EXPERT)


DURABLE = (
    cleared(),
    event(CallCleared, None),
    event(Failed, None, failing=EXPERT, called=OTHER),
    event(Diverted, None, diverting=EXPERT, destination=OTHER),
    event(
        Transferred,
        None,
        primary_old=connection(),
        secondary_old=None,
        connections=(),
        transferring=EXPERT,
        transferred=OTHER,
    ),
    event(
        Conferenced,
        None,
        primary_old=connection(),
        secondary_old=None,
        connections=(),
        controller=EXPERT,
        added=OTHER,
    ),
)
VOLATILE = (
    delivered(),
    established(),
    event(ServiceInitiated, LocalState.INITIATED),
    event(Originated, LocalState.CONNECTED, calling=EXPERT, called=OTHER),
    event(NetworkReached, LocalState.CONNECTED, trunk=OUTSIDE, called=OTHER),
    event(Held, LocalState.HOLD, by=EXPERT),
    event(Retrieved, LocalState.CONNECTED, by=EXPERT),
    event(Queued, LocalState.QUEUED, queue=OTHER, calling=OUTSIDE, called=EXPERT),
)
