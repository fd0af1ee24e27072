"""The process: puts the parts together, runs them, and stops them in the order that loses nothing."""

import asyncio
import gc
import itertools
import logging
import random
import secrets
import signal
import socket
import ssl
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from connector.agent import logs
from connector.agent.activation import Activator
from connector.agent.figures import LagHistogram
from connector.agent.home import AgentHome
from connector.agent.notify import ServiceManager, watchdog_interval_seconds
from connector.agent.records import update_record
from connector.agent.serving import HttpServer, close_listener, tcp_listener, unix_listener
from connector.agent.supervisor import LinkSupervisor
from connector.agent.view import AgentView
from connector.bridge.call_relay import CallRelay
from connector.bridge.device_sync import DeviceSync
from connector.bridge.outbox import Outbox
from connector.bridge.site import Site
from connector.domain.backoff import Backoff
from connector.domain.call_model import CallModel, CallUpdate
from connector.domain.credentials import Code
from connector.domain.errors import ConnectorError, StoreError
from connector.domain.faults import FaultId
from connector.domain.identifiers import masked
from connector.domain.invitations import InvitationOutcome
from connector.links.clock import SystemClock
from connector.links.tls import client_context
from connector.links.websocket import WebSocketAddress
from connector.pbx.csta.adapter import CstaLink
from connector.store.credentials import CredentialsFile
from connector.store.ledger import InvitationLedger, create_ledger
from connector.store.outbox import OutboxTable, create_outbox
from connector.store.writer import Writer
from connector.uplink.rainbow.encoding import RainbowEncoder
from connector.uplink.rainbow.link import GatewaySettings, RainbowLink

if TYPE_CHECKING:
    from connector.agent.settings import Settings  # pydantic: whoever starts the agent has loaded them
    from connector.bridge.invitations import InvitationDesk
    from connector.rva.hub import HubClient

# In the order in which the tables came into the world; a new one is added at the end.
_MIGRATIONS = (create_outbox, create_ledger)
# How long a stop waits for the gateway to acknowledge what is on its way; the rest stays on disk.
_FLUSH_SECONDS = 3.0
_FLUSH_STEP_SECONDS = 0.05

_log = logging.getLogger(__name__)


def run(settings: "Settings") -> int:
    """Run the agent until SIGTERM or SIGINT; its exit code. Raises `ConnectorError` at the start."""
    logs.configure(settings.log.level, settings.log.format)
    try:
        asyncio.run(Agent(settings).run())
    except ExceptionGroup as group:
        raise _first_of(group) from group
    return 0


def _first_of(group: ExceptionGroup[Exception]) -> Exception:
    """The first error that a person can act on, else the first one: a task's failure comes in a group."""
    ours, others = group.split(ConnectorError)
    found: Exception | None = ours or others
    while isinstance(found, ExceptionGroup):
        found = found.exceptions[0]
    return found or group


class Agent:
    """One process's worth of agent."""

    def __init__(self, settings: "Settings") -> None:
        self._settings = settings
        self._clock = SystemClock()
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Start, serve, and stop in order."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        async with AsyncExitStack() as stack:
            # What can be wrong on this machine is found before anything is opened towards others.
            listener = unix_listener(self._settings.agent.control_socket)
            stack.callback(close_listener, listener)
            http = self._settings.http.address
            health_listener = tcp_listener(*http) if http else None
            if health_listener is not None:
                stack.callback(close_listener, health_listener)
            writer = await self._open_store()
            stack.push_async_callback(writer.aclose)
            parts = await _Parts.of(self._settings, self._clock, writer)
            port = health_listener.getsockname()[1] if health_listener is not None else None
            _log.info(
                "agent listens", extra={"control_socket": str(listener.getsockname()), "http_port": port}
            )
            for server in _servers(parts, listener, health_listener):
                server.start()
                stack.push_async_callback(server.aclose)
            stack.callback(parts.view.followers.end)
            await self._serve(parts)

    async def _open_store(self) -> Writer:
        directory = self._settings.agent.state_directory
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(FaultId.STORE_UNUSABLE, f"{directory}: {error.strerror}") from error
        writer = Writer(directory / "store.db", _MIGRATIONS)
        await writer.start()
        return writer

    async def _serve(self, parts: "_Parts") -> None:
        manager = ServiceManager.of_environment()
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(work, name=name) for name, work in parts.work().items()]
            running.append(tasks.create_task(_watchdog(manager), name="watchdog"))
            # What lives now lives long: later collections need not look at it again.
            gc.collect()
            gc.freeze()
            manager.ready()
            _log.info("agent started", extra={"pbx_id": self._settings.cloud.pbx_id})
            await self._stop.wait()
            _log.info("agent stopping")
            manager.stopping()
            await parts.stop()
            for task in running:
                task.cancel()


def _servers(
    parts: "_Parts", listener: socket.socket, health_listener: socket.socket | None
) -> list[HttpServer]:
    """The control API on `listener`; health and metrics where they have a port."""
    # Web and metrics libraries are the dearest of all: loaded when it is clear that the agent can start.
    from connector.agent.control import control_app
    from connector.agent.health import health_app
    from connector.agent.metrics import Metrics

    servers = [HttpServer(control_app(parts.view), listener)]
    if health_listener is not None:
        metrics = Metrics(parts.view.figures, parts.event_lag)
        servers.append(HttpServer(health_app(parts.view, metrics), health_listener))
    return servers


