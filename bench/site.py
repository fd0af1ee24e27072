"""One site: a PBX source, the agent as a process of its own, and its system at the gateway."""

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.cores import near_end, top
from bench.machine import cpu_seconds
from bench.source import EventSource
from bench.traffic import DEVICES
from connector.domain.identifiers import Channel
from simulators.demo.agent import AgentPlace, AgentProcess
from simulators.gateway.sequence import EventStore
from simulators.gateway.server import GatewaySimulator
from simulators.gateway.systems import Profile, System, SystemStatus, SystemType

# Events that the source is ahead of the gateway's acknowledgements: enough to keep every stage busy, even
# with a disk that takes 10 ms a flush, and few enough not to overrun the agent's memory of 10,000.
SOURCE_WINDOW = 2_048
# Frames of one write: what a busy PBX has ready at a time.
FRAMES_PER_WRITE = 32

_STEP_SECONDS = 30.0
_RUN_SECONDS = 120.0


class BenchmarkFailed(RuntimeError):
    """Something did not happen that has to, so there is no figure."""


class Arrivals(EventStore):
    """The gateway's record of one system's events, with the moment when each was parsed."""

    def __init__(self) -> None:
        super().__init__()
        self.moments: list[float] = []
        self.acknowledged = 0
        self.acknowledged_at = 0.0
        self.progress = asyncio.Event()

    def add(self, epoch: str, seq: int) -> bool:
        """Take one event."""
        self.moments.append(time.monotonic())
        return super().add(epoch, seq)

    def upto(self, epoch: str) -> int | None:
        """The gateway acknowledges now."""
        upto = super().upto(epoch)
        self.acknowledged = upto or 0
        self.acknowledged_at = time.monotonic()
        self.progress.set()
        return upto


@dataclass(frozen=True, slots=True)
class AgentCommand:
    """How the agent is started: `arguments` come before the configuration file, `more` after it."""

    arguments: Sequence[str] = (str(Path(sys.executable).with_name("oxbridge")), "run", "--config")
    more: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PacedRun:
    """Events at a steady rate: when each was written and parsed (monotonic seconds), and the agent's CPU."""

    first: int
    written: list[float]
    parsed: list[float]
    cpu_share: float


