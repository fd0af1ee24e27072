"""One agent's stream as the gateway holds it, from its first frame to its end. PURE."""

import hmac
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from connector.domain.errors import Overflow
from connector.domain.identifiers import Channel
from connector.wire.pcg.conf import DisconnectReason
from connector.wire.xmpp.events import (
    Authenticated,
    AuthenticationFailed,
    BoundTo,
    IqAnswered,
    IqTimedOut,
    ResumeAsked,
    StanzaReceived,
    StreamEvent,
    StreamFailed,
    StreamResumed,
)
from connector.wire.xmpp.stream import StreamServer, SuspendedStream
from simulators.gateway import configuration, inquiries
from simulators.gateway.intake import Intake
from simulators.gateway.journal import Kind
from simulators.gateway.line import Desk, Line
from simulators.gateway.resumption import Parked
from simulators.gateway.spoiling import Spoiler
from simulators.gateway.systems import System


class FrontDesk(Desk, Protocol):
    """The gateway around its sessions."""

    def is_private(self, system: System, key_index: int) -> bool:
        """Whether a login used the system's private code."""

    def arrived(self, session: "AgentSession", system: System) -> None:
        """The session's agent is bound: an older session of the same system has to go."""

    def reclaim(self, system: System, previd: str) -> "Parked[AgentSession] | None":
        """The session `previd` that the system's agent left, or seems to have still; None if it is gone."""

    def resumed(self, session: "AgentSession", system: System) -> None:
        """The session's agent came back and goes on where it was."""

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
        self._parked: Parked[AgentSession] | None = None
        self._given_away: SuspendedStream | None = None
        self._has_left = False
        self._spoiler: Spoiler | None = None
        self._reason = ""
        self._frame = ""
        self._now = 0.0

    @property
    def is_closed(self) -> bool:
        """Whether the stream is over; frames may be left to send."""
        return self._stream.is_closed

    @property
    def is_bound(self) -> bool:
        """Whether an agent is logged in, and its stream ready for stanzas."""
        return self._line is not None and self._stream.is_ready

    @property
    def has_conf(self) -> bool:
        """Whether the agent has answered hello, and can be asked more."""
        return self._line is not None and self.is_bound and self._line.system.channels[Channel.CONF]

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
        if self._spoiler is None and not self._desk.faults:
            return self._stream.to_send()
        return self._spoilt()

    def deadline(self) -> float | None:
        """When `tick` must be called at the latest."""
        deadline = _sooner(self._stream.deadline(), None if self._intake is None else self._intake.deadline)
        return deadline if self._spoiler is None else _sooner(deadline, self._spoiler.deadline)

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

    def suspended(self) -> SuspendedStream | None:
        """What the agent may come back for, once this session is over."""
        return self._given_away or self._stream.suspended()

    def give_away(self, previd: str, now: float) -> None:
        """The agent came back for `previd` on another connection: if that is this session, end its stream."""
        if not self.is_closed and hmac.compare_digest(self._stream.session_id.encode(), previd.encode()):
            self._reason = "conflict"
            self._given_away = self._stream.take_over()
            self._follow(now)

    def send_settings(self, now: float) -> None:
        """The system's settings have changed. Before hello there is nobody to tell: hello brings them."""
        if self._line is not None and self.has_conf:
            self._line.now = now
            configuration.send_settings(self._line)

    def send_monitors(self, now: float, taken: configuration.Taken) -> None:
        """The set of monitored numbers has changed; `taken` is called with the agent's word on it."""
        if self._line is not None and self.has_conf:
            self._line.now = now
            configuration.send_monitors(self._line, taken)

    def speak(self, say: Callable[[Line], None], now: float) -> bool:
        """Let `say` send something to the agent; False, and nothing is said, when it can't be spoken to."""
        if self._line is None or not self._is_greeted or not self._stream.is_ready:
            return False
        self._line.now = now
        say(self._line)
        return True

    def dismiss(self, reason: DisconnectReason, now: float) -> None:
        """Ask the agent to go; one that was not greeted yet can't be asked and is put out."""
        if self._line is None or not self._is_greeted or not self._stream.is_ready:
            self.fail("reset", now)
            return
        self._reason = reason.value
        self._line.now = now
        inquiries.dismiss(self._line, reason)

    def _spoilt(self) -> Sequence[str]:
        """What has to be sent now, as the faults want it."""
        if self._spoiler is None:
            self._spoiler = Spoiler(self._desk.faults)
        is_there = self._is_greeted and self.is_bound  # before that only certain elements may come
        if self._line is not None and is_there:
            for stanza in self._spoiler.stanzas(self._line.agent_jid):
                self._stream.send(stanza)
        return self._spoiler.outgoing(self._stream.to_send(), self._now, is_bound=is_there)

    def _follow(self, now: float) -> None:
        """Handle what the stream reports."""
        self._now = now
        if self._line is not None:
            self._line.now = now
        while events := self._stream.events():
            for event in events:
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
        self._system = system = self._desk.systems.by_pbx_id(event.user)
        self._has_proved_new_code = system is not None and self._desk.is_private(system, event.key_index)

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

    def _on_resume_asked(self, event: ResumeAsked) -> None:
        parked = None if self._system is None else self._desk.reclaim(self._system, event.previd)
        if parked is None:
            self._stream.refuse_resume()
        else:
            self._parked = parked
            self._stream.accept_resume(parked.stream)

    def _on_resumed(self, _event: StreamResumed) -> None:
        parked, self._parked = self._parked, None
        line = None if parked is None else parked.session._line
        if parked is None or line is None or self._system is None:
            return
        self._line, self._intake = line, parked.session._intake
        self._is_greeted = parked.session._is_greeted
        line.stream, line.now = self._stream, self._now
        for channel in parked.channels:
            line.set_channel(channel, is_up=True)
        self._desk.resumed(self, self._system)
        if self._has_proved_new_code:
            inquiries.activate(line)
        if self._system.is_configuration_due:
            configuration.configure(line)

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


def _sooner(one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


_Handler = Callable[[AgentSession, Any], None]
_HANDLERS: dict[type[StreamEvent], _Handler] = {
    Authenticated: AgentSession._on_login,
    AuthenticationFailed: AgentSession._on_wrong_login,
    BoundTo: AgentSession._on_bound,
    ResumeAsked: AgentSession._on_resume_asked,
    StreamResumed: AgentSession._on_resumed,
    StanzaReceived: AgentSession._on_stanza,
    IqAnswered: AgentSession._on_answer,
    IqTimedOut: AgentSession._on_no_answer,
    StreamFailed: AgentSession._on_failure,
}
