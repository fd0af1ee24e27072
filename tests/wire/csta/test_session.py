"""Client and server against each other, in virtual time."""

from collections.abc import Callable, Sequence

import pytest

from connector.domain.calls import Cause, LocalState
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
from connector.wire.csta import acse, codec, errors
from connector.wire.csta import messages as m
from connector.wire.csta.events import encode_event_report
from connector.wire.csta.exchange import MAX_INVOKE_ID
from connector.wire.csta.session import MAX_UNANSWERED_INVOKES, CstaClient, CstaServer
from connector.wire.csta.session_events import (
    Answered,
    Associated,
    AssociationMode,
    AssociationRequested,
    ClientGreeted,
    ClientOptions,
    EventReported,
    MonitorEnded,
    Refused,
    Released,
    Requested,
    ServerOptions,
    SessionFailed,
    StatusReported,
    TimedOut,
    Timing,
)
from connector.wire.framing import framed
from tests.wire.csta.pair import Pair

NO_ACSE = ClientOptions(association=AssociationMode.NONE)
ACSE = ClientOptions(association=AssociationMode.REQUIRED)
QUIET = ServerOptions(answers_heartbeats=False, sends_heartbeats=False)
DIALING = m.DeviceForm.DIALING


def failure(events: Sequence[object]) -> ConnectorError:
    [failed] = [event for event in events if isinstance(event, SessionFailed)]
    assert events[-1] is failed
    return failed.error


def test_greeting_association_and_a_monitor() -> None:
    pair = Pair().open()
    assert pair.client_events == [Associated(frozenset((1,)))]
    assert isinstance(pair.server_events[1], AssociationRequested)
    invoke_id = pair.client.monitor_start("3001", pair.now)
    pair.run()
    request = m.MonitorStart(m.DeviceId(DIALING, "3001"))
    assert pair.server_events[-1] == Requested(invoke_id, request)
    pair.server.answer(invoke_id, m.MonitorStarted(b"\x01\x02\x03\x04"))
    pair.run()
    assert pair.client_events[-1] == Answered(invoke_id, m.MonitorStarted(b"\x01\x02\x03\x04"))


def test_every_command_reaches_the_server_and_its_answer_the_client() -> None:
    pair = Pair(NO_ACSE).open()
    device = m.DeviceId(DIALING, "101")
    commands: list[tuple[int, m.Request, m.Result]] = [
        (pair.client.monitor_stop(b"\x07", pair.now), m.MonitorStop(b"\x07"), m.Done()),
        (pair.client.snapshot_device("101", pair.now), m.SnapshotDevice(device), m.DeviceSnapshot()),
        (
            pair.client.query_device("101", m.QueryFeature.DEVICE_INFO, pair.now),
            m.QueryDevice(device, 4),
            m.DeviceInfo(device, 0),
        ),
        (
            pair.client.request(m.OtherRequest(51, b"\x05\x00"), pair.now),
            m.OtherRequest(51, b"\x05\x00"),
            m.OtherResult(b"\x04\x01a"),
        ),
    ]
    pair.run()
    assert pair.server_events[1:] == [Requested(invoke_id, request) for invoke_id, request, _ in commands]
    for invoke_id, _, result in reversed(commands):
        pair.server.answer(invoke_id, result)
    pair.run()
    answers = [Answered(invoke_id, result) for invoke_id, _, result in reversed(commands)]
    assert pair.client_events[1:] == answers


@pytest.mark.parametrize("phase", list(m.Phase))
@pytest.mark.parametrize("step", [1, 3, 1 << 20])
def test_events_of_both_phases_in_any_cut(phase: m.Phase, step: int) -> None:
    pair = Pair(server=ServerOptions(phase=phase), step=step).open()
    event = m.Delivered(
        connection=m.Connection(b"\x00\x11", b"\x00\x01\x01\x00"),
        alerting=m.DeviceId(m.DeviceForm.IMPLICIT_PRIVATE, "101"),
        calling=m.DeviceId(m.DeviceForm.IMPLICIT_PUBLIC, "0199001234"),
        state=LocalState.ALERTING,
        cause=Cause.NEW_CALL,
    )
    reports = [m.EventReport(bytes((n,)), event) for n in range(3)]
    for report in reports:
        pair.server.report(report)
    pair.run()
    assert pair.client_events == [
        Associated(frozenset((phase - 1,))),
        *(EventReported(report) for report in reports),
    ]


