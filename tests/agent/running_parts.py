"""The agent's parts without links: a site with a store in memory, an activator, two supervisors."""

from itertools import count
from pathlib import Path

from connector.agent.activation import Activator
from connector.agent.home import AgentHome
from connector.agent.supervisor import LinkSupervisor
from connector.agent.view import AgentView
from connector.bridge.call_relay import CallRelay
from connector.bridge.device_sync import DeviceSync
from connector.bridge.outbox import Outbox
from connector.bridge.site import Site
from connector.domain.backoff import Backoff
from connector.domain.call_model import CallModel
from connector.domain.identifiers import PbxKind
from connector.domain.outbox import OutboxState
from connector.store.credentials import CredentialsFile
from connector.store.writer import Writer
from tests.agent.clocks import NOON, StillClock
from tests.bridge.disks import SlowDisk
from tests.bridge.far_sides import PlainEncoder


class NoLife:
    """A life that the test never lets begin."""

    async def run(self) -> None: ...

    def close(self) -> None: ...


class Parts:
    """Everything that the view shows, wired as in the running agent."""

    def __init__(self, directory: Path) -> None:
        clock = StillClock()
        self.disk = SlowDisk()
        outbox = Outbox(self.disk, OutboxState("epoch", 0, 0, 0), clock.monotonic)
        ids = count(1)
        relay = CallRelay(
            CallModel(lambda: f"c-{next(ids)}"), outbox, PlainEncoder(), clock.monotonic, lambda _: None
        )
        self.site = Site(DeviceSync(), relay, outbox, clock, self._connected)
        backoff = Backoff(lambda low, _: low)
        self.pbx = LinkSupervisor("pbx", NoLife, backoff, clock)
        self.cloud = LinkSupervisor("cloud", NoLife, backoff, clock)
        self.activator = Activator(CredentialsFile(directory / "credentials.json"), lambda: None)
        self.writer = Writer(directory / "store.db", ())
        self.view = AgentView(
            "PBX1", NOON, self.site, self.writer, self.activator, supervisors=(self.pbx, self.cloud)
        )
        self.home = AgentHome(PbxKind.OXE, self.site, self.activator, self.view)

    def _connected(self, link: str) -> None:
        (self.pbx if link == "pbx" else self.cloud).connected()
