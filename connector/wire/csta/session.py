"""The two ends of a CSTA link over TCP as machines: `CstaClient` is ours, `CstaServer` the PBX's.

The client sends one byte 'B', the PBX one byte 'P'; both stand outside the framing. Then frames: perhaps an
association (ACSE), then remote operations both ways until one side releases or the connection breaks.
Phase I and phase II differ only in how events are written, and events tell that themselves.
"""

from connector.domain.errors import (
    AuthError,
    ConnectorError,
    LinkClosed,
    LinkError,
    LinkTimeout,
    LocalProtocolError,
    RemoteProtocolError,
)
from connector.domain.faults import FaultId
from connector.wire import rose
from connector.wire.csta import acse, errors, services
from connector.wire.csta import messages as m
from connector.wire.csta.events import encode_event_report
from connector.wire.csta.exchange import Exchange
from connector.wire.csta.operations import Operation
from connector.wire.csta.session_events import (
    Associated,
    AssociationMode,
    AssociationRequested,
    ClientEvent,
    ClientGreeted,
    ClientOptions,
    EventReported,
    MonitorEnded,
    Released,
    Requested,
    ServerEvent,
    ServerOptions,
)

CLIENT_GREETING = b"B"
PBX_GREETING = b"P"

# An OXO takes 30 requests in progress; this is room for any PBX and bounds what a client can make us keep.
MAX_UNANSWERED_INVOKES = 256

_EVENT_REPORT = int(Operation.EVENT_REPORT)
_SYSTEM_STATUS = int(Operation.SYSTEM_STATUS)
_MONITOR_STOP = int(Operation.MONITOR_STOP)