@pytest.mark.parametrize("greeting", [b"S", b"\x00", b"B"])
def test_a_standby_is_not_serving(greeting: bytes) -> None:
    pair = Pair(server=ServerOptions(greeting=greeting))
    pair.run()
    error = failure(pair.client_events)
    assert isinstance(error, LinkError)
    assert error.fault is FaultId.PBX_NOT_SERVING
    assert pair.client.is_closed


def test_a_pbx_without_greeting_is_not_serving() -> None:
    pair = Pair(server=ServerOptions(greeting=b""))
    pair.run()
    assert pair.server_events == [ClientGreeted()]
    pair.pass_time(4.9)
    assert pair.client_events == []
    pair.pass_time(0.2)
    error = failure(pair.client_events)
    assert isinstance(error, LinkTimeout)
    assert error.fault is FaultId.PBX_NOT_SERVING


def test_a_pbx_that_closes_before_its_greeting_is_not_serving() -> None:
    client = CstaClient(ClientOptions(), 0.0)
    assert client.to_send() == [b"B"]
    client.receive(b"", 0.0)
    client.receive_eof(1.0)
    [event] = client.events()
    assert isinstance(event, SessionFailed)
    assert event.error.fault is FaultId.PBX_NOT_SERVING


def test_auto_goes_on_after_silence() -> None:
    pair = Pair()
    pair.run()
    pair.pass_time(4.9)
    assert pair.client_events == []
    pair.pass_time(0.2)
    assert pair.client_events == [Associated(None)]
    pair.server.accept_association()
    pair.run()
    assert (pair.client_events, pair.client.unmatched_answers) == ([Associated(None)], 1)


def test_auto_goes_on_after_a_rejection() -> None:
    pair = Pair()
    pair.run()
    pair.server.reject_association()
    pair.run()
    assert pair.client_events == [Associated(None)]
    pair.client.monitor_start("101", pair.now)


@pytest.mark.parametrize("pdu", [acse.Abort(1), rose.Reject(None, 0, 0)])
def test_auto_goes_on_with_a_pbx_that_does_not_know_acse(pdu: codec.Pdu) -> None:
    assert not isinstance(pdu, m.EventReport)
    client = CstaClient(ClientOptions(), 0.0)
    client.receive(b"P" + framed(codec.encode(pdu)), 1.0)
    assert client.events() == [Associated(None)]


@pytest.mark.parametrize(
    ("result", "kind"),
    [
        (acse.AssociationResult.REJECTED_PERMANENT, AuthError),
        (acse.AssociationResult.REJECTED_TRANSIENT, LinkError),
    ],
)
def test_a_required_association_that_is_rejected_is_a_failure(
    result: acse.AssociationResult, kind: type[LinkError]
) -> None:
    pair = Pair(ACSE)
    pair.run()
    pair.server.reject_association(result)
    pair.run()
    error = failure(pair.client_events)
    assert type(error) is kind
    assert error.fault is FaultId.PBX_ASSOCIATION_REFUSED


def test_a_required_association_without_answer_is_a_failure() -> None:
    pair = Pair(ACSE)
    pair.run()
    pair.pass_time(5)
    error = failure(pair.client_events)
    assert isinstance(error, LinkTimeout)
    assert error.fault is FaultId.PBX_ASSOCIATION_REFUSED


def test_a_server_rejects_a_phase_that_is_not_offered() -> None:
    pair = Pair(ClientOptions(versions=frozenset((0,))), ServerOptions(phase=m.Phase.TWO))
    pair.run()
    assert pair.server.accept_association() is False
    pair.run()
    assert pair.client_events == [Associated(None)]


