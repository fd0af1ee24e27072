"""Every call flow of the model: who reports what, in which order, in which state."""

from datetime import UTC, datetime

import pytest

from connector.domain import calls
from connector.domain.calls import Cause, LocalState, Party, Presentation, Reach
from connector.domain.commands import AgentState
from connector.domain.devices import DeviceState
from simulators.pbx.call import Forwards, IllegalOperation, PhoneSet, Problem
from simulators.pbx.exchange import Exchange, set_end
from simulators.pbx.model import PbxModel, Trunk
from simulators.pbx.reports import CallReport, Outcome, SetReport

AT = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
CALLER = "0199001234"
EXPERT = Party("3001", Reach.INTERNAL, name="Camille")
OUTSIDE = Party(CALLER, Reach.EXTERNAL)


def build(**options: object) -> PbxModel:
    names = {"3001": "Camille", "3002": "Hugo", "3003": "Zoe", "3004": "Adam"}
    sets = [
        PhoneSet(set_end(Party(number, Reach.INTERNAL, name=name), index), "4068")
        for index, (number, name) in enumerate(names.items())
    ]
    return PbxModel(sets, Trunk(lines=3), **options)  # type: ignore[arg-type]


@pytest.fixture
def pbx() -> PbxModel:
    return build()


def told(outcome: Outcome) -> list[str]:
    """The reports as short lines: device, event, local state, and cause if there is one."""
    lines = []
    for report in outcome.reports:
        assert isinstance(report, CallReport)
        event = report.event
        cause = f" {event.cause}" if event.cause else ""
        lines.append(f"{event.device} {type(event).__name__} {event.state}{cause}")
    return lines


def conversation(pbx: PbxModel, caller: str | None = CALLER, called: str = "3001") -> int:
    call = pbx.ring_from_outside(caller, called, at=AT).call
    return pbx.answer(called, at=AT).call if call else 0


# --- incoming


def test_outside_caller_rings_is_answered_and_hangs_up(pbx: PbxModel) -> None:
    ringing = pbx.ring_from_outside(CALLER, "3001", at=AT)
    assert told(ringing) == ["3001 Delivered alerting newCall"]
    event = ringing.events[0]
    assert isinstance(event, calls.Delivered)
    assert (event.alerting, event.calling, event.called) == (EXPERT, OUTSIDE, EXPERT)
    assert event.last_redirection == calls.NO_PARTY
    assert told(pbx.answer("3001", at=AT)) == ["3001 Established connected newCall"]
    assert told(pbx.outside_releases(ringing.call, at=AT)) == [
        "3001 ConnectionCleared connected normalClearing",
        "3001 ConnectionCleared null normalClearing",
    ]
    assert not pbx.calls


def test_the_set_that_hangs_up_reports_its_own_end_alone(pbx: PbxModel) -> None:
    conversation(pbx)
    released = pbx.release("3001", at=AT)
    assert told(released) == ["3001 ConnectionCleared null normalClearing"]
    assert isinstance(released.events[0], calls.ConnectionCleared)
    assert released.events[0].releasing == EXPERT
    assert not pbx.calls


def test_each_party_that_leaves_is_named(pbx: PbxModel) -> None:
    call = conversation(pbx)
    releasing = [getattr(event, "releasing") for event in pbx.outside_releases(call, at=AT).events]  # noqa: B009
    assert releasing == [OUTSIDE, EXPERT]


def test_a_caller_who_gives_up_leaves_one_event_at_the_ringing_set(pbx: PbxModel) -> None:
    call = pbx.ring_from_outside(CALLER, "3001", at=AT).call
    gone = pbx.outside_releases(call, at=AT)
    assert told(gone) == ["3001 ConnectionCleared null normalClearing"]
    assert isinstance(gone.events[0], calls.ConnectionCleared)
    assert gone.events[0].releasing == EXPERT


def test_a_withheld_number_stays_withheld(pbx: PbxModel) -> None:
    event = pbx.ring_from_outside(None, "3001", at=AT).events[0]
    assert isinstance(event, calls.Delivered)
    assert event.calling == Party("", Reach.EXTERNAL, Presentation.RESTRICTED)


def test_an_unanswered_call_is_cleared_by_the_pbx(pbx: PbxModel) -> None:
    pbx.ring_from_outside(CALLER, "3001", at=AT)
    assert told(pbx.leave_unanswered("3001", at=AT)) == ["3001 ConnectionCleared null callNotAnswered"]
    assert not pbx.calls