class CstaClient(Exchange[ClientEvent]):
    """Our end. Commands raise `LocalProtocolError` before `Associated` and after the end."""

    def __init__(self, options: ClientOptions, now: float) -> None:
        super().__init__(options.timing.request_seconds, options.timing.heartbeat_seconds, now)
        self._options = options
        self._is_associating = False
        self._is_releasing = False
        self._has_association = False
        self._out.append(CLIENT_GREETING)
        self._step_deadline = now + options.timing.greeting_seconds

    @property
    def is_serving(self) -> bool:
        """Whether requests may be made: after `Associated`, until the release or the end."""
        return self._is_serving and not self._is_releasing and not self._is_closed

    def monitor_start(self, number: str, now: float) -> int:
        """Ask for the events of the device `number`; answered by `MonitorStarted`. Returns the invoke id."""
        return self.request(m.MonitorStart(_dialing(number)), now)

    def monitor_stop(self, cross_ref: bytes, now: float) -> int:
        """End a monitor; answered by `Done`."""
        return self.request(m.MonitorStop(cross_ref), now)

    def snapshot_device(self, number: str, now: float) -> int:
        """Ask for the present connections of `number`; answered by `DeviceSnapshot`."""
        return self.request(m.SnapshotDevice(_dialing(number)), now)

    def query_device(self, number: str, feature: m.QueryFeature, now: float) -> int:
        """Ask one thing about `number`; answered by `DeviceInfo` or `OtherResult`."""
        return self.request(m.QueryDevice(_dialing(number), feature), now)

    def request(self, request: m.Request, now: float) -> int:
        """Ask for any service, with `OtherRequest` for those without a message of their own."""
        if not self.is_serving:
            raise LocalProtocolError(
                FaultId.OWN_PROTOCOL, f"{type(request).__name__} outside a session", link="pbx"
            )
        return self._request(request, now)

    def release(self, now: float) -> None:
        """End the session in order; `Released` follows when the PBX agreed or stayed silent."""
        if self._is_closed or self._is_releasing:
            return
        if not self._has_association:
            self._end(Released())
            return
        self._is_releasing = True
        self._send(acse.ReleaseRequest())
        self._step_deadline = now + self._options.timing.release_seconds

    def _take_greeting(self, data: bytes, now: float) -> bytes:
        if not data:
            return b""
        if data[:1] != PBX_GREETING:
            detail = f"it said {data[:1]!r} instead of 'P'"
            self._fail(LinkError(FaultId.PBX_NOT_SERVING, detail, link="pbx"))
            return b""
        self._is_greeted = True
        if self._options.association is AssociationMode.NONE:
            self._begin(None)
        else:
            self._is_associating = True
            self._send(acse.AssociateRequest(self._offer()))
            self._step_deadline = now + self._options.timing.association_seconds
        return data[1:]

    def _offer(self) -> acse.UserInformation:
        return acse.UserInformation(self._options.versions, acse.CLIENT_REQUIRES, acse.CLIENT_SUPPLIES)

    def _begin(self, versions: frozenset[int] | None) -> None:
        self._is_associating = False
        self._is_serving = True
        self._step_deadline = None
        self._tell(Associated(versions))

    def _take_association(self, pdu: acse.Association, now: float) -> None:
        if isinstance(pdu, acse.AssociateResponse):
            self._take_response(pdu)
        elif isinstance(pdu, acse.ReleaseRequest):
            self._send(acse.ReleaseResponse())
            self._fail(LinkClosed(FaultId.PBX_CLOSED, "released by the PBX", link="pbx"))
        elif isinstance(pdu, acse.ReleaseResponse) and self._is_releasing:
            self._end(Released())
        elif isinstance(pdu, acse.Abort):
            self._take_abort(pdu)
        else:
            self.unmatched_answers += 1

    def _take_response(self, response: acse.AssociateResponse) -> None:
        if not self._is_associating:
            self.unmatched_answers += 1  # we went on without it
        elif response.result == acse.AssociationResult.ACCEPTED:
            self._has_association = True
            information = response.information
            self._begin(frozenset() if information is None else information.versions)
        else:
            detail = f"result {response.result}, diagnostic {response.diagnostic}"
            is_final = response.result == acse.AssociationResult.REJECTED_PERMANENT
            kind = AuthError if is_final else LinkError
            self._no_association(kind(FaultId.PBX_ASSOCIATION_REFUSED, detail, link="pbx"))

    def _take_abort(self, abort: acse.Abort) -> None:
        detail = f"aborted by the PBX, source {abort.source}"
        if self._is_associating:
            self._no_association(AuthError(FaultId.PBX_ASSOCIATION_REFUSED, detail, link="pbx"))
        else:
            self._fail(LinkClosed(FaultId.PBX_CLOSED, detail, link="pbx"))

    def _no_association(self, error: ConnectorError) -> None:
        if self._options.association is AssociationMode.AUTO:
            self._begin(None)
        else:
            self._fail(error)

    def _take_answer(self, answer: rose.Result | rose.Error | rose.Reject) -> None:
        if self._is_associating and isinstance(answer, rose.Reject):
            # A PBX without ACSE can only reject what it does not recognise.
            self._no_association(AuthError(FaultId.PBX_ASSOCIATION_REFUSED, str(answer), link="pbx"))
        else:
            super()._take_answer(answer)

    def _take_event(self, report: m.EventReport) -> None:
        self._tell(EventReported(report))

    def _take_invoke(self, invoke: rose.Invoke, now: float) -> None:
        if invoke.operation == _SYSTEM_STATUS:
            self._take_status(invoke, answered=True)
        elif invoke.operation == _MONITOR_STOP:
            request = services.decode_request(_MONITOR_STOP, invoke.argument)
            self._answer(invoke.invoke_id, _MONITOR_STOP, m.Done())
            if isinstance(request, m.MonitorStop):
                self._tell(MonitorEnded(request.cross_ref))
        else:
            self._reject(invoke, rose.UNRECOGNISED_OPERATION)

    def _step_expired(self, now: float) -> None:
        if self._is_releasing:
            self._end(Released())
        elif self._is_associating:
            seconds = self._options.timing.association_seconds
            detail = f"no answer to the association in {seconds:g} s"
            self._no_association(LinkTimeout(FaultId.PBX_ASSOCIATION_REFUSED, detail, link="pbx"))
        else:
            detail = f"no greeting in {self._options.timing.greeting_seconds:g} s"
            self._fail(LinkTimeout(FaultId.PBX_NOT_SERVING, detail, link="pbx"))

    def _end_of_stream(self) -> ConnectorError:
        if not self._is_greeted:
            return LinkClosed(FaultId.PBX_NOT_SERVING, "closed before its greeting", link="pbx")
        return super()._end_of_stream()

    def receive_eof(self, now: float) -> None:
        """The PBX closed: in order if we were releasing."""
        if self._is_releasing:
            self._end(Released())
        else:
            super().receive_eof(now)


def _dialing(number: str) -> m.DeviceId:
    return m.DeviceId(m.DeviceForm.DIALING, number)


