"""The adapter and the PBX simulator, joined by a real loopback socket."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from connector.domain.calls import CallEvent, ConnectionId, LocalState
from connector.domain.commands import Command, CommandDone, CommandRefused, Outcome
from connector.domain.identifiers import PbxKind
from connector.links.clock import SystemClock
from connector.pbx.csta.adapter import CstaLink
from connector.pbx.csta.settings import CstaSettings
from simulators.pbx.server import PbxSimulator
from simulators.pbx.settings import CstaBehaviour, PbxWorld
from tests.pbx.csta.fake_pbx import RecordingSink

# Three sets of each kind; `a` and `b` are colleagues, `c` another one.
SETS = {PbxKind.OXO: ("101", "102", "103"), PbxKind.OXE: ("3001", "3002", "3003")}
# So quick that no test waits for the pace, and the simulator's limit does not meet it.
QUICK = 1000


class Plant:
    """A PBX, and a link to it that has read its devices."""

    def __init__(self, kind: PbxKind, pbx: PbxSimulator, link: CstaLink, sink: RecordingSink) -> None:
        self.kind = kind
        self.pbx = pbx
        self.link = link
        self.sink = sink
        self.a, self.b, self.c = SETS[kind]
        self.task = asyncio.create_task(link.run())

    async def run(self, command: Command) -> Outcome:
        return await self.link.execute(command)

    async def done(self, command: Command) -> CommandDone:
        outcome = await self.run(command)
        assert isinstance(outcome, CommandDone), outcome
        return outcome

    async def refused(self, command: Command) -> CommandRefused:
        outcome = await self.run(command)
        assert isinstance(outcome, CommandRefused), outcome
        return outcome

    def leg(self, device: str, *states: LocalState) -> ConnectionId:
        """The connection of `device`, the one in one of `states` if they are given."""
        live = self.pbx.snapshot(device).connections
        return next(each.connection for each in live if not states or each.state in states)

    async def events(self, count: int) -> list[CallEvent]:
        """The call events so far, of which there will be `count`; then they are forgotten."""
        found = await self.sink.until("event", count)
        self.sink.facts = [fact for fact in self.sink.facts if fact[0] != "event"]
        return [event for event in found if isinstance(event, CallEvent)]

    async def conversation(self) -> None:
        """`a` talks with an outside caller."""
        call = self.pbx.ring_from_outside("0199001234", self.a).call
        self.pbx.answer(self.a, call)
        await self.events(2)


@asynccontextmanager
async def plant(
    kind: PbxKind, *, behaviour: dict[str, Any] | None = None, **changed: Any
) -> AsyncIterator[Plant]:
    """Both for as long as the block lasts."""
    csta = CstaBehaviour.model_validate({"switching_per_second": QUICK} | (behaviour or {}))
    pbx = PbxSimulator(PbxWorld(kind=kind, csta=csta), clock=SystemClock())
    await pbx.start()
    given = {
        "kind": kind,
        "host": "127.0.0.1",
        "port": pbx.port,
        "devices": list(SETS[kind]),
        "max_commands_per_second": QUICK,
    }
    sink = RecordingSink()
    link = CstaLink(CstaSettings.model_validate(given | changed), sink, SystemClock())
    found = Plant(kind, pbx, link, sink)
    try:
        async with asyncio.timeout(4.5):
            await sink.until("snapshot", len(SETS[kind]))
            yield found
    finally:
        found.task.cancel()
        await asyncio.gather(found.task, return_exceptions=True)
        await pbx.aclose()
