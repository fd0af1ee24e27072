"""The WebSocket to the cloud as a transport of whole text messages."""

import asyncio
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus
from websockets.typing import Subprotocol

from connector.domain.errors import (
    ConnectorError,
    DialError,
    LinkClosed,
    LinkError,
    LinkTimeout,
    RemoteProtocolError,
)
from connector.domain.faults import FaultId
from connector.links.tls import tls_error

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
    """Dials one address. A redirect could send our codes to a host that nobody configured."""

    def process_redirect(self, exc: Exception) -> Exception:
        """Follow none: the answer is an error like any other status."""
        return exc


class WebSocketTransport:
    """Implements `connector.links.pump.Transport[str]`."""

    def __init__(self, connection: _BatchingConnection) -> None:
        self._connection = connection

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
    address: WebSocketAddress, tls: ssl.SSLContext, *, subprotocol: str, timeout_seconds: float
) -> WebSocketTransport:
    """Connect and upgrade. Raises `DialError` or `TlsError` that tells which step failed."""
    try:
        connection = await _connect(
            address.url,
            ssl=tls,
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
    except (OSError, InvalidHandshake, asyncio.IncompleteReadError, EOFError) as error:
        raise _dial_error(error, address) from error
    if not isinstance(connection, _BatchingConnection) or connection.subprotocol != subprotocol:
        await connection.close(1002)
        raise DialError(
            FaultId.CLOUD_NOT_WEBSOCKET, f"subprotocol {subprotocol} was not confirmed", link="cloud"
        )
    return WebSocketTransport(connection)


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


def _dial_error(error: Exception, address: WebSocketAddress) -> LinkError:
    place = f"{address.host} port {address.port}"
    if isinstance(error, ssl.SSLError):
        return tls_error(error, "cloud")
    if isinstance(error, socket.gaierror):
        return DialError(FaultId.CLOUD_NAME_UNKNOWN, address.host, link="cloud")
    if isinstance(error, TimeoutError):
        return DialError(FaultId.CLOUD_UNREACHABLE, f"{place}: no answer in time", link="cloud")
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        return DialError(FaultId.CLOUD_NOT_WEBSOCKET, f"{place}: HTTP status {status}", link="cloud")
    if isinstance(error, (InvalidHandshake, InvalidMessage, EOFError)):
        return DialError(FaultId.CLOUD_NOT_WEBSOCKET, f"{place}: {type(error).__name__}", link="cloud")
    reason = getattr(error, "strerror", None) or type(error).__name__
    return DialError(FaultId.CLOUD_UNREACHABLE, f"{place}: {reason}", link="cloud")