class CstaServer(Exchange[ServerEvent]):
    """The PBX's end, for simulators. The owner answers each `Requested`; heartbeats are answered here."""

    def __init__(self, options: ServerOptions, now: float) -> None:
        timing = options.timing
        heartbeat = timing.heartbeat_seconds if options.sends_heartbeats else None
        super().__init__(timing.request_seconds, heartbeat, now)
        self._options = options
        self._asked: dict[int, int] = {}
        self._offer: acse.AssociateRequest | None = None

    def accept_association(self) -> bool:
        """Accept the association asked for, in the phase of the options.

        If the client does not offer that phase, reject it and return False.
        """
        information = self._pending_offer().information
        version = acse.Version.ECMA_180 if self._options.phase is m.Phase.ONE else acse.Version.ECMA_218
        if information is not None and version not in information.versions:
            self.reject_association()
            return False
        supplies = acse.Functionality(bidirectional=frozenset((0, 1)))
        answer = acse.UserInformation(frozenset((version,)), acse.CLIENT_REQUIRES, supplies)
        self._send(acse.AssociateResponse(acse.AssociationResult.ACCEPTED, 0, answer))
        self._offer = None
        return True

    def reject_association(
        self, result: acse.AssociationResult = acse.AssociationResult.REJECTED_PERMANENT, diagnostic: int = 1
    ) -> None:
        """Reject the association asked for."""
        self._pending_offer()
        self._send(acse.AssociateResponse(result, diagnostic))
        self._offer = None

    def answer(self, invoke_id: int, result: m.Result) -> None:
        """Answer a request with its result."""
        self._answer(invoke_id, self._settle(invoke_id), result)

    def refuse(self, invoke_id: int, error: errors.ServiceError) -> None:
        """Answer a request with an error."""
        self._settle(invoke_id)
        self._send(services.encode_error(invoke_id, error))

    def reject(self, invoke_id: int, problem: tuple[rose.ProblemKind, int]) -> None:
        """Answer a request with a reject of ROSE."""
        self._settle(invoke_id)
        self._send(rose.Reject(invoke_id, *problem))

    def forget(self, invoke_id: int) -> None:
        """Leave a request without answer, as a PBX that hangs does."""
        self._settle(invoke_id)

    def report(self, report: m.EventReport) -> None:
        """Send an event of a monitor. Raises `LocalProtocolError` if the phase has no encoding of it."""
        argument = encode_event_report(report, self._options.phase)
        self._require_client()
        self._send(rose.Invoke(self._next_id(), _EVENT_REPORT, argument))

    def send_status(self, status: m.SystemStatus, now: float) -> int:
        """Tell the client how the PBX is; `Answered` follows. Returns the invoke id."""
        self._require_client()
        return self._request(m.SystemStatusReport(status), now)

    def end_monitor(self, cross_ref: bytes, now: float) -> int:
        """Tell the client that its monitor is over; `Answered` follows. Returns the invoke id."""
        self._require_client()
        return self._request(m.MonitorStop(cross_ref), now)

    def abort(self) -> None:
        """End the session at once, as a PBX that shuts down."""
        self._require_client()
        self._send(acse.Abort())
        self._end(Released())

    def _require_client(self) -> None:
        if not self._is_serving or self._is_closed:
            raise LocalProtocolError(FaultId.OWN_PROTOCOL, "no client is there", link="pbx")

    def _pending_offer(self) -> acse.AssociateRequest:
        if self._offer is None or self._is_closed:
            raise LocalProtocolError(FaultId.OWN_PROTOCOL, "no association was asked for", link="pbx")
        return self._offer

    def _settle(self, invoke_id: int) -> int:
        """The operation of an unanswered request, which is answered now."""
        operation = self._asked.pop(invoke_id, None)
        if operation is None or self._is_closed:
            raise LocalProtocolError(FaultId.OWN_PROTOCOL, f"no request {invoke_id} is open", link="pbx")
        return operation

    def _take_greeting(self, data: bytes, now: float) -> bytes:
        if not data:
            return b""
        if data[:1] != CLIENT_GREETING:
            raise RemoteProtocolError(
                FaultId.PBX_PROTOCOL,
                "a greeting that is not 'B'",
                excerpt=data[:1],
                clause="OXO manual, CSTA",
            )
        self._is_greeted = True
        self._is_serving = self._options.greeting == PBX_GREETING
        if self._options.greeting:
            self._out.append(self._options.greeting)
        self._tell(ClientGreeted())
        return data[1:]

    def _take_association(self, pdu: acse.Association, now: float) -> None:
        if isinstance(pdu, acse.AssociateRequest):
            self._offer = pdu
            self._tell(AssociationRequested(pdu))
        elif isinstance(pdu, acse.ReleaseRequest):
            self._send(acse.ReleaseResponse())
            self._end(Released())
        elif isinstance(pdu, acse.Abort):
            self._fail(LinkClosed(FaultId.PBX_CLOSED, "aborted by the client", link="pbx"))
        else:
            self.unmatched_answers += 1

    def _take_invoke(self, invoke: rose.Invoke, now: float) -> None:
        if invoke.operation == _SYSTEM_STATUS:
            self._take_status(invoke, answered=self._options.answers_heartbeats)
        elif invoke.invoke_id in self._asked:
            self._reject(invoke, rose.DUPLICATE_INVOCATION)
        elif len(self._asked) >= MAX_UNANSWERED_INVOKES:
            self._reject(invoke, rose.RESOURCE_LIMITATION)
        else:
            request = services.decode_request(invoke.operation, invoke.argument)
            self._asked[invoke.invoke_id] = invoke.operation
            self._tell(Requested(invoke.invoke_id, request))

    def _take_event(self, report: m.EventReport) -> None:
        self.refused_invokes += 1  # a client has no events, and an event has no answer

    def _step_expired(self, now: float) -> None:
        """The server waits for no step: it is the client that hurries."""
