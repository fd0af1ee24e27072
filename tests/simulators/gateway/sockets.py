"""An `AgentSocket` without a network: its transport, its loop's time, and the peer's end of the WebSocket."""

import asyncio
import itertools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

from websockets.client import ClientProtocol
from websockets.frames import Frame
from websockets.http11 import Response
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from simulators.gateway.gateway import Gateway, Options
from simulators.gateway.websocket import AgentSocket
from tests.simulators.gateway.agents import VirtualClock


class Timer:
    """A timer of the virtual loop."""

    def __init__(self, at: float, call: Callable[[], None]) -> None:
        self.at = at
        self.call = call
        self.is_cancelled = False

    def cancel(self) -> None:
        """Not wanted any more."""
        self.is_cancelled = True


class VirtualLoop:
    """As much of a loop as the socket uses, in the gateway's time."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self.timers: list[Timer] = []

    def call_later(self, delay: float, call: Callable[[], None]) -> Timer:
        """Later."""
        self.timers.append(Timer(self._clock.seconds + delay, call))
        return self.timers[-1]

    def call_soon(self, call: Callable[[], None]) -> Timer:
        """With the next step."""
        return self.call_later(0.0, call)

    def advance(self, seconds: float) -> None:
        """Let time pass, timer by timer."""
        end = self._clock.seconds + seconds
        while True:
            self.timers = [timer for timer in self.timers if not timer.is_cancelled]
            due = min(self.timers, key=lambda timer: timer.at, default=None)
            if due is None or due.at > end:
                break
            self._clock.seconds = max(self._clock.seconds, due.at)
            self.timers.remove(due)
            due.call()
        self._clock.seconds = end


class PipeTransport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.is_closed = False
        self.is_aborted = False
        self.reads = True

    def write(self, data: Any) -> None:
        """Keep it."""
        assert not self.is_closed
        self.written += data

    def taken(self) -> bytes:
        """What was written since the last time."""
        data = bytes(self.written)
        self.written.clear()
        return data

    def close(self) -> None:
        """In order."""
        self.is_closed = True

    def abort(self) -> None:
        """At once."""
        self.is_closed = self.is_aborted = True

    def pause_reading(self) -> None:
        """The socket wants nothing now."""
        self.reads = False

    def resume_reading(self) -> None:
        """It wants more."""
        self.reads = True


class Wire:
    """A socket of a gateway with nobody in it, and a peer that shares no code with it."""

    def __init__(
        self, path: str = "/websocket", subprotocol: str = "xmpp", *, options: Options | None = None
    ):
        self.clock = VirtualClock()
        numbers = itertools.count(1)
        self.gateway = Gateway(
            options or Options(), self.clock, lambda count: next(numbers).to_bytes(count, "big")
        )
        self.loop = VirtualLoop(self.clock)
        self.state = SimpleNamespace(connections=set())
        self.transport = PipeTransport()
        self.socket = AgentSocket(self.gateway, self.state, cast(asyncio.AbstractEventLoop, self.loop))
        offered = [Subprotocol(subprotocol)] if subprotocol else None
        self.peer = ClientProtocol(parse_uri(f"wss://localhost{path}"), subprotocols=offered)
        self.socket.connection_made(self.transport)

    def request(self) -> bytes:
        """What the peer asks for the upgrade with."""
        self.peer.send_request(self.peer.connect())
        return b"".join(self.peer.data_to_send())

    def open(self) -> "Wire":
        """Upgrade."""
        self.socket.data_received(self.request())
        response = self.heard()[0]
        assert isinstance(response, Response)
        assert response.status_code == 101
        return self

    def say(self, *texts: str) -> None:
        """The peer sends messages in one piece."""
        for text in texts:
            self.peer.send_text(text.encode())
        self.send()

    def send(self) -> None:
        """What the peer has to send arrives, if there is anything."""
        if data := b"".join(self.peer.data_to_send()):
            self.socket.data_received(data)

    def heard(self) -> list[Any]:
        """What the peer got since the last time: its response, then frames."""
        self.peer.receive_data(self.transport.taken())
        return self.peer.events_received()

    def frames(self) -> list[tuple[str, bytes]]:
        """The frames that the peer got since the last time, by the name of their kind."""
        return [(one.opcode.name, bytes(one.data)) for one in self.heard() if isinstance(one, Frame)]