class Site:
    """Used once: `start`, measure, `aclose`."""

    def __init__(self, directory: Path, gateway: GatewaySimulator) -> None:
        directory.mkdir()
        self.place = AgentPlace(directory)
        self.arrivals = Arrivals()
        self._gateway = gateway
        self._source = EventSource(lambda count: self._monitoring.set() if count == len(DEVICES) else None)
        self._monitoring = asyncio.Event()
        self._agent: Process | None = None
        self._system: System | None = None
        self._sent = 0

    @property
    def pid(self) -> int:
        """The agent's process."""
        if self._agent is None:
            raise BenchmarkFailed("the agent was not started")
        return self._agent.pid

    @property
    def sent(self) -> int:
        """Events that the source has sent so far."""
        return self._sent

    async def start(self, command: AgentCommand) -> None:
        """Start source and agent, activate it, and wait until everything is monitored and connected."""
        system = self._system = self._new_system()
        talk = AgentProcess(self.place)
        talk.configure(self._tables(system.pbx_id, await self._source.start()))
        await self.launch(command)
        await _until(self.place.socket.exists, "the agent's control socket")
        await talk.activate(system.public_code, lambda _: None)
        await _until(
            lambda: system.status is SystemStatus.ACTIVATED and system.channels[Channel.CSTA], "all channels"
        )
        async with asyncio.timeout(_STEP_SECONDS):
            await self._monitoring.wait()
        await asyncio.sleep(0.5)  # what follows the start, such as the list of devices, is not measured

    async def launch(self, command: AgentCommand) -> None:
        """Start the agent's process; it is not waited for."""
        self._monitoring.clear()
        with self.place.log_file.open("ab") as log:
            self._agent = await asyncio.create_subprocess_exec(
                *near_end(*command.arguments, str(self.place.config_file), *command.more),
                stdin=DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **command.environment},
                cwd=top(),
            )

    async def connected(self) -> None:
        """Wait until the gateway has opened the channel of call events, and the source is monitored."""
        system = self._system
        if system is None:
            raise BenchmarkFailed("the agent was not started")
        while not system.channels[Channel.CSTA]:  # noqa: ASYNC110 - another process makes it so
            await asyncio.sleep(0.002)
        await self._monitoring.wait()

    def watch(self, arrivals: "Arrivals") -> None:
        """Let `arrivals` record the events from now on."""
        if self._system is not None:
            self.arrivals = self._system.events = arrivals

    def send(self, frames: Sequence[bytes]) -> None:
        """Let the PBX report."""
        self._send(frames)

    async def stop(self) -> None:
        """Stop the agent in order."""
        if self._agent is not None and self._agent.returncode is None:
            self._agent.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(_STEP_SECONDS):
                    await self._agent.wait()
            except TimeoutError:
                self._agent.kill()
                await self._agent.wait()

    async def aclose(self) -> None:
        """Stop the agent in order, then the source."""
        await self.stop()
        await self._source.aclose()

    async def saturated(self, frames: Sequence[bytes]) -> float:
        """Events a second, from the first byte written until the last one is acknowledged by the gateway."""
        began = time.monotonic()
        async with asyncio.timeout(_RUN_SECONDS):
            for start in range(0, len(frames), FRAMES_PER_WRITE):
                await self._wait_for(self._sent - SOURCE_WINDOW)
                self._send(frames[start : start + FRAMES_PER_WRITE])
                await asyncio.sleep(0)
            await self._wait_for(self._sent)
        self._check()
        return len(frames) / (self.arrivals.acknowledged_at - began)

    async def paced(self, frames: Sequence[bytes], per_second: float) -> PacedRun:
        """One event every 1/`per_second` s, whatever the agent does."""
        first, written = self._sent, []
        cpu, began = cpu_seconds(self.pid), time.monotonic()
        for index, frame in enumerate(frames):
            delay = began + index / per_second - time.monotonic()
            await asyncio.sleep(max(0.0, delay))
            written.append(time.monotonic())
            self._send([frame])
        async with asyncio.timeout(_RUN_SECONDS):
            await self._wait_for(self._sent)
        share = (cpu_seconds(self.pid) - cpu) / (time.monotonic() - began)
        self._check()
        return PacedRun(first, written, self.arrivals.moments[first:], share)

    def _send(self, frames: Sequence[bytes]) -> None:
        self._source.send(b"".join(frames))
        self._sent += len(frames)

    async def _wait_for(self, acknowledged: int) -> None:
        arrivals = self.arrivals
        while arrivals.acknowledged < acknowledged:
            arrivals.progress.clear()
            await arrivals.progress.wait()

    def _check(self) -> None:
        """Every event arrived, once, in order, and none was given up."""
        arrivals = self.arrivals
        if (arrivals.stored, arrivals.duplicates, arrivals.missing) != (self._sent, 0, 0):
            raise BenchmarkFailed(
                f"{self._sent} events sent, {arrivals.stored} stored, "
                f"{arrivals.duplicates} twice, {arrivals.missing} given up"
            )

    def _new_system(self) -> System:
        profile = Profile(name="Bench", type=SystemType.OXE, site_id="5f3c9a7be2d14c0012ab0001")
        system = self._gateway.gateway.create_system(profile)
        system.events = self.arrivals
        return system

    def _tables(self, pbx_id: str, source_port: int) -> dict[str, object]:
        return {
            "cloud": {
                "domain": self._gateway.gateway.options.domain,
                "host": "127.0.0.1",
                "port": self._gateway.port,
                "ca_file": str(self._gateway.ca_file),
                "pbx_id": pbx_id,
            },
            "pbx": {"kind": "oxe", "host": "127.0.0.1", "port": source_port, "devices": list(DEVICES)},
            "site": {"country": "FR"},
        }


async def _until(is_so: Callable[[], bool], what: str) -> None:
    try:
        async with asyncio.timeout(_STEP_SECONDS):
            while not is_so():  # noqa: ASYNC110 - another process makes it so
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise BenchmarkFailed(f"{what} did not come in {_STEP_SECONDS:g} s") from None
