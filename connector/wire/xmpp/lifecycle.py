"""The life of one end of a stream: frames in and out, time, and every way in which it ends."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from enum import Enum, auto
from xml.etree.ElementTree import Element

from connector.domain.errors import ConnectorError, LinkClosed, LocalProtocolError, Redirected
from connector.domain.faults import FaultId
from connector.wire.xmpp import rfc6120, rfc7395
from connector.wire.xmpp.conditions import stream_failure
from connector.wire.xmpp.events import StreamEvent, StreamFailed
from connector.wire.xmpp.limits import Rate, StreamLimits
from connector.wire.xmpp.stanzas import SentStanza
from connector.wire.xmpp.timers import Timers
from connector.wire.xmpp.xml import StreamViolation, parse

# A peer that does not close back is left alone soon: the transport is closed anyway.
CLOSE_SECONDS = 5.0


class Life(Enum):
    """Where a stream stands; what comes before `READY` is the roles' business."""

    NEW = auto()
    NEGOTIATING = auto()
    READY = auto()
    CLOSING = auto()
    CLOSED = auto()


class Timer(Enum):
    """What a stream waits for."""

    STEP = auto()
    SILENCE = auto()
    PING = auto()
    ACK_REQUEST = auto()
    ACK_ANSWER = auto()
    REQUESTS = auto()
    CLOSE = auto()


class StreamLife(ABC):
    """A machine as `connector.wire.machine` has it. A unit is one text message of the WebSocket."""

    def __init__(self, limits: StreamLimits) -> None:
        self._life = Life.NEW
        self._now = 0.0  # the last time that we were told
        self._has_peer_closed = False
        self._ended_by: ConnectorError | None = None
        self._rate = Rate(limits)
        self._timers: Timers[Timer] = Timers()
        self._units: list[str] = []
        self._events: list[StreamEvent] = []

    def receive(self, data: str, now: float) -> None:
        """Take one text message."""
        if self._life is Life.CLOSED:
            return
        self._now = now
        try:
            if self._life is Life.NEW:
                raise illegal("receive before start")
            self._on_element(parse(data), now)
        except ConnectorError as error:
            self._fail(error)
        self._timers.begin(now)

    def receive_eof(self, now: float) -> None:
        """The WebSocket is closed or broken."""
        self._now = now
        if self._life is Life.CLOSING:
            self._end()
        elif self._life is not Life.CLOSED:
            self._end(LinkClosed(FaultId.CLOUD_CLOSED, "the stream was not ended before", link="cloud"))

    def to_send(self) -> Sequence[str]:
        """Take the text messages to send."""
        units, self._units = self._units, []
        return units

    def events(self) -> Sequence[StreamEvent]:
        """Take what became known."""
        events, self._events = self._events, []
        return events

    def deadline(self) -> float | None:
        """When `tick` must be called at the latest, or None."""
        return self._timers.deadline(self._now)

    def tick(self, now: float) -> None:
        """Let time pass."""
        self._now = now
        for timer in self._timers.due(now):
            if self._life is Life.CLOSED:
                return
            try:
                self._on_timer(timer, now)
            except ConnectorError as error:
                self._fail(error)
        self._timers.begin(now)

    @property
    def is_closed(self) -> bool:
        """Whether this stream is over; frames may be left to send."""
        return self._life is Life.CLOSED

    @property
    def is_ready(self) -> bool:
        """Whether stanzas may be sent."""
        return self._life is Life.READY

    def close(self) -> None:
        """End the stream in order. It is closed when the peer has closed too, or after `CLOSE_SECONDS`."""
        if self._life is Life.NEW:
            self._end()
        elif self._life in (Life.NEGOTIATING, Life.READY):
            self._units += [*self._header(), *self._last_words(), rfc7395.close_frame()]
            self._life = Life.CLOSING
            self._timers.clear()
            self._timers.start_unless_running(Timer.CLOSE, CLOSE_SECONDS)

    @abstractmethod
    def _on_step(self, element: Element, now: float) -> None:
        """Take an element that came before the stream was ready."""

    @abstractmethod
    def _on_ready(self, element: Element, now: float) -> None:
        """Take an element of a stream that is ready, or was before we began to close it."""

    def _on_timer(self, timer: Timer, now: float) -> None:
        """`timer` is due. Roles add theirs."""
        if timer is Timer.CLOSE:
            self._end()

    @abstractmethod
    def _last_words(self) -> Sequence[str]:
        """What has to be said before the stream ends in order."""

    def _header(self) -> Sequence[str]:
        """Our `<open/>`, if it was not sent: it comes before an error too (RFC 6120, 4.9.1.2)."""
        return ()

    def _on_element(self, element: Element, now: float) -> None:
        if element.tag == rfc7395.CLOSE_TAG:
            self._on_close(rfc7395.read_close(element))
        elif element.tag == rfc6120.ERROR_TAG:
            self._on_stream_error(rfc6120.read_stream_error(element))
        elif self._life is Life.NEGOTIATING:
            self._rate.take(now)
            self._on_step(element, now)
        else:
            self._on_ready(element, now)

    def _on_close(self, close: rfc7395.Close) -> None:
        self._has_peer_closed = True
        if self._life is Life.CLOSING:
            self._end()
            return
        self._units += self._last_words()
        if close.see_other_uri.startswith("wss://"):  # RFC 7395, 3.6.1: what is less secure is ignored
            raise Redirected(FaultId.CLOUD_CLOSED, close.see_other_uri, "sent elsewhere", link="cloud")
        raise LinkClosed(FaultId.CLOUD_CLOSED, "in order", link="cloud", announced=True)

    def _on_stream_error(self, error: rfc6120.StreamError) -> None:
        if self._life is Life.CLOSING:
            self._end()
            return
        blamed = self._blamed(error)
        failure = stream_failure(error, "" if blamed is None else f"; last sent: {blamed}")
        self._units.append(rfc7395.close_frame())
        self._end(failure, blamed)

    def _blamed(self, error: rfc6120.StreamError) -> SentStanza | None:
        """Which stanza of ours `error` may be about."""
        return None

    def _fail(self, error: ConnectorError) -> None:
        """End the stream because of `error`; a peer that broke a rule is told which."""
        if isinstance(error, StreamViolation):
            self._say_error(error.condition, application=error.application)
        else:
            self._units.append(rfc7395.close_frame())
        self._end(error)

    def _say_error(self, condition: str, text: str = "", application: str = "") -> None:
        error = rfc6120.stream_error_frame(condition, text, application)
        self._units += [*self._header(), error, rfc7395.close_frame()]

    def _end(self, error: ConnectorError | None = None, blamed: SentStanza | None = None) -> None:
        """Nothing is sent or reported any more but what is pending, and `error`."""
        if error is not None:
            self._events.append(StreamFailed(error, blamed))
        self._ended_by = error
        self._life = Life.CLOSED
        self._timers.clear()


def illegal(command: str) -> LocalProtocolError:
    """The error of a command that its state forbids."""
    return LocalProtocolError(FaultId.OWN_PROTOCOL, f"{command} in a state that forbids it", link="cloud")
