"""A whole site with the real agent as a process, whose far ends can go away and come back."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connector.agent.control_client import ControlClient
from connector.domain.errors import ConnectorError
from connector.domain.identifiers import PbxKind
from simulators.clock import SystemClock
from simulators.demo.world import DemoWorld
from simulators.gateway.app import create_app
from simulators.gateway.gateway import Gateway
from simulators.gateway.journal import Entry, Kind
from simulators.gateway.systems import Profile, System, SystemType
from simulators.gateway.websocket import AGENT_PATH, AgentSocket
from simulators.pbx.server import PbxSimulator
from simulators.pbx.settings import PbxWorld
from simulators.serving import Server, Sockets

# A step takes milliseconds, after a lost link two seconds, a second failure six; a busy machine some more.
PATIENCE_SECONDS = 30.0
_POLL_SECONDS = 0.02
# Distinctive, so that a search of logs and process tables can't find it by chance.
CODE = "canary7f3b91d2"

Tables = dict[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command of ours said, and how it ended."""

    code: int
    output: str
    talk: str


async def oxbridge(*arguments: str, typed: str = "", command: str = "oxbridge") -> Ran:
    """Run a command of ours to its end, with `typed` on its standard input."""
    path = str(Path(sys.executable).with_name(command))
    process = await asyncio.create_subprocess_exec(path, *arguments, stdin=PIPE, stdout=PIPE, stderr=PIPE)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            output, talk = await process.communicate(typed.encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Ran(process.returncode or 0, output.decode(), talk.decode())


class Site(DemoWorld):
    """`open` makes it whole; the parts can also be started one by one."""

    def __init__(self, kind: PbxKind, directory: Path) -> None:
        super().__init__(kind, directory)
        self.entry: System
        self.tables: Tables = {}
        self._pbx_port = 0
        self._gateway_port = 0
        self._reborn: Server | None = None

    # Far ends

    async def begin(self, code: str = CODE) -> None:
        """Far ends, a system in the cloud, a configuration; no agent yet."""
        await self.start_far_ends()
        self._pbx_port, self._gateway_port = self.pbx.port, self.gateway.port
        profile = Profile(name="Lyon", type=SystemType(self.kind.value), site_id="s1")
        self.entry = self.gateway.gateway.create_system(profile, activation_code=code)
        self.tables = self.agent_tables(self.entry.pbx_id)
        self._stack.push_async_callback(self._stop_reborn)
        self._stack.push_async_callback(self.agent.stop)

    async def open(self) -> None:
        """Everything runs, the agent is activated and its four channels are up."""
        await self.begin()
        await self.start()
        ran = await self.activate()
        assert ran.code == 0, ran
        await self.up()

    async def start(self) -> None:
        """The agent's process, with the present `tables`."""
        self.agent.configure(self.tables)
        await self.agent.start()

    async def activate(self, code: str = CODE) -> Ran:
        """`oxbridge activate`, with the code typed."""
        return await self.run("activate", typed=f"{code}\n")

    async def activate_in_vain(self) -> None:
        """Hand the code over while no gateway is there, and go away: the agent goes on trying by itself."""
        process = await self.begin_command("activate")
        assert process.stdin is not None
        process.stdin.write(f"{CODE}\n".encode())
        process.stdin.close()
        await self.until(lambda status: status["links"]["cloud"]["fault"] == "cloud-unreachable")
        process.terminate()
        await process.communicate()

    async def gateway_goes(self, *, forgets: bool = False) -> None:
        """As in a power cut: nobody is told, every connection is torn, nothing listens.

        A gateway that `forgets` can't go on with the sessions that it had.
        """
        server = self._reborn or self.gateway._server
        for connection in list(server._server.server_state.connections):
            connection.transport.abort()
        await server.aclose()
        self._reborn = None
        if forgets:
            self.cloud._parking.forget(self.entry.id)

    async def gateway_comes(self) -> None:
        """The same gateway with all that it knew, at the same address."""
        app = create_app(self.cloud)
        self._reborn = Server(
            app,
            self.certificates,
            port=self._gateway_port,
            sockets=Sockets(AGENT_PATH, lambda state: AgentSocket(self.cloud, state)),
        )
        await self._reborn.start()

    async def pbx_goes(self) -> None:
        """Nothing listens for CSTA, every link is cut."""
        await self.pbx.aclose()

    async def pbx_comes(self) -> None:
        """A PBX with the same sets and no calls, at the same address."""
        world = PbxWorld(kind=self.kind, sets=self.pbx.settings.sets, port=self._pbx_port)
        self.pbx = PbxSimulator(world, clock=SystemClock())
        await self.pbx.start()
        self._stack.push_async_callback(self.pbx.aclose)

    # Looking

    @property
    def cloud(self) -> Gateway:
        """The gateway itself, behind whichever server it listens with."""
        return self.gateway.gateway

    async def run(self, *arguments: str, typed: str = "") -> Ran:
        """A command of ours for this agent."""
        return await oxbridge(*arguments, "--socket", str(self.agent.place.socket), typed=typed)

    async def begin_command(self, *arguments: str) -> Process:
        """A command of ours for this agent that goes on; the test ends it."""
        path = str(Path(sys.executable).with_name("oxbridge"))
        more = ("--socket", str(self.agent.place.socket))
        return await asyncio.create_subprocess_exec(
            path, *arguments, *more, stdin=PIPE, stdout=PIPE, stderr=PIPE
        )

    async def status(self) -> dict[str, Any]:
        """What `oxbridge status --json` would print."""
        return await asyncio.to_thread(ControlClient(str(self.agent.place.socket)).get, "/status")

    async def until(self, is_true: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The first status that satisfies `is_true`."""
        status: dict[str, Any] = {}
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not (status and is_true(status)):
                    await asyncio.sleep(_POLL_SECONDS)
                    try:
                        status = await self.status()
                    except ConnectorError:  # not started yet, or just killed
                        continue
        except TimeoutError:
            raise AssertionError(f"it never became so: {json.dumps(status)}\n{self.log()[-2_000:]}") from None
        return status

    async def up(self) -> dict[str, Any]:
        """The status once everything works."""
        return await self.until(
            lambda status: (
                status["activation"] == "activated"
                and all(link["state"] == "connected" for link in status["links"].values())
                and all(status["channels"].values())
            )
        )

    async def fault(self, link: str, *faults: str) -> dict[str, Any]:
        """The link's status once it shows one of `faults`, with its sentence and remedy."""
        status = await self.until(lambda status: status["links"][link]["fault"] in faults)
        told: dict[str, Any] = status["links"][link]
        assert told["sentence"]
        assert told["remedy"]
        return told

    async def drained(self) -> dict[str, Any]:
        """The status once the gateway has acknowledged every durable event."""
        return await self.until(lambda status: status["outbox"]["unacknowledged"] == 0)

    async def told(self, is_wanted: Callable[[Entry], bool], *, since: int = 0) -> Entry:
        """The gateway's first entry that is wanted, after the entry `since`."""
        return await self.cloud.journal.wait_for(is_wanted, PATIENCE_SECONDS, since=since)

    async def event(self, name: str, *, since: int = 0) -> Entry:
        """The call event of that name at the gateway."""
        return await self.told(lambda one: one.kind is Kind.CALL_EVENT and one.name == name, since=since)

    async def invitation(self, status: str, *, since: int = 0) -> Entry:
        """The invitation that ended so, as the gateway was told."""
        return await self.told(lambda one: one.kind is Kind.INVITATION and one.name == status, since=since)

    def log(self) -> str:
        """All that the agent has logged."""
        return self.agent.place.log_file.read_text() if self.agent.place.log_file.exists() else ""

    async def _stop_reborn(self) -> None:
        if self._reborn is not None:
            self.cloud.shut_down()
            await self._reborn.aclose()
