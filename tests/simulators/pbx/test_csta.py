"""The CSTA face beside the connector's own client, in virtual time."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.domain.calls import Cause, LocalState
from connector.domain.identifiers import PbxKind
from connector.wire import rose
from connector.wire.csta import errors
from connector.wire.csta import messages as m
from connector.wire.csta.acse import AssociateRequest, Version
from connector.wire.csta.codec import encode
from connector.wire.csta.session_events import (
    Associated,
    AssociationMode,
    ClientOptions,
    Released,
    ServerOptions,
    SessionFailed,
    StatusReported,
)
from connector.wire.framing import framed
from simulators.pbx.csta import OXE_FILTER, CstaFace, FaceOptions, MonitorQuota
from simulators.pbx.model import PbxModel
from simulators.pbx.settings import AssociationAnswer, PbxWorld
from simulators.pbx.switchboard import Switchboard, model_of
from simulators.pbx.words import Dialect
from tests.simulators.pbx.worlds import AT, Line, ManualClock

KINDS = [PbxKind.OXO, PbxKind.OXE]
EXPERT = {PbxKind.OXO: "101", PbxKind.OXE: "3001"}


class Site:
    """A model and one line to it."""

    def __init__(
        self,
        kind: PbxKind = PbxKind.OXE,
        limit: int = 10,
        piece: int = 1 << 16,
        options: FaceOptions | None = None,
        client: ClientOptions | None = None,
    ) -> None:
        world = PbxWorld(kind=kind)
        self.pbx: PbxModel = model_of(world)
        board = Switchboard(self.pbx, ManualClock())
        self.quota = MonitorQuota(limit)
        dialect = Dialect(kind, "0", timedelta(hours=1))
        usual = FaceOptions(
            ServerOptions(phase=world.phase), filter=OXE_FILTER if kind is PbxKind.OXE else None
        )
        self.face = CstaFace(board, dialect, self.quota, options or usual, 0.0)
        self.line = Line(self.face, client, piece)
        self.line.settle()

    def ring(self, expert: str) -> None:
        outcome = self.pbx.ring_from_outside("0199001234", expert, at=AT)
        self.face.report(outcome.reports, AT)
        self.line.settle()


def device(number: str) -> m.DeviceId:
    return m.DeviceId(m.DeviceForm.DIALING, number)


@pytest.mark.parametrize("kind", KINDS)
def test_the_association_chooses_the_kinds_phase(kind: PbxKind) -> None:
    version = Version.ECMA_180 if kind is PbxKind.OXO else Version.ECMA_218
    assert Site(kind).line.told == [Associated(frozenset((version,)))]


@pytest.mark.parametrize("piece", [1, 7, 1 << 16])
@pytest.mark.parametrize("kind", KINDS)
def test_an_incoming_call_reaches_the_monitor(kind: PbxKind, piece: int) -> None:
    site = Site(kind, piece=piece)
    expert = EXPERT[kind]
    cross_ref = site.line.monitor(expert)
    site.ring(expert)
    answered = site.pbx.answer(expert, at=AT)
    site.face.report(answered.reports, AT)
    site.face.report(site.pbx.release(expert, at=AT).reports, AT)
    site.line.settle()
    reports = site.line.reports()
    assert {report.cross_ref for report in reports} == {cross_ref}
    kinds = [type(report.event) for report in reports]
    assert kinds == [m.Delivered, m.Established, m.ConnectionCleared]
    states = [report.event.state for report in reports if isinstance(report.event, m.CallEvent)]
    assert states == [LocalState.ALERTING, LocalState.CONNECTED, LocalState.NULL]


def test_the_kinds_differ_in_number_and_additions() -> None:
    seen = {}
    for kind in KINDS:
        site = Site(kind)
        site.line.monitor(EXPERT[kind])
        site.ring(EXPERT[kind])
        (seen[kind],) = site.line.reports()
    oxo, oxe = seen[PbxKind.OXO], seen[PbxKind.OXE]
    assert isinstance(oxo.event, m.Delivered)
    assert isinstance(oxe.event, m.Delivered)
    assert oxo.event.calling.number == "0199001234"
    assert oxe.event.calling.number == "00199001234"
    assert (oxo.local_time, oxo.private) == ("", None)
    assert oxe.local_time == "231114231320Z"
    assert oxe.private == m.PrivateData(outside=1, call_reference=bytes.fromhex("00f1536501000100"))


def test_names_outside_ascii_arrive() -> None:
    site = Site()
    site.line.monitor("3001")
    site.face.report(site.pbx.make_call("3001", "3003", at=AT).reports, AT)
    site.line.settle()
    names = {report.private.name for report in site.line.reports() if report.private}
    assert names == {"Zoé Lefèvre"}


def test_each_monitor_of_a_device_gets_its_events_until_it_stops() -> None:
    site = Site(PbxKind.OXO)
    first, second = site.line.monitor("101"), site.line.monitor("101")
    assert first != second
    assert site.line.ask(m.MonitorStop(first)) == m.Done()
    site.ring("101")
    assert [report.cross_ref for report in site.line.reports()] == [second]
    site.ring("102")
    assert site.line.reports() == []


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        (m.MonitorStart(device("999")), errors.OBJECT_NOT_KNOWN),
        (m.SnapshotDevice(device("999")), errors.OBJECT_NOT_KNOWN),
        (m.QueryDevice(device("999")), errors.OBJECT_NOT_KNOWN),
        (m.QueryDevice(device("101")), m.DeviceInfo(device("101"), 0)),
        (m.QueryDevice(device("101"), m.QueryFeature.FORWARDING), errors.ServiceError(1, 1)),
        (m.MonitorStop(b"none"), errors.INVALID_CROSS_REF),
        (m.ChangeMonitorFilter(b"none", OXE_FILTER), errors.INVALID_CROSS_REF),
        (m.SnapshotDevice(device("101")), m.DeviceSnapshot()),
    ],
)
def test_answers(request_: m.Request, answer: object) -> None:
    assert Site(PbxKind.OXO).line.ask(request_) == answer


def test_a_service_that_is_not_modelled_is_rejected() -> None:
    answer = Site().line.ask(m.OtherRequest(51, b"\x05\0"))
    assert isinstance(answer, rose.Reject)
    assert (answer.kind, answer.problem) == rose.UNRECOGNISED_OPERATION


def test_the_monitor_limit_is_the_whole_pbx_s() -> None:
    site = Site(PbxKind.OXO, limit=2)
    site.line.monitor("101")
    cross_ref = site.line.monitor("102")
    start = m.MonitorStart(device("103"))
    assert site.line.ask(start) == errors.OVERALL_MONITOR_LIMIT
    site.line.ask(m.MonitorStop(cross_ref))
    site.line.monitor("103")
    assert site.face.monitored == ["101", "103"]
    site.face.close()
    assert site.face.monitored == []
    assert site.quota.take() is not None


def test_filters() -> None:
    site = Site(PbxKind.OXO)
    delivered = 3  # the bit of the event, ECMA-217
    wanted = m.MonitorFilter(call=frozenset((delivered,)), maintenance=frozenset((0,)))
    started = site.line.ask(m.MonitorStart(device("101"), wanted))
    assert isinstance(started, m.MonitorStarted)
    assert started.filter == wanted
    site.ring("101")
    site.face.report(site.pbx.answer("101", at=AT).reports, AT)
    site.face.report(site.pbx.take_out_of_service("101", at=AT), AT)
    site.face.report(site.pbx.put_in_service("101"), AT)
    site.line.settle()
    kinds = [type(report.event) for report in site.line.reports()]
    assert kinds == [m.Established, m.ConnectionCleared, m.OutOfService]
    everything = m.MonitorFilter()
    changed = site.line.ask(m.ChangeMonitorFilter(started.cross_ref, everything))
    assert changed == m.MonitorFilterChanged(everything)
    site.ring("101")
    assert [type(report.event) for report in site.line.reports()] == [m.Delivered]


def test_an_oxe_names_its_filter_and_leaves_service_states_out() -> None:
    site = Site()
    started = site.line.ask(m.MonitorStart(device("3001")))
    assert isinstance(started, m.MonitorStarted)
    assert started.filter == OXE_FILTER
    site.face.report(site.pbx.take_out_of_service("3001", at=AT), AT)
    site.line.settle()
    assert site.line.reports() == []


def test_snapshot_of_a_live_call() -> None:
    site = Site()
    site.ring("3001")
    answer = site.line.ask(m.SnapshotDevice(device("3001")))
    assert isinstance(answer, m.DeviceSnapshot)
    (entry,) = answer.entries
    assert entry.device == m.DeviceId(m.DeviceForm.IMPLICIT_PRIVATE, "3001")
    assert entry.state is LocalState.ALERTING
    assert entry.connection.call == b"\0\1"


def test_a_busy_call_is_told_with_its_cause() -> None:
    site = Site(PbxKind.OXO)
    site.line.monitor("101")
    site.face.report(site.pbx.make_call("101", "777", at=AT).reports, AT)
    site.line.settle()
    last = site.line.reports()[-1].event
    assert isinstance(last, m.Failed)
    assert last.cause is Cause.DEST_NOT_OBTAINABLE


def test_heartbeats_both_ways_keep_an_idle_link() -> None:
    site = Site()
    for now in range(0, 200, 5):
        site.line.tick(float(now))
    assert not site.face.is_closed
    assert not site.line.client.is_closed
    assert StatusReported(m.SystemStatus.NORMAL) in site.line.told


def test_status_is_sent_to_a_client_that_is_there() -> None:
    site = Site()
    site.face.send_status(m.SystemStatus.MESSAGES_LOST, 0.0)
    site.line.settle()
    assert StatusReported(m.SystemStatus.MESSAGES_LOST) in site.line.told


def test_the_client_releases() -> None:
    site = Site()
    site.line.monitor("3001")
    site.line.client.release(1.0)
    site.line.settle()
    assert Released() in site.line.told
    assert site.face.is_closed
    assert site.face.error is None
    site.face.report(site.pbx.ring_from_outside("0199001234", "3001", at=AT).reports, AT)
    assert site.face.to_send() == []


def test_a_client_that_vanishes_is_an_error() -> None:
    site = Site()
    site.face.receive_eof(1.0)
    assert site.face.is_closed
    assert site.face.error is not None


def test_a_standby_answers_another_byte_and_closes() -> None:
    site = Site(options=FaceOptions(ServerOptions(greeting=b"S")))
    assert site.face.is_closed
    assert [type(event) for event in site.line.told] == [SessionFailed]


def test_a_refused_association() -> None:
    refusing = FaceOptions(ServerOptions(), AssociationAnswer.REJECT)
    needed = Site(options=refusing, client=ClientOptions(association=AssociationMode.REQUIRED))
    assert [type(event) for event in needed.line.told] == [SessionFailed]
    without = Site(options=refusing)
    assert without.line.told == [Associated(None)]
    without.line.monitor("3001")


def test_a_silent_association() -> None:
    site = Site(options=FaceOptions(ServerOptions(), AssociationAnswer.SILENCE))
    assert site.line.told == []
    site.line.tick(6.0)
    assert site.line.told == [Associated(None)]


def test_a_second_association_in_one_read_is_ignored() -> None:
    site = Site()
    request = framed(encode(AssociateRequest(None)))
    site.face.receive(request + request, 1.0)
    assert not site.face.is_closed


frames = st.one_of(
    st.binary(max_size=40),
    st.binary(max_size=40).map(framed),
    st.sampled_from([framed(encode(AssociateRequest(None))), b"B"]),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(frames, max_size=8), st.sampled_from(AssociationAnswer))
def test_no_bytes_break_the_face(pieces: list[bytes], association: AssociationAnswer) -> None:
    site = Site(options=FaceOptions(ServerOptions(), association))
    for piece in pieces:
        site.face.receive(piece, 1.0)
        site.face.to_send()
    site.face.tick(40.0)
    site.face.receive_eof(41.0)
    assert site.face.is_closed