def test_a_busy_set_hears_nothing_of_one_more_caller(pbx: PbxModel) -> None:
    conversation(pbx)
    pbx.ring_from_outside("0199005678", "3001", at=AT)
    third = pbx.ring_from_outside("0199009999", "3001", at=AT)
    assert third.reports == ()
    assert third.call not in pbx.calls


# --- inside


def test_set_calls_set(pbx: PbxModel) -> None:
    assert told(pbx.make_call("3001", "3002", at=AT)) == [
        "3001 ServiceInitiated initiated",
        "3001 Originated connected newCall",
        "3002 Delivered alerting newCall",
        "3001 Delivered connected newCall",
    ]
    assert told(pbx.answer("3002", at=AT)) == [
        "3002 Established connected newCall",
        "3001 Established connected newCall",
    ]
    assert told(pbx.release("3001", at=AT)) == [
        "3001 ConnectionCleared null normalClearing",
        "3002 ConnectionCleared connected normalClearing",
        "3002 ConnectionCleared null normalClearing",
    ]
    assert not pbx.calls


def test_a_caller_inside_gives_up(pbx: PbxModel) -> None:
    pbx.make_call("3001", "3002", at=AT)
    assert told(pbx.release("3001", at=AT)) == [
        "3001 ConnectionCleared null normalClearing",
        "3002 ConnectionCleared null normalClearing",
    ]


def test_a_ringing_set_refuses(pbx: PbxModel) -> None:
    pbx.make_call("3001", "3002", at=AT)
    assert told(pbx.release("3002", at=AT)) == [
        "3002 ConnectionCleared null normalClearing",
        "3001 ConnectionCleared connected normalClearing",
        "3001 ConnectionCleared null normalClearing",
    ]


@pytest.mark.parametrize(
    ("dialled", "cause"),
    [("3002", Cause.BUSY), ("3003", Cause.DEST_NOT_OBTAINABLE), ("77", Cause.DEST_NOT_OBTAINABLE)],
)
def test_a_call_that_can_not_be_completed(pbx: PbxModel, dialled: str, cause: Cause) -> None:
    pbx.sets["3002"].lines = 1
    pbx.make_call("3002", "3004", at=AT)
    pbx.take_out_of_service("3003", at=AT)
    failed = pbx.make_call("3001", dialled, at=AT)
    assert told(failed)[2:] == [f"3001 Failed fail {cause}"]
    event = failed.events[2]
    assert isinstance(event, calls.Failed)
    assert (event.failing.number, event.called.number) == (dialled, dialled)
    assert told(pbx.release("3001", at=AT)) == ["3001 ConnectionCleared null normalClearing"]


def test_a_set_that_calls_itself_is_busy(pbx: PbxModel) -> None:
    assert told(pbx.make_call("3001", "3001", at=AT))[2:] == ["3001 Failed fail busy"]


# --- outgoing


def test_set_calls_outside(pbx: PbxModel) -> None:
    outgoing = pbx.make_call("3001", "0" + CALLER, at=AT)
    assert told(outgoing) == [
        "3001 ServiceInitiated initiated",
        "3001 Originated connected newCall",
        "3001 NetworkReached connected newCall",
    ]
    reached = outgoing.events[2]
    assert isinstance(reached, calls.NetworkReached)
    assert (reached.trunk, reached.called) == (calls.UNKNOWN_PARTY, OUTSIDE)
    assert reached.connection.device.endswith("04")
    assert told(pbx.outside_rings(outgoing.call, at=AT)) == ["3001 Delivered connected networkSignal"]
    assert told(pbx.outside_answers(outgoing.call, at=AT)) == ["3001 Established connected networkSignal"]
    assert told(pbx.release("3001", at=AT)) == ["3001 ConnectionCleared null normalClearing"]
    assert not pbx.calls


def test_an_outside_party_is_busy(pbx: PbxModel) -> None:
    call = pbx.make_call("3001", "0" + CALLER, at=AT).call
    assert told(pbx.outside_is_busy(call, at=AT)) == ["3001 Failed fail busy"]
    assert [leg.end.number for leg in pbx.calls[call].legs] == ["3001"]
    assert told(pbx.release("3001", at=AT)) == ["3001 ConnectionCleared null normalClearing"]


