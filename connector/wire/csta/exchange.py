"""What both ends of a CSTA link do alike: frames, operations with their deadlines, heartbeats, the end."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from connector.domain.errors import (
    ConnectorError,
    LinkClosed,
    LinkTimeout,
    LocalProtocolError,
    RemoteProtocolError,
)
from connector.domain.faults import FaultId
from connector.wire import rose
from connector.wire.csta import acse, codec, services
from connector.wire.csta import messages as m
from connector.wire.csta.operations import Operation
from connector.wire.csta.session_events import (
    Answered,
    Refused,
    Released,
    SessionEvent,
    SessionFailed,
    StatusReported,
    TimedOut,
)
from connector.wire.framing import FrameReader, framed

# Invoke ids are INTEGERs of at most two octets in all captures; zero is left out, since it often means none.
MAX_INVOKE_ID = 0x7FFF
# The OXO manual: a link is dead after two unanswered heartbeats.
MAX_MISSED_HEARTBEATS = 2

_SYSTEM_STATUS = int(Operation.SYSTEM_STATUS)

Event = TypeVar("Event", bound=SessionEvent)


@dataclass(frozen=True, slots=True)
class _Open:
    """A request of ours without answer yet."""

    sent_at: float
    deadline: float
    is_heartbeat: bool


class Exchange(ABC, Generic[Event]):
    """One life of one end: a `connector.wire.machine.Machine` of bytes to which a role adds its commands."""

    def __init__(self, request_seconds: float, heartbeat_seconds: float | None, now: float) -> None:
        self.unmatched_answers = 0  # late or unknown answers, and rejects of nothing: counted, not fatal
        self.refused_invokes = 0  # operations of the peer that we do not serve
        self._request_seconds = request_seconds
        self._heartbeat_seconds = heartbeat_seconds
        self._reader = FrameReader()
        self._out: list[bytes] = []
        self._events: list[SessionEvent] = []
        self._open: dict[int, _Open] = {}  # all wait equally long, so the first one expires first
        self._last_id = 0
        self._last_heard = now
        self._missed_heartbeats = 0
        self._heartbeat_is_open = False
        self._step_deadline: float | None = None
        self._is_serving = False
        self._is_closed = False

    # --- the machine's contract -------------------------------------------------------------------------

    def receive(self, data: bytes, now: float) -> None:
        """Take bytes of the stream, cut anywhere."""
        if self._is_closed:
            return
        try:
            self._reader.feed(data if self._is_greeted else self._take_greeting(data, now))
            # Any octet proves that the peer lives, even if its frame is not whole yet.
            self._last_heard = now
            self._missed_heartbeats = 0
            self._take_frames(now)
        except RemoteProtocolError as error:
            self._fail(error)

    def receive_eof(self, now: float) -> None:
        """The peer closed, or the connection is gone."""
        self._fail(self._end_of_stream())

    def to_send(self) -> Sequence[bytes]:
        """What has to be sent now, in order."""
        out, self._out = self._out, []
        return out

    def events(self) -> Sequence[Event]:
        """The facts since the last call."""
        events, self._events = self._events, []
        return events  # type: ignore[return-value]  # each role appends only its own kinds

    def deadline(self) -> float | None:
        """When `tick` is due."""
        if self._is_closed:
            return None
        times = [] if self._step_deadline is None else [self._step_deadline]
        if self._open:
            times.append(next(iter(self._open.values())).deadline)
        if self._heartbeat_seconds is not None and self._is_serving and not self._heartbeat_is_open:
            times.append(self._last_heard + self._heartbeat_seconds)
        return min(times, default=None)

    def tick(self, now: float) -> None:
        """Let deadlines pass."""
        if self._step_deadline is not None and now >= self._step_deadline:
            self._step_deadline = None
            self._step_expired(now)
        self._expire_requests(now)
        idle = self._heartbeat_seconds
        if idle is None or self._is_closed or not self._is_serving or self._heartbeat_is_open:
            return
        if now >= self._last_heard + idle:
            self._send_heartbeat(now)

    @property
    def is_closed(self) -> bool:
        """Whether this life is over."""
        return self._is_closed

    # --- what a role adds -------------------------------------------------------------------------------

    _is_greeted = False

    @abstractmethod
    def _take_greeting(self, data: bytes, now: float) -> bytes:
        """Read the byte before the framing; returns what follows it."""

    @abstractmethod
    def _take_association(self, pdu: acse.Association, now: float) -> None:
        """React to an association PDU."""

    @abstractmethod
    def _take_invoke(self, invoke: rose.Invoke, now: float) -> None:
        """React to a request."""

    @abstractmethod
    def _take_event(self, report: m.EventReport) -> None:
        """React to an event."""

    @abstractmethod
    def _step_expired(self, now: float) -> None:
        """The step that was waited for (greeting, association, release) did not come in time."""

    # --- inside -----------------------------------------------------------------------------------------

    def _take_frames(self, now: float) -> None:
        while not self._is_closed and (frame := self._reader.next_frame()) is not None:
            self._take(codec.decode(frame), now)

    def _take(self, pdu: codec.Pdu, now: float) -> None:
        if isinstance(pdu, m.EventReport):
            self._take_event(pdu)
        elif isinstance(pdu, rose.Invoke):
            self._take_invoke(pdu, now)
        elif isinstance(pdu, rose.Component):
            self._take_answer(pdu)
        else:
            self._take_association(pdu, now)

    def _take_answer(self, answer: rose.Result | rose.Error | rose.Reject) -> None:
        invoke_id = answer.invoke_id
        request = None if invoke_id is None else self._open.pop(invoke_id, None)
        if request is None or invoke_id is None:
            self.unmatched_answers += 1
        elif request.is_heartbeat:
            self._heartbeat_is_open = False
        elif isinstance(answer, rose.Result):
            self._tell(Answered(invoke_id, services.decode_result(answer.operation, answer.value)))
        elif isinstance(answer, rose.Error):
            self._tell(Refused(invoke_id, services.decode_error(answer)))
        else:
            self._tell(Refused(invoke_id, answer))

    def _take_status(self, invoke: rose.Invoke, *, answered: bool) -> None:
        request = services.decode_request(_SYSTEM_STATUS, invoke.argument)
        if answered:
            self._answer(invoke.invoke_id, _SYSTEM_STATUS, m.Done())
        if isinstance(request, m.SystemStatusReport):
            self._tell(StatusReported(request.status))

    def _reject(self, invoke: rose.Invoke, problem: tuple[rose.ProblemKind, int]) -> None:
        self.refused_invokes += 1
        self._send(rose.Reject(invoke.invoke_id, *problem))

    def _answer(self, invoke_id: int, operation: int, result: m.Result) -> None:
        self._send(rose.Result(invoke_id, operation, services.encode_result(result)))

    def _request(self, request: m.Request, now: float, *, is_heartbeat: bool = False) -> int:
        operation, argument = services.encode_request(request)
        invoke_id = self._next_id()
        self._open[invoke_id] = _Open(now, now + self._request_seconds, is_heartbeat)
        self._send(rose.Invoke(invoke_id, operation, argument))
        return invoke_id

    def _next_id(self) -> int:
        if len(self._open) >= MAX_INVOKE_ID:
            raise LocalProtocolError(FaultId.OWN_PROTOCOL, "no invoke id is free", link="pbx")
        self._last_id = self._last_id % MAX_INVOKE_ID + 1
        while self._last_id in self._open:
            self._last_id = self._last_id % MAX_INVOKE_ID + 1
        return self._last_id

    def _expire_requests(self, now: float) -> None:
        while self._open and not self._is_closed:
            invoke_id, request = next(iter(self._open.items()))
            if now < request.deadline:
                return
            del self._open[invoke_id]
            if request.is_heartbeat:
                self._heartbeat_expired(request, now)
            else:
                self._tell(TimedOut(invoke_id))

    def _send_heartbeat(self, now: float) -> None:
        self._heartbeat_is_open = True
        self._request(m.SystemStatusReport(m.SystemStatus.NORMAL), now, is_heartbeat=True)

    def _heartbeat_expired(self, heartbeat: _Open, now: float) -> None:
        self._heartbeat_is_open = False
        if self._last_heard >= heartbeat.sent_at:
            return  # it lives, and only does not answer this
        self._missed_heartbeats += 1
        if self._missed_heartbeats < MAX_MISSED_HEARTBEATS:
            self._send_heartbeat(now)
        else:
            silence = f"nothing heard for {now - self._last_heard:.0f} s"
            self._fail(LinkTimeout(FaultId.PBX_SILENT, silence, link="pbx"))

    def _end_of_stream(self) -> ConnectorError:
        return LinkClosed(FaultId.PBX_CLOSED, link="pbx")

    def _send(self, pdu: acse.Association | rose.Component) -> None:
        self._out.append(framed(codec.encode(pdu)))

    def _tell(self, event: SessionEvent) -> None:
        self._events.append(event)

    def _fail(self, error: ConnectorError) -> None:
        self._end(SessionFailed(error))

    def _end(self, event: SessionFailed | Released) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._open.clear()
            self._tell(event)
