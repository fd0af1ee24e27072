"""Which of a set's legs an operation is about, and what may be joined. Pure, and changes nothing."""

from connector.domain.calls import LocalState
from simulators.pbx.call import Call, IllegalOperation, Leg, PhoneSet, Problem


def conversation(phone: PhoneSet) -> tuple[Call, Leg]:
    """The connected leg of a call in which everybody answered."""
    call, leg = phone.leg_in((LocalState.CONNECTED,))
    if call.pending:
        raise IllegalOperation(Problem.WRONG_STATE, f"{phone.number} is not answered yet")
    return call, leg


def pair(phone: PhoneSet, held: int | None) -> tuple[tuple[Call, Leg], tuple[Call, Leg]]:
    """The held call, `held` if that is given, and the active one."""
    return phone.leg_in((LocalState.HOLD,), held), phone.leg_in((LocalState.CONNECTED,))


def check_joinable(phone: PhoneSet, first: Call, second: Call) -> None:
    """Nobody twice in the joined call, and somebody in it who is not merely being rung."""
    others = [leg.end for call in (first, second) for leg in call.legs if leg.end is not phone.end]
    if len(others) != len({end.device_id for end in others}):
        raise IllegalOperation(Problem.WRONG_STATE, "a party is in both calls")
    if first.pending:
        raise IllegalOperation(Problem.WRONG_STATE, "the held party has not answered")
