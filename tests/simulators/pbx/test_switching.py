"""Switching services on the CSTA face, in virtual time: limits, moments of the answer, and refusals."""

from collections.abc import Iterable
from datetime import datetime

import pytest

from connector.domain.identifiers import PbxKind
from connector.wire import rose
from connector.wire.csta import errors, switching
from connector.wire.csta import messages as m
from connector.wire.csta.session_events import Answered, EventReported, Refused, ServerOptions
from simulators.pbx.csta import CstaFace, FaceOptions, MonitorQuota
from simulators.pbx.reports import Report
from simulators.pbx.settings import PbxWorld, SwitchingAnswer
from simulators.pbx.switchboard import Switchboard, model_of
from simulators.pbx.switching import OXO_MAX_OPEN, SwitchingQuota
from simulators.pbx.words import Dialect
from tests.simulators.pbx.worlds import Line, ManualClock

FREE = m.DeviceId(m.DeviceForm.DIALING, "103")


class Site:
    """A board, and as many lines to it as a test wants; each line's face hears what happens."""

    def __init__(self, kind: PbxKind, **options: float | SwitchingAnswer) -> None:
        self.clock = ManualClock()
        world = PbxWorld(kind=kind)
        self.board = Switchboard(model_of(world), self.clock)
        self.quota = MonitorQuota(10, SwitchingQuota.of(kind, None))
        self._dialect = Dialect(kind, world.trunk_prefix, self.clock.now() - self.clock.now())
        self._options = FaceOptions(ServerOptions(phase=world.phase), **options)  # type: ignore[arg-type]
        first = {PbxKind.OXO: 101, PbxKind.OXE: 3001}[kind]
        self.a, self.b = str(first), str(first + 1)

    def line(self) -> Line:
        face = CstaFace(self.board, self._dialect, self.quota, self._options, self.clock.monotonic())

        def report(reports: Iterable[Report], at: datetime) -> None:
            face.report(reports, at)

        self.board.listen(report)
        line = Line(face)
        line.settle()
        for number in (self.a, self.b):
            line.monitor(number)
        line.told.clear()
        return line

    def make_call(self, line: Line) -> int:
        request = switching.MakeCall(
            m.DeviceId(m.DeviceForm.DIALING, self.a), m.DeviceId(m.DeviceForm.DIALING, self.b)
        )
        return self.ask(line, request)

    def ask(self, line: Line, request: m.Request) -> int:
        invoke_id = line.client.request(request, self.clock.monotonic())
        line.settle(self.clock.monotonic())
        return invoke_id

    def disturb(self, line: Line) -> object:
        """What the PBX says to one more request that changes nothing."""
        device = m.DeviceId(m.DeviceForm.DIALING, self.a)
        invoke_id = self.ask(line, switching.SetDoNotDisturb(device, is_on=True))
        answers = [event for event in line.told if isinstance(event, Answered | Refused)]
        return next((event for event in answers if event.invoke_id == invoke_id), None)


def kinds(line: Line) -> list[str]:
    return [
        type(event.report.event).__name__ if isinstance(event, EventReported) else type(event).__name__
        for event in line.told
    ]


@pytest.mark.parametrize("kind", [PbxKind.OXO, PbxKind.OXE])
def test_the_answer_goes_before_the_events_for_whoever_asked(kind: PbxKind) -> None:
    site = Site(kind)
    asking, watching = site.line(), site.line()
    site.make_call(asking)
    watching.settle()
    events = ["ServiceInitiated", "Originated", "Delivered", "Delivered"]
    assert kinds(asking) == ["Answered", *events]
    assert kinds(watching) == events


def test_a_late_answer_comes_after_the_events() -> None:
    site = Site(PbxKind.OXE, switching=SwitchingAnswer.LATE, late_seconds=3.0)
    line = site.line()
    site.make_call(line)
    assert "Answered" not in kinds(line)
    assert len(line.told) == 4
    assert line.face.deadline() == 3.0
    line.tick(2.9)
    assert "Answered" not in kinds(line)
    line.tick(3.0)
    assert kinds(line)[-1] == "Answered"


def test_a_pbx_that_never_answers_fills_up() -> None:
    site = Site(PbxKind.OXO, switching=SwitchingAnswer.NEVER)
    line = site.line()
    for _ in range(OXO_MAX_OPEN):
        assert site.disturb(line) is None
        site.clock.elapsed += 1.0
    full = site.disturb(line)
    assert isinstance(full, Refused)
    assert full.error == errors.OUTSTANDING_REQUEST_LIMIT
    # The limit is the node's; a link that ends gives its requests back.
    other = site.line()
    assert isinstance(site.disturb(other), Refused)
    line.face.close()
    site.clock.elapsed += 1.0
    assert site.disturb(other) is None


