"""The WebSocket to the cloud as a transport of whole text messages."""

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from connector.domain.errors import (
    ConnectorError,
    DialError,
    LinkClosed,
    LinkError,
    LinkTimeout,
    ProxyError,
    RemoteProtocolError,
)
from connector.domain.faults import FaultId
from connector.links.certificates import PeerCertificate
from connector.links.dialer import Dialer, peer_certificate
from connector.links.stream import ByteStream

# Half-open links are found within 15 s: ping 5 s + timeout 5 s + close 1 s (measured 11 s).
_PING_INTERVAL_SECONDS = 5
_PING_TIMEOUT_SECONDS = 5
_CLOSE_TIMEOUT_SECONDS = 1
# protocol.md section 1: a stanza is at most 64 KiB.
_MAX_MESSAGE_BYTES = 65_536
# RFC 6455, 7.4.1: going away, service restart.
_ANNOUNCED_CLOSE_CODES = {1001, 1012}
# The same: protocol error, no UTF-8, message too big. We close with them when the peer broke the rule.
_BREACH_CLOSE_CODES = {1002, 1007, 1009}
# What a proxy answers that took the upgrade out of the request: its own page, or the gateway's complaint
# (RFC 9110, 15.5.22: 426).
_STRIPPED_STATUSES = {200, 400, 426}
# The same from a server that knows its WebSocket path for nothing else. It means a wrong path, too, unless
# somebody says that he passed our request on (RFC 9110, 7.6.3: Via), who can't have been there unread.
_STRIPPED_IF_PASSED_ON_STATUS = 404
# What `websockets` closes with when a ping stayed without an answer.
_KEEPALIVE_CLOSE_CODE = 1011


@dataclass(frozen=True, slots=True)
class WebSocketAddress:
    """Where to connect: always TLS."""

    host: str
    port: int
    path: str

    @property
    def url(self) -> str:
        """The address as a URL."""
        return f"wss://{self.host}:{self.port}{self.path}"


class _BatchingConnection(ClientConnection):
    """Sends many messages in one write: on TLS one record and one system call instead of one each."""

    async def send_many(self, messages: Sequence[str]) -> None:
        async with self.send_context():
            for message in messages:
                self.protocol.send_text(message.encode())
            self.transport.write(b"".join(self.protocol.data_to_send()))


class _connect(connect):  # noqa: N801 - used as the library's own
    """Upgrades one stream. A redirect could send our codes to a host that nobody configured."""

    def __init__(self, url: str, stream: ByteStream, **options: Any) -> None:
        super().__init__(url, **options)
        self._stream = stream

    async def open_tcp_connection(self) -> ClientConnection:
        """The connection is there: our dialer made it, its proxy and its TLS included."""
        connection = self.factory(self.ws_uri)
        self._stream.hand_over(connection)
        return connection

    def process_redirect(self, exc: Exception) -> Exception:
        """Follow none: the answer is an error like any other status."""
        return exc


class WebSocketTransport:
    """Implements `connector.links.pump.Transport[str]`."""

    def __init__(self, connection: _BatchingConnection, certificate: PeerCertificate) -> None:
        self._connection = connection
        # The gateway's, verified.
        self.peer_certificate = certificate

    async def read(self) -> str | None:
        """The next message. Raises the `LinkError` or `RemoteProtocolError` that says how it ended."""
        try:
            message = await self._connection.recv()
        except ConnectionClosed as error:
            raise _end_error(error) from error
        if isinstance(message, bytes):
            await self._connection.close(1003)
            raise RemoteProtocolError(
                FaultId.CLOUD_PROTOCOL, "a binary message", clause="RFC 7395, 3.2", link="cloud"
            )
        return message

    async def write(self, units: Sequence[str]) -> None:
        """Send the messages in order."""
        try:
            await self._connection.send_many(units)
        except ConnectionClosed as error:
            raise LinkClosed(FaultId.CLOUD_CLOSED, "closed while sending", link="cloud") from error

    async def aclose(self) -> None:
        """Close; waits at most the close timeout."""
        await self._connection.close()


