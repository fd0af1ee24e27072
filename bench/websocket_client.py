"""A WebSocket client that costs little: the protocol of `websockets` without its tasks and queues.

The load generators hold thousands of connections on one core; what they spend is not what is measured.
"""

import asyncio
import ssl
from pathlib import Path
from typing import cast

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI


class ConnectionFailed(RuntimeError):
    """The connection did not come to be, or the far end broke the protocol."""


class WebSocketClient(asyncio.Protocol):
    """One connection. A subclass says what to do with messages; `flush` sends what `say` collected."""

    def __init__(self, uri: WebSocketURI) -> None:
        self._websocket = ClientProtocol(uri, subprotocols=[Subprotocol("xmpp")])
        self._transport: asyncio.Transport | None = None
        self._is_open = False

    @property
    def is_connected(self) -> bool:
        """Whether the transport stands."""
        return self._transport is not None

    def opened(self) -> None:
        """The WebSocket is open."""

    def heard(self, text: str) -> None:
        """A message came."""

    def paused(self) -> None:
        """All that came together was handed to `heard`."""

    def lost(self) -> None:
        """The connection is gone, or never came to be."""

    def say(self, text: str) -> None:
        """Send a message with the next `flush`."""
        self._websocket.send_text(text.encode())

    def flush(self) -> None:
        """Write everything that was said in one piece."""
        data = b"".join(self._websocket.data_to_send())
        if data and self._transport is not None:
            self._transport.write(data)

    def abort(self) -> None:
        """Drop the connection."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the upgrade."""
        self._transport = cast(asyncio.Transport, transport)
        self._websocket.send_request(self._websocket.connect())
        self.flush()

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        self._websocket.receive_data(data)
        events = self._websocket.events_received()
        for event in events:
            if isinstance(event, Frame):
                self._take_frame(event)
            elif self._websocket.handshake_exc is not None:
                self.abort()
                return
            else:
                self._is_open = True
                self.opened()
        if self._websocket.state is State.OPEN:
            self.paused()
        self.flush()

    def connection_lost(self, _error: Exception | None) -> None:
        """Forget the transport."""
        self._transport = None
        self.lost()

    def _take_frame(self, frame: Frame) -> None:
        if frame.opcode is Opcode.TEXT:
            self.heard(bytes(frame.data).decode())
        elif frame.opcode is Opcode.CLOSE and self._transport is not None:
            self.flush()
            self._transport.close()


def trusting(ca_file: Path) -> ssl.SSLContext:
    """One context for all connections of a process: verifying with one authority, TLS 1.3."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(ca_file)
    return context
