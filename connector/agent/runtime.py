"""The process: puts the parts together, runs them, and stops them in the order that loses nothing."""

import asyncio
import gc
import logging
import signal
import socket
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from connector.agent import logs
from connector.agent.notify import ServiceManager, watchdog_interval_seconds
from connector.agent.parts import MIGRATIONS, Parts
from connector.agent.serving import HttpServer, close_listener, tcp_listener, unix_listener
from connector.domain.errors import ConnectorError, StoreError
from connector.domain.faults import FaultId
from connector.links.clock import SystemClock
from connector.store.outbox import check_outbox
from connector.store.writer import Writer

if TYPE_CHECKING:
    from connector.agent.settings import Settings  # pydantic: whoever starts the agent has loaded them

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
            parts = await Parts.of(self._settings, self._clock, writer)
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
        writer = Writer(directory / "store.db", MIGRATIONS, check=check_outbox)
        await writer.start()
        return writer

    async def _serve(self, parts: "Parts") -> None:
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
    parts: "Parts", listener: socket.socket, health_listener: socket.socket | None
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


async def _watchdog(manager: ServiceManager) -> None:
    """Shows systemd that the loop turns."""
    interval = watchdog_interval_seconds()
    while interval is not None:
        manager.alive()
        await asyncio.sleep(interval)
