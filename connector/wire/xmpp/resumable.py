"""A stream whose session can outlive it: what is counted, what is owed, what was asked (XEP-0198)."""

from collections.abc import Sequence

from connector.domain.errors import ConnectorError, LinkClosed, LinkTimeout, LocalProtocolError
from connector.domain.faults import FaultId
from connector.wire.xmpp import rfc6120, stanzas, xep0198
from connector.wire.xmpp.conditions import BLAMING_CONDITIONS
from connector.wire.xmpp.events import Delivered, StreamResumed
from connector.wire.xmpp.lifecycle import StreamLife, Timer
from connector.wire.xmpp.limits import StreamLimits
from connector.wire.xmpp.requests import OpenRequests, OwedAnswers
from connector.wire.xmpp.stanzas import OwedRequest, SentStanza
from connector.wire.xmpp.suspension import Checkpoint, SuspendedStream
from connector.wire.xmpp.xml import MAX_FRAME_BYTES, is_too_large

# An acknowledgement is asked for after so many stanzas, or when one has waited so long.
ACK_REQUEST_STANZAS = 25
ACK_REQUEST_SECONDS = 5.0
# XEP-0198, 4 wants <r/> answered at once; this is many round trips of a bad mobile link.
ACK_ANSWER_SECONDS = 30.0
# XEP-0198, 5 leaves the time open where <enabled/> does not tell it; Prosody's default is ten minutes.
DEFAULT_RESUME_SECONDS = 300

_NOT_RESUMABLE = xep0198.Enabled()