def test_no_line_is_left(pbx: PbxModel) -> None:
    for device in ("3002", "3003", "3004"):
        pbx.make_call(device, "0" + CALLER, at=AT)
    assert told(pbx.make_call("3001", "0" + CALLER, at=AT))[2:] == ["3001 Failed fail trunksBusy"]
    with pytest.raises(IllegalOperation) as refused:
        pbx.ring_from_outside(CALLER, "3001", at=AT)
    assert refused.value.problem is Problem.NO_LINE_FREE
    pbx.release("3002", at=AT)
    pbx.ring_from_outside(CALLER, "3002", at=AT)


# --- hold


def test_hold_and_retrieve_are_heard_by_both_sides(pbx: PbxModel) -> None:
    pbx.make_call("3001", "3002", at=AT)
    pbx.answer("3002", at=AT)
    assert told(pbx.hold("3002", at=AT)) == ["3002 Held hold", "3001 Held connected"]
    assert told(pbx.retrieve("3002", at=AT)) == ["3002 Retrieved connected", "3001 Retrieved connected"]


def test_the_held_party_hangs_up(pbx: PbxModel) -> None:
    call = conversation(pbx)
    pbx.hold("3001", at=AT)
    assert told(pbx.outside_releases(call, at=AT)) == [
        "3001 ConnectionCleared hold normalClearing",
        "3001 ConnectionCleared null normalClearing",
    ]


# --- consultation, transfer, conference


def test_consultation_and_transfer(pbx: PbxModel) -> None:
    first = conversation(pbx)
    consulting = pbx.consult("3001", "3002", at=AT)
    assert told(consulting) == [
        "3001 Held hold consultation",
        "3001 ServiceInitiated initiated",
        "3001 Originated connected newCall",
        "3002 Delivered alerting newCall",
        "3001 Delivered connected newCall",
    ]
    pbx.answer("3002", at=AT)
    done = pbx.transfer("3001", at=AT)
    assert told(done) == [
        "3001 Transferred null transfer",
        "3002 Transferred connected transfer",
    ]
    event = done.events[1]
    assert isinstance(event, calls.Transferred)
    assert event.primary_old.call == f"{first:04x}"
    assert event.secondary_old is not None
    assert event.secondary_old.call == f"{consulting.call:04x}"
    assert event.secondary_old.device == event.primary_old.device
    assert event.transferring == EXPERT
    assert event.transferred.number == "3002"
    assert {entry.connection.call for entry in event.connections} == {f"{done.call:04x}"}
    assert [entry.number for entry in event.connections] == [CALLER, "3002"]
    assert told(pbx.outside_releases(done.call, at=AT))[-1] == "3002 ConnectionCleared null normalClearing"
    assert not pbx.calls


def test_transfer_while_the_consulted_set_still_rings(pbx: PbxModel) -> None:
    conversation(pbx)
    pbx.consult("3001", "3002", at=AT)
    done = pbx.transfer("3001", at=AT)
    assert told(done) == ["3001 Transferred null transfer", "3002 Transferred alerting transfer"]
    answered = pbx.answer("3002", at=AT)
    assert told(answered) == ["3002 Established connected newCall"]
    event = answered.events[0]
    assert isinstance(event, calls.Established)
    assert (event.calling, event.last_redirection) == (OUTSIDE, EXPERT)


def test_conference_and_its_end(pbx: PbxModel) -> None:
    conversation(pbx)
    pbx.consult("3001", "3002", at=AT)
    pbx.answer("3002", at=AT)
    joined = pbx.conference("3001", at=AT)
    assert told(joined) == ["3001 Conferenced connected", "3002 Conferenced connected"]
    event = joined.events[0]
    assert isinstance(event, calls.Conferenced)
    assert (event.controller, event.added.number) == (EXPERT, "3002")
    assert [entry.number for entry in event.connections] == [CALLER, "3001", "3002"]
    assert told(pbx.outside_releases(joined.call, at=AT)) == [
        "3001 ConnectionCleared connected normalClearing",
        "3002 ConnectionCleared connected normalClearing",
    ]
    assert told(pbx.release("3002", at=AT)) == [
        "3002 ConnectionCleared null normalClearing",
        "3001 ConnectionCleared connected normalClearing",
        "3001 ConnectionCleared null normalClearing",
    ]
    assert not pbx.calls


def test_the_consulted_set_is_busy_and_the_caller_is_taken_back(pbx: PbxModel) -> None:
    first = conversation(pbx)
    pbx.sets["3002"].lines = 1
    pbx.make_call("3002", "3004", at=AT)
    consulting = pbx.consult("3001", "3002", at=AT)
    assert told(consulting)[-1] == "3001 Failed fail busy"
    assert pbx.release("3001", at=AT).call == consulting.call
    assert pbx.retrieve("3001", at=AT).call == first


