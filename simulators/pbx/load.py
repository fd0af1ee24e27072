"""Made-up traffic: random but repeatable calls on a running PBX."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random

from simulators.pbx.call import IllegalOperation
from simulators.pbx.switchboard import Switchboard

MEAN_RINGING_SECONDS = 4.0
MEAN_TALKING_SECONDS = 20.0

Sleep = Callable[[float], Awaitable[None]]


@dataclass(slots=True)
class LoadCount:
    """What a load did: calls that went to their end, and those that found no free set or line."""

    completed: int = 0
    refused: int = 0


@dataclass(frozen=True, slots=True)
class _Caller:
    """One call to be made, between an outside party and two sets that are free at its beginning."""

    pbx: Switchboard
    device: str
    other: str
    random: Random
    sleep: Sleep

    @property
    def outside_number(self) -> str:
        """A French number that is reserved for fiction."""
        return f"01990000{self.random.randrange(100):02d}"

    async def ring(self) -> None:
        """Wait as long as a phone rings."""
        await self.sleep(self.random.expovariate(1 / MEAN_RINGING_SECONDS))

    async def talk(self) -> None:
        """Wait as long as people talk."""
        await self.sleep(self.random.expovariate(1 / MEAN_TALKING_SECONDS))

    def hang_up(self) -> None:
        """Whatever went wrong, leave both sets free."""
        for device in (self.device, self.other):
            while self.pbx.sets[device].calls:
                self.pbx.release(device)


async def _incoming(caller: _Caller) -> None:
    call = caller.pbx.ring_from_outside(caller.outside_number, caller.device).call
    await caller.ring()
    caller.pbx.answer(caller.device, call)
    await caller.talk()
    caller.pbx.outside_releases(call)


async def _missed(caller: _Caller) -> None:
    call = caller.pbx.ring_from_outside(caller.outside_number, caller.device).call
    await caller.ring()
    caller.pbx.outside_releases(call)


async def _withheld_and_transferred(caller: _Caller) -> None:
    caller.pbx.ring_from_outside(None, caller.device)
    await caller.ring()
    caller.pbx.answer(caller.device)
    await caller.talk()
    caller.pbx.consult(caller.device, caller.other)
    await caller.ring()
    caller.pbx.answer(caller.other)
    joined = caller.pbx.transfer(caller.device).call
    await caller.talk()
    caller.pbx.outside_releases(joined)


async def _internal(caller: _Caller) -> None:
    caller.pbx.make_call(caller.device, caller.other)
    await caller.ring()
    caller.pbx.answer(caller.other)
    await caller.talk()
    caller.pbx.release(caller.device)


async def _outgoing(caller: _Caller) -> None:
    call = caller.pbx.make_call(caller.device, caller.pbx.trunk_prefix + caller.outside_number).call
    caller.pbx.outside_rings(call)
    await caller.ring()
    caller.pbx.outside_answers(call)
    await caller.talk()
    caller.pbx.release(caller.device)


# How often each kind of call is made: an office that is mostly called.
_KINDS = (_incoming, _missed, _withheld_and_transferred, _internal, _outgoing)
_WEIGHTS = (45, 15, 10, 15, 15)


async def run_load(
    pbx: Switchboard,
    calls_per_second: float,
    duration_seconds: float | None,
    *,
    random: Random,
    sleep: Sleep = asyncio.sleep,
) -> LoadCount:
    """Begin calls at random moments, on average `calls_per_second` (> 0); None: until cancelled.

    Returns when the last call has ended. Equal seeds give equal calls, as long as nobody else uses the sets.
    """
    count = LoadCount()
    elapsed = 0.0
    async with asyncio.TaskGroup() as lives:
        while True:
            pause = random.expovariate(calls_per_second)
            elapsed += pause
            if duration_seconds is not None and elapsed > duration_seconds:
                break
            await sleep(pause)
            lives.create_task(_live(pbx, Random(random.random()), sleep, count))  # noqa: S311 - no secret
    return count


async def _live(pbx: Switchboard, random: Random, sleep: Sleep, count: LoadCount) -> None:
    free = [number for number, phone in pbx.sets.items() if phone.in_service and not phone.calls]
    if len(free) < 2:
        count.refused += 1
        return
    device, other = random.sample(free, 2)
    caller = _Caller(pbx, device, other, random, sleep)
    (kind,) = random.choices(_KINDS, _WEIGHTS)
    try:
        await kind(caller)
        count.completed += 1
    except IllegalOperation:
        # Someone at the console used the same sets, or no line was free.
        caller.hang_up()
        count.refused += 1
