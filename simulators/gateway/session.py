"""One agent's stream as the gateway holds it, from its first frame to its end. PURE."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from connector.domain.errors import Overflow
from connector.wire.pcg.conf import DisconnectReason
from connector.wire.xmpp.events import (
    Authenticated,
    AuthenticationFailed,
    BoundTo,
    IqAnswered,
    IqTimedOut,
    StanzaReceived,
    StreamEvent,
    StreamFailed,
)
from connector.wire.xmpp.stream import StreamServer
from simulators.gateway import inquiries
from simulators.gateway.intake import Intake
from simulators.gateway.journal import Kind
from simulators.gateway.line import Desk, Line
from simulators.gateway.systems import System


class FrontDesk(Desk, Protocol):
    """The gateway around its sessions."""

    def code_of(self, key_index: int) -> int:
        """Which of a system's codes a login used."""

    def arrived(self, session: "AgentSession", system: System) -> None:
        """The session's agent is bound: an older session of the same system has to go."""

    def left(self, session: "AgentSession", system: System | None, reason: str) -> None:
        """The session is over."""


class AgentSession:
    """A machine (`connector.wire.machine`) that reports to its desk instead of by events."""

    def __init__(self, desk: FrontDesk, stream: StreamServer) -> None:
        self._desk = desk
        self._stream = stream
        self._system: System | None = None
        self._line: Line | None = None
        self._intake: Intake | None = None
        self._has_proved_new_code = False
        self._is_greeted = False
        self._has_left = False
        self._reason = ""
        self._frame = ""
        self._now = 0.0

    @property
    def is_closed(self) -> bool:
        """Whether the stream is over; frames may be left to send."""
        return self._stream.is_closed

    def receive(self, data: str, now: float) -> None:
        """Take one WebSocket message."""
        self._frame = data
        self._stream.receive(data, now)
        self._follow(now)

    def receive_eof(self, now: float) -> None:
        """The transport is gone."""
        self._stream.receive_eof(now)
        self._follow(now)

    def to_send(self) -> Sequence[str]:
        """What has to be sent now. Who asks has nothing more to hand in: events are acknowledged here."""
        if self._intake is not None and self._stream.is_ready:
            self._intake.settle(self._now)
        return self._stream.to_send()

    def deadline(self) -> float | None:
        """When `tick` must be called at the latest."""
        of_stream = self._stream.deadline()
        of_intake = None if self._intake is None else self._intake.deadline
        if of_stream is None or of_intake is None:
            return of_stream if of_intake is None else of_intake
        return min(of_stream, of_intake)

    def tick(self, now: float) -> None:
        """Let time pass."""
        self._stream.tick(now)
        self._follow(now)

    def fail(self, condition: str, now: float) -> None:
        """End the stream with this stream error (RFC 6120, 4.9.3), e.g. `conflict` or `system-shutdown`."""
        if self._stream.is_closed:
            return
        self._reason = condition
        self._stream.fail(condition)
        self._follow(now)

    def dismiss(self, reason: DisconnectReason, now: float) -> None:
        """Ask the agent to go; one that was not greeted yet can't be asked and is put out."""
        if self._line is None or not self._is_greeted or not self._stream.is_ready:
            self.fail("reset", now)
            return
        self._reason = reason.value
        self._line.now = now
        inquiries.dismiss(self._line, reason)

    def _follow(self, now: float) -> None:
        """Handle what the stream reports."""
        self._now = now
        if self._line is not None:
            self._line.now = now
        for event in self._stream.events():
            handler = _HANDLERS.get(type(event))
            if handler is not None:
                self._handle(handler, event)
        if self._stream.is_closed and not self._has_left:
            self._has_left = True
            self._desk.left(self, self._system, self._reason or "closed")

    def _handle(self, handler: "_Handler", event: StreamEvent) -> None:
        try:
            handler(self, event)
        except Overflow:  # it takes our stanzas without ever saying so
            self._stream.fail("policy-violation")

    def _on_login(self, event: Authenticated) -> None:
        self._system = self._desk.systems.by_pbx_id(event.user)
        self._has_proved_new_code = self._desk.code_of(event.key_index) > 0

    def _on_wrong_login(self, event: AuthenticationFailed) -> None:
        system = self._desk.systems.by_pbx_id(event.user)
        owner = "" if system is None else system.id
        self._desk.journal.add(Kind.LOGIN_REFUSED, self._desk.wall(), owner, known={"user": event.user[:128]})

    def _on_bound(self, event: BoundTo) -> None:
        system = self._system
        if system is None:  # deleted between login and bind
            self._stream.fail("not-authorized")
            return
        self._line = Line(self._desk, self._stream, system, event.jid)
        self._line.now = self._now
        self._intake = Intake(self._line)
        self._desk.arrived(self, system)
        if self._has_proved_new_code:
            # The answer to the proposal was lost, but the agent has stored the code: it has just used it.
            inquiries.activate(self._line)

    def _on_stanza(self, event: StanzaReceived) -> None:
        stanza = event.stanza
        if self._intake is None or self._line is None:
            return
        if stanza.name == "message":
            self._intake.take_message(stanza, self._frame)
        elif stanza.name == "iq":
            self._intake.take_request(stanza)
        elif not stanza.type and not self._is_greeted:
            self._is_greeted = True
            inquiries.greet(self._line)

    def _on_answer(self, event: IqAnswered) -> None:
        if self._line is not None:
            self._line.hand_over(event.id, event.stanza)

    def _on_no_answer(self, event: IqTimedOut) -> None:
        if self._line is not None:
            self._line.hand_over(event.id, None)

    def _on_failure(self, event: StreamFailed) -> None:
        self._reason = self._reason or f"{event.error.fault}: {event.error.detail}"


_Handler = Callable[[AgentSession, Any], None]
_HANDLERS: dict[type[StreamEvent], _Handler] = {
    Authenticated: AgentSession._on_login,
    AuthenticationFailed: AgentSession._on_wrong_login,
    BoundTo: AgentSession._on_bound,
    StanzaReceived: AgentSession._on_stanza,
    IqAnswered: AgentSession._on_answer,
    IqTimedOut: AgentSession._on_no_answer,
    StreamFailed: AgentSession._on_failure,
}
