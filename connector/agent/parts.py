"""The composition root: the parts of one agent and how they hang together."""

import asyncio
import itertools
import logging
import os
import random
import secrets
import ssl
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING

from connector.agent.activation import Activator
from connector.agent.alarms import AlarmBoard
from connector.agent.cloud_lives import CloudLives, CloudParts
from connector.agent.figures import LagHistogram
from connector.agent.home import AgentHome, metrics_text
from connector.agent.pbx_lives import PbxLives
from connector.agent.records import update_record
from connector.agent.standing import Standing
from connector.agent.supervisor import LinkSupervisor
from connector.agent.switch import Pausable, Switch
from connector.agent.view import AgentView
from connector.bridge.call_relay import CallRelay
from connector.bridge.commands import CommandDesk
from connector.bridge.configuration import ConfigurationDesk, Report
from connector.bridge.outbox import Outbox
from connector.bridge.site import Desks, Site
from connector.domain.backoff import Backoff
from connector.domain.call_model import CallModel, CallUpdate
from connector.domain.calls import ConnectionId
from connector.domain.errors import ConnectorError, StoreError
from connector.domain.faults import FaultId
from connector.domain.identifiers import masked
from connector.domain.invitations import InvitationOutcome
from connector.domain.outbox import OutboxEntry
from connector.links.clock import SystemClock
from connector.links.dialer import Dialer
from connector.links.resolver import Resolver
from connector.links.tls import client_context
from connector.pbx.csta.adapter import CstaLink
from connector.store.commands import CommandTable, create_commands
from connector.store.configuration import ConfigurationTable, create_configuration
from connector.store.credentials import CredentialsFile
from connector.store.gateway import GatewayFile
from connector.store.journal import RecordJournal, boot_id
from connector.store.ledger import InvitationLedger, create_ledger
from connector.store.outbox import OutboxTable, count_outbox, create_outbox
from connector.store.quarantine import create_quarantine
from connector.store.sealing import Host, Sealer
from connector.store.switch import DisabledFile
from connector.store.writer import Writer
from connector.uplink.rainbow.encoding import RainbowEncoder
from connector.uplink.rainbow.link import RainbowLink
from connector.uplink.rainbow.resumption import StreamMemory

if TYPE_CHECKING:
    from connector.agent.settings import Settings  # pydantic: whoever starts the agent has loaded them
    from connector.bridge.invitations import InvitationDesk
    from connector.rva.hub import HubClient

# In the order in which the tables came into the world; a new one is added at the end.
MIGRATIONS = (
    create_outbox,
    create_ledger,
    create_configuration,
    create_commands,
    count_outbox,
    create_quarantine,
)
# How long a stop waits for the gateway to acknowledge what is on its way; the rest stays on disk.
_FLUSH_SECONDS = 3.0
_FLUSH_STEP_SECONDS = 0.05

_log = logging.getLogger(__name__)