class _Parts:
    """The parts of one agent and how they hang together."""

    def __init__(self, settings: "Settings", clock: SystemClock, writer: Writer, outbox: Outbox) -> None:
        self._settings = settings
        self._clock = clock
        self._outbox = outbox
        self._tls = client_context(settings.cloud.ca_file)
        model = CallModel(_call_ids())
        self.relay = CallRelay(model, outbox, RainbowEncoder(), clock.monotonic, self._watch)
        self.site = Site(DeviceSync(), self.relay, outbox, clock, self._connected)
        uniform = random.SystemRandom().uniform
        self.pbx = LinkSupervisor("pbx", self._new_pbx_link, Backoff(uniform), clock, settle=self._pbx_ended)
        self.cloud = LinkSupervisor(
            "cloud", self._new_cloud_link, Backoff(uniform), clock, settle=self._cloud_ended
        )
        file = CredentialsFile(settings.agent.state_directory / "credentials.json")
        self.activator = Activator(file, self.cloud.retry_now)
        self.view = AgentView(
            settings.cloud.pbx_id,
            clock.now(),
            self.site,
            writer,
            self.activator,
            supervisors=(self.pbx, self.cloud),
        )
        self.home = AgentHome(settings.pbx.kind, self.site, self.activator, self.view)
        self.event_lag = LagHistogram()
        outbox.observe_lag = self.event_lag.observe
        self._hub, self._desk = self._invitations(writer)
        self._used_code: Code | None = None

    @classmethod
    async def of(cls, settings: "Settings", clock: SystemClock, writer: Writer) -> "_Parts":
        """All parts, with what the disk remembers."""
        table = OutboxTable(writer)
        state = await table.open(secrets.token_hex(8))
        parts = cls(settings, clock, writer, Outbox(table, state, clock.monotonic))
        await parts.activator.load()
        return parts

    def work(self) -> dict[str, Coroutine[None, None, None]]:
        """What runs for the whole life of the process."""
        work = {"pbx": self.pbx.run(), "cloud": self.cloud.run()}
        if self._desk is not None:
            work["invitations"] = self._desk.run()
        return work

    async def stop(self) -> None:
        """Take nothing in, let what is on its way arrive, then close: PBX, outbox, cloud."""
        await self.pbx.stop()
        await self._flush()
        await self.cloud.stop()
        self._outbox.close()
        if self._hub is not None:
            await self._hub.aclose()

    async def _flush(self) -> None:
        for _ in range(int(_FLUSH_SECONDS / _FLUSH_STEP_SECONDS)):
            if not self._outbox.unacknowledged or not any(self.site.channels.values()):
                return
            await asyncio.sleep(_FLUSH_STEP_SECONDS)

    # Links -----------------------------------------------------------------------------------------------

    def _new_pbx_link(self) -> CstaLink:
        return CstaLink(self._settings.pbx, self.site, self._clock)

    def _pbx_ended(self, _error: ConnectorError) -> bool:
        self.site.pbx_lost()
        return False

    def _new_cloud_link(self) -> RainbowLink:
        self._used_code = None
        self._used_code = code = self.activator.next_code()
        cloud = self._settings.cloud
        address = GatewaySettings(
            WebSocketAddress(cloud.host, cloud.port, cloud.path),
            cloud.domain,
            cloud.pbx_id,
            cloud.allow_plain,
            cloud.ping_timeout_seconds,
        )
        return RainbowLink(address, code, self._tls, sink=self.site, home=self.home, clock=self._clock)

    def _cloud_ended(self, error: ConnectorError) -> bool:
        return self.activator.failed(error, self._used_code)

    def _connected(self, link: str) -> None:
        (self.pbx if link == "pbx" else self.cloud).connected()

    # Invitations -----------------------------------------------------------------------------------------

    def _invitations(self, writer: Writer) -> "tuple[HubClient | None, InvitationDesk | None]":
        rva = self._settings.rva
        if not rva.enabled:
            return None, None
        # Most sites invite nobody.
        from connector.bridge.invitations import InvitationDesk
        from connector.rva.hub import HubClient
        from connector.rva.policy import InvitationPolicy

        hub = HubClient(rva.hub_url, self._hub_tls(), timeout_seconds=rva.timeout_seconds)
        plan = self._settings.site.dial_plan(self._settings.pbx.ranges)
        policy = InvitationPolicy(rva.rules, plan, rva.countries)
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


def _call_ids() -> Callable[[], str]:
    """Ids of calls that no other call ever has: random for each start of the agent, counted from there.

    Randomness for each call is a system call, a tenth of what a new call costs; and an id is no secret.
    """
    start = secrets.token_hex(8)
    numbers = itertools.count(1)
    return lambda: f"c-{start}-{next(numbers):x}"


async def _watchdog(manager: ServiceManager) -> None:
    """Shows systemd that the loop turns."""
    interval = watchdog_interval_seconds()
    while interval is not None:
        manager.alive()
        await asyncio.sleep(interval)
