"""Thousands of agents at one gateway: memory, login storm, idle CPU, rate; and a herd in virtual time.

The gateway has the last core for itself; the agents, all in one process, have the first one.
"""

import asyncio
import json
import resource
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bench import herd, prosody
from bench.children import Child
from bench.cores import take_far_end_core
from bench.figures import Figure, at_least, at_most
from bench.fleet_gateway import ACCOUNTS_FILE
from bench.handshakes import pairs_per_second
from bench.machine import cpu_seconds, resident_megabytes
from bench.rounds import Rounds, tell
from simulators.certs import Certificates, issue

# Each round of memory has new processes; the large fleet logs in once and is dropped once a round.
FLEET, QUICK_FLEET = 5_000, 1_000
MEMORY_AGENTS, QUICK_MEMORY_AGENTS = 1_000, 500
BURST, RELAY = 20_000, 5_000
HANDSHAKES = 800
# Twice the interval of the pings: every agent is asked twice, wherever the window begins.
IDLE_SECONDS, QUICK_IDLE_SECONDS = 40.0, 20.0
# What logging in leaves behind, such as the first requests for acknowledgements, is not idleness.
SETTLE_SECONDS, QUICK_SETTLE_SECONDS = 8.0, 6.0
# Not more, or the run would take longer than anybody waits for it.
STORMS, MEMORY_ROUNDS, RATE_ROUNDS = 5, 3, 5


async def run(rounds: Rounds) -> list[Figure]:
    """Measure; the figures."""
    take_far_end_core()
    tell(f"fleet: at most {_raise_file_limit():,} open files in a process")
    with tempfile.TemporaryDirectory(prefix="oxbridge-bench-") as directory:
        place = Path(directory)
        certificates = issue(place / "ca")
        return [
            *await _memory(rounds, place),
            *await _storm_and_idleness(rounds, place, certificates),
            *await _rate(rounds, place, certificates),
            *herd.figures(rounds.count),
        ]


class _Pair:
    """A far end that is measured, and the agents at it."""

    def __init__(self, server: Child, agents: Child) -> None:
        self.server = server
        self.agents = agents

    @property
    def resident_bytes(self) -> float:
        """Memory of the measured process."""
        return resident_megabytes(self.server.pid) * 1e6

    async def idle_share(self, seconds: float) -> float:
        """Percent of a core that the measured process takes."""
        cpu, began = cpu_seconds(self.server.pid), time.monotonic()
        await asyncio.sleep(seconds)
        return 100 * (cpu_seconds(self.server.pid) - cpu) / (time.monotonic() - began)


@asynccontextmanager
async def _pair(kind: str, place: Path, count: int) -> AsyncIterator[_Pair]:
    with tempfile.TemporaryDirectory(dir=place) as own:
        server = await Child.start("bench.fleet_gateway", kind, own, str(count), is_near=True)
        try:
            port, ca_file, path = await server.told()
            accounts = Path(own) / ACCOUNTS_FILE
            agents = await _agents(f"wss://127.0.0.1:{port}{path}", ca_file, accounts)
            try:
                yield _Pair(server, agents)
            finally:
                await agents.aclose()
        finally:
            await server.aclose()


async def _agents(url: str, ca_file: str, accounts: Path) -> Child:
    return await Child.start("bench.fleet_agents", url, ca_file, str(accounts), is_near=False)


async def _memory(rounds: Rounds, place: Path) -> list[Figure]:
    count = QUICK_MEMORY_AGENTS if rounds.is_quick else MEMORY_AGENTS
    ours: list[float] = []
    bare: list[float] = []
    for number in range(1 if rounds.is_quick else MEMORY_ROUNDS):
        tell(f"fleet: memory, round {number + 1}")
        bare.append(await _kilobytes_each("bare", f"bare {count}", place, count))
        ours.append(await _kilobytes_each("gateway", "connect", place, count))
    name = "fleet.memory"
    return [
        Figure(name, "kB an idle agent", ours, goal=at_most(55)),
        Figure(name, "kB an idle agent", ours, "bare websockets, uvloop", bare, at_most(1.5)),
    ]


async def _kilobytes_each(kind: str, connect: str, place: Path, count: int) -> float:
    async with _pair(kind, place, count) as pair:
        before = pair.resident_bytes
        await pair.agents.ask(connect)
        await asyncio.sleep(1)  # the last one's answers
        return (pair.resident_bytes - before) / count / 1_000


async def _storm_and_idleness(rounds: Rounds, place: Path, certificates: Certificates) -> list[Figure]:
    count = QUICK_FLEET if rounds.is_quick else FLEET
    seconds: list[float] = []
    ceiling: list[float] = []
    async with _pair("gateway", place, count) as pair:
        tell(f"fleet: {count:,} agents log in for the first time")
        await pair.agents.ask("connect")
        await asyncio.sleep(QUICK_SETTLE_SECONDS if rounds.is_quick else SETTLE_SECONDS)
        tell("fleet: all are idle")
        idle = await pair.idle_share(QUICK_IDLE_SECONDS if rounds.is_quick else IDLE_SECONDS)
        for number in range(1 if rounds.is_quick else STORMS):
            tell(f"fleet: storm {number + 1}")
            ceiling.append(count / pairs_per_second(certificates, HANDSHAKES))
            await pair.agents.ask("expect_loss")
            await pair.server.ask("drop")
            seconds.append(await pair.agents.ask("come_back"))
            connected = await pair.server.ask("count")
            if connected != count:
                raise RuntimeError(f"{count - connected} of {count} agents are lost")
    of_fleet = 5_000 / count
    return [
        Figure(
            "fleet.idle_cpu", f"% of a core, 5,000 agents ({count:,})", [idle * of_fleet], goal=at_most(8)
        ),
        Figure(
            "fleet.login_storm",
            f"s, {count:,} agents",
            seconds,
            "TLS handshakes alone",
            ceiling,
            at_most(2.5),
        ),
    ]


async def _rate(rounds: Rounds, place: Path, certificates: Certificates) -> list[Figure]:
    if not prosody.is_installed():
        tell("fleet: no Prosody here (make test-tools): the rate is not compared")
        return []
    ours: list[float] = []
    theirs: list[float] = []
    server = await prosody.Prosody.start(place / "prosody", certificates)
    try:
        accounts = place / "prosody.json"
        accounts.write_text(json.dumps([(one.domain, one.user, one.code) for one in server.accounts]))
        relay = await _agents(server.url, str(certificates.ca_file), accounts)
        async with _pair("gateway", place, 1) as pair:
            await pair.agents.ask("connect")
            for number in range(2 if rounds.is_quick else RATE_ROUNDS):
                tell(f"fleet: rate, round {number + 1}")
                theirs.append(await relay.ask(f"relay {rounds.scaled(RELAY)}"))
                ours.append(await pair.agents.ask(f"burst {rounds.scaled(BURST)}"))
        await relay.aclose()
    finally:
        await server.aclose()
    return [
        Figure("fleet.message_rate", "acknowledged events/s", ours, "Prosody, relayed", theirs, at_least(3))
    ]


def _raise_file_limit() -> int:
    """As many open files as the system lets this process, and hence its children, have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
