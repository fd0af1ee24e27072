"""The RVA simulator on a TLS port of its own, inside the caller's event loop."""

import asyncio
import secrets
from collections.abc import Callable
from pathlib import Path

from connector.domain.ports import Clock
from simulators.certs import Certificates, issue
from simulators.clock import SystemClock
from simulators.rva.app import create_app
from simulators.rva.hub import Hub
from simulators.rva.inbox import Message, SmsInbox
from simulators.serving import Server

# 96 bits: a guest's link can't be guessed, and fits on one line of the inbox.
TOKEN_BYTES = 12


class RvaSimulator:
    """One life of the simulator: `start`, then `aclose`. Certificates come from `directory`, or are given."""

    def __init__(
        self,
        directory: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Clock | None = None,
        certificates: Certificates | None = None,
    ) -> None:
        """`port` 0 takes a free one. New certificates are written into `directory` unless some are given."""
        self._certificates = certificates or issue(directory, (host,))
        self._host = host
        self.inbox = SmsInbox()
        clock = clock or SystemClock()
        self._hub = Hub(self.inbox, clock.now, lambda: secrets.token_hex(TOKEN_BYTES))
        self._server = Server(create_app(self._hub), self._certificates, host=host, port=port)

    @property
    def port(self) -> int:
        """The TCP port, once started."""
        return self._server.port

    @property
    def url(self) -> str:
        """Where hub, inbox and guests' pages are, without a final slash."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"https://{host}:{self.port}"

    @property
    def ca_file(self) -> Path:
        """The authority that a client has to trust, PEM."""
        return self._certificates.ca_file

    async def start(self) -> None:
        """Listen. Raises OSError when the address can't be taken."""
        await self._server.start()
        self._hub.base_url = self.url

    async def aclose(self) -> None:
        """Stop listening and return when nothing is left."""
        await self._server.aclose()

    async def wait_for(self, predicate: Callable[[Message], bool], *, timeout_seconds: float) -> Message:
        """The oldest kept message that fits, or the next one that comes. Raises TimeoutError."""
        found: asyncio.Future[Message] = asyncio.get_running_loop().create_future()

        def look(message: Message) -> None:
            if not found.done() and predicate(message):
                found.set_result(message)

        stop = self.inbox.watch(look)
        try:
            for message in reversed(self.inbox.messages()):
                look(message)
            async with asyncio.timeout(timeout_seconds):
                return await found
        finally:
            stop()