async def open_websocket(
    address: WebSocketAddress,
    tls: ssl.SSLContext,
    *,
    subprotocol: str,
    timeout_seconds: float,
    dialer: Dialer | None = None,
    pins: tuple[str, ...] = (),
    known_time: datetime | None = None,
) -> WebSocketTransport:
    """Dial, log in at the proxy, secure and upgrade within `timeout_seconds`.

    Without a `dialer` directly. `pins` and `known_time` as in `Dialer.open`. Raises `DialError`,
    `ProxyError` or `TlsError` that tells which step failed.
    """
    dialer = dialer or Dialer()
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_seconds
    stream = await dialer.open(
        address.host,
        address.port,
        link="cloud",
        timeout_seconds=timeout_seconds,
        tls=tls,
        pins=pins,
        known_time=known_time,
    )
    try:
        certificate = peer_certificate(stream)
        connection = await _upgrade(stream, address, subprotocol, max(0.0, deadline - loop.time()))
    except (OSError, InvalidHandshake, EOFError, ValueError) as error:
        stream.abort()
        is_proxied = dialer.proxy_for(address.host, address.port) is not None
        raise _upgrade_error(error, address, is_proxied=is_proxied) from error
    except BaseException:
        stream.abort()
        raise
    if not isinstance(connection, _BatchingConnection) or connection.subprotocol != subprotocol:
        await connection.close(1002)
        raise DialError(
            FaultId.CLOUD_NOT_WEBSOCKET, f"subprotocol {subprotocol} was not confirmed", link="cloud"
        )
    return WebSocketTransport(connection, certificate)


async def _upgrade(
    stream: ByteStream, address: WebSocketAddress, subprotocol: str, timeout_seconds: float
) -> ClientConnection:
    """RFC 6455, 4.1 over `stream`."""
    return await _connect(
        address.url,
        stream,
        subprotocols=[Subprotocol(subprotocol)],
        compression=None,
        proxy=None,
        open_timeout=timeout_seconds,
        ping_interval=_PING_INTERVAL_SECONDS,
        ping_timeout=_PING_TIMEOUT_SECONDS,
        close_timeout=_CLOSE_TIMEOUT_SECONDS,
        max_size=_MAX_MESSAGE_BYTES,
        user_agent_header=None,
        create_connection=_BatchingConnection,
    )


def _end_error(error: ConnectionClosed) -> ConnectorError:
    """What the end of a connection means: the close code that was sent first tells whose wish it was."""
    if error.sent is not None and not error.rcvd_then_sent:
        code = error.sent.code
        if code in _BREACH_CLOSE_CODES:
            return RemoteProtocolError(
                FaultId.CLOUD_PROTOCOL,
                f"a message that WebSocket forbids, code {code}",
                clause="RFC 6455, 7.4.1",
                link="cloud",
            )
        if code == _KEEPALIVE_CLOSE_CODE:
            return LinkTimeout(FaultId.CLOUD_SILENT, "no answer to a WebSocket ping", link="cloud")
    if error.rcvd is None:
        return LinkClosed(FaultId.CLOUD_CLOSED, "the connection broke", link="cloud")
    code = error.rcvd.code
    return LinkClosed(
        FaultId.CLOUD_CLOSED, f"code {code}", link="cloud", announced=code in _ANNOUNCED_CLOSE_CODES
    )


def _upgrade_error(error: Exception, address: WebSocketAddress, *, is_proxied: bool) -> LinkError:
    """What a failed upgrade means. The dial before it has its own errors."""
    place = f"{address.host} port {address.port}"
    if isinstance(error, TimeoutError):
        return DialError(FaultId.CLOUD_UNREACHABLE, f"{place}: no answer in time", link="cloud")
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        detail = f"{place}: HTTP status {status}"
        is_stripped = status in _STRIPPED_STATUSES or (
            status == _STRIPPED_IF_PASSED_ON_STATUS and "Via" in error.response.headers
        )
        if is_proxied and is_stripped:
            return ProxyError(FaultId.PROXY_STRIPS_WEBSOCKET, detail, link="cloud")
        return DialError(FaultId.CLOUD_NOT_WEBSOCKET, detail, link="cloud")
    if isinstance(error, OSError):
        reason = error.strerror or type(error).__name__
        return DialError(FaultId.CLOUD_UNREACHABLE, f"{place}: {reason}", link="cloud")
    return DialError(FaultId.CLOUD_NOT_WEBSOCKET, f"{place}: {type(error).__name__}", link="cloud")