def test_reference_survives_while_ids_change() -> None:
    pbx = build(renumbers_held_calls=True)
    ringing = pbx.ring_from_outside(CALLER, "3001", at=AT)
    pbx.answer("3001", at=AT)
    consulting = pbx.consult("3001", "3002", at=AT)
    held, consulted = consulting.reports[0], consulting.reports[-1]
    assert isinstance(held, CallReport)
    assert isinstance(consulted, CallReport)
    assert held.event.connection.call != f"{ringing.call:04x}"
    assert held.event.correlation == ringing.events[0].correlation
    assert consulted.event.correlation != held.event.correlation
    done = pbx.transfer("3001", at=AT)
    for report in done.reports:
        assert isinstance(report, CallReport)
        assert report.event.correlation == ringing.events[0].correlation
        assert report.second_reference == consulted.event.correlation
    ids = {ringing.call, int(held.event.connection.call, 16), consulting.call, done.call}
    assert len(ids) == 4


def test_reference_is_time_call_and_node_in_little_endian() -> None:
    pbx = build(last_call_id=0x1233, node=1)
    event = pbx.ring_from_outside(CALLER, "3001", at=AT).events[0]
    assert event.correlation == "00f1536534120100"
    assert event.connection.call == "1234"


def test_call_ids_wrap_and_skip_live_ones() -> None:
    pbx = build(last_call_id=0xFFFE)
    assert pbx.make_call("3001", "3002", at=AT).call == 0xFFFF
    assert pbx.make_call("3003", "3004", at=AT).call == 0


def test_a_live_call_keeps_its_id_when_the_counter_comes_round() -> None:
    exchange = Exchange([], trunk_lines=2, node=1, last_call_id=0xFFFF)
    first = exchange.open_call(OUTSIDE, EXPERT, AT)
    exchange.join(first, exchange.seize_line(OUTSIDE), LocalState.CONNECTED)
    ids = set()
    for _ in range(0x1_0000):
        call = exchange.open_call(OUTSIDE, EXPERT, AT)
        ids.add(call.call_id)
        exchange.leave(call, exchange.join(call, exchange.seize_line(OUTSIDE), LocalState.CONNECTED))
    assert exchange.calls == {0: first}
    assert ids == set(range(1, 0x1_0000))


# --- elsewhere


def test_a_ringing_set_diverts(pbx: PbxModel) -> None:
    pbx.make_call("3001", "3002", at=AT)
    diverted = pbx.divert("3002", "3003", at=AT)
    assert told(diverted) == [
        "3002 Diverted null redirected",
        "3001 Diverted connected redirected",
        "3003 Delivered alerting newCall",
        "3001 Delivered connected newCall",
    ]
    event = diverted.events[2]
    assert isinstance(event, calls.Delivered)
    parties = (event.alerting, event.calling, event.called, event.last_redirection)
    assert [party.number for party in parties] == ["3003", "3001", "3002", "3002"]


@pytest.mark.parametrize(
    ("forwards", "cause"),
    [
        (Forwards(immediate="3003"), Cause.CALL_FORWARD_IMMEDIATE),
        (Forwards(busy="3003"), Cause.CALL_FORWARD_BUSY),
    ],
)
def test_forwards_before_ringing(pbx: PbxModel, forwards: Forwards, cause: Cause) -> None:
    pbx.sets["3002"].lines = 1
    pbx.make_call("3002", "3004", at=AT)
    pbx.forward("3002", forwards)
    forwarded = pbx.ring_from_outside(CALLER, "3002", at=AT)
    assert told(forwarded) == [f"3002 Diverted null {cause}", "3003 Delivered alerting newCall"]
    event = forwarded.events[1]
    assert isinstance(event, calls.Delivered)
    assert (event.alerting.number, event.called.number) == ("3003", "3002")


def test_forward_on_no_answer(pbx: PbxModel) -> None:
    pbx.forward("3002", Forwards(no_answer="3003"))
    pbx.ring_from_outside(CALLER, "3002", at=AT)
    assert told(pbx.leave_unanswered("3002", at=AT)) == [
        "3002 Diverted null callForwardNoAnswer",
        "3003 Delivered alerting newCall",
    ]


def test_forwards_in_a_circle_end(pbx: PbxModel) -> None:
    pbx.forward("3002", Forwards(immediate="3003"))
    pbx.forward("3003", Forwards(immediate="3002"))
    failed = pbx.make_call("3001", "3002", at=AT)
    assert told(failed)[2:] == ["3001 Failed fail callForwardImmediate"]


