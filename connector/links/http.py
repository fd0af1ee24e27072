"""Our dialer under the HTTP client: the same way out, the same proxies, for every request."""

import asyncio
import ssl
from collections.abc import Iterable
from typing import Any

import httpcore2
import httpx2

from connector.domain.errors import ConnectorError
from connector.links.dialer import Dialer
from connector.links.stream import ByteStream

# The client bounds each phase by its own timeouts; this is for the one that forgot to.
_LONGEST_PHASE_SECONDS = 60.0


class DialerTransport(httpx2.AsyncHTTPTransport):
    """A transport for `httpx2.AsyncClient` that dials by `dialer`. It keeps no connection open.

    Failures before the request is sent are `httpx2.ConnectError` and `httpx2.ConnectTimeout`; the dialer's
    own error, which names the fault, is among their causes and contexts.
    """

    def __init__(self, dialer: Dialer, tls: ssl.SSLContext, *, link: str) -> None:
        super().__init__(verify=tls, trust_env=False)
        # The library has no parameter for it; its pool has. Nothing was opened through the one replaced.
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=tls, max_keepalive_connections=0, network_backend=_Backend(dialer, link)
        )


class _Backend(httpcore2.AsyncNetworkBackend):
    """What the pool asks for connections."""

    def __init__(self, dialer: Dialer, link: str) -> None:
        self._dialer = dialer
        self._link = link

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        seconds = timeout or _LONGEST_PHASE_SECONDS
        try:
            stream = await self._dialer.open(host, port, link=self._link, timeout_seconds=seconds)
        except ConnectorError as error:
            raise httpcore2.ConnectError(str(error)) from error
        return _Stream(stream)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _Stream(httpcore2.AsyncNetworkStream):
    """One connection of the pool."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        try:
            async with asyncio.timeout(timeout):
                return await self._stream.read(max_bytes)
        except TimeoutError as error:
            raise httpcore2.ReadTimeout from error
        except OSError as error:
            raise httpcore2.ReadError(str(error)) from error

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        if not buffer:
            return
        try:
            async with asyncio.timeout(timeout):
                await self._stream.write(buffer)
        except TimeoutError as error:
            raise httpcore2.WriteTimeout from error
        except OSError as error:
            raise httpcore2.WriteError(str(error)) from error

    async def aclose(self) -> None:
        # Without TLS's farewell, which a silent peer would make us wait for: HTTP knows its own end.
        self._stream.abort()
        await self._stream.aclose()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.AsyncNetworkStream:
        try:
            async with asyncio.timeout(timeout):
                await self._stream.start_tls(ssl_context, server_hostname or "")
        except TimeoutError as error:
            self._stream.abort()
            raise httpcore2.ConnectTimeout from error
        except OSError as error:
            self._stream.abort()
            raise httpcore2.ConnectError(str(error)) from error
        except BaseException:
            self._stream.abort()
            raise
        return self

    def get_extra_info(self, info: str) -> Any:
        # "is_readable" asks whether a kept connection has died: none is kept.
        return self._stream.ssl_object if info == "ssl_object" else None