def test_an_oxo_takes_two_requests_in_any_second_of_all_clients_together() -> None:
    site = Site(PbxKind.OXO)
    first, second = site.line(), site.line()
    assert isinstance(site.disturb(first), Answered)
    site.clock.elapsed = 0.6
    assert isinstance(site.disturb(second), Answered)
    site.clock.elapsed = 0.9
    refused = site.disturb(first)
    assert isinstance(refused, Refused)
    assert refused.error == errors.PERFORMANCE_LIMIT
    site.clock.elapsed = 1.1
    assert isinstance(site.disturb(first), Answered)
    assert isinstance(site.disturb(second), Refused)


def test_an_oxe_has_no_limit_that_is_published() -> None:
    site = Site(PbxKind.OXE)
    line = site.line()
    assert all(isinstance(site.disturb(line), Answered) for _ in range(100))


def test_an_oxo_refuses_what_its_phase_and_product_do_not_have() -> None:
    site = Site(PbxKind.OXO)
    line = site.line()
    leg = m.Connection(b"\x00\x01", b"\x08\x00\x01\x00")
    assert line.ask(switching.SendDtmf(leg, "1")) == rose.Reject(
        line.client._last_id, *rose.UNRECOGNISED_OPERATION
    )
    agent = switching.SetAgentState(m.DeviceId(m.DeviceForm.DIALING, site.a), switching.AgentState.READY)
    assert line.ask(agent) == errors.INVALID_FEATURE


def test_an_unmonitored_set_of_an_oxo_is_not_controlled() -> None:
    site = Site(PbxKind.OXO)
    line = site.line()
    call = switching.MakeCall(FREE, m.DeviceId(m.DeviceForm.DIALING, site.a))
    assert line.ask(call) == errors.PRIVILEGE_VIOLATION


def test_a_static_connection_names_a_set() -> None:
    site = Site(PbxKind.OXE)
    line = site.line()
    placed = site.board.ring_from_outside("0199001234", site.a)
    call = placed.call.to_bytes(2, "big")
    named = m.Connection(call, static=m.DeviceId(m.DeviceForm.DIALING, site.a))
    assert line.ask(switching.AnswerCall(named)) == m.Done()
    stranger = m.Connection(call, static=m.DeviceId(m.DeviceForm.DIALING, site.b))
    assert line.ask(switching.ClearConnection(stranger)) == errors.INVALID_CONNECTION


def test_the_outside_end_is_not_ours_to_control() -> None:
    site = Site(PbxKind.OXE)
    line = site.line()
    placed = site.board.ring_from_outside("0199001234", site.a)
    trunk = next(leg.end for leg in site.board.calls[placed.call].legs if leg.end.is_trunk)
    named = m.Connection(placed.call.to_bytes(2, "big"), trunk.device_id)
    assert line.ask(switching.ClearConnection(named)) == errors.INVALID_CONNECTION


def test_connections_of_two_sets_are_no_pair() -> None:
    site = Site(PbxKind.OXE)
    line = site.line()
    held = site.board.ring_from_outside("0199001234", site.a).call
    site.board.answer(site.a, held)
    site.board.hold(site.a)
    active = site.board.ring_from_outside("0199001235", site.b).call
    site.board.answer(site.b, active)

    def named(call: int, device: str) -> m.Connection:
        return m.Connection(call.to_bytes(2, "big"), site.board.sets[device].end.device_id)

    pair = named(held, site.a), named(active, site.b)
    assert line.ask(switching.TransferCall(*pair)) == errors.INVALID_CONNECTION
    assert line.ask(switching.TransferCall(pair[1], pair[1])) == errors.NO_HELD_CALL
    assert line.ask(switching.TransferCall(pair[0], pair[0])) == errors.NO_ACTIVE_CALL


def test_a_set_that_is_unplugged_is_out_of_service() -> None:
    site = Site(PbxKind.OXE)
    line = site.line()
    site.board.take_out_of_service(site.a)
    call = switching.MakeCall(
        m.DeviceId(m.DeviceForm.DIALING, site.a), m.DeviceId(m.DeviceForm.DIALING, site.b)
    )
    assert line.ask(call) == errors.OUT_OF_SERVICE
