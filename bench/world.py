"""The far end of every networked benchmark, in this process: gateway simulator, PBX sources, wss echo."""

import asyncio
import gc
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from bench.cores import take_far_end_core
from bench.echo import EchoClient, serve_echo
from bench.site import AgentCommand, Site
from simulators.certs import issue
from simulators.gateway.server import GatewaySettings, GatewaySimulator


class World:
    """An asynchronous context; `site` adds a site with its agent, all of which end with it."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._directory = Path()
        self._site_count = 0

    async def __aenter__(self) -> "World":
        take_far_end_core()
        try:
            await self._start()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _start(self) -> None:
        temporary = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="oxbridge-bench-"))
        self._directory = Path(temporary)
        self.certificates = issue(self._directory / "ca")
        settings = GatewaySettings(self._directory / "gateway", certificates=self.certificates)
        self.gateway = GatewaySimulator(settings)
        await self.gateway.start()
        self._stack.push_async_callback(self.gateway.aclose)
        server, port = await serve_echo(self.certificates)
        self._stack.callback(server.close)
        self.echo = await EchoClient.start(port, self.certificates.ca_file)
        self._stack.push_async_callback(self.echo.aclose)

    @property
    def directory(self) -> Path:
        """A place for files that go with the world."""
        return self._directory

    async def site(self, command: AgentCommand | None = None) -> Site:
        """One more site, started and connected."""
        self._site_count += 1
        site = Site(self._directory / f"site{self._site_count}", self.gateway)
        self._stack.push_async_callback(site.aclose)
        await site.start(command or AgentCommand())
        return site

    async def settle(self) -> None:
        """Before a measurement: no garbage of the one before, no timers of its end."""
        gc.collect()
        gc.freeze()
        await asyncio.sleep(0.1)
