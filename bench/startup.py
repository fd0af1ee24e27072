"""How long a person waits for a command, what the daemon's imports cost, and what an idle agent holds."""

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.cores import top
from bench.figures import Figure, Goal, at_most
from bench.machine import cpu_seconds, resident_megabytes
from bench.rounds import Rounds, tell
from bench.world import World
from simulators.demo.agent import AgentPlace, AgentProcess

_REST_SECONDS = 5.0
_MILLISECONDS = 1e3
# Runs of each command in a round; the median over all rounds is of so many times the rounds.
_RUNS_PER_ROUND = 3
_POLL_SECONDS = 0.002
_START_SECONDS = 30.0
_QUESTION = b"GET /status HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n"


async def run(rounds: Rounds) -> list[Figure]:
    """Measure; the figures."""
    async with World() as world:
        site = await world.site()
        commands = _commands(str(site.place.socket))
        environment = _installed(world.directory / "bytecode")
        await _until_all_up(commands["status"], environment)
        for command in commands.values():
            await _seconds(command, environment)  # writes byte code, and fills the disk's cache
        place = _unreachable_site(world.directory / "alone")
        await _seconds_to_answer(place, environment)
        times: dict[str, list[float]] = {name: [] for name in (*commands, "answer")}
        for number in rounds:
            tell(f"startup: round {number} of {rounds.count}")
            for name, command in commands.items():
                runs = [await _seconds(command, environment) for _ in range(_RUNS_PER_ROUND)]
                times[name].append(sorted(runs)[_RUNS_PER_ROUND // 2] * _MILLISECONDS)
            times["answer"].append(await _seconds_to_answer(place, environment) * _MILLISECONDS)
        rest = await _at_rest(site.pid)
    return [*_figures(times), *rest]


def _commands(socket: str) -> Mapping[str, Sequence[str]]:
    oxbridge = str(Path(sys.executable).with_name("oxbridge"))
    return {
        "python": (sys.executable, "-c", "pass"),
        "help": (oxbridge, "--help"),
        "version": (oxbridge, "--version"),
        "status": (oxbridge, "status", "--socket", socket),
        "imports": (sys.executable, "-c", "import connector.agent.runtime"),
    }


# The daemon's imports leave out what it loads once it is clear that it can start; "answer" has everything.
_GOALS: Mapping[str, Goal | None] = {
    "help": at_most(6),
    "version": at_most(6),
    "status": at_most(15),
    "imports": at_most(22),
    "answer": None,
}


def _figures(times: Mapping[str, Sequence[float]]) -> list[Figure]:
    base = ("python -c pass", times["python"])
    return [Figure(f"startup.{name}", "ms", times[name], *base, goal) for name, goal in _GOALS.items()]


def _installed(bytecode: Path) -> Mapping[str, str]:
    """The environment in which byte code is kept, as where a package is installed."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(bytecode)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment


async def _seconds(command: Sequence[str], environment: Mapping[str, str]) -> float:
    """From the start of the process to its end, on this process's core, which has nothing else to do."""
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(*command, stdout=DEVNULL, cwd=top(), env=environment)
    code = await process.wait()
    seconds = time.perf_counter() - began
    if code != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {code}")
    return seconds


def _unreachable_site(directory: Path) -> AgentPlace:
    """A configured agent whose PBX and gateway are not there: port 1 refuses."""
    directory.mkdir()
    place = AgentPlace(directory)
    cloud = {"domain": "rainbow.test", "host": "127.0.0.1", "port": 1, "pbx_id": "PBX-bench"}
    pbx = {"kind": "oxe", "host": "127.0.0.1", "port": 1, "devices": ["3001"]}
    AgentProcess(place).configure({"cloud": cloud, "pbx": pbx, "site": {"country": "FR"}})
    return place


async def _seconds_to_answer(place: AgentPlace, environment: Mapping[str, str]) -> float:
    """From the start of `oxbridge run` until its control socket answered the first question."""
    command = (str(Path(sys.executable).with_name("oxbridge")), "run", "--config", str(place.config_file))
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *command, stdout=DEVNULL, stderr=DEVNULL, cwd=top(), env=environment
    )
    try:
        async with asyncio.timeout(_START_SECONDS):
            answer = await first_answer(place.socket)
        seconds = time.perf_counter() - began
    finally:
        process.send_signal(signal.SIGTERM)
        await process.wait()
    if not answer.startswith(b"HTTP/1.1 200"):
        raise RuntimeError("the agent did not answer as it should")
    return seconds


async def first_answer(socket: Path) -> bytes:
    """The first line of the answer to a question that is asked as soon as somebody listens."""
    while True:
        try:
            reader, writer = await asyncio.open_unix_connection(socket)
        except OSError:
            await asyncio.sleep(_POLL_SECONDS)
            continue
        writer.write(_QUESTION)
        answer = await reader.readline()
        writer.close()
        await writer.wait_closed()
        return answer


async def _until_all_up(status: Sequence[str], environment: Mapping[str, str]) -> None:
    """Wait for the last channel: before it `oxbridge status` ends with 1."""
    async with asyncio.timeout(_START_SECONDS):
        while True:
            process = await asyncio.create_subprocess_exec(
                *status, stdout=DEVNULL, cwd=top(), env=environment
            )
            if await process.wait() == 0:
                return


async def _at_rest(pid: int) -> list[Figure]:
    tell(f"startup: {_REST_SECONDS:g} s of rest")
    before = cpu_seconds(pid)
    await asyncio.sleep(_REST_SECONDS)
    share = (cpu_seconds(pid) - before) / _REST_SECONDS * 100
    return [
        Figure("rest.memory", "MB", [resident_megabytes(pid)], goal=at_most(80)),
        Figure("rest.cpu", "% of a core", [share]),
    ]
