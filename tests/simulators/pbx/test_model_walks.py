"""Random walks through the model: it stays consistent, and its reports alone tell the state of every set."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from connector.domain.calls import LocalState, Party, Reach
from simulators.pbx.call import ACTIVE, Forwards, IllegalOperation, PhoneSet
from simulators.pbx.exchange import set_end
from simulators.pbx.model import MAX_PARTIES, PbxModel, Trunk
from simulators.pbx.reports import CallReport, Outcome, Report

START = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
NUMBERS = ("3001", "3002", "3003", "3004")
LINES = 3

Operation = Callable[[PbxModel, str, str, datetime], Outcome | Sequence[Report] | None]


def outside_call(pbx: PbxModel, device: str) -> int:
    """Some call with an outside party, picked by `device`; an id that does not exist if there is none."""
    ids = [call.call_id for call in pbx.calls.values() if any(leg.end.is_trunk for leg in call.legs)]
    return ids[NUMBERS.index(device) % len(ids)] if ids else -1


OPERATIONS: dict[str, Operation] = {
    "ring": lambda pbx, a, b, at: pbx.ring_from_outside("0199001234", a, at=at),
    "make": lambda pbx, a, b, at: pbx.make_call(a, b, at=at),
    "make out": lambda pbx, a, b, at: pbx.make_call(a, "00199001234", at=at),
    "consult": lambda pbx, a, b, at: pbx.consult(a, b, at=at),
    "consult out": lambda pbx, a, b, at: pbx.consult(a, "00199001234", at=at),
    "answer": lambda pbx, a, b, at: pbx.answer(a, at=at),
    "hold": lambda pbx, a, b, at: pbx.hold(a, at=at),
    "retrieve": lambda pbx, a, b, at: pbx.retrieve(a, at=at),
    "alternate": lambda pbx, a, b, at: pbx.alternate(a, at=at),
    "tones": lambda pbx, a, b, at: pbx.send_digits(a, "1#"),
    "disturb": lambda pbx, a, b, at: pbx.do_not_disturb(a, is_on=False),
    "do not disturb": lambda pbx, a, b, at: pbx.do_not_disturb(a, is_on=True),
    "transfer": lambda pbx, a, b, at: pbx.transfer(a, at=at),
    "conference": lambda pbx, a, b, at: pbx.conference(a, at=at),
    "divert": lambda pbx, a, b, at: pbx.divert(a, b, at=at),
    "unanswered": lambda pbx, a, b, at: pbx.leave_unanswered(a, at=at),
    "forward now": lambda pbx, a, b, at: pbx.forward(a, Forwards(immediate=b)),
    "forward else": lambda pbx, a, b, at: pbx.forward(a, Forwards(busy=b, no_answer=b)),
    "forward off": lambda pbx, a, b, at: pbx.forward(a, Forwards()),
    "release": lambda pbx, a, b, at: pbx.release(a, at=at),
    "outside rings": lambda pbx, a, b, at: pbx.outside_rings(outside_call(pbx, a), at=at),
    "outside answers": lambda pbx, a, b, at: pbx.outside_answers(outside_call(pbx, a), at=at),
    "outside busy": lambda pbx, a, b, at: pbx.outside_is_busy(outside_call(pbx, a), at=at),
    "outside releases": lambda pbx, a, b, at: pbx.outside_releases(outside_call(pbx, a), at=at),
    "unplug": lambda pbx, a, b, at: pbx.take_out_of_service(a, at=at),
    "plug": lambda pbx, a, b, at: pbx.put_in_service(a),
}

# What builds calls up, in the proportions that reach transfers and conferences.
BUILDERS = (
    *("ring", "make", "make out", "consult out", "outside rings", "unanswered", "outside busy", "divert"),
    *("release", "outside releases"),
    *("answer", "outside answers", "consult", "transfer", "conference", "hold", "retrieve", "alternate") * 3,
)

View = dict[str, dict[str, LocalState]]


class Walk:
    """A model, and beside it what an observer of all reports knows: states by set and global reference."""

    def __init__(self, *, renumbers: bool, last_call_id: int) -> None:
        sets = [
            PhoneSet(set_end(Party(number, Reach.INTERNAL), index), "")
            for index, number in enumerate(NUMBERS)
        ]
        self.pbx = PbxModel(
            sets, Trunk(lines=LINES), renumbers_held_calls=renumbers, last_call_id=last_call_id
        )
        self.seen: View = defaultdict(dict)
        self.at = START

    def step(self, name: str, device: str, other: str) -> None:
        self.at += timedelta(seconds=1)
        before = self.truth()
        try:
            result = OPERATIONS[name](self.pbx, device, other, self.at)
        except IllegalOperation:
            assert self.truth() == before
            return
        for report in (result.reports if isinstance(result, Outcome) else result) or ():
            if isinstance(report, CallReport):
                self.hear(report)

    def hear(self, report: CallReport) -> None:
        live = self.seen[report.device]
        live.pop(report.second_reference, None)
        event = report.event
        assert event.state is not None
        if event.state is LocalState.NULL:
            live.pop(event.correlation, None)
        else:
            live[event.correlation] = event.state

    def truth(self) -> View:
        return {
            number: {call.reference.hex(): leg.state for call, leg in phone.legs()}
            for number, phone in self.pbx.sets.items()
        }

    def check(self) -> None:
        assert {number: self.seen[number] for number in NUMBERS} == self.truth()
        self.check_calls()
        for phone in self.pbx.sets.values():
            assert all(self.pbx.calls[call.call_id] is call for call in phone.calls)
            assert sum(leg.state in ACTIVE for _, leg in phone.legs()) <= 1
            assert phone.in_service or not phone.calls
            assert len(phone.calls) <= phone.lines + 1

    def check_calls(self) -> None:
        trunk_legs = []
        for call_id, call in self.pbx.calls.items():
            assert call_id == call.call_id
            ends = [leg.end.device_id for leg in call.legs]
            assert len(ends) == len(set(ends)) <= MAX_PARTIES
            assert len(call.legs) > 1 or call.legs[0].state is LocalState.FAIL
            assert len(call.pending) <= 1
            assert len(call.pending) < len(call.legs)
            trunk_legs += [leg.end.device_id for leg in call.legs if leg.end.is_trunk]
            for leg in call.legs:
                assert leg.end.is_trunk or call in self.pbx.sets[leg.end.number].calls
        assert len(trunk_legs) == len(set(trunk_legs)) <= LINES


steps = st.tuples(st.sampled_from(sorted(OPERATIONS)), st.sampled_from(NUMBERS), st.sampled_from(NUMBERS))


@settings(max_examples=150, deadline=None)
@given(st.lists(steps, max_size=60), st.booleans(), st.sampled_from([0, 0xFFFA]))
def test_the_model_stays_consistent(
    walk: list[tuple[str, str, str]], renumbers: bool, last_call_id: int
) -> None:
    world = Walk(renumbers=renumbers, last_call_id=last_call_id)
    for name, device, other in walk:
        world.step(name, device, other)
        world.check()


@settings(max_examples=60, deadline=None)
@given(st.randoms(use_true_random=False))
def test_when_everybody_hangs_up_nothing_is_left(seeded: Random) -> None:
    choice = seeded.choice
    world = Walk(renumbers=True, last_call_id=0)
    for _ in range(120):
        world.step(choice(BUILDERS), choice(NUMBERS), choice(NUMBERS))
        world.check()
    while world.pbx.calls:
        call = next(iter(world.pbx.calls.values()))
        leg = call.legs[0]
        if leg.end.is_trunk:
            world.pbx.outside_releases(call.call_id, at=world.at)
        else:
            world.pbx.release(leg.end.number, call.call_id, at=world.at)
    assert all(not phone.calls for phone in world.pbx.sets.values())
