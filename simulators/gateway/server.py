"""The gateway simulator as one object to start and stop, in the caller's event loop."""

import secrets
from dataclasses import dataclass, field, replace
from pathlib import Path

from connector.domain.ports import Clock
from simulators.certs import Certificates, issue, kept
from simulators.clock import SystemClock
from simulators.gateway.app import create_app
from simulators.gateway.archive import Archive
from simulators.gateway.gateway import Gateway, Options
from simulators.gateway.journal import Journal
from simulators.gateway.systems import RandomBytes, Systems
from simulators.gateway.websocket import AGENT_PATH, AgentSocket
from simulators.serving import Server, Sockets


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """Where the simulator listens and what it is. `port` 0 takes a free one.

    `directory` gets the throw-away authority's and server's certificates unless `certificates` are given.
    With `keeps` the systems, the events and the certificates of an earlier start in it are used again.
    """

    directory: Path
    host: str = "127.0.0.1"
    port: int = 0
    certificates: Certificates | None = None
    keeps: bool = False
    options: Options = field(default_factory=Options)


class GatewaySimulator:
    """One life: `start`, then `aclose`. Without `keeps` only the certificates are on disk."""

    def __init__(
        self,
        settings: GatewaySettings,
        clock: Clock | None = None,
        randomness: RandomBytes = secrets.token_bytes,
    ) -> None:
        """`clock` and `randomness` are passed in by tests that need them predictable."""
        self._archive = Archive(settings.directory) if settings.keeps else None
        self._settings = settings
        names = (f"agent.{settings.options.domain}", settings.host)
        make = kept if settings.keeps else issue
        self._certificates = settings.certificates or make(settings.directory, names)
        options = replace(settings.options, channel_binding=self._certificates.end_point)
        self.gateway = Gateway(options, clock or SystemClock(), randomness, self._archive)
        self._server = Server(
            create_app(self.gateway),
            self._certificates,
            host=settings.host,
            port=settings.port,
            sockets=Sockets(AGENT_PATH, lambda state: AgentSocket(self.gateway, state)),
        )

    async def start(self) -> None:
        """Listen. Raises OSError when the address can't be taken."""
        await self._server.start()

    async def aclose(self) -> None:
        """Tell the agents, close every connection, stop listening."""
        self.gateway.shut_down()
        await self._server.aclose()
        if self._archive is not None:
            self._archive.close()

    @property
    def port(self) -> int:
        """The port taken; 0 before `start`."""
        return self._server.port

    @property
    def url(self) -> str:
        """The console and REST base, without a slash at its end."""
        host = self._settings.host
        return f"https://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def ca_file(self) -> Path:
        """The authority that clients have to trust, PEM."""
        return self._certificates.ca_file

    @property
    def admin_token(self) -> str:
        """The bearer token of the administration's REST calls, new at each start."""
        return self.gateway.admin_token

    @property
    def systems(self) -> Systems:
        """The systems known now."""
        return self.gateway.systems

    @property
    def journal(self) -> Journal:
        """What the gateway saw."""
        return self.gateway.journal