class ResumableStream(StreamLife):
    """The counted part of a stream."""

    def __init__(self, limits: StreamLimits) -> None:
        super().__init__(limits)
        self._requests = OpenRequests()
        self._owed = OwedAnswers()
        self._sent = 0
        self._sent_unmanaged = 0
        self._sent_since_request = 0
        self._last_sent = ""
        self._window: xep0198.SentWindow | None = None
        self._received = xep0198.ReceivedCount()
        self._jid = ""
        # What a later stream needs to resume this one; empty if it can't.
        self._session = xep0198.Enabled()
        # What `checkpoint` has told already: stanzas of ours, then everything it looks at.
        self._kept_stanzas = 0
        self._kept: tuple[int, int, int, int] | None = None

    @property
    def has_stream_management(self) -> bool:
        """Whether XEP-0198 counts what is handled."""
        return self._window is not None

    @property
    def unacked_count(self) -> int:
        """How many of our stanzas the peer has not acknowledged; 0 without stream management."""
        return 0 if self._window is None else len(self._window)

    def ask_ack(self) -> None:
        """Ask whether the peer has all of our stanzas: `Delivered` tells."""
        if self.unacked_count:
            self._request_ack()

    @property
    def owed(self) -> Sequence[OwedRequest]:
        """The peer's requests that wait for `answer` or `refuse`, the oldest first."""
        return self._owed.requests

    @property
    def session_id(self) -> str:
        """What the session is resumed by: a secret. Empty if it can't be resumed."""
        return self._session.id

    def suspended(self) -> SuspendedStream | None:
        """What a later stream goes on with, once this one is closed; None if nothing may go on.

        A session goes on after a connection broke, fell silent, or was ended by a failure at the far end. It
        does not after an orderly end by either side (XEP-0198, 5), when another stream took our place
        (`conflict`: to resume would throw that one out again), when our credentials are void, and when one
        side broke a rule: what was refused once would be sent again by the resumed stream.
        """
        is_cut = isinstance(self._ended_by, (LinkClosed, LinkTimeout)) and not self._has_peer_closed
        return self._snapshot() if is_cut and self._is_resumable else None

    def checkpoint(self) -> Checkpoint | None:
        """What changed since the last call; None if nothing did, or the session can't be resumed.

        `connector.wire.xmpp.suspension` says when a journal calls it. It costs a stream nothing that nobody
        asks, and who asks only the copy of what was sent meanwhile.
        """
        window = self._window
        if window is None or not self._is_resumable:
            return None
        state = (window.total, window.handled, self._received.h, self._owed.revision)
        if state == self._kept:
            return None
        are_debts_known = self._kept is not None and self._kept[3] == state[3]
        first = max(self._kept_stanzas, window.handled)
        delta = Checkpoint(
            self._session.id,
            self._jid,
            self._resume_seconds,
            self._received.h,
            window.handled,
            first + 1,
            window.after(first),
            None if are_debts_known else self._owed.requests,
        )
        self._kept, self._kept_stanzas = state, window.total
        return delta

    def _manage(self, session: xep0198.Enabled = _NOT_RESUMABLE) -> None:
        """Counting starts, both ways."""
        self._session = session
        self._window = xep0198.SentWindow()
        self._sent_unmanaged = self._sent

    @property
    def _is_resumable(self) -> bool:
        return bool(self._session.id)

    @property
    def _resume_seconds(self) -> float:
        seconds = self._session.max_seconds
        return DEFAULT_RESUME_SECONDS if seconds is None else seconds

    def _snapshot(self) -> SuspendedStream | None:
        if self._window is None:
            return None
        return SuspendedStream(
            self._session.id,
            self._jid,
            self._resume_seconds,
            self._received.h,
            self._window.handled,
            self._window.unacked,
            self._owed.requests,
            self._sent_unmanaged,
            self._requests.requests,
        )

    def _restore(self, suspended: SuspendedStream, h: int, mechanism: str = "") -> None:
        """Go on with `suspended`, of whose stanzas the peer has handled `h`. Raises as `acknowledge` does."""
        window = xep0198.SentWindow(suspended.handled, suspended.unacked)
        has_progressed = window.acknowledge(h) > 0
        self._window = window
        self._session = xep0198.Enabled(suspended.id, int(suspended.max_seconds))
        self._jid = suspended.jid
        self._received = xep0198.ReceivedCount(suspended.received)
        self._owed = OwedAnswers(suspended.owed)
        self._requests = OpenRequests(suspended.open_requests)
        self._sent_unmanaged = suspended.uncounted
        self._sent = suspended.uncounted + window.total
        if self._requests.deadline is not None:
            self._timers.start(Timer.REQUESTS, self._requests.deadline)
        self._events.append(StreamResumed(self._jid, mechanism))
        if has_progressed:
            self._events.append(Delivered(self._sent_unmanaged + window.handled))

    def _resend(self) -> None:
        """Send what the peer has not handled once more, in order, and ask whether it came."""
        if self._window is not None and len(self._window):
            self._units += self._window.unacked
            self._request_ack()

    # Counted

    def _last_words(self) -> Sequence[str]:
        return () if self._window is None else (xep0198.ack_frame(self._received.h),)

    def _on_ack(self, window: xep0198.SentWindow, h: int) -> None:
        new = window.acknowledge(h)
        self._timers.stop(Timer.ACK_ANSWER)
        if len(window):
            self._timers.start_unless_running(Timer.ACK_REQUEST, ACK_REQUEST_SECONDS)
        else:
            self._timers.stop(Timer.ACK_REQUEST)
        if new:
            self._events.append(Delivered(self._sent_unmanaged + window.handled))

    def _on_timer(self, timer: Timer, now: float) -> None:
        if timer is Timer.ACK_REQUEST:
            self._request_ack()
        elif timer is Timer.ACK_ANSWER:
            raise LinkTimeout(FaultId.CLOUD_SILENT, "no acknowledgement", link="cloud")
        else:
            super()._on_timer(timer, now)

    def _emit(self, stanza: str, *, wants_ack: bool = True) -> int:
        """Send and count. Whether the peer has it is asked for soon, or else with what wants to know."""
        if is_too_large(stanza):  # the peer would end the stream; here its maker can be found
            detail = f"a stanza over {MAX_FRAME_BYTES} bytes"
            raise LocalProtocolError(FaultId.OWN_PROTOCOL, detail, link="cloud")
        if self._window is None:
            self._units.append(stanza)
        else:
            self._window.sent(stanza)
            self._units.append(stanza)
            self._schedule_ack_request(wants_ack=wants_ack)
        self._last_sent = stanza
        self._sent += 1
        return self._sent

    def _schedule_ack_request(self, *, wants_ack: bool) -> None:
        self._sent_since_request += 1
        if self._sent_since_request >= ACK_REQUEST_STANZAS:
            self._request_ack()
        elif wants_ack:
            self._timers.start_unless_running(Timer.ACK_REQUEST, ACK_REQUEST_SECONDS)

    def _request_ack(self) -> None:
        self._units.append(xep0198.REQUEST)
        self._sent_since_request = 0
        self._timers.stop(Timer.ACK_REQUEST)
        self._timers.start_unless_running(Timer.ACK_ANSWER, ACK_ANSWER_SECONDS)

    # The end

    def _fail(self, error: ConnectorError) -> None:
        if isinstance(error, LinkTimeout) and self._is_resumable:
            self._end(error)  # a goodbye would end the session, for which another connection may be found
        else:
            super()._fail(error)

    def _blamed(self, error: rfc6120.StreamError) -> SentStanza | None:
        if error.condition in BLAMING_CONDITIONS and self._last_sent:
            return stanzas.described(self._last_sent, self.unacked_count)
        return None