class Parts:
    """Everything that lives as long as the process. `of` makes it."""

    def __init__(self, settings: "Settings", clock: SystemClock, writer: Writer, outbox: Outbox) -> None:
        self._settings = settings
        self._clock = clock
        self._outbox = outbox
        self._tls = client_context(settings.cloud.ca_file)
        self._dialer = self._new_dialer()
        self._directory = settings.agent.state_directory
        self.alarms = AlarmBoard(clock)
        uniform = random.SystemRandom().uniform
        retry = settings.cloud.retry
        self.pbx = LinkSupervisor("pbx", self._begin_pbx, Backoff(uniform), clock, settle=self._pbx_ended)
        self.cloud = LinkSupervisor(
            "cloud",
            self._begin_cloud,
            Backoff(uniform, retry),
            clock,
            settle=self._cloud_ended,
        )
        self.configuration = self._new_configuration(writer)
        self.commands = self._new_command_desk(writer)
        self.relay = CallRelay(CallModel(_call_ids()), outbox, RainbowEncoder(), clock.monotonic, self._watch)
        desks = Desks(self.commands, self.configuration)
        self.site = Site(self.relay, outbox, desks, clock, self._connected)
        self._hub, self._desk = self._invitations(writer)
        self.standing = Standing(self._new_activator(), self._new_switch(), self.configuration, self.alarms)
        self.view = AgentView(
            settings.cloud.pbx_id,
            clock.now(),
            self.site,
            writer,
            self.standing,
            supervisors=(self.pbx, self.cloud),
        )
        self.event_lag = LagHistogram()
        outbox.observe_lag = self.event_lag.observe
        outbox.events_lost = self._events_lost
        outbox.quarantined = self._event_quarantined
        self.home = AgentHome(
            settings.pbx.kind,
            self.site,
            self.standing,
            self.view,
            clock=clock,
            memory=GatewayFile(self._directory / "gateway.json"),
            metrics=metrics_text(self.view.figures, self.event_lag),
        )
        self.memory = StreamMemory(
            RecordJournal(self._directory / "stream.journal", boot_id()), lambda: outbox.epoch
        )
        self._pbx_lives = PbxLives(settings.pbx, self.site, clock, self.commands)
        self._cloud_lives = CloudLives(settings.cloud, self._cloud_parts(), clock)

    @classmethod
    async def of(cls, settings: "Settings", clock: SystemClock, writer: Writer) -> "Parts":
        """All parts, with what the disk remembers."""
        table = OutboxTable(writer)
        state = await table.open(_new_epoch())
        outbox = Outbox(table, state, clock.monotonic, new_epoch=_new_epoch)
        parts = cls(settings, clock, writer, outbox)
        writer.on_trouble = parts.store_trouble
        writer.on_replaced = lambda: parts.store_replaced(writer.put_aside)
        if writer.put_aside is not None:
            parts.store_replaced(writer.put_aside)
        await parts.load()
        return parts

    async def load(self) -> None:
        """What the process before left, and what must be known before the first link."""
        await self.standing.activator.load(self._clock.now())
        await self.standing.switch.load()
        await self.home.load()
        for what in (self.configuration.load, self.commands.recover):
            try:
                await what()
            except StoreError as error:
                self.store_trouble(error)
        self._pbx_lives.remember(self.configuration)
        await asyncio.to_thread(self.memory.load)

    def work(self) -> dict[str, Coroutine[None, None, None]]:
        """What runs for the whole life of the process."""
        work = {
            "pbx": self.pbx.run(),
            "cloud": self.cloud.run(),
            "configuration": self.configuration.run(),
        }
        if self._desk is not None:
            work["invitations"] = self._desk.run()
        return work

    async def stop(self) -> None:
        """Take nothing in, let what is on its way arrive, then close: PBX, outbox, cloud."""
        await self.commands.aclose()
        await self.pbx.stop()
        await self._flush()
        await self.cloud.stop()
        self._outbox.close()
        self.memory.close()
        if self._hub is not None:
            await self._hub.aclose()

    def store_trouble(self, error: StoreError | None) -> None:
        """The disk refuses what we write, or takes it again."""
        if error is not None:
            self.alarms.report(error.fault, error.detail)
        else:
            self.alarms.clear(FaultId.STORE_UNUSABLE)
            self._outbox.disk_works()

    def store_replaced(self, put_aside: Path | None) -> None:
        """Another file has taken the place of the store; a damaged one was `put_aside`."""
        if put_aside is not None:
            self.alarms.report(FaultId.STORE_DAMAGED, put_aside.name)
        self._outbox.store_replaced()

    def _events_lost(self, count: int) -> None:
        self.alarms.report(FaultId.EVENTS_LOST, f"{count} more")

    def _event_quarantined(self, entry: OutboxEntry) -> None:
        self.alarms.report(FaultId.EVENT_QUARANTINED, f"event {entry.seq}, {len(entry.body)} characters")

    async def _flush(self) -> None:
        for _ in range(int(_FLUSH_SECONDS / _FLUSH_STEP_SECONDS)):
            if not self._outbox.unacknowledged or not any(self.site.channels.values()):
                return
            await asyncio.sleep(_FLUSH_STEP_SECONDS)

    # Links -----------------------------------------------------------------------------------------------

    def _new_dialer(self) -> Dialer:
        # pydantic: whoever made the settings has loaded it.
        from connector.agent.proxy_settings import proxy_rules

        proxy = self._settings.proxy
        proxy_tls = client_context(proxy.ca_file) if proxy.ca_file else self._tls
        return Dialer(proxy_rules(proxy, os.environ), Resolver(), proxy_tls)

    def _cloud_parts(self) -> CloudParts:
        return CloudParts(
            self._tls,
            self._dialer,
            self.site,
            self.home,
            self.standing.activator,
            self.alarms,
            self.configuration,
            self.memory,
        )

    def _connected(self, link: str) -> None:
        if link == "pbx":
            self.pbx.connected()
            self._pbx_lives.connected()
        else:
            self.cloud.connected()

    # The lives are made after the supervisors, which they are given to.

    def _begin_pbx(self) -> CstaLink:
        return self._pbx_lives.begin()

    def _begin_cloud(self) -> RainbowLink:
        return self._cloud_lives.begin()

    def _pbx_ended(self, error: ConnectorError) -> bool:
        return self._pbx_lives.ended(error)

    def _cloud_ended(self, error: ConnectorError) -> bool:
        return self._cloud_lives.ended(error)

    # What the cloud may want ------------------------------------------------------------------------------

    def _new_configuration(self, writer: Writer) -> ConfigurationDesk:
        return ConfigurationDesk(
            ConfigurationTable(writer),
            self._settings.own_configuration(),
            apply_monitors=self._watch_numbers,
            on_ping_timeout=self._bear_silence,
            on_verdict=self._settings_judged,
        )

    def _bear_silence(self, seconds: float) -> None:
        self._cloud_lives.bear_silence(seconds)

    def _watch_numbers(self, numbers: frozenset[str] | None, report: Report) -> None:
        self._pbx_lives.watch(numbers, report)

    def _settings_judged(self, reason: str | None) -> None:
        if reason is None:
            self.alarms.clear(FaultId.SETTINGS_REFUSED)
        else:
            self.alarms.report(FaultId.SETTINGS_REFUSED, reason)

    def _new_command_desk(self, writer: Writer) -> CommandDesk:
        return CommandDesk(
            self._settings.commands.policy(self._settings.pbx.ranges),
            CommandTable(writer),
            self._clock,
            plan=lambda: self.configuration.dial_plan,
            dialled=self.configuration.dialled,
            owns=self._owns,
            is_device=self._is_device,
        )

    def _is_device(self, number: str) -> bool:
        return self.site.devices.has(number)

    def _owns(self, device: str, connection: ConnectionId) -> bool:
        """A PBX names the device in a connection by its number, or by a word of its own for the call.

        The whole connection is compared: other legs of the same call are other people's.
        """
        return connection.device == device or any(
            leg.device == device and leg.connection == connection for leg in self.site.live_legs()
        )

    # Codes and the switch ---------------------------------------------------------------------------------

    def _new_activator(self) -> Activator:
        sealer = Sealer(self._directory, self._settings.cloud.pbx_id, Host.of_system())
        file = CredentialsFile(self._directory / "credentials.json", sealer)
        return Activator(file, self.cloud.retry_now, self.alarms)

    def _new_switch(self) -> Switch:
        with_connections: list[Pausable] = [self.pbx, self.cloud]
        if self._desk is not None:
            with_connections.append(self._desk)
        return Switch(DisabledFile(self._directory / "disabled.json"), self._clock, with_connections)

    # Invitations -----------------------------------------------------------------------------------------

    def _invitations(self, writer: Writer) -> "tuple[HubClient | None, InvitationDesk | None]":
        rva = self._settings.rva
        if not rva.enabled:
            return None, None
        # Most sites invite nobody.
        from connector.bridge.invitations import InvitationDesk
        from connector.rva.hub import HubClient
        from connector.rva.policy import InvitationPolicy

        hub = HubClient(
            rva.hub_url, self._hub_tls(), timeout_seconds=rva.timeout_seconds, dialer=self._dialer
        )
        policy = InvitationPolicy(rva.rules, lambda: self.configuration.dial_plan, rva.countries)
        ledger = InvitationLedger(writer, rva.per_number_interval_seconds)
        desk = InvitationDesk(
            policy,
            hub,
            ledger,
            self._invitation_ended,
            clock=self._clock,
            new_id=lambda: secrets.token_hex(8),
        )
        return hub, desk

    def _hub_tls(self) -> ssl.SSLContext:
        ca_file = self._settings.rva.ca_file
        return self._tls if not ca_file else client_context(Path(ca_file))

    def _watch(self, update: CallUpdate) -> None:
        self.site.call_updated(update)
        if len(self.view.followers):
            self.view.followers.publish(update_record(update))
        if self._desk is not None:
            self._desk.call_update(update)

    def _invitation_ended(self, outcome: InvitationOutcome) -> None:
        self.view.invitations[outcome.status.value] += 1
        _log.info(
            "invitation ended",
            extra={"status": outcome.status.value, "reason": outcome.reason, "to": masked(outcome.to or "")},
        )
        self.relay.invitation_ended(outcome)


def _new_epoch() -> str:
    """A name that no other store's numbers ever have."""
    return secrets.token_hex(8)


def _call_ids() -> Callable[[], str]:
    """Ids of calls that no other call ever has: random for each start of the agent, counted from there.

    Randomness for each call is a system call, a tenth of what a new call costs; and an id is no secret.
    """
    start = secrets.token_hex(8)
    numbers = itertools.count(1)
    return lambda: f"c-{start}-{next(numbers):x}"
