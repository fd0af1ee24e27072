"""The agents' WebSocket: one object a connection that drives one session, without a task or a queue.

`simulators.serving` accepts every connection; one that asks for the agents' path becomes an `AgentSocket`.
Everything after that happens in `data_received` and in one timer: with 5,000 agents, two tasks and their
queues each would cost more memory than the sessions.
"""

import asyncio
import logging
from collections.abc import MutableSet
from math import ceil
from typing import Any, Protocol, cast

from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from connector.wire.xmpp.xml import MAX_FRAME_BYTES
from simulators.gateway.faults import FaultName
from simulators.gateway.gateway import Gateway
from simulators.gateway.session import AgentSession

# Where agents connect: our choice, since the real path is not public.
AGENT_PATH = "/websocket"
SUBPROTOCOL = Subprotocol("xmpp")
# A dead agent is found within 15 s: asked after 10.1 s of silence, given up 4.2 s later, each up to a grid
# step late. Agents of ours ping every 5 s themselves and are never asked: that would cost twice as much. One
# that is pinged every 20 s over XMPP is asked once between two of those, not twice.
PING_AFTER_SECONDS = 10.1
# The same for a peer that has to close its end.
PONG_WITHIN_SECONDS = 4.2
# Timers of many agents fire together: a loop that wakes up for one agent at a time spends most on waking up.
GRID_SECONDS = 0.25
# RFC 6455, 7.4.1.
CLOSE_NORMAL, CLOSE_UNSUPPORTED_DATA, CLOSE_INVALID_TEXT, CLOSE_RESTART = 1000, 1003, 1007, 1012

_LOGGER = logging.getLogger("simulators.gateway.websocket")


class ServerState(Protocol):
    """What uvicorn's connections share; it waits for `connections` to be empty before it stops."""

    @property
    def connections(self) -> MutableSet[Any]:
        """Every connection; each has `shutdown`."""