def test_a_chain_of_forwards_names_each_step(pbx: PbxModel) -> None:
    pbx.forward("3002", Forwards(immediate="3003"))
    pbx.forward("3003", Forwards(immediate="3004"))
    events = pbx.ring_from_outside(CALLER, "3002", at=AT).events
    hops = [(event.device, getattr(event, "destination", None)) for event in events]
    assert [(device, hop and hop.number) for device, hop in hops] == [
        ("3002", "3003"),
        ("3003", "3004"),
        ("3004", None),
    ]


def test_a_set_goes_out_of_service_with_its_calls(pbx: PbxModel) -> None:
    conversation(pbx)
    *cleared, gone = pbx.take_out_of_service("3001", at=AT)
    assert [report.event.cause for report in cleared if isinstance(report, CallReport)] == [Cause.MAINTENANCE]
    assert gone == SetReport("3001", DeviceState.OUT_OF_SERVICE)
    assert not pbx.calls
    assert pbx.put_in_service("3001") == (SetReport("3001", DeviceState.IN_SERVICE),)
    assert pbx.put_in_service("3001") == ()


# --- what the PBX says when it is asked, and what it refuses


def test_snapshot_shows_the_present_connections(pbx: PbxModel) -> None:
    conversation(pbx)
    consulting = pbx.consult("3001", "3002", at=AT)
    states = [connection.state for connection in pbx.snapshot("3001").connections]
    assert states == [LocalState.HOLD, LocalState.CONNECTED]
    (ringing,) = pbx.snapshot("3002").connections
    assert ringing.state is LocalState.ALERTING
    assert ringing.connection.call == f"{consulting.call:04x}"
    assert pbx.snapshot("3003").connections == ()


def test_restart_forgets_every_call(pbx: PbxModel) -> None:
    conversation(pbx)
    pbx.consult("3001", "3002", at=AT)
    pbx.restart()
    assert not pbx.calls
    assert pbx.snapshot("3001").connections == ()


def test_the_display_shows_the_other_party(pbx: PbxModel) -> None:
    reports = pbx.make_call("3001", "3002", at=AT).reports
    shown = [(report.device, report.other.name) for report in reports if isinstance(report, CallReport)]
    assert shown == [("3001", "Hugo"), ("3001", "Hugo"), ("3002", "Camille"), ("3001", "Hugo")]


@pytest.mark.parametrize(
    ("problem", "attempt"),
    [
        (Problem.UNKNOWN_DEVICE, lambda pbx: pbx.make_call("9", "3001", at=AT)),
        (Problem.UNKNOWN_DEVICE, lambda pbx: pbx.ring_from_outside(CALLER, "9", at=AT)),
        (Problem.UNKNOWN_DEVICE, lambda pbx: pbx.snapshot("9")),
        (Problem.UNKNOWN_DEVICE, lambda pbx: pbx.forward("3001", Forwards(busy="9"))),
        (Problem.UNKNOWN_DEVICE, lambda pbx: pbx.divert("3002", "9", at=AT)),
        (Problem.BAD_NUMBER, lambda pbx: pbx.ring_from_outside("+33 1", "3003", at=AT)),
        (Problem.BAD_NUMBER, lambda pbx: pbx.make_call("3003", "", at=AT)),
        (Problem.BAD_NUMBER, lambda pbx: pbx.consult("3001", "x", at=AT)),
        (Problem.NO_CALL, lambda pbx: pbx.answer("3003", at=AT)),
        (Problem.NO_CALL, lambda pbx: pbx.release("3003", at=AT)),
        (Problem.NO_CALL, lambda pbx: pbx.outside_releases(0xBEEF, at=AT)),
        (Problem.WRONG_STATE, lambda pbx: pbx.answer("3001", at=AT)),
        (Problem.WRONG_STATE, lambda pbx: pbx.hold("3001", at=AT)),
        (Problem.WRONG_STATE, lambda pbx: pbx.retrieve("3001", at=AT)),
        (Problem.WRONG_STATE, lambda pbx: pbx.transfer("3001", at=AT)),
        (Problem.WRONG_STATE, lambda pbx: pbx.conference("3001", at=AT)),
        (Problem.WRONG_STATE, lambda pbx: pbx.consult("3001", "3003", at=AT)),
        (Problem.WRONG_STATE, lambda pbx: pbx.make_call("3001", "3003", at=AT)),
        (Problem.WRONG_STATE, lambda pbx: pbx.divert("3002", "3002", at=AT)),
        (Problem.OUT_OF_SERVICE, lambda pbx: pbx.make_call("3004", "3001", at=AT)),
    ],
)
def test_the_impossible_is_refused_and_changes_nothing(
    pbx: PbxModel, problem: Problem, attempt: object
) -> None:
    pbx.make_call("3001", "3002", at=AT)
    pbx.take_out_of_service("3004", at=AT)
    before = {number: pbx.snapshot(number) for number in pbx.sets}
    with pytest.raises(IllegalOperation) as refused:
        attempt(pbx)  # type: ignore[operator]
    assert refused.value.problem is problem
    assert {number: pbx.snapshot(number) for number in pbx.sets} == before


