"""The PBX as its users handle it: the model's operations by the clock, told to whoever listens."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from connector.domain.calls import DeviceSnapshot, Party, Reach
from connector.domain.commands import AgentState
from connector.domain.identifiers import PbxKind
from connector.domain.ports import Clock
from simulators.pbx.call import Call, Forwards, PhoneSet
from simulators.pbx.exchange import set_end
from simulators.pbx.model import PbxModel, Trunk
from simulators.pbx.reports import Outcome, Report
from simulators.pbx.settings import PbxWorld

# Gets the reports of one operation, in order, and its time (UTC). Called at once, and must not raise.
Listener = Callable[[Iterable[Report], datetime], None]


def model_of(world: PbxWorld) -> PbxModel:
    """The phones and lines that `world` describes, with nobody in a call.

    Only an OXE renumbers held calls: it has a global call reference to follow them by, an OXO has none.
    """
    sets = [
        PhoneSet(
            set_end(Party(phone.number, Reach.INTERNAL, name=phone.name), index), phone.type, phone.lines
        )
        for index, phone in enumerate(world.phones)
    ]
    return PbxModel(
        sets,
        Trunk(world.trunk_lines, world.trunk_prefix),
        node=world.node,
        last_call_id=world.last_call_id,
        renumbers_held_calls=world.kind is PbxKind.OXE,
    )


class Switchboard:
    """One PBX that lives in real time. Operations are those of `PbxModel` and raise `IllegalOperation`."""

    def __init__(self, model: PbxModel, clock: Clock) -> None:
        self._model = model
        self._clock = clock
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        """Tell `listener` of every operation from now on."""
        self._listeners.append(listener)

    def ignore(self, listener: Listener) -> None:
        """Undo `listen`."""
        self._listeners.remove(listener)

    @property
    def sets(self) -> Mapping[str, PhoneSet]:
        """Every set by its number."""
        return self._model.sets

    @property
    def trunk_prefix(self) -> str:
        """The digits that seize an outside line."""
        return self._model.trunk_prefix

    @property
    def calls(self) -> Mapping[int, Call]:
        """Every live call by its present id."""
        return self._model.calls

    def snapshot(self, device: str) -> DeviceSnapshot:
        """The present connections of one set."""
        return self._model.snapshot(device)

    def ring_from_outside(self, caller: str | None, called: str, *, name: str = "") -> Outcome:
        """An outside caller (None: number withheld) dials a set."""
        return self._done(lambda at: self._model.ring_from_outside(caller, called, at=at, name=name))

    def make_call(self, device: str, dialled: str) -> Outcome:
        """A set dials a set, or the trunk prefix and an outside number."""
        return self._done(lambda at: self._model.make_call(device, dialled, at=at))

    def consult(self, device: str, dialled: str) -> Outcome:
        """A set holds its conversation and calls someone else."""
        return self._done(lambda at: self._model.consult(device, dialled, at=at))

    def answer(self, device: str, call: int | None = None) -> Outcome:
        """A ringing set is picked up."""
        return self._done(lambda at: self._model.answer(device, call, at=at))

    def hold(self, device: str) -> Outcome:
        """A set puts its conversation on hold."""
        return self._done(lambda at: self._model.hold(device, at=at))

    def retrieve(self, device: str, call: int | None = None) -> Outcome:
        """A set takes a call back from hold."""
        return self._done(lambda at: self._model.retrieve(device, call, at=at))

    def alternate(self, device: str, held: int | None = None) -> Outcome:
        """A set holds its conversation and takes its held call back."""
        return self._done(lambda at: self._model.alternate(device, held, at=at))

    def send_digits(self, device: str, digits: str, call: int | None = None) -> None:
        """A set keys tones into its conversation."""
        self._model.send_digits(device, digits, call)

    def transfer(self, device: str, held: int | None = None) -> Outcome:
        """A set joins its held call to its active one and leaves both."""
        return self._done(lambda at: self._model.transfer(device, held, at=at))

    def conference(self, device: str, held: int | None = None) -> Outcome:
        """A set joins its held call and its active one and stays."""
        return self._done(lambda at: self._model.conference(device, held, at=at))

    def divert(self, device: str, destination: str, call: int | None = None) -> Outcome:
        """A ringing set sends the call on."""
        return self._done(lambda at: self._model.divert(device, destination, call, at=at))

    def leave_unanswered(self, device: str, call: int | None = None) -> Outcome:
        """A set rang for too long."""
        return self._done(lambda at: self._model.leave_unanswered(device, call, at=at))

    def release(self, device: str, call: int | None = None) -> Outcome:
        """A set hangs up, refuses or drops a call."""
        return self._done(lambda at: self._model.release(device, call, at=at))

    def outside_rings(self, call: int) -> Outcome:
        """The outside party's phone rings."""
        return self._done(lambda at: self._model.outside_rings(call, at=at))

    def outside_answers(self, call: int) -> Outcome:
        """The outside party picks up."""
        return self._done(lambda at: self._model.outside_answers(call, at=at))

    def outside_is_busy(self, call: int) -> Outcome:
        """The outside party is busy."""
        return self._done(lambda at: self._model.outside_is_busy(call, at=at))

    def outside_releases(self, call: int) -> Outcome:
        """The outside party hangs up."""
        return self._done(lambda at: self._model.outside_releases(call, at=at))

    def do_not_disturb(self, device: str, *, is_on: bool) -> None:
        """No call rings at a set as long as it is on."""
        self._model.do_not_disturb(device, is_on=is_on)

    def set_agent(self, device: str, state: AgentState, agent: str = "") -> None:
        """An agent logs on or off at a set, or changes his state there."""
        self._model.set_agent(device, state, agent)

    def forward(self, device: str, forwards: Forwards) -> None:
        """Set where the calls of a set go."""
        self._model.forward(device, forwards)

    def take_out_of_service(self, device: str) -> None:
        """A set is unplugged."""
        at = self._clock.now()
        self._tell(self._model.take_out_of_service(device, at=at), at)

    def put_in_service(self, device: str) -> None:
        """A set is plugged in again."""
        self._tell(self._model.put_in_service(device), self._clock.now())

    def _done(self, operation: Callable[[datetime], Outcome]) -> Outcome:
        at = self._clock.now()
        outcome = operation(at)
        self._tell(outcome.reports, at)
        return outcome

    def _tell(self, reports: Iterable[Report], at: datetime) -> None:
        for listener in self._listeners:
            listener(reports, at)
