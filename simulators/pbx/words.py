"""The model's reports in CSTA's words, as an OXO (phase I) and an OXE (phase II) choose them.

The differences are those of the captures: an OXE puts its trunk prefix before outside numbers, never names
the last redirection, and adds its local time and its private data; an OXO does none of that.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connector.domain import calls
from connector.domain.calls import Party, Presentation, Reach
from connector.domain.devices import DeviceState
from connector.domain.identifiers import PbxKind
from connector.wire.csta import messages
from connector.wire.csta.messages import DeviceForm, DeviceId
from simulators.pbx.call import is_trunk
from simulators.pbx.reports import Report, SetReport

# Private item 504 has 1 on calls with outside parties and 0 on other joined calls (11 was seen too; why is
# not known).
_OUTSIDE_TAKES_PART = 1
_INSIDE_ONLY = 0

_HIDDEN = {
    Presentation.RESTRICTED: messages.NOT_KNOWN,  # CSTA I and II have no word for withheld
    Presentation.UNAVAILABLE: messages.NOT_KNOWN,
    Presentation.NOT_REQUIRED: messages.NOT_REQUIRED,
}


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one kind of PBX writes; `utc_offset` is its local time's."""

    kind: PbxKind
    trunk_prefix: str
    utc_offset: timedelta

    def event_report(self, cross_ref: bytes, report: Report, at: datetime) -> messages.EventReport:
        """`report` for one monitor, sent at `at` (UTC)."""
        event = self.event(report)
        if self.kind is PbxKind.OXO:
            return messages.EventReport(cross_ref, event)
        # The captures carry local time in spite of the Z.
        local_time = (at + self.utc_offset).strftime("%y%m%d%H%M%SZ")
        return messages.EventReport(cross_ref, event, local_time, _private(report))

    def event(self, report: Report) -> messages.Event:
        """What happened, without its envelope."""
        if isinstance(report, SetReport):
            device = DeviceId(DeviceForm.IMPLICIT_PRIVATE, report.device)
            in_service = report.state is DeviceState.IN_SERVICE
            return messages.BackInService(device) if in_service else messages.OutOfService(device)
        event = report.event
        kind, parties = _EVENTS[type(event)]
        fields: dict[str, Any] = {name: self._party(event, name) for name in parties}
        if isinstance(event, calls.Transferred | calls.Conferenced):
            fields["secondary_old"] = event.secondary_old and connection(event.secondary_old)
            fields["connections"] = tuple(self._listed(each) for each in event.connections)
        return kind(connection=connection(event.connection), state=event.state, cause=event.cause, **fields)

    def device(self, party: Party) -> DeviceId:
        """A party: `84` inside, `82` outside (on an OXE with the trunk prefix), `87` or `88` if not told."""
        if party.presentation is not Presentation.ALLOWED:
            return _HIDDEN[party.presentation]
        if party.reach is Reach.EXTERNAL:
            return DeviceId(DeviceForm.IMPLICIT_PUBLIC, self._shown(party.number))
        return DeviceId(DeviceForm.IMPLICIT_PRIVATE, party.number)

    def _party(self, event: calls.CallEvent, name: str) -> DeviceId:
        if name == "last_redirection" and self.kind is PbxKind.OXE:
            return messages.NOT_REQUIRED
        return self.device(getattr(event, _OWN_NAMES.get(name, name)))

    def _listed(self, entry: calls.ListedConnection) -> messages.ListedConnection:
        """Lists repeat the parties as dialled numbers (`80`), whatever their reach."""
        listed = connection(entry.connection)
        number = self._shown(entry.number) if is_trunk(listed.device) and entry.number else entry.number
        return messages.ListedConnection(listed, DeviceId(DeviceForm.DIALING, number) if number else None)

    def _shown(self, outside_number: str) -> str:
        return self.trunk_prefix + outside_number if self.kind is PbxKind.OXE else outside_number


def connection(of: calls.ConnectionId) -> messages.Connection:
    """The 2 and 4 bytes of a connection."""
    return messages.Connection(bytes.fromhex(of.call), bytes.fromhex(of.device))


def _private(report: Report) -> messages.PrivateData | None:
    if isinstance(report, SetReport):
        return None
    event = report.event
    joins = isinstance(event, calls.Transferred | calls.Conferenced)
    inside = _INSIDE_ONLY if joins else None
    return messages.PrivateData(
        outside=_OUTSIDE_TAKES_PART if report.has_outside else inside,
        name=report.other.name,
        call_reference=bytes.fromhex(event.correlation),
        second_reference=bytes.fromhex(report.second_reference),
    )


# Each event of the model: the message, and those of its fields that are parties.
_EVENTS: dict[type[calls.CallEvent], tuple[type[messages.CallEvent], tuple[str, ...]]] = {
    calls.ServiceInitiated: (messages.ServiceInitiated, ()),
    calls.Originated: (messages.Originated, ("calling", "called")),
    calls.NetworkReached: (messages.NetworkReached, ("trunk", "called")),
    calls.Delivered: (messages.Delivered, ("alerting", "calling", "called", "last_redirection")),
    calls.Established: (messages.Established, ("answering", "calling", "called", "last_redirection")),
    calls.Held: (messages.Held, ("holding",)),
    calls.Retrieved: (messages.Retrieved, ("retrieving",)),
    calls.Diverted: (messages.Diverted, ("diverting", "destination")),
    calls.Failed: (messages.Failed, ("failing", "called")),
    calls.Transferred: (messages.Transferred, ("transferring", "transferred")),
    calls.Conferenced: (messages.Conferenced, ("controller", "added")),
    calls.ConnectionCleared: (messages.ConnectionCleared, ("releasing",)),
}
# Fields that the model's events name otherwise.
_OWN_NAMES = {"holding": "by", "retrieving": "by"}