def test_who_has_not_answered_is_not_in_a_conference(pbx: PbxModel) -> None:
    conversation(pbx)
    pbx.consult("3001", "3002", at=AT)
    with pytest.raises(IllegalOperation) as refused:
        pbx.conference("3001", at=AT)
    assert refused.value.problem is Problem.WRONG_STATE


def test_a_fourth_party_does_not_fit(pbx: PbxModel) -> None:
    conversation(pbx)
    pbx.consult("3001", "3002", at=AT)
    pbx.answer("3002", at=AT)
    pbx.conference("3001", at=AT)
    pbx.consult("3001", "3003", at=AT)
    pbx.answer("3003", at=AT)
    with pytest.raises(IllegalOperation) as refused:
        pbx.conference("3001", at=AT)
    assert refused.value.problem is Problem.TOO_MANY_PARTIES
    assert len(pbx.transfer("3001", at=AT).reports) == 3


# --- features


def test_alternating_swaps_the_held_and_the_active_call(pbx: PbxModel) -> None:
    conversation(pbx)
    second = pbx.consult("3001", "3002", at=AT).call
    pbx.answer("3002", at=AT)
    swapped = pbx.alternate("3001", at=AT)
    assert told(swapped) == [
        "3001 Held hold alternate",
        "3002 Held connected alternate",
        "3001 Retrieved connected alternate",
    ]
    states = {call.call_id: leg.state for call, leg in pbx.sets["3001"].legs()}
    assert states == {swapped.call: LocalState.CONNECTED, second: LocalState.HOLD}


def test_alternating_takes_a_held_call_and_an_answered_one(pbx: PbxModel) -> None:
    conversation(pbx)
    with pytest.raises(IllegalOperation):
        pbx.alternate("3001", at=AT)
    pbx.consult("3001", "3002", at=AT)
    with pytest.raises(IllegalOperation):
        pbx.alternate("3001", at=AT)


def test_a_set_that_is_not_to_be_disturbed_does_not_ring(pbx: PbxModel) -> None:
    pbx.do_not_disturb("3002", is_on=True)
    assert told(pbx.make_call("3001", "3002", at=AT))[-1] == "3001 Failed fail doNotDisturb"
    assert not pbx.ring_from_outside(CALLER, "3002", at=AT).reports
    pbx.forward("3002", Forwards(immediate="3003"))
    assert told(pbx.ring_from_outside(CALLER, "3002", at=AT))[-1] == "3003 Delivered alerting newCall"


def test_tones_are_remembered_with_their_call(pbx: PbxModel) -> None:
    call = conversation(pbx)
    pbx.send_digits("3001", "1")
    pbx.send_digits("3001", "*9#", call)
    assert pbx.calls[call].tones == [("3001", "1"), ("3001", "*9#")]
    for digits in ("", "x", "1" * 65):
        with pytest.raises(IllegalOperation):
            pbx.send_digits("3001", digits)
    with pytest.raises(IllegalOperation):
        pbx.send_digits("3002", "1")


def test_an_agent_changes_his_state_only_when_logged_on(pbx: PbxModel) -> None:
    phone = pbx.sets["3001"]
    for state in (AgentState.READY, AgentState.LOGGED_OFF):
        with pytest.raises(IllegalOperation):
            pbx.set_agent("3001", state)
    pbx.set_agent("3001", AgentState.LOGGED_ON, "41")
    assert (phone.agent, phone.agent_state) == ("41", AgentState.NOT_READY)
    pbx.set_agent("3001", AgentState.READY)
    assert pbx.sets["3001"].agent_state is AgentState.READY
    pbx.set_agent("3001", AgentState.LOGGED_OFF)
    left = pbx.sets["3001"]
    assert not left.agent
    assert left.agent_state is None
