"""The WSS endpoint: a thin pump between an ASGI WebSocket and a session.

Raw ASGI: a framework's WebSocket class costs a third of the event rate and gives nothing that is needed here.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from simulators.gateway.gateway import Gateway
from simulators.gateway.session import AgentSession

SUBPROTOCOL = "xmpp"
# RFC 6455, 7.4.1.
CLOSE_NORMAL, CLOSE_UNSUPPORTED_DATA = 1000, 1003

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class AgentEndpoint:
    """The ASGI application behind the agents' path."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one WebSocket. Without the subprotocol `xmpp` the upgrade is refused (RFC 7395, 3.1)."""
        await receive()
        if SUBPROTOCOL not in scope["subprotocols"]:
            await _refuse(send, 400, b"This path speaks XMPP over WebSocket: ask for the subprotocol xmpp.\n")
            return
        if self._gateway.is_full:
            await _refuse(send, 503, b"There are too many agents already.\n")
            return
        await send({"type": "websocket.accept", "subprotocol": SUBPROTOCOL})
        await _Pump(self._gateway, receive, send).run()


async def _refuse(send: Send, status: int, text: bytes) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": text})


class _Pump:
    """Drives one session: frames in, frames out, timers.

    The writer runs when the reader has nothing left to read: what a burst of frames calls for goes out
    together, with one acknowledgement.
    """

    def __init__(self, gateway: Gateway, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._clock = gateway.monotonic
        self._wanted = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._is_gone = False
        self._close_code = CLOSE_NORMAL
        self._session: AgentSession = gateway.open_session(self._wanted.set)

    async def run(self) -> None:
        """Return when the WebSocket is closed."""
        writing = self._loop.create_task(self._write())
        self._plan()
        try:
            await self._read()
        finally:
            self._is_gone = True
            self._session.receive_eof(self._clock())
            if self._timer is not None:
                self._timer.cancel()
            self._wanted.set()
            await writing

    async def _read(self) -> None:
        session, receive, clock, wanted = self._session, self._receive, self._clock, self._wanted
        while True:
            message = await receive()
            text = message.get("text")
            if text is None:
                if message["type"] == "websocket.disconnect":
                    return
                self._close_code = CLOSE_UNSUPPORTED_DATA
                session.fail("bad-format", clock())
            else:
                session.receive(text, clock())
            wanted.set()

    async def _write(self) -> None:
        while not self._is_gone:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                await self._flush()
            except OSError:  # what ASGI servers raise once the peer is gone
                return

    async def _flush(self) -> None:
        for frame in self._session.to_send():
            await self._send({"type": "websocket.send", "text": frame})
        if self._session.is_closed and not self._is_gone:
            await self._send({"type": "websocket.close", "code": self._close_code})
            self._is_gone = True
        self._plan()

    def _plan(self) -> None:
        """Have `_tick` called by the session's deadline. A timer that is early stays: it costs one look."""
        deadline = self._session.deadline()
        if deadline is None or self._session.is_closed:
            return
        delay = deadline - self._clock()
        at = self._loop.time() + delay
        if self._timer is not None:
            if self._timer.when() <= at:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(at, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._session.tick(self._clock())
        self._wanted.set()
