"""The registers of one PBX: which sets, lines and calls there are, and who is in which call."""

from collections import deque
from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType

from connector.domain.calls import DeviceSnapshot, LiveConnection, LocalState, Party
from simulators.pbx.call import (
    CALL_IDS,
    Call,
    End,
    IllegalOperation,
    Leg,
    PhoneSet,
    Problem,
    call_reference,
)

# Equipment numbers: the trunk lines lie below the sets, and both fit in 16 bits with the largest node
# (15,000 sets, facts of the vendor's sizing).
_FIRST_TRUNK_EQUIPMENT = 0x0200
_FIRST_SET_EQUIPMENT = 0x0800
MAX_TRUNK_LINES = _FIRST_SET_EQUIPMENT - _FIRST_TRUNK_EQUIPMENT
MAX_SETS = 15_000


def set_end(party: Party, index: int) -> End:
    """The end of the set that is number `index` (from 0) of the node."""
    return End(party, _FIRST_SET_EQUIPMENT + index)


class Exchange:
    """Keeps the registers consistent; knows nothing of what telephony allows.

    Each call is in `calls` as long as it has a leg, and in the `calls` of every set that has a leg in it.
    Live call ids are distinct: there are far fewer legs than ids.
    """

    def __init__(self, sets: Iterable[PhoneSet], *, trunk_lines: int, node: int, last_call_id: int) -> None:
        self._sets = {phone.number: phone for phone in sets}
        self._calls: dict[int, Call] = {}
        self._free_lines = deque(range(trunk_lines))
        self._node = node
        self._last_call_id = last_call_id

    @property
    def sets(self) -> Mapping[str, PhoneSet]:
        """Every set by its number."""
        return MappingProxyType(self._sets)

    @property
    def calls(self) -> Mapping[int, Call]:
        """Every live call by its present id."""
        return MappingProxyType(self._calls)

    def phone(self, device: str) -> PhoneSet:
        """The set with this number, or `IllegalOperation`."""
        try:
            return self._sets[device]
        except KeyError:
            raise IllegalOperation(Problem.UNKNOWN_DEVICE, device) from None

    def call(self, call_id: int) -> Call:
        """The live call with this id, or `IllegalOperation`."""
        try:
            return self._calls[call_id]
        except KeyError:
            raise IllegalOperation(Problem.NO_CALL, f"{call_id:04x}") from None

    def open_call(self, calling: Party, called: Party, at: datetime) -> Call:
        """A new call without legs; the caller joins one at once."""
        call_id = self._next_call_id()
        call = Call(call_id, call_reference(call_id, self._node, at), calling, called)
        self._calls[call_id] = call
        return call

    def merge(self, first: Call, second: Call) -> Call:
        """A new call with the legs of both; its reference and caller are those of `first`."""
        merged = Call(self._next_call_id(), first.reference, first.calling, second.called)
        self._calls[merged.call_id] = merged
        for leg in [*first.legs, *second.legs]:
            if merged.leg_of(leg.end) is None:
                self.join(merged, leg.end, leg.state)
        for old in (first, second):
            self._forget(old)
        return merged

    def renumber(self, call: Call) -> None:
        """Give `call` a new id; its reference stays."""
        del self._calls[call.call_id]
        call.call_id = self._next_call_id()
        self._calls[call.call_id] = call

    def join(self, call: Call, end: End, state: LocalState) -> Leg:
        """`end` enters `call`."""
        leg = Leg(end, state)
        call.legs.append(leg)
        if not end.is_trunk:
            self._sets[end.number].calls.append(call)
        return leg

    def leave(self, call: Call, leg: Leg) -> None:
        """`leg` ends; with the last one the call does too."""
        call.legs.remove(leg)
        if leg.end.is_trunk:
            self._free_lines.append(leg.end.equipment - _FIRST_TRUNK_EQUIPMENT)
        else:
            self._sets[leg.end.number].calls.remove(call)
        if not call.legs:
            del self._calls[call.call_id]

    def seize_line(self, party: Party) -> End:
        """A free trunk line with `party` behind it, or `IllegalOperation`."""
        if not self._free_lines:
            raise IllegalOperation(Problem.NO_LINE_FREE)
        return End(party, _FIRST_TRUNK_EQUIPMENT + self._free_lines.popleft(), is_trunk=True)

    @property
    def has_free_line(self) -> bool:
        """Whether an outside call can be made or taken."""
        return bool(self._free_lines)

    def snapshot(self, device: str) -> DeviceSnapshot:
        """The connections of one set now, oldest first."""
        phone = self.phone(device)
        live = [(call, call.leg_of(phone.end)) for call in phone.calls]
        return DeviceSnapshot(
            device, tuple(LiveConnection(call.connection(phone.end), leg.state) for call, leg in live if leg)
        )

    def clear(self) -> None:
        """All calls vanish, as in a restart."""
        for call in list(self._calls.values()):
            for leg in list(call.legs):
                self.leave(call, leg)

    def _forget(self, call: Call) -> None:
        del self._calls[call.call_id]
        for leg in call.legs:
            if not leg.end.is_trunk:
                self._sets[leg.end.number].calls.remove(call)

    def _next_call_id(self) -> int:
        call_id = (self._last_call_id + 1) % CALL_IDS
        while call_id in self._calls:
            call_id = (call_id + 1) % CALL_IDS
        self._last_call_id = call_id
        return call_id
