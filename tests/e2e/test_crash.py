"""`kill -9` of the agent at random moments under load: nothing durable is lost, nothing comes twice."""

import asyncio
import logging
import random
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable
from contextlib import closing

import pytest

from simulators.gateway.journal import Entry, Kind
from simulators.pbx.load import run_load
from tests.e2e.sites import Site

ROUNDS = 8
# In the load's own time, in which people ring for 4 s and talk for 20; it runs so many times faster. More
# calls are tried than there are free sets.
CALLS_PER_SECOND, HASTE = 4, 40
# A store that commits at all, up to some hundred events in it.
SHORTEST_LIFE_SECONDS, LONGEST_LIFE_SECONDS = 0.05, 0.7

_log = logging.getLogger(__name__)


async def hurry(seconds: float) -> None:
    """A load's `sleep` in a hasty world."""
    await asyncio.sleep(seconds / HASTE)


def on_disk(site: Site) -> set[int]:
    """The numbers of the events that the dead agent had made durable and not yet seen acknowledged."""
    path = site.agent.place.directory / "state" / "store.db"
    with closing(sqlite3.connect(path)) as store:
        return {seq for (seq,) in store.execute("SELECT seq FROM outbox")}


def events(site: Site) -> list[Entry]:
    """The gateway's events after its de-duplication, as they came."""
    return [one for one in site.cloud.journal if one.kind in (Kind.CALL_EVENT, Kind.INVITATION)]


def number(entry: Entry) -> int:
    """The sequence number of an event."""
    seq = entry.values["seq"]
    assert isinstance(seq, int)
    return seq


@pytest.mark.slow
async def test_no_durable_event_is_lost_and_none_comes_twice(
    site: Site, record_property: Callable[[str, object], None]
) -> None:
    chance = random.Random(20261120)
    await site.open()
    safe: set[int] = set()
    load = asyncio.create_task(run_load(site.pbx, CALLS_PER_SECOND, None, random=chance, sleep=hurry))
    try:
        for turn in range(ROUNDS):
            await site.until(lambda status: status["links"]["pbx"]["state"] == "connected")
            if turn % 2:  # every other time what happens can only go to the disk
                await site.gateway_goes()
            await asyncio.sleep(chance.uniform(SHORTEST_LIFE_SECONDS, LONGEST_LIFE_SECONDS))
            await site.agent.kill()
            safe |= on_disk(site)
            if turn % 2:
                await site.gateway_comes()
            await site.agent.start()
    finally:
        load.cancel()
        await asyncio.wait([load])
    await site.up()
    await site.drained()

    came = events(site)
    durable = [one for one in came if one.values["class"] == "durable"]
    numbers = {number(one) for one in durable}
    assert safe <= numbers, "what was on a dead agent's disk is at the gateway"
    assert len({one.values["epoch"] for one in came}) == 1
    assert len({number(one) for one in came}) == len(came)
    facts = Counter(
        (one.values["device"], one.values["time"], one.values.get("connection"), one.name) for one in durable
    )
    assert [fact for fact, count in facts.items() if count > 1] == [], "one fact under two numbers"
    by_call = defaultdict(list)
    for one in came:
        by_call[one.values["call"]].append(number(one))
    assert all(numbers == sorted(numbers) for numbers in by_call.values()), "in order per call"

    repeats = len(site.cloud.journal.find(kind=Kind.DUPLICATE, limit=100_000))
    counts = {
        "kills": ROUNDS,
        "events": len(came),
        "durable": len(durable),
        "safe_at_a_kill": len(safe),
        "repeated_and_dropped": repeats,
        "calls": len(by_call),
    }
    for name, count in counts.items():
        record_property(name, count)
    _log.info("crash counts: %s", counts)
    assert len(safe) > 0, "no kill met an event on its way: the load is too small to prove anything"
    assert len(durable) > 100


async def test_what_the_gateway_missed_comes_after_a_kill(site: Site) -> None:
    """Nothing is at the gateway at the moment of the kill: all of it has to come from the disk."""
    await site.open()
    await site.gateway_goes()
    for _ in range(50):
        site.pbx.ring_from_outside("0639980001", "3004")
        site.pbx.release("3004")
    await site.until(lambda status: status["outbox"]["unacknowledged"] == 50)
    await site.agent.kill()
    await site.gateway_comes()
    await site.agent.start()
    await site.up()
    await site.drained()
    ended = [one for one in events(site) if one.values["end"] == "missed"]
    assert len(ended) == len({number(one) for one in ended}) == 50
    assert all(one.values["replayed"] for one in ended)
