"""Where a call for a number really goes: forwards, busy and absent sets. Pure, and changes nothing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from connector.domain.calls import Cause, Party, Reach
from simulators.pbx.call import Call, PhoneSet

# A forward leads to a forward leads to a forward: the PBX gives up, and a loop ends.
MAX_FORWARDS = 5


@dataclass(frozen=True, slots=True)
class Hop:
    """A set that forwards the call, and why."""

    forwarding: PhoneSet
    cause: Cause


@dataclass(frozen=True, slots=True)
class Route:
    """`target` rings after `hops`; without a target, `last` is the party that can't be had for `obstacle`."""

    hops: tuple[Hop, ...]
    last: Party
    target: PhoneSet | None = None
    obstacle: Cause = Cause.NORMAL

    def diversions(self) -> Iterator[tuple[Hop, Party]]:
        """Each hop with the party it sends the call to; of a route that has a target."""
        destinations = [*(hop.forwarding.end.party for hop in self.hops[1:]), self.last]
        return zip(self.hops, destinations, strict=False)


def route(sets: Mapping[str, PhoneSet], call: Call, wanted: str) -> Route:
    """The way of `call` to the set `wanted`."""
    hops: tuple[Hop, ...] = ()
    while True:
        phone = sets.get(wanted)
        if phone is None:
            return Route(hops, Party(wanted, Reach.INTERNAL), obstacle=Cause.DEST_NOT_OBTAINABLE)
        cause, forward = _obstacle(phone, call)
        if cause is None:
            return Route(hops, phone.end.party, phone)
        if not forward or len(hops) == MAX_FORWARDS:
            return Route(hops, phone.end.party, obstacle=cause)
        hops += (Hop(phone, cause),)
        wanted = forward


def _obstacle(phone: PhoneSet, call: Call) -> tuple[Cause | None, str]:
    """Why `phone` does not ring, and the number it forwards to; no cause if it rings."""
    forwards = phone.forwards
    if forwards.immediate:
        return Cause.CALL_FORWARD_IMMEDIATE, forwards.immediate
    if not phone.in_service:
        return Cause.DEST_NOT_OBTAINABLE, ""
    if phone.do_not_disturb:
        return Cause.DO_NOT_DISTURB, ""
    if len(phone.calls) < phone.lines and call.leg_of(phone.end) is None:
        return None, ""
    return (Cause.CALL_FORWARD_BUSY, forwards.busy) if forwards.busy else (Cause.BUSY, "")