def test_errors_and_rejects() -> None:
    pair = Pair(NO_ACSE).open()
    first, second = (pair.client.monitor_start(number, pair.now) for number in ("101", "102"))
    pair.run()
    pair.server.refuse(first, errors.OBJECT_NOT_KNOWN)
    pair.server.reject(second, rose.RESOURCE_LIMITATION)
    pair.run()
    assert pair.client_events[1:] == [
        Refused(first, errors.OBJECT_NOT_KNOWN),
        Refused(second, rose.Reject(second, 1, 3)),
    ]


def test_a_late_answer_is_counted_and_not_fatal() -> None:
    pair = Pair(NO_ACSE).open()
    early = pair.client.monitor_start("101", pair.now)
    pair.pass_time(4)
    late = pair.client.monitor_start("102", pair.now)
    pair.pass_time(6)
    assert pair.client_events[1:] == [TimedOut(early)]
    pair.server.answer(early, m.Done())
    pair.server.answer(late, m.Done())
    pair.run()
    assert pair.client_events[1:] == [TimedOut(early), Answered(late, m.Done())]
    assert pair.client.unmatched_answers == 1


def test_unknown_answers_are_counted_and_not_fatal() -> None:
    client = CstaClient(NO_ACSE, 0.0)
    strangers = (rose.Result(99), rose.Error(99, 1), rose.Reject(99, 0, 0), rose.Reject(None, 0, 0))
    client.receive(b"P" + b"".join(framed(codec.encode(pdu)) for pdu in strangers), 0.0)
    client.receive(framed(codec.encode(acse.ReleaseResponse())), 0.0)
    assert client.unmatched_answers == 5
    assert client.events() == [Associated(None)]


def test_heartbeats_of_the_pbx_are_answered_and_keep_ours_away() -> None:
    pair = Pair(NO_ACSE).open()
    pair.pass_time(300)
    assert not pair.client.is_closed
    assert not pair.server.is_closed
    statuses = [event for event in pair.client_events if isinstance(event, StatusReported)]
    assert statuses
    assert set(statuses) == {StatusReported(m.SystemStatus.NORMAL)}


def test_our_heartbeats_keep_a_link_on_which_the_pbx_says_nothing() -> None:
    pair = Pair(NO_ACSE, ServerOptions(sends_heartbeats=False)).open()
    pair.pass_time(29)
    assert StatusReported(2) not in pair.server_events
    pair.pass_time(2)
    assert pair.server_events[-1] == StatusReported(2)
    pair.pass_time(300)
    assert not pair.client.is_closed
    assert [event for event in pair.client_events if isinstance(event, (TimedOut, Answered))] == []


def test_two_unanswered_heartbeats_end_the_link() -> None:
    pair = Pair(NO_ACSE, QUIET).open()
    pair.pass_time(49.9)
    assert not pair.client.is_closed
    assert pair.server_events.count(StatusReported(2)) == 2
    pair.pass_time(0.2)
    error = failure(pair.client_events)
    assert isinstance(error, LinkTimeout)
    assert error.fault is FaultId.PBX_SILENT
    assert pair.client.deadline() is None


def test_a_pbx_that_talks_but_answers_no_heartbeat_lives() -> None:
    pair = Pair(NO_ACSE, QUIET).open()
    event = m.EventReport(b"\x01", m.ServiceInitiated(connection=m.Connection(b"\x01", b"\x02")))
    for _ in range(20):
        pair.pass_time(35)
        pair.server.report(event)
        pair.run()
    assert not pair.client.is_closed


def test_a_server_finds_a_silent_client() -> None:
    server = CstaServer(ServerOptions(), 0.0)
    server.receive(b"B", 0.0)
    for now in (30.0, 40.0, 50.0):
        assert server.deadline() == now
        server.tick(now)
    assert isinstance(server.events()[-1], SessionFailed)
    assert len(server.to_send()) == 3


def test_status_of_the_server_is_reported_and_answered() -> None:
    pair = Pair(NO_ACSE).open()
    invoke_id = pair.server.send_status(m.SystemStatus.OVERLOAD_REACHED, pair.now)
    pair.run()
    assert pair.client_events[-1] == StatusReported(6)
    assert pair.server_events[-1] == Answered(invoke_id, m.Done())


