"""What happens in the demo, step by step, and what came of it as the far ends saw it."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from simulators.demo.world import CALLER, DemoWorld
from simulators.gateway.journal import Entry, Kind

# Each step takes milliseconds; a loaded machine may take seconds.
STEP_SECONDS = 20.0
_POLL_SECONDS = 0.05

Tell = Callable[[str, str], None]


@dataclass(frozen=True, slots=True)
class Invitation:
    """How the gateway was told that the invitation ended. `to` is the number that the hub sent the SMS to."""

    status: str
    to: str


@dataclass(frozen=True, slots=True)
class Result:
    """What really happened: activation and devices as the gateway holds them, events as it received them."""

    activated: bool
    devices: int
    events: list[str]
    invitation: Invitation
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """The object that `demo --once --json` prints."""
        return asdict(self)


class Story:
    """Plays once. `tell(who, what)` is called at each step."""

    def __init__(self, world: DemoWorld, tell: Tell) -> None:
        self._world = world
        self._tell = tell
        self._system_id = ""

    async def play(self) -> Result:
        """From nothing to the SMS. Raises TimeoutError or `AgentFailed` when a step does not happen."""
        began = time.monotonic()
        await self._start()
        await self._activate()
        devices = await self._wait_for_devices()
        await self._call()
        status = (await self._world.system(self._system_id))["status"]
        return Result(
            activated=status == "activated",
            devices=devices,
            events=[entry.name for entry in self._entries(Kind.CALL_EVENT)],
            invitation=self._invitation(),
            seconds=round(time.monotonic() - began, 2),
        )

    async def _start(self) -> None:
        world = self._world
        await world.start_far_ends()
        self._tell("pbx", f"a simulated {world.kind.upper()} serves CSTA on port {world.pbx.port}")
        self._tell("gateway", f"the cloud gateway and its console: {world.gateway.url}/")
        self._tell("hub", f"the RVA hub and its SMS inbox: {world.rva.url}/")
        system = await world.create_system()
        self._system_id = system["id"]
        self._code = system["jid_pbxagent_password"]
        self._tell("console", f"PBX created as {system['pbxId']}, status {system['status']}")
        await world.start_agent(system["pbxId"])
        self._tell("agent", f"oxbridge runs as process {world.agent.pid}")

    async def _activate(self) -> None:
        self._tell("console", f"shows the activation code {self._code}: typed into `oxbridge activate`")
        await self._world.agent.activate(self._code, lambda line: self._tell("agent", line))
        await self._entry(lambda entry: entry.kind is Kind.ACTIVATION and entry.name == "acknowledged")
        status = (await self._world.system(self._system_id))["status"]
        self._tell("gateway", f"the agent acknowledged its private access code; status {status}")

    async def _wait_for_devices(self) -> int:
        """All sets of the PBX at the gateway, and all four channels open."""
        expected = len(self._world.pbx.sets)
        async with asyncio.timeout(STEP_SECONDS):
            # Polled, as a client of the real administration would have to.
            while (count := await self._world.device_count(self._system_id)) < expected:  # noqa: ASYNC110
                await asyncio.sleep(_POLL_SECONDS)
            while not self._are_open(channels := await self._world.channels(self._system_id)):  # noqa: ASYNC110
                await asyncio.sleep(_POLL_SECONDS)
        names = ("xmpp", "conf", "csta", "http")
        self._tell(
            "gateway", f"holds {count} devices; channels " + ", ".join(f"{n} {channels[n]}" for n in names)
        )
        return count

    @staticmethod
    def _are_open(channels: dict[str, Any]) -> bool:
        return all(channels.get(name) == "true" for name in ("xmpp", "conf", "csta", "http"))

    async def _call(self) -> None:
        world, expert = self._world, self._world.expert
        self._tell("pbx", f"an outside caller ({CALLER}) rings set {expert}")
        world.pbx.ring_from_outside(CALLER, expert)
        await self._event("delivered")
        self._tell("pbx", f"the expert on set {expert} answers")
        world.pbx.answer(expert)
        await self._event("established")
        message = await world.rva.wait_for(lambda _: True, timeout_seconds=STEP_SECONDS)
        self._tell("hub", f"SMS to {message.to}: {message.text}")
        self._sms_to = message.to
        await self._entry(lambda entry: entry.kind is Kind.INVITATION)
        self._tell("pbx", "the expert hangs up")
        world.pbx.release(expert)
        await self._event("connectionCleared")

    async def _event(self, name: str) -> None:
        await self._entry(lambda entry: entry.kind is Kind.CALL_EVENT and entry.name == name)
        self._tell("gateway", f"received the call event {name}")

    async def _entry(self, wanted: Callable[[Entry], bool]) -> Entry:
        return await self._world.gateway.journal.wait_for(wanted, STEP_SECONDS)

    def _entries(self, kind: Kind) -> list[Entry]:
        return self._world.gateway.journal.find(kind=kind)

    def _invitation(self) -> Invitation:
        return Invitation(self._entries(Kind.INVITATION)[-1].name, self._sms_to)
