"""A stream that is ready: stanzas and their answers, what was handled (XEP-0198), silence (XEP-0199).

Both ends do this alike; `StreamClient` and `StreamServer` add how a stream comes to be ready.
"""

from abc import abstractmethod
from collections.abc import Callable
from contextlib import suppress
from xml.etree.ElementTree import Element

from connector.domain.errors import ConnectorError, LinkTimeout, Overflow
from connector.domain.faults import FaultId
from connector.wire.xmpp import stanzas, xep0198
from connector.wire.xmpp.events import IqAnswered, IqTimedOut, StanzaReceived
from connector.wire.xmpp.jid import parse_jid
from connector.wire.xmpp.lifecycle import Life, Timer, illegal
from connector.wire.xmpp.limits import StreamLimits
from connector.wire.xmpp.requests import OpenRequest
from connector.wire.xmpp.resumable import ResumableStream
from connector.wire.xmpp.rfc6120 import out_of_place
from connector.wire.xmpp.stanzas import IqKind, OwedRequest, Stanza
from connector.wire.xmpp.xep0199 import PING, is_ping
from connector.wire.xmpp.xml import StreamViolation

REQUEST_TIMEOUT_SECONDS = 30.0


class Exchange(ResumableStream):
    """The ready part of a stream.

    `silence_timeout_seconds` is how long the peer may say nothing; `ping_interval_seconds` how often it is
    asked to say something, None for never.
    """

    def __init__(
        self,
        ids: Callable[[], str],
        limits: StreamLimits,
        silence_timeout_seconds: float,
        ping_interval_seconds: float | None = None,
    ) -> None:
        super().__init__(limits)
        self._ids = ids
        self._silence_timeout_seconds = silence_timeout_seconds
        self._ping_interval_seconds = ping_interval_seconds
        self._heard_at = 0.0

    def send(self, stanza: str) -> int:
        """Send one complete stanza, as `stanzas` builds it; its number, from 1, for `Delivered`.

        Raises `Overflow` when `xep0198.MAX_UNACKED` stanzas are not acknowledged; nothing is sent then.
        """
        if self._life is not Life.READY:
            raise illegal("send")
        return self._emit(stanza)

    def request(
        self,
        kind: IqKind,
        to: str,
        payload: str,
        now: float,
        timeout_seconds: float = REQUEST_TIMEOUT_SECONDS,
        *,
        from_: str = "",
        id_: str = "",
    ) -> str:
        """Send an iq get or set; its id, for `IqAnswered` or `IqTimedOut`. Raises as `send` does.

        `id_` is for requests whose id means more than the stream (commands); it must not be in use.
        """
        if self._life is not Life.READY:
            raise illegal("request")
        return self._ask(kind, OpenRequest(to, now + timeout_seconds), payload, from_, id_)

    def ping(self, now: float) -> None:
        """Ask the peer for a sign of life. No answer is no event: silence is what ends a stream."""
        if self._life is not Life.READY:
            raise illegal("ping")
        self._ping(now)

    def ping_every(self, seconds: float, now: float) -> None:
        """From now on ask the peer for a sign of life so often."""
        if self._life is not Life.READY:
            raise illegal("ping_every")
        self._ping_interval_seconds = seconds
        self._timers.start(Timer.PING, now + seconds)

    def bear_silence(self, seconds: float, now: float) -> None:
        """From now on the peer may say nothing for so long."""
        if self._life is not Life.READY:
            raise illegal("bear_silence")
        self._silence_timeout_seconds = seconds
        self._timers.start(Timer.SILENCE, max(now, self._heard_at + seconds))

    def answer(self, request: Stanza | OwedRequest, payload: str = "") -> None:
        """Answer a received request with its result. A second answer raises `LocalProtocolError`."""
        self._settle(request, stanzas.result_reply(request, payload, from_=self._reply_from(request)))

    def refuse(
        self, request: Stanza | OwedRequest, condition: str, text: str = "", payload: str = ""
    ) -> None:
        """Answer a received request with a stanza error; `payload` is an element of another namespace."""
        self._settle(request, self._refusal(request, condition, text, payload))

    def request_ack(self) -> None:
        """Ask now what the peer has handled."""
        if self._life is not Life.READY or self._window is None:
            raise illegal("request_ack")
        self._request_ack()

    @abstractmethod
    def _is_answer_from(self, sender: str, to: str) -> bool:
        """Whether `sender` may answer what was asked of `to` (RFC 6120, 8.1.2.1)."""

    @abstractmethod
    def _reply_from(self, request: Stanza | OwedRequest) -> str:
        """The `from` of a reply, empty where the server writes it."""

    @abstractmethod
    def _ping_addresses(self) -> tuple[str, str]:
        """The `to` and `from` of our pings."""

    def _on_other(self, element: Element) -> None:
        """Take an element of a ready stream that is neither stanza nor acknowledgement."""
        raise out_of_place(element, "the stream is ready")

    def _become_ready(self, now: float) -> None:
        self._life = Life.READY
        self._heard_at = now
        self._timers.stop(Timer.STEP)
        self._timers.start(Timer.SILENCE, now + self._silence_timeout_seconds)
        if self._ping_interval_seconds is not None:
            self._timers.start(Timer.PING, now + self._ping_interval_seconds)

    # Received

    def _on_ready(self, element: Element, now: float) -> None:
        self._heard_at = now
        tag = element.tag
        if tag == xep0198.ACK_TAG and self._window is not None:
            self._on_ack(self._window, xep0198.read_h(element))
            return
        if self._life is Life.CLOSING:
            return
        self._rate.take(now)
        if stanzas.is_stanza(element):
            self._on_stanza(stanzas.read_stanza(element))
        elif tag == xep0198.REQUEST_TAG and self._window is not None:
            self._units.append(xep0198.ack_frame(self._received.h))
        else:
            self._on_other(element)

    def _on_stanza(self, stanza: Stanza) -> None:
        if self._window is not None:
            self._received.handled()
        if stanza.name != "iq":
            self._events.append(StanzaReceived(stanza))
        elif stanza.is_request:
            self._on_request(stanza)
        else:
            self._on_answer(stanza)

    def _on_request(self, stanza: Stanza) -> None:
        if len(stanza.children) != 1:  # RFC 6120, 8.2.3
            self._reply(self._refusal(stanza, "bad-request"))
        elif not (_is_address(stanza.from_) and _is_address(stanza.to)):  # RFC 6120, 8.3.3.8
            self._reply(self._refusal(stanza, "jid-malformed"))
        elif is_ping(stanza):
            # An idle fleet says nothing else: one exchange each way for a ping, not three.
            self._reply(stanzas.result_reply(stanza, from_=self._reply_from(stanza)), wants_ack=False)
        elif self._owed.is_full:
            self._reply(self._refusal(stanza, "resource-constraint"))
        else:
            self._owed.add(stanza.owed)
            self._events.append(StanzaReceived(stanza))

    def _on_answer(self, stanza: Stanza) -> None:
        """An answer that nobody waits for, or from somebody who was not asked, is dropped."""
        request = self._requests.find(stanza.id)
        if request is None or not self._is_answer_from(stanza.from_, request.to):
            return
        self._requests.remove(stanza.id)
        if not request.is_ping:
            self._events.append(IqAnswered(stanza.id, stanza))

    # Time

    def _on_timer(self, timer: Timer, now: float) -> None:
        match timer:
            case Timer.SILENCE:
                self._on_silence(now)
            case Timer.PING if self._ping_interval_seconds is not None:
                with suppress(Overflow):  # then an acknowledgement is late, which has its own timer
                    self._ping(now)
                self._timers.start(Timer.PING, now + self._ping_interval_seconds)
            case Timer.REQUESTS:
                self._expire_requests(now)
            case _:
                super()._on_timer(timer, now)

    def _on_silence(self, now: float) -> None:
        """The timer is not moved by each frame, but looks here whether one came."""
        silent_at = self._heard_at + self._silence_timeout_seconds
        if now < silent_at:
            self._timers.start(Timer.SILENCE, silent_at)
            return
        if not self._is_resumable:  # an error would end the session (RFC 6120, 4.9.1.1), not only the stream
            self._say_error("connection-timeout")
        seconds = f"{self._silence_timeout_seconds:g} s of silence"
        self._end(LinkTimeout(FaultId.CLOUD_SILENT, seconds, link="cloud"))

    def _expire_requests(self, now: float) -> None:
        late = self._requests.expire(now)
        self._events += [IqTimedOut(id_) for id_, request in late if not request.is_ping]
        if self._requests.deadline is not None:
            self._timers.start(Timer.REQUESTS, self._requests.deadline)

    # Sent

    def _settle(self, request: Stanza | OwedRequest, reply: str) -> None:
        debt = request.owed if isinstance(request, Stanza) else request
        if self._life is not Life.READY or debt not in self._owed:
            raise illegal("an answer")
        self._emit(reply)
        self._owed.remove(debt)

    def _reply(self, stanza: str, *, wants_ack: bool = True) -> None:
        """Emit an answer of our own accord; a peer that acknowledges none can't have more of them."""
        try:
            self._emit(stanza, wants_ack=wants_ack)
        except Overflow:
            detail = "it acknowledges nothing"
            raise StreamViolation("policy-violation", detail, clause="XEP-0198, 4") from None

    def _refusal(
        self, request: Stanza | OwedRequest, condition: str, text: str = "", payload: str = ""
    ) -> str:
        return stanzas.error_reply(request, condition, text, payload, from_=self._reply_from(request))

    def _ask(self, kind: IqKind, request: OpenRequest, payload: str, from_: str, id_: str = "") -> str:
        id_ = id_ or self._ids()
        self._requests.add(id_, request)
        try:
            self._emit(stanzas.iq(kind, id_, request.to, payload, from_=from_))
        except ConnectorError:
            self._requests.remove(id_)
            raise
        if self._requests.deadline is not None:
            self._timers.start(Timer.REQUESTS, self._requests.deadline)
        return id_

    def _ping(self, now: float) -> None:
        to, from_ = self._ping_addresses()
        request = OpenRequest(to, now + self._silence_timeout_seconds, is_ping=True)
        self._ask("get", request, PING, from_)
        if self._window is not None:
            self._request_ack()  # the answer comes with the pong, in one message of the transport


def _is_address(text: str) -> bool:
    """Whether `text` is an address or left out."""
    try:
        return not text or bool(parse_jid(text))
    except StreamViolation:
        return False
