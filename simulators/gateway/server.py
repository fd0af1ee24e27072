"""The gateway simulator as one object to start and stop, in the caller's event loop."""

import secrets
from dataclasses import dataclass, field
from pathlib import Path

from connector.domain.ports import Clock
from simulators.certs import Certificates, issue
from simulators.clock import SystemClock
from simulators.gateway.app import create_app
from simulators.gateway.gateway import Gateway, Options
from simulators.gateway.journal import Journal
from simulators.gateway.systems import RandomBytes, Systems
from simulators.serving import Server


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """Where the simulator listens and what it is. `port` 0 takes a free one.

    `directory` gets the throw-away authority's and server's certificates unless `certificates` are given.
    """

    directory: Path
    host: str = "127.0.0.1"
    port: int = 0
    certificates: Certificates | None = None
    options: Options = field(default_factory=Options)


class GatewaySimulator:
    """One life: `start`, then `aclose`. Nothing is kept on disk but the certificates."""

    def __init__(
        self,
        settings: GatewaySettings,
        clock: Clock | None = None,
        randomness: RandomBytes = secrets.token_bytes,
    ) -> None:
        """`clock` and `randomness` are passed in by tests that need them predictable."""
        self.gateway = Gateway(settings.options, clock or SystemClock(), randomness)
        self._settings = settings
        names = (f"agent.{settings.options.domain}", settings.host)
        self._certificates = settings.certificates or issue(settings.directory, names)
        self._server = Server(
            create_app(self.gateway),
            self._certificates,
            host=settings.host,
            port=settings.port,
        )

    async def start(self) -> None:
        """Listen. Raises OSError when the address can't be taken."""
        await self._server.start()

    async def aclose(self) -> None:
        """Tell the agents, close every connection, stop listening."""
        self.gateway.shut_down()
        await self._server.aclose()

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