def test_a_monitor_that_the_pbx_ends() -> None:
    pair = Pair(NO_ACSE).open()
    invoke_id = pair.server.end_monitor(b"\x07", pair.now)
    pair.run()
    assert pair.client_events[-1] == MonitorEnded(b"\x07")
    assert pair.server_events[-1] == Answered(invoke_id, m.Done())


def test_services_that_a_client_does_not_serve_are_rejected() -> None:
    client = CstaClient(NO_ACSE, 0.0)
    client.receive(b"P" + framed(codec.encode(rose.Invoke(77, 31, b"\x05\x00"))), 0.0)
    assert client.to_send()[-1] == framed(codec.encode(rose.Reject(77, 1, 1)))
    assert (client.refused_invokes, client.is_closed) == (1, False)


def test_a_released_association() -> None:
    pair = Pair().open()
    pair.client.release(pair.now)
    with pytest.raises(LocalProtocolError):
        pair.client.monitor_start("101", pair.now)
    pair.client.release(pair.now)
    pair.run()
    assert pair.client_events[-1] == Released()
    assert pair.server_events[-1] == Released()
    assert pair.client.is_closed
    assert pair.server.is_closed
    pair.client.receive(b"EXIT", pair.now)
    pair.client.receive_eof(pair.now)
    assert (pair.client.events(), pair.client.to_send()) == ([], [])


def test_a_release_that_is_not_answered_ends_by_itself() -> None:
    ends: list[Callable[[CstaClient], None]] = [
        lambda client: client.tick(2.0),
        lambda client: client.receive_eof(1.0),
    ]
    for end in ends:
        client = CstaClient(ClientOptions(), 0.0)
        accepted = acse.AssociateResponse(0, 0, acse.UserInformation(frozenset((0,))))
        client.receive(b"P" + framed(codec.encode(accepted)), 0.0)
        client.release(0.0)
        assert client.deadline() == 2.0
        end(client)
        assert client.events() == [Associated(frozenset((0,))), Released()]


def test_without_association_there_is_nothing_to_release() -> None:
    pair = Pair(NO_ACSE).open()
    pair.client.release(pair.now)
    assert pair.client.events() == [Released()]
    assert pair.client.to_send() == []


@pytest.mark.parametrize(("pdu", "answers"), [(acse.ReleaseRequest(), 1), (acse.Abort(), 0)])
def test_a_pbx_that_ends_the_association(pdu: acse.Association, answers: int) -> None:
    client = CstaClient(NO_ACSE, 0.0)
    client.receive(b"P", 0.0)
    client.to_send()
    client.receive(framed(codec.encode(pdu)), 0.0)
    error = failure(client.events())
    assert isinstance(error, LinkClosed)
    assert len(client.to_send()) == answers


def test_abort_and_the_end_of_the_stream() -> None:
    pair = Pair(NO_ACSE).open()
    pair.server.abort()
    pair.run()
    assert failure(pair.client_events).fault is FaultId.PBX_CLOSED
    pair = Pair(NO_ACSE).open()
    pair.client.receive_eof(pair.now)
    pair.client.receive_eof(pair.now)
    [event] = pair.client.events()
    assert isinstance(event, SessionFailed)
    assert isinstance(event.error, LinkClosed)


@pytest.mark.parametrize(
    "garbage", ["0000", "0003a1017f", "ffff", "0002 a100", "0003 0a0102", "0009 a107 020101 020115"]
)
def test_one_bad_frame_ends_the_session_and_what_came_before_counts(garbage: str) -> None:
    client = CstaClient(NO_ACSE, 0.0)
    good = framed(codec.encode(rose.Invoke(5, 52, b"\x0a\x01\x02")))
    client.receive(b"P" + good + bytes.fromhex(garbage) + good, 0.0)
    events = list(client.events())
    assert events[:2] == [Associated(None), StatusReported(2)]
    error = failure(events)
    assert isinstance(error, RemoteProtocolError)
    assert error.fault is FaultId.PBX_PROTOCOL
    assert error.link == "pbx"
    client.receive(good, 1.0)
    assert client.events() == []