class AgentSocket(asyncio.Protocol):
    """One WebSocket, from its request on."""

    __slots__ = (
        "_asked_at",
        "_close_code",
        "_connections",
        "_gateway",
        "_heard_at",
        "_is_paused",
        "_looks_at",
        "_loop",
        "_parts",
        "_session",
        "_timer",
        "_was_half_open",
        "_websocket",
        "transport",
    )

    def __init__(
        self, gateway: Gateway, state: ServerState, loop: asyncio.AbstractEventLoop | None = None
    ) -> None:
        """`loop` is for tests that have their own time; it is the running one otherwise."""
        self._gateway = gateway
        self._connections = state.connections
        self._loop = loop or asyncio.get_running_loop()
        self._websocket = ServerProtocol(subprotocols=[SUBPROTOCOL], max_size=MAX_FRAME_BYTES, logger=_LOGGER)
        self.transport: asyncio.Transport | None = None
        self._session: AgentSession | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._looks_at = 0.0
        # Of a message that comes in several frames.
        self._parts: list[bytes] = []
        self._heard_at = gateway.monotonic()
        # When the peer was asked for a sign of life, a pong or a close, which it has not given yet.
        self._asked_at: float | None = None
        self._is_paused = False
        self._was_half_open = False
        self._close_code = CLOSE_NORMAL

    # -- called by the loop and by uvicorn

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection begins with a request for our path, which comes with the first `data_received`."""
        self.transport = cast(asyncio.Transport, transport)
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Take what came together, then answer it together: with one acknowledgement, in one write."""
        if self._is_dead():
            return
        websocket = self._websocket
        websocket.receive_data(data)
        if websocket.state is State.OPEN:  # before and after that, bytes prove nothing: time runs on
            self._heard_at = self._gateway.monotonic()
            self._asked_at = None
        for event in websocket.events_received():
            if isinstance(event, Frame):
                self._take(event)
            elif isinstance(event, Request):
                self._begin(event)
        self._flush_and_plan()

    def eof_received(self) -> None:
        """The peer closed without a word; the transport closes itself."""

    def pause_writing(self) -> None:
        """The peer reads too slowly: what it asks for meanwhile would pile up here, so it is not heard."""
        self._is_paused = True
        if self.transport is not None:
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        """The peer has caught up."""
        self._is_paused = False
        if self.transport is not None:
            self.transport.resume_reading()
            self._flush_and_plan()

    def connection_lost(self, _error: Exception | None) -> None:
        """The transport is gone, and with it the session."""
        self.transport = None
        self._websocket.receive_eof()  # ends the library's parser, which would keep itself alive
        self._connections.discard(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        session, self._session = self._session, None
        if session is not None:
            session.receive_eof(self._gateway.monotonic())

    def shutdown(self) -> None:
        """The server stops."""
        if self.transport is None:
            return
        if self._websocket.state is State.OPEN:
            self._flush_session()
        if self._websocket.state is State.OPEN:
            self._close(CLOSE_RESTART)
        self._write()
        self.transport.close()

    # -- received

    def _begin(self, request: Request) -> None:
        """Accept the upgrade. Without the subprotocol `xmpp` it is refused (RFC 7395, 3.1)."""
        websocket = self._websocket
        response = self._refusal(request) or websocket.accept(request)
        websocket.send_response(response)
        if websocket.state is State.OPEN:
            self._session = self._gateway.open_session(self._wake, self._address())

    def _refusal(self, request: Request) -> Response | None:
        if request.path.partition("?")[0] != AGENT_PATH:
            return self._websocket.reject(404, "No WebSocket is served here.\n")
        offered = ",".join(request.headers.get_all("Sec-WebSocket-Protocol"))
        if SUBPROTOCOL not in [name.strip() for name in offered.split(",")]:
            text = "This path speaks XMPP over WebSocket: ask for the subprotocol xmpp.\n"
            return self._websocket.reject(400, text)
        reason = self._gateway.refusal(self._address())
        return self._websocket.reject(503, f"Not now: {reason}.\n") if reason else None

    def _address(self) -> str:
        """Where the peer is, for limits; empty if it is gone already."""
        peer = None if self.transport is None else self.transport.get_extra_info("peername")
        return str(peer[0]) if peer else ""

    def _take(self, frame: Frame) -> None:
        """One frame. The library has answered pings and closes, and bounded messages, by itself."""
        if frame.opcode is Opcode.TEXT or frame.opcode is Opcode.CONT:
            self._parts.append(bytes(frame.data))
            if frame.fin:
                message, self._parts = b"".join(self._parts), []
                self._take_message(message)
        elif frame.opcode is Opcode.BINARY:
            self._fail(CLOSE_UNSUPPORTED_DATA)

    def _take_message(self, message: bytes) -> None:
        session = self._session
        if session is None:
            return
        try:
            text = message.decode()
        except UnicodeDecodeError:
            self._fail(CLOSE_INVALID_TEXT)
            return
        session.receive(text, self._heard_at)

    def _fail(self, code: int) -> None:
        self._close_code = code
        if self._session is not None:
            self._session.fail("bad-format", self._heard_at)

    # -- sent

    def _wake(self) -> None:
        """The session has something to say though nothing came."""
        self._loop.call_soon(self._flush_and_plan)

    def _flush_and_plan(self) -> None:
        if self.transport is not None:
            self._flush()
            self._plan()

    def _flush(self) -> None:
        """Write what there is to write, unless the peer is behind."""
        if self.transport is None or self._is_paused or self._is_dead():
            return
        self._flush_session()
        self._write()

    def _is_dead(self) -> bool:
        """Whether a fault keeps this connection from being read and written, or has just cut it."""
        faults = self._gateway.faults
        if not (faults or self._was_half_open):
            return False
        if FaultName.HALF_OPEN in faults:
            self._was_half_open = True
        elif self._was_half_open or (FaultName.TORN in faults and self._is_bound):
            if self.transport is not None:
                self.transport.abort()
        else:
            return False
        return True

    @property
    def _is_bound(self) -> bool:
        return self._session is not None and self._session.is_bound

    def _flush_session(self) -> None:
        session, websocket = self._session, self._websocket
        if session is None or websocket.state is not State.OPEN:
            return
        for frame in session.to_send():
            websocket.send_text(frame.encode())
        if session.is_closed:
            self._close(self._close_code)

    def _close(self, code: int) -> None:
        """Close our end; a peer that does not close its own is given up."""
        self._websocket.send_close(code)
        self._asked_at = self._gateway.monotonic()

    def _write(self) -> None:
        data = self._websocket.data_to_send()
        if self.transport is None or not data:
            return
        is_last = data[-1] == b""  # how the library says that nothing follows
        self.transport.write(b"".join(data))
        if is_last:
            self.transport.close()

    # -- time

    def _plan(self) -> None:
        """Have `_tick` called in time. A timer that is early stays: it costs one look."""
        at = self._next_look()
        if self._timer is not None:
            if self._looks_at <= at:
                return
            self._timer.cancel()
        now = self._gateway.monotonic()
        # What is far away is looked at together with what other agents wait for.
        self._looks_at = at if at - now < GRID_SECONDS else ceil(at / GRID_SECONDS) * GRID_SECONDS
        self._timer = self._loop.call_later(max(0.0, self._looks_at - now), self._tick)

    def _next_look(self) -> float:
        deadline = None if self._session is None else self._session.deadline()
        if deadline is None or self._websocket.state is not State.OPEN:
            return self._patience_ends()
        return min(deadline, self._patience_ends())

    def _patience_ends(self) -> float:
        """When a silent peer is asked for a sign of life, or given up after it was asked for one."""
        if self._asked_at is None:
            return self._heard_at + PING_AFTER_SECONDS
        return self._asked_at + PONG_WITHIN_SECONDS

    def _tick(self) -> None:
        self._timer = None
        if self.transport is None:
            return
        now = self._gateway.monotonic()
        if self._was_half_open:
            self._sit_out(now)
            return
        deadline = None if self._session is None else self._session.deadline()
        if self._session is not None and deadline is not None and deadline <= now:
            self._session.tick(now)
        if now >= self._patience_ends() and not self._ask(now):
            return
        self._flush_and_plan()

    def _sit_out(self, now: float) -> None:
        """While half-open only look again later; afterwards a connection that missed something is cut."""
        if FaultName.HALF_OPEN in self._gateway.faults:
            self._looks_at = now + GRID_SECONDS
            self._timer = self._loop.call_later(GRID_SECONDS, self._tick)
        elif self.transport is not None:
            self.transport.abort()

    def _ask(self, now: float) -> bool:
        """Ask for a sign of life; False when the peer was asked before, and is given up now."""
        if self._asked_at is None and self._websocket.state is State.OPEN:
            self._asked_at = now
            self._websocket.send_ping(b"")
            return True
        if self.transport is not None:
            self.transport.abort()
        return False
