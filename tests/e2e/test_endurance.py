"""`kill -9` of agent and gateway, and cuts of the wire between them, under load: what counts is there.

Everything is a process of its own but the PBX, which goes on through it all. The gateway keeps what it
acknowledges in a file; at the end both sides' files are compared.
"""

import asyncio
import random
import sqlite3
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest
import pytest_asyncio

from connector.domain.identifiers import PbxKind
from connector.wire.pcg import csta
from connector.wire.xmpp.stanzas import read_stanza
from connector.wire.xmpp.xml import parse
from simulators.gateway.archive import KeptEvent
from simulators.pbx.load import run_load
from tests.cutter import Cut, Cutter
from tests.e2e.gateways import GatewayProcess
from tests.e2e.sites import CODE, Site

# Each part is a site of its own, with its own chances: 200 kills and 52 cuts in all.
SEEDS = (20261120, 20261121, 20261122, 20261123)
ROUNDS, CUTS = 25, 13
# A fresh agent whose gateway is not up yet tries again within 2 s, then within 6, then within 18.
CONNECTION_SECONDS = 40.0
# In the load's own time, in which people ring for 4 s and talk for 20; it runs so many times faster.
CALLS_PER_SECOND, HASTE = 4, 40
# Long enough for a dial, a login and some hundred events; short enough to meet them all half-way.
SHORTEST_PEACE_SECONDS, LONGEST_PEACE_SECONDS = 0.1, 0.9


async def hurry(seconds: float) -> None:
    """A load's `sleep` in a hasty world."""
    await asyncio.sleep(seconds / HASTE)


class Endurance(Site):
    """A site whose gateway is a process behind a wire that can be cut."""

    def __init__(self, directory: Path) -> None:
        super().__init__(PbxKind.OXE, directory)
        self.far = GatewayProcess(directory / "gateway-process")
        self.wire: Cutter
        self.safe: dict[int, str] = {}

    async def begin_all(self) -> None:
        """PBX, gateway, wire, agent; activated and up."""
        await self.pbx.start()
        self._stack.push_async_callback(self.pbx.aclose)
        await self.far.start()
        self._stack.push_async_callback(self.far.stop)
        self.wire = Cutter(self.far.port)
        await self.wire.start()
        self._stack.push_async_callback(self.wire.aclose)
        system = await self.far.create_system("oxe", CODE)
        tables = self.tables_for(system["pbxId"])
        self.agent.configure(tables)
        self._stack.push_async_callback(self.agent.stop)
        await self.agent.start()
        ran = await self.activate()
        assert ran.code == 0, ran
        await self.up()

    def tables_for(self, pbx_id: str) -> dict[str, dict[str, object]]:
        """The agent's configuration: through the wire, and no invitations."""
        cloud = {
            "domain": self.domain,
            "host": "127.0.0.1",
            "port": self.wire.port,
            "ca_file": str(self.far.ca_file),
            "pbx_id": pbx_id,
        }
        pbx = {
            "kind": "oxe",
            "host": "127.0.0.1",
            "port": self.pbx.port,
            "devices": sorted(self.pbx.sets),
        }
        return {"cloud": cloud, "pbx": pbx, "site": {"country": "FR"}}

    async def cut(self, chance: random.Random) -> str:
        """Cut a connection in one of the ways, and let the ends notice or not; its name."""
        async with asyncio.timeout(CONNECTION_SECONDS):
            await self.wire.connected()
        how = chance.choice(list(Cut))
        self.wire.cut(how)
        await asyncio.sleep(chance.uniform(0, LONGEST_PEACE_SECONDS))
        return how.name.lower()

    async def kill_agent(self) -> None:
        """Kill it, and note what its disk holds."""
        await self.agent.kill()
        with closing(sqlite3.connect(self.agent.place.directory / "state" / "store.db")) as store:
            self.safe |= dict(store.execute("SELECT seq, call FROM outbox"))


@pytest_asyncio.fixture
async def endurance(tmp_path: Path, no_task_left: None) -> AsyncIterator[Endurance]:
    made = Endurance(tmp_path)
    try:
        yield made
    finally:
        await made.aclose()
    assert "Traceback" not in made.log()
    assert '"exception"' not in made.log()


def head_of(event: KeptEvent) -> csta.EventHead:
    """The head of the event's frame."""
    payload = read_stanza(parse(event.frame)).payload
    assert payload is not None
    head, _ = csta.read_event(payload)
    return head


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
async def test_kills_of_both_ends_and_cuts_between_them_lose_nothing_and_double_nothing(
    endurance: Endurance,
    seed: int,
    record_property: Callable[[str, object], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    chance = random.Random(seed)
    await endurance.begin_all()
    with_cut = set(chance.sample(range(ROUNDS), CUTS))
    done: Counter[str] = Counter()
    load = asyncio.create_task(run_load(endurance.pbx, CALLS_PER_SECOND, None, random=chance, sleep=hurry))
    try:
        for turn in range(ROUNDS):
            await asyncio.sleep(chance.uniform(SHORTEST_PEACE_SECONDS, LONGEST_PEACE_SECONDS))
            if turn in with_cut:
                done[f"cut {await endurance.cut(chance)}"] += 1
            # Both ends die, one a little after the other, in either order.
            ends = [("agent", endurance.kill_agent), ("gateway", endurance.far.kill)]
            chance.shuffle(ends)
            for name, kill in ends:
                await kill()
                done[f"kill {name}"] += 1
                await asyncio.sleep(chance.uniform(0, 0.1))
            await asyncio.gather(endurance.agent.start(), endurance.far.start())
    finally:
        load.cancel()
        await asyncio.wait([load])
    await endurance.up()
    await endurance.drained()
    counts = counted(endurance, done)
    for name, count in counts.items():
        record_property(name, count)
    with capsys.disabled():
        print(f"\nendurance counts (seed {seed}): {counts}")  # noqa: T201 - the figures are the result
    check(counts)


def counted(endurance: Endurance, done: Counter[str]) -> dict[str, int]:
    """Compare what the agents' disks held with what the gateway kept."""
    came = [event for event in endurance.far.events() if event.gap is None]
    heads = [head_of(event) for event in came]
    numbers = Counter((event.epoch, event.seq) for event in came)
    by_call: dict[str, list[int]] = defaultdict(list)
    for head in heads:
        by_call[head.call].append(head.seq)
    durable = {head.seq for head in heads if head.durable}
    return {
        **done,
        "events": len(came),
        "durable": len(durable),
        "epochs": len({event.epoch for event in came}),
        "on_a_dead_agents_disk": len(endurance.safe),
        "calls": len(by_call),
        "lost": len(set(endurance.safe) - durable),
        "twice": sum(1 for count in numbers.values() if count > 1),
        "out_of_order_calls": sum(1 for seqs in by_call.values() if seqs != sorted(seqs)),
    }


def check(counts: dict[str, int]) -> None:
    """Nothing was lost, and the test was hard enough to say so."""
    assert counts["kill agent"] == counts["kill gateway"] == ROUNDS
    assert sum(count for name, count in counts.items() if name.startswith("cut ")) == CUTS
    assert counts["epochs"] == 1
    assert counts["lost"] == counts["twice"] == counts["out_of_order_calls"] == 0
    assert counts["on_a_dead_agents_disk"] > 0, "no kill met an event on its way: the load proves nothing"
    assert counts["durable"] > 500