def test_commands_outside_a_session_are_ours_to_answer_for() -> None:
    client = CstaClient(ClientOptions(), 0.0)
    with pytest.raises(LocalProtocolError):
        client.monitor_start("101", 0.0)
    server = CstaServer(ServerOptions(), 0.0)
    commands = (
        server.accept_association,
        server.abort,
        lambda: server.answer(1, m.Done()),
        lambda: server.refuse(1, errors.SERVICE_BUSY),
        lambda: server.report(m.EventReport(b"\x01", m.CallCleared())),
        lambda: server.send_status(m.SystemStatus.NORMAL, 0.0),
    )
    for command in commands:
        with pytest.raises(LocalProtocolError):
            command()


def test_a_server_wants_its_greeting() -> None:
    server = CstaServer(ServerOptions(), 0.0)
    server.receive(b"", 0.0)
    server.receive(b"GET / HTTP/1.1\r\n", 0.0)
    assert isinstance(failure(server.events()), RemoteProtocolError)


def test_a_request_is_answered_once_and_a_duplicate_is_rejected() -> None:
    server = CstaServer(ServerOptions(), 0.0)
    request = framed(codec.encode(rose.Invoke(7, 73, b"\x55\x01\x01")))
    server.receive(b"B" + request + request, 0.0)
    assert server.events() == [ClientGreeted(), Requested(7, m.MonitorStop(b"\x01"))]
    assert server.to_send()[1:] == [framed(codec.encode(rose.Reject(7, 1, 0)))]
    server.answer(7, m.Done())
    with pytest.raises(LocalProtocolError):
        server.answer(7, m.Done())
    server.receive(request, 0.0)
    server.forget(7)
    with pytest.raises(LocalProtocolError):
        server.refuse(7, errors.SERVICE_BUSY)


def test_a_client_can_not_make_a_server_keep_requests_without_end() -> None:
    server = CstaServer(ServerOptions(), 0.0)
    server.receive(b"B", 0.0)
    for invoke_id in range(1, MAX_UNANSWERED_INVOKES + 3):
        server.receive(framed(codec.encode(rose.Invoke(invoke_id, 73, b"\x55\x01\x01"))), 0.0)
    rejects = [rose.Reject(MAX_UNANSWERED_INVOKES + extra, 1, 3) for extra in (1, 2)]
    assert server.to_send()[1:] == [framed(codec.encode(reject)) for reject in rejects]


def test_an_event_from_a_client_is_counted() -> None:
    server = CstaServer(ServerOptions(), 0.0)
    argument = encode_event_report(m.EventReport(b"\x07", m.CallCleared()), m.Phase.ONE)
    server.receive(b"B" + framed(codec.encode(rose.Invoke(1, 21, argument))), 0.0)
    assert server.refused_invokes == 1


def test_invoke_ids_wrap_and_skip_those_in_use() -> None:
    timing = Timing(request_seconds=1e6, heartbeat_seconds=1e9)
    client = CstaClient(ClientOptions(association=AssociationMode.NONE, timing=timing), 0.0)
    client.receive(b"P", 0.0)
    kept = client.monitor_start("101", 0.0)
    for _ in range(MAX_INVOKE_ID - 1):
        last = client.monitor_start("102", 0.0)
        client.receive(framed(codec.encode(rose.Result(last))), 0.0)
    assert (kept, last) == (1, MAX_INVOKE_ID)
    assert client.monitor_start("103", 0.0) == 2
    client.events()


def test_without_invoke_ids_left_a_request_is_refused() -> None:
    client = CstaClient(NO_ACSE, 0.0)
    client.receive(b"P", 0.0)
    for _ in range(MAX_INVOKE_ID):
        client.monitor_start("101", 0.0)
    with pytest.raises(LocalProtocolError):
        client.monitor_start("101", 0.0)
