"""What the sets in a call report of it: the model's results, in the connector's words for call events.

Of each event the device that acts or is acted on hears first, then the other sets in the call, each with its
own local state. Outside parties report nothing: their network is not ours.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypedDict

from connector.domain.calls import (
    UNKNOWN_PARTY,
    CallEvent,
    Cause,
    Conferenced,
    ConnectionCleared,
    ConnectionId,
    Delivered,
    Diverted,
    Established,
    Failed,
    Held,
    ListedConnection,
    LocalState,
    NetworkReached,
    Originated,
    Party,
    Reach,
    Retrieved,
    ServiceInitiated,
    Transferred,
)
from connector.domain.devices import DeviceState
from simulators.pbx.call import Call, End


@dataclass(frozen=True, slots=True)
class CallReport:
    """One set's report of a call event, and what the PBX knows beyond the standard's fields.

    `other` is the party that the set's display shows; `second_reference` the global reference (hexadecimal)
    of the call that was merged into this one, on a transfer or conference.
    """

    event: CallEvent
    other: Party
    has_outside: bool
    second_reference: str = ""

    @property
    def device(self) -> str:
        """Number of the set that reports."""
        return self.event.device


@dataclass(frozen=True, slots=True)
class SetReport:
    """A set went in or out of service."""

    device: str
    state: DeviceState


Report = CallReport | SetReport


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of an operation: the id of the call it leaves, and the reports in the order they occur."""

    call: int
    reports: tuple[Report, ...]

    @property
    def events(self) -> tuple[CallEvent, ...]:
        """The call events alone."""
        return tuple(report.event for report in self.reports if isinstance(report, CallReport))


@dataclass(frozen=True, slots=True)
class Merger:
    """Two calls that `by` joined: its connections in them, and the reference of the one that vanished."""

    by: End
    primary: ConnectionId
    secondary: ConnectionId
    second_reference: bytes


class _Common(TypedDict):
    device: str
    connection: ConnectionId
    state: LocalState | None
    cause: Cause | None
    at: datetime
    correlation: str


class Narrator:
    """Tells what happens in one call at one moment (UTC). It reads the call and never changes it."""

    def __init__(self, call: Call, at: datetime) -> None:
        self._call = call
        self._at = at

    def service_initiated(self, end: End) -> list[CallReport]:
        """`end` went off hook."""
        return self._told(end, ServiceInitiated(**self._common(end, None)))

    def originated(self, end: End) -> list[CallReport]:
        """`end` dialled."""
        call = self._call
        event = Originated(calling=call.calling, called=call.called, **self._common(end, Cause.NEW_CALL))
        return self._told(end, event)

    def network_reached(self, trunk: End) -> list[CallReport]:
        """The call left by `trunk`, whose own number nobody tells (`87 00` in the captures)."""
        common = self._common(trunk, Cause.NEW_CALL)
        return self._told(trunk, NetworkReached(trunk=UNKNOWN_PARTY, called=self._call.called, **common))

    def delivered(self, end: End, cause: Cause = Cause.NEW_CALL) -> list[CallReport]:
        """It rings at `end`. A forwarded call keeps the cause newCall: only alerting differs from called."""
        call = self._call
        event = Delivered(
            alerting=end.party,
            calling=call.calling,
            called=call.called,
            last_redirection=call.last_redirection,
            **self._common(end, cause),
        )
        return self._told(end, event)

    def established(self, end: End, cause: Cause = Cause.NEW_CALL) -> list[CallReport]:
        """`end` answered."""
        call = self._call
        event = Established(
            answering=end.party,
            calling=call.calling,
            called=call.called,
            last_redirection=call.last_redirection,
            **self._common(end, cause),
        )
        return self._told(end, event)

    def failed(self, end: End, failing: Party, cause: Cause) -> list[CallReport]:
        """`end`, still in the call, could not reach `failing`."""
        event = Failed(failing=failing, called=self._call.called, **self._common(end, cause))
        return self._told(end, event)

    def held(self, end: End, cause: Cause | None) -> list[CallReport]:
        """`end` put the call on hold."""
        return self._told(end, Held(by=end.party, **self._common(end, cause)))

    def retrieved(self, end: End, cause: Cause | None = None) -> list[CallReport]:
        """`end` took the call back."""
        return self._told(end, Retrieved(by=end.party, **self._common(end, cause)))

    def diverted(self, end: End, destination: Party, cause: Cause) -> list[CallReport]:
        """The call left `end`, or never rang there, for `destination`."""
        common = self._common(end, cause)
        return self._told(end, Diverted(diverting=end.party, destination=destination, **common))

    def cleared(self, end: End, cause: Cause) -> list[CallReport]:
        """`end` is no longer in the call."""
        return self._told(end, ConnectionCleared(releasing=end.party, **self._common(end, cause)))

    def transferred(self, merger: Merger, to: Party) -> list[CallReport]:
        """The merger's device left the joined call to `to` and the rest."""
        event = Transferred(
            primary_old=merger.primary,
            secondary_old=merger.secondary,
            connections=self._connections(),
            transferring=merger.by.party,
            transferred=to,
            **self._common(merger.by, Cause.TRANSFER, merger.primary),
        )
        return self._told(merger.by, event, merger.second_reference)

    def conferenced(self, merger: Merger, added: Party) -> list[CallReport]:
        """The merger's device joined two calls and stays in them."""
        event = Conferenced(
            primary_old=merger.primary,
            secondary_old=merger.secondary,
            connections=self._connections(),
            controller=merger.by.party,
            added=added,
            **self._common(merger.by, None, merger.primary),
        )
        return self._told(merger.by, event, merger.second_reference)

    def _common(self, end: End, cause: Cause | None, connection: ConnectionId | None = None) -> _Common:
        return {
            "device": end.number,
            "connection": connection or self._call.connection(end),
            "state": None,
            "cause": cause,
            "at": self._at,
            "correlation": self._call.reference.hex(),
        }

    def _connections(self) -> tuple[ListedConnection, ...]:
        call = self._call
        return tuple(ListedConnection(call.connection(leg.end), leg.end.number) for leg in call.legs)

    def _told(self, subject: End, event: CallEvent, second_reference: bytes = b"") -> list[CallReport]:
        hearers = [subject, *(leg.end for leg in self._call.legs if leg.end is not subject)]
        return [self._heard(end, event, second_reference) for end in hearers if not end.is_trunk]

    def _heard(self, hearer: End, event: CallEvent, second_reference: bytes) -> CallReport:
        leg = self._call.leg_of(hearer)
        state = leg.state if leg else LocalState.NULL
        own = replace(event, device=hearer.number, state=state)
        return CallReport(own, self._other(hearer), self._has_outside(), second_reference.hex())

    def _has_outside(self) -> bool:
        call = self._call
        parties = (call.calling, call.called, *(leg.end.party for leg in call.legs))
        return any(party.reach is Reach.EXTERNAL for party in parties)

    def _other(self, hearer: End) -> Party:
        other = next((leg.end.party for leg in self._call.legs if leg.end is not hearer), None)
        if other is not None:
            return other
        call = self._call
        return call.called if call.calling == hearer.party else call.calling
