"""The agent's parts without links: a site with a store in memory, codes and a switch, two supervisors."""

from itertools import count
from pathlib import Path

from connector.agent.activation import Activator
from connector.agent.alarms import AlarmBoard
from connector.agent.figures import LagHistogram
from connector.agent.home import AgentHome, metrics_text
from connector.agent.standing import Standing
from connector.agent.supervisor import LinkSupervisor
from connector.agent.switch import Switch
from connector.agent.view import AgentView
from connector.bridge.call_relay import CallRelay
from connector.bridge.commands import CommandDesk
from connector.bridge.configuration import ConfigurationDesk
from connector.bridge.outbox import Outbox
from connector.bridge.site import Desks, Site
from connector.domain.backoff import Backoff
from connector.domain.call_model import CallModel
from connector.domain.command_policy import CommandPolicy
from connector.domain.configuration import OwnConfiguration
from connector.domain.identifiers import PbxKind
from connector.domain.numbers import DialPlan
from connector.domain.outbox import OutboxState
from connector.store.commands import CommandTable
from connector.store.configuration import ConfigurationTable
from connector.store.gateway import GatewayFile
from connector.store.switch import DisabledFile
from connector.store.writer import Writer
from tests.agent.clocks import NOON, StillClock
from tests.bridge.disks import SlowDisk
from tests.bridge.far_sides import PlainEncoder
from tests.store.hosts import credentials_file


class NoLife:
    """A life that the test never lets begin."""

    async def run(self) -> None: ...

    def close(self) -> None: ...


class Parts:
    """Everything that the view shows, wired as in the running agent."""

    def __init__(self, directory: Path) -> None:
        self.clock = clock = StillClock()
        self.disk = SlowDisk()
        state = OutboxState("epoch", 0, 0, 0)
        outbox = Outbox(self.disk, state, clock.monotonic, new_epoch=lambda: "another")
        ids = count(1)
        relay = CallRelay(
            CallModel(lambda: f"c-{next(ids)}"), outbox, PlainEncoder(), clock.monotonic, lambda _: None
        )
        self.writer = Writer(directory / "store.db", ())
        self.desk = ConfigurationDesk(
            ConfigurationTable(self.writer),
            OwnConfiguration(DialPlan("FR"), 120.0),
            apply_monitors=lambda _, report: report({}),
            on_ping_timeout=lambda _: None,
            on_verdict=lambda _: None,
        )
        commands = CommandDesk(
            CommandPolicy(), CommandTable(self.writer), clock, plan=lambda: self.desk.dial_plan
        )
        self.site = Site(relay, outbox, Desks(commands, self.desk), clock, self._connected)
        backoff = Backoff(lambda low, _: low)
        self.pbx = LinkSupervisor("pbx", NoLife, backoff, clock)
        self.cloud = LinkSupervisor("cloud", NoLife, backoff, clock)
        self.alarms = AlarmBoard(clock)
        self.activator = Activator(credentials_file(directory), lambda: None, self.alarms)
        self.switch = Switch(DisabledFile(directory / "disabled.json"), clock, (self.pbx, self.cloud))
        standing = Standing(self.activator, self.switch, self.desk, self.alarms)
        self.view = AgentView(
            "PBX1", NOON, self.site, self.writer, standing, supervisors=(self.pbx, self.cloud)
        )
        self.memory = GatewayFile(directory / "gateway.json")
        self.home = AgentHome(
            PbxKind.OXE,
            self.site,
            standing,
            self.view,
            clock=clock,
            memory=self.memory,
            metrics=metrics_text(self.view.figures, LagHistogram()),
        )

    def _connected(self, link: str) -> None:
        (self.pbx if link == "pbx" else self.cloud).connected()
