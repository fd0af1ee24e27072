"""Phones and calls of one PBX: what telephony allows, and what every set reports of it.

Pure: time is passed in, nothing is sent or awaited. Each operation either raises `IllegalOperation` and
changes nothing, or returns an `Outcome`. Ringing, answering and hanging up of outside parties are operations
too: the model does nothing by itself.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from connector.domain.calls import (
    Cause,
    DeviceSnapshot,
    LocalState,
    Party,
    Presentation,
    Reach,
)
from connector.domain.commands import AgentState
from connector.domain.devices import DeviceState
from simulators.pbx.call import ACTIVE, Call, Forwards, IllegalOperation, Leg, PhoneSet, Problem
from simulators.pbx.exchange import Exchange
from simulators.pbx.reports import Merger, Narrator, Outcome, Report, SetReport
from simulators.pbx.routing import Route, route
from simulators.pbx.rules import check_joinable, conversation, pair

# What a keypad gives: an international number with every prefix has at most 24 characters.
_DIALLED = re.compile(r"[0-9*#A-D]{1,24}\Z")
_TONES = re.compile(r"[0-9*#A-D]{1,64}\Z")
# The cloud uses three-party conferences; an OXO has no larger ones without a bridge.
MAX_PARTIES = 3

# Which leg an operation means when its set has several and no call is named.
_TO_RELEASE = (*ACTIVE, LocalState.ALERTING, LocalState.HOLD)


@dataclass(frozen=True, slots=True)
class Trunk:
    """The lines to the outside: how many, and the digits that seize one."""

    lines: int = 30
    prefix: str = "0"


class PbxModel:
    """One PBX. A set or outside party does what the operation's name says.

    `device` is always a set's number and `call` a call's id; without it the leg that fits is taken, the
    oldest of several. `renumbers_held_calls`: a call put on hold for a consultation gets a new id (an OXE).
    """

    def __init__(
        self,
        sets: Iterable[PhoneSet],
        trunk: Trunk,
        *,
        node: int = 1,
        last_call_id: int = 0,
        renumbers_held_calls: bool = False,
    ) -> None:
        self._exchange = Exchange(sets, trunk_lines=trunk.lines, node=node, last_call_id=last_call_id)
        self._prefix = trunk.prefix
        self._renumbers = renumbers_held_calls

    @property
    def sets(self) -> Mapping[str, PhoneSet]:
        """Every set by its number."""
        return self._exchange.sets

    @property
    def trunk_prefix(self) -> str:
        """The digits that seize an outside line."""
        return self._prefix

    @property
    def calls(self) -> Mapping[int, Call]:
        """Every live call by its present id."""
        return self._exchange.calls

    def snapshot(self, device: str) -> DeviceSnapshot:
        """The present connections of one set."""
        return self._exchange.snapshot(device)

    def restart(self) -> None:
        """Every call is lost and nobody is told; sets and forwards stay."""
        self._exchange.clear()

    # --- beginnings

    def ring_from_outside(self, caller: str | None, called: str, *, at: datetime, name: str = "") -> Outcome:
        """An outside caller dials the set `called`; `caller` is their number as the network shows it.

        None for a caller who withholds it. If nothing can ring, the network plays a tone and no set hears
        of it: the outcome's call is gone already.
        """
        phone = self._exchange.phone(called)
        calling = _outside_party(caller, name)
        line = self._exchange.seize_line(calling)
        call = self._exchange.open_call(calling, phone.end.party, at)
        self._exchange.join(call, line, LocalState.CONNECTED)
        return Outcome(call.call_id, tuple(self._offer(call, called, at)))

    def make_call(self, device: str, dialled: str, *, at: datetime) -> Outcome:
        """A set goes off hook and dials another set, or the trunk prefix and an outside number."""
        phone = self._usable(device)
        if not _DIALLED.match(dialled):
            raise IllegalOperation(Problem.BAD_NUMBER)
        phone.check_no_conversation()
        if len(phone.calls) >= phone.lines:
            raise IllegalOperation(Problem.NO_LINE_FREE, device)
        return self._place(phone, dialled, at)

    def consult(self, device: str, dialled: str, *, at: datetime) -> Outcome:
        """A set in conversation holds it and calls someone else; the outcome is the new call's."""
        phone = self._usable(device)
        if not _DIALLED.match(dialled):
            raise IllegalOperation(Problem.BAD_NUMBER)
        if len(phone.calls) > phone.lines:
            raise IllegalOperation(Problem.NO_LINE_FREE, device)
        call, leg = conversation(phone)
        leg.state = LocalState.HOLD
        if self._renumbers:
            self._exchange.renumber(call)
        held = Narrator(call, at).held(phone.end, Cause.CONSULTATION)
        placed = self._place(phone, dialled, at)
        return Outcome(placed.call, (*held, *placed.reports))

    # --- in the call

    def answer(self, device: str, call: int | None = None, *, at: datetime) -> Outcome:
        """A ringing set is picked up; it must not be in conversation."""
        phone = self._usable(device)
        found, leg = phone.leg_in((LocalState.ALERTING,), call)
        phone.check_no_conversation()
        leg.state = LocalState.CONNECTED
        return _outcome(found, Narrator(found, at).established(phone.end))

    def hold(self, device: str, *, at: datetime) -> Outcome:
        """A set puts its conversation on hold."""
        phone = self._usable(device)
        call, leg = conversation(phone)
        leg.state = LocalState.HOLD
        return _outcome(call, Narrator(call, at).held(phone.end, None))

    def retrieve(self, device: str, call: int | None = None, *, at: datetime) -> Outcome:
        """A set takes a call back from hold; it must not be in conversation."""
        phone = self._usable(device)
        found, leg = phone.leg_in((LocalState.HOLD,), call)
        phone.check_no_conversation()
        leg.state = LocalState.CONNECTED
        return _outcome(found, Narrator(found, at).retrieved(phone.end))

    def alternate(self, device: str, held: int | None = None, *, at: datetime) -> Outcome:
        """A set holds its conversation and takes its held call back; the outcome is the latter's."""
        phone = self._usable(device)
        active, active_leg = conversation(phone)
        found, leg = phone.leg_in((LocalState.HOLD,), held)
        active_leg.state, leg.state = LocalState.HOLD, LocalState.CONNECTED
        was_held = Narrator(active, at).held(phone.end, Cause.ALTERNATE)
        return _outcome(found, (*was_held, *Narrator(found, at).retrieved(phone.end, Cause.ALTERNATE)))

    def send_digits(self, device: str, digits: str, call: int | None = None) -> None:
        """A set keys tones into its conversation, which everybody in it hears."""
        if not _TONES.match(digits):
            raise IllegalOperation(Problem.BAD_NUMBER)
        found, _ = self._usable(device).leg_in((LocalState.CONNECTED,), call)
        found.tones.append((device, digits))

    def transfer(self, device: str, held: int | None = None, *, at: datetime) -> Outcome:
        """A set joins its held call to its active one, answered or still ringing, and leaves both."""
        phone = self._usable(device)
        (first, first_leg), (second, second_leg) = pair(phone, held)
        check_joinable(phone, first, second)
        if len(first.legs) + len(second.legs) - 2 > MAX_PARTIES:
            raise IllegalOperation(Problem.TOO_MANY_PARTIES)
        merger = Merger(
            phone.end, first.connection(phone.end), second.connection(phone.end), second.reference
        )
        to = second.legs[0] if second.legs[0] is not second_leg else second.legs[1]
        self._exchange.leave(first, first_leg)
        self._exchange.leave(second, second_leg)
        call = self._exchange.merge(first, second)
        call.calling, call.called = call.legs[0].end.party, to.end.party
        call.last_redirection = phone.end.party
        return _outcome(call, Narrator(call, at).transferred(merger, to.end.party))

    def conference(self, device: str, held: int | None = None, *, at: datetime) -> Outcome:
        """A set joins its held call and its active one and stays in the conference."""
        phone = self._usable(device)
        (first, first_leg), (second, _) = pair(phone, held)
        check_joinable(phone, first, second)
        if first.pending or second.pending:
            raise IllegalOperation(Problem.WRONG_STATE, "not all parties answered")
        if len(first.legs) + len(second.legs) - 1 > MAX_PARTIES:
            raise IllegalOperation(Problem.TOO_MANY_PARTIES)
        merger = Merger(
            phone.end, first.connection(phone.end), second.connection(phone.end), second.reference
        )
        added = next(leg.end.party for leg in second.legs if leg.end is not phone.end)
        first_leg.state = LocalState.CONNECTED
        call = self._exchange.merge(first, second)
        return _outcome(call, Narrator(call, at).conferenced(merger, added))

    # --- elsewhere

    def divert(self, device: str, destination: str, call: int | None = None, *, at: datetime) -> Outcome:
        """A ringing set sends the call on to another set, which must be free."""
        phone = self._usable(device)
        found, leg = phone.leg_in((LocalState.ALERTING,), call)
        way = self._route(found, self._exchange.phone(destination).number)
        if way.target is None:
            raise IllegalOperation(Problem.WRONG_STATE, f"{destination} can't ring")
        return _outcome(found, self._redirect(found, leg, (way, Cause.REDIRECTED), at))

    def leave_unanswered(self, device: str, call: int | None = None, *, at: datetime) -> Outcome:
        """A set rang for too long: its no-answer forward takes the call, or the PBX clears it."""
        phone = self._usable(device)
        found, leg = phone.leg_in((LocalState.ALERTING,), call)
        if phone.forwards.no_answer:
            way = self._route(found, phone.forwards.no_answer)
            if way.target is not None:
                to = (way, Cause.CALL_FORWARD_NO_ANSWER)
                return _outcome(found, self._redirect(found, leg, to, at))
        return _outcome(found, self._drop(found, leg, Cause.CALL_NOT_ANSWERED, at))

    def do_not_disturb(self, device: str, *, is_on: bool) -> None:
        """No call rings at a set as long as it is on."""
        self._exchange.phone(device).do_not_disturb = is_on

    def set_agent(self, device: str, state: AgentState, agent: str = "") -> None:
        """An agent logs on or off at a set, or changes his state there; he must be logged on for that."""
        self._usable(device).set_agent(state, agent)

    def forward(self, device: str, forwards: Forwards) -> None:
        """Set where the calls of a set go: numbers of sets of this PBX."""
        phone = self._exchange.phone(device)
        for number in (forwards.immediate, forwards.busy, forwards.no_answer):
            if number:
                self._exchange.phone(number)
        phone.forwards = forwards

    # --- ends

    def release(self, device: str, call: int | None = None, *, at: datetime) -> Outcome:
        """A set hangs up, refuses a ringing call, or drops a held one, in this order of choice."""
        phone = self._usable(device)
        found, leg = phone.leg_in(_TO_RELEASE, call)
        return _outcome(found, self._drop(found, leg, Cause.NORMAL_CLEARING, at))

    def outside_rings(self, call: int, *, at: datetime) -> Outcome:
        """The network says that the outside party's phone rings."""
        found, leg = self._outside_leg(call, LocalState.INITIATED)
        leg.state = LocalState.ALERTING
        return _outcome(found, Narrator(found, at).delivered(leg.end, Cause.NETWORK_SIGNAL))

    def outside_answers(self, call: int, *, at: datetime) -> Outcome:
        """The outside party picks up."""
        found, leg = self._outside_leg(call, LocalState.INITIATED, LocalState.ALERTING)
        leg.state = LocalState.CONNECTED
        return _outcome(found, Narrator(found, at).established(leg.end, Cause.NETWORK_SIGNAL))

    def outside_is_busy(self, call: int, *, at: datetime) -> Outcome:
        """The network says that the outside party is busy."""
        found, leg = self._outside_leg(call, LocalState.INITIATED, LocalState.ALERTING)
        if len(found.legs) == 2 and found.legs[0].state is LocalState.CONNECTED:
            self._exchange.leave(found, leg)
            return _outcome(found, self._fail(found, leg.end.party, Cause.BUSY, at))
        return _outcome(found, self._drop(found, leg, Cause.BUSY, at))

    def outside_releases(self, call: int, *, at: datetime) -> Outcome:
        """The outside party hangs up: a caller whom nobody answered yet, too."""
        found, leg = self._outside_leg(call, *LocalState)
        return _outcome(found, self._drop(found, leg, Cause.NORMAL_CLEARING, at))

    def take_out_of_service(self, device: str, *, at: datetime) -> tuple[Report, ...]:
        """A set is unplugged: its calls are cleared first."""
        phone = self._usable(device)
        reports: list[Report] = []
        while phone.calls:
            call, leg = phone.leg_in(_TO_RELEASE)
            reports += self._drop(call, leg, Cause.MAINTENANCE, at)
        phone.in_service = False
        return (*reports, SetReport(device, DeviceState.OUT_OF_SERVICE))

    def put_in_service(self, device: str) -> tuple[Report, ...]:
        """A set is plugged in again; nothing happens if it was."""
        phone = self._exchange.phone(device)
        if phone.in_service:
            return ()
        phone.in_service = True
        return (SetReport(device, DeviceState.IN_SERVICE),)

    # --- routing

    def _place(self, phone: PhoneSet, dialled: str, at: datetime) -> Outcome:
        goes_outside = self._goes_outside(dialled)
        called = self._called_party(dialled, goes_outside=goes_outside)
        call = self._exchange.open_call(phone.end.party, called, at)
        leg = self._exchange.join(call, phone.end, LocalState.INITIATED)
        narrator = Narrator(call, at)
        reports: list[Report] = list(narrator.service_initiated(phone.end))
        leg.state = LocalState.CONNECTED
        reports += narrator.originated(phone.end)
        reports += self._seize(call, called, at) if goes_outside else self._offer(call, dialled, at)
        return _outcome(call, reports)

    def _goes_outside(self, dialled: str) -> bool:
        return dialled not in self.sets and dialled.startswith(self._prefix) and dialled != self._prefix

    def _called_party(self, dialled: str, *, goes_outside: bool) -> Party:
        if goes_outside:
            return Party(dialled.removeprefix(self._prefix), Reach.EXTERNAL)
        phone = self.sets.get(dialled)
        return phone.end.party if phone else Party(dialled, Reach.INTERNAL)

    def _seize(self, call: Call, called: Party, at: datetime) -> Sequence[Report]:
        if not self._exchange.has_free_line:
            return self._fail(call, called, Cause.TRUNKS_BUSY, at)
        line = self._exchange.seize_line(called)
        self._exchange.join(call, line, LocalState.INITIATED)
        return Narrator(call, at).network_reached(line)

    def _offer(self, call: Call, wanted: str, at: datetime) -> Sequence[Report]:
        way = self._route(call, wanted)
        if way.target is None:
            return self._fail(call, way.last, way.obstacle, at)
        return self._ring(call, way, at)

    def _route(self, call: Call, wanted: str) -> Route:
        return route(self._exchange.sets, call, wanted)

    def _ring(self, call: Call, way: Route, at: datetime) -> list[Report]:
        assert way.target is not None  # noqa: S101 - the callers looked
        narrator = Narrator(call, at)
        reports: list[Report] = []
        for hop, destination in way.diversions():
            reports += narrator.diverted(hop.forwarding.end, destination, hop.cause)
            call.last_redirection = hop.forwarding.end.party
        self._exchange.join(call, way.target.end, LocalState.ALERTING)
        return [*reports, *narrator.delivered(way.target.end)]

    def _redirect(self, call: Call, leg: Leg, to: tuple[Route, Cause], at: datetime) -> list[Report]:
        way, cause = to
        self._exchange.leave(call, leg)
        destination = way.hops[0].forwarding.end.party if way.hops else way.last
        diverted = Narrator(call, at).diverted(leg.end, destination, cause)
        call.last_redirection = leg.end.party
        return [*diverted, *self._ring(call, way, at)]

    # --- failing and clearing

    def _fail(self, call: Call, failing: Party, cause: Cause, at: datetime) -> Sequence[Report]:
        """The only leg of `call` hears a tone: a set until it hangs up, an outside party's call just ends."""
        leg = call.legs[0]
        if leg.end.is_trunk:
            self._exchange.leave(call, leg)
            return ()
        leg.state = LocalState.FAIL
        return Narrator(call, at).failed(leg.end, failing, cause)

    def _drop(self, call: Call, leg: Leg, cause: Cause, at: datetime) -> Sequence[Report]:
        """`leg` ends; a call with one party left ends with it, and a set that still rings just stops."""
        narrator = Narrator(call, at)
        self._exchange.leave(call, leg)
        if len(call.legs) != 1:
            return narrator.cleared(leg.end, cause)
        last = call.legs[0]
        if last.is_pending:
            self._exchange.leave(call, last)
            return [*narrator.cleared(leg.end, cause), *narrator.cleared(last.end, cause)]
        reports = narrator.cleared(leg.end, cause)
        self._exchange.leave(call, last)
        return [*reports, *narrator.cleared(last.end, cause)]

    def _usable(self, device: str) -> PhoneSet:
        phone = self._exchange.phone(device)
        if not phone.in_service:
            raise IllegalOperation(Problem.OUT_OF_SERVICE, device)
        return phone

    def _outside_leg(self, call: int, *states: LocalState) -> tuple[Call, Leg]:
        found = self._exchange.call(call)
        for leg in found.legs:
            if leg.end.is_trunk and leg.state in states:
                return found, leg
        raise IllegalOperation(Problem.WRONG_STATE, "no outside party in that state")


def _outcome(call: Call, reports: Iterable[Report]) -> Outcome:
    return Outcome(call.call_id, tuple(reports))


def _outside_party(number: str | None, name: str) -> Party:
    if number is None:
        return Party(reach=Reach.EXTERNAL, presentation=Presentation.RESTRICTED, name=name)
    if not _DIALLED.match(number):
        raise IllegalOperation(Problem.BAD_NUMBER)
    return Party(number, Reach.EXTERNAL, name=name)
