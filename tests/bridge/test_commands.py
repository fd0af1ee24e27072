"""The command desk: what is refused and in which order, one answer each, and what a repeated id gets."""

import asyncio
import logging
from dataclasses import replace
from datetime import timedelta

import pytest

from connector.bridge import commands as bridge
from connector.bridge.commands import CommandLimits
from connector.domain.calls import ConnectionId
from connector.domain.command_policy import CommandPolicy
from connector.domain.commands import (
    AgentState,
    AnswerCall,
    Command,
    CommandDone,
    CommandRefused,
    ConsultationCall,
    DeflectCall,
    ForwardingKind,
    HoldCall,
    MakeCall,
    Outcome,
    Refused,
    SetAgentState,
    SetDoNotDisturb,
    SetForwarding,
    TransferCall,
    Verb,
)
from connector.domain.errors import StoreError
from tests.bridge.command_parts import DISK_ERROR, DONE, NOON, POLICY, Bench, refusals, settled

OWN = ConnectionId("77", "3001")
OTHER = ConnectionId("77", "3002")
DONE_CALL = CommandDone((ConnectionId("2AD8", "3001"),))

pytestmark = pytest.mark.usefixtures("no_task_left")


@pytest.fixture
async def bench() -> Bench:
    return await Bench().ready()


async def test_a_command_is_executed_and_answered(bench: Bench) -> None:
    bench.pbx.outcome = DONE_CALL
    assert await bench.outcome(bench.request(MakeCall("3001", "3002"))) == DONE_CALL
    assert bench.pbx.commands == [MakeCall("3001", "3002")]
    assert bench.disk.rows["cmd-1"].outcome == DONE_CALL
    assert bench.desk.counts == {(Verb.MAKE_CALL, "done"): 1}


@pytest.mark.parametrize("refused", [Refused.PBX, Refused.NO_PBX, Refused.UNSUPPORTED])
async def test_what_the_pbx_refuses_is_told_as_it_is(bench: Bench, refused: Refused) -> None:
    bench.pbx.outcome = CommandRefused(refused, "noCallToAnswer")
    assert await bench.outcome(bench.request()) == CommandRefused(refused, "noCallToAnswer")


async def test_the_pbx_is_asked_only_after_the_id_is_on_disk(bench: Bench) -> None:
    bench.disk.is_slow = True
    answers = bench.send(bench.request())
    await settled()
    assert bench.pbx.asked == []
    bench.disk.finish()
    await settled()
    assert len(bench.pbx.asked) == 1
    assert answers == []  # the outcome is not on disk yet
    bench.disk.finish()
    await settled()
    assert answers == [DONE]


# The clock ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0, -1, -86_400])
async def test_a_late_request_is_not_run(bench: Bench, seconds: float) -> None:
    assert await bench.outcome(bench.request(seconds=seconds)) == CommandRefused(Refused.EXPIRED)
    assert bench.pbx.asked == []
    assert bench.disk.rows == {}


@pytest.mark.parametrize(("moves", "jumps"), [(30, 0), (0, 30), (30, -30)])
async def test_a_request_that_became_late_on_the_disk_is_not_run(
    bench: Bench, moves: float, jumps: float
) -> None:
    """Also when the wall clock was set back meanwhile: time has passed all the same."""
    bench.disk.is_slow = True
    answers = bench.send(bench.request(seconds=30))
    await settled()
    bench.clock.seconds += moves
    bench.clock.jump_seconds += jumps
    bench.disk.is_slow = False
    bench.disk.finish()
    await settled()
    assert answers == [CommandRefused(Refused.EXPIRED)]
    assert bench.pbx.asked == []
    assert bench.disk.rows["cmd-1"].outcome == CommandRefused(Refused.EXPIRED)


async def test_a_deadline_far_ahead_is_cut(bench: Bench) -> None:
    bench.disk.is_slow = True
    answers = bench.send(bench.request(seconds=10**9))
    await settled()
    bench.clock.seconds += 300
    bench.disk.is_slow = False
    bench.disk.finish()
    await settled()
    assert refusals(answers) == [Refused.EXPIRED]


@pytest.mark.parametrize(("seconds", "left"), [(30, 30), (10**9, 300)])
async def test_the_adapter_is_told_until_when_it_may_send(bench: Bench, seconds: float, left: float) -> None:
    assert await bench.outcome(bench.request(seconds=seconds)) == DONE
    assert bench.pbx.left_seconds == [left]


async def test_a_pbx_that_never_answers(bench: Bench) -> None:
    bench = await Bench(limits=CommandLimits(execution_seconds=0)).ready()
    bench.pbx.is_slow = True
    assert await bench.outcome(bench.request()) == CommandRefused(Refused.UNKNOWN_OUTCOME)
    assert bench.disk.rows["cmd-1"].outcome == CommandRefused(Refused.UNKNOWN_OUTCOME)


# The lists ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "word"),
    [
        (MakeCall("3002", "3003"), "privilegeViolationSpecifiedDevice"),
        (AnswerCall(OTHER), "privilegeViolationSpecifiedDevice"),
        (TransferCall(OWN, OTHER), "privilegeViolationSpecifiedDevice"),
        (TransferCall(OTHER, OWN), "privilegeViolationSpecifiedDevice"),
        (SetDoNotDisturb("3002", is_on=True), "privilegeViolationSpecifiedDevice"),
        (SetAgentState("3002", AgentState.READY), "privilegeViolationSpecifiedDevice"),
        (MakeCall("3001", "000441632960001"), "privilegeViolationCalledDevice"),
        (ConsultationCall(OWN, "000441632960001"), "privilegeViolationCalledDevice"),
        (DeflectCall(OWN, "000441632960001"), "privilegeViolationDestinationDevice"),
        (
            SetForwarding("3001", ForwardingKind.BUSY, is_on=True, destination="000441632960001"),
            "privilegeViolationDestinationDevice",
        ),
        (MakeCall("3001", "3002;ext=1"), "invalidDestination"),
    ],
)
async def test_what_is_not_on_the_lists_is_forbidden(bench: Bench, command: Command, word: str) -> None:
    assert await bench.outcome(bench.request(command)) == CommandRefused(Refused.FORBIDDEN, word)
    assert bench.pbx.asked == []
    assert bench.disk.rows == {}


@pytest.mark.parametrize(
    ("policy", "word"),
    [
        (CommandPolicy(), "securityViolation"),
        (replace(POLICY, verbs=frozenset({Verb.HOLD_CALL})), "securityViolation"),
        (replace(POLICY, devices=()), "privilegeViolationSpecifiedDevice"),
    ],
)
async def test_empty_lists_allow_nothing(policy: CommandPolicy, word: str) -> None:
    bench = await Bench(policy).ready()
    assert await bench.outcome(bench.request()) == CommandRefused(Refused.FORBIDDEN, word)


async def test_a_known_device_may_be_called_whatever_its_range(bench: Bench) -> None:
    assert await bench.outcome(bench.request(MakeCall("3001", "4000"))) == DONE
    assert refusals([await bench.outcome(bench.request(MakeCall("3001", "4001"), id_="2"))]) == [
        Refused.FORBIDDEN
    ]


async def test_who_owns_a_connection_can_be_told_from_outside(bench: Bench) -> None:
    """A PBX may name the device within a call by octets of its own."""
    dynamic = ConnectionId("77", "a1b2")
    bench.owns = lambda device, leg: (device, leg) == ("3001", dynamic)
    assert await bench.outcome(bench.request(HoldCall(dynamic))) == DONE
    assert refusals([await bench.outcome(bench.request(HoldCall(OWN), id_="2"))]) == [Refused.FORBIDDEN]


async def test_the_rules_of_the_cloud_come_before_the_lists_and_the_pbx(bench: Bench) -> None:
    bench.dialled = {"7002": "3002", "3003": "000441632960001", "9": ""}.__getitem__
    assert await bench.outcome(bench.request(MakeCall("3001", "7002"), id_="1")) == DONE
    assert bench.pbx.commands == [MakeCall("3001", "3002")]
    assert await bench.outcome(bench.request(MakeCall("3001", "3003"), id_="2")) == CommandRefused(
        Refused.FORBIDDEN, "privilegeViolationCalledDevice"
    )
    assert await bench.outcome(bench.request(MakeCall("3001", "9"), id_="3")) == CommandRefused(
        Refused.FORBIDDEN, "invalidDestination"
    )


async def test_turning_a_forwarding_off_dials_nothing(bench: Bench) -> None:
    off = SetForwarding("3001", ForwardingKind.IMMEDIATE, is_on=False)
    assert await bench.outcome(bench.request(off)) == DONE


# The limits -----------------------------------------------------------------------------------------


async def test_a_user_dials_five_times_a_minute(bench: Bench) -> None:
    def dial(number: int, user: str = "anna") -> list[Outcome]:
        return bench.send(bench.request(MakeCall("3001", "3002"), id_=f"{user}{number}", user=user))

    outcomes = [dial(number) for number in range(7)]
    await settled()
    assert outcomes == [[DONE]] * 5 + [[CommandRefused(Refused.BUSY)]] * 2
    assert await bench.outcome(bench.request(id_="answer")) == DONE  # other commands go on
    assert await bench.outcome(bench.request(MakeCall("3001", "3002"), id_="b1", user="bert")) == DONE
    bench.clock.seconds += 60
    assert await bench.outcome(bench.request(MakeCall("3001", "3002"), id_="next")) == DONE


async def test_a_restart_gives_no_fresh_minute(bench: Bench) -> None:
    for number in range(5):
        await bench.outcome(bench.request(MakeCall("3001", "3002"), id_=str(number)))
    bench.clock.seconds += 59
    bench.new_desk()
    await bench.ready()
    again = bench.request(MakeCall("3001", "3002"), id_="6")
    assert await bench.outcome(again) == CommandRefused(Refused.BUSY)
    bench.clock.seconds += 1
    assert await bench.outcome(replace(again, id="7")) == DONE


async def test_no_more_than_the_pbx_takes_run_at_once() -> None:
    bench = await Bench(limits=CommandLimits(in_flight=2)).ready()
    bench.pbx.is_slow = True
    outcomes = [bench.send(bench.request(id_=str(number))) for number in range(3)]
    await settled()
    assert outcomes == [[], [], [CommandRefused(Refused.BUSY)]]
    bench.pbx.finish()
    bench.pbx.finish()
    await settled()
    assert outcomes[:2] == [[DONE], [DONE]]


async def test_when_memory_is_full_nothing_is_forgotten_early(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bridge, "MAX_REMEMBERED", 2)
    assert await bench.outcome(bench.request(id_="1")) == DONE
    assert await bench.outcome(bench.request(id_="2")) == DONE
    assert await bench.outcome(bench.request(id_="3")) == CommandRefused(Refused.BUSY)
    assert await bench.outcome(bench.request(id_="1")) == DONE
    assert len(bench.pbx.asked) == 2


async def test_ten_thousand_requests_a_second_cost_no_disk_and_little_memory(bench: Bench) -> None:
    outcomes = [bench.send(bench.request(id_=str(number))) for number in range(10_000)]
    await settled()
    assert all(len(answers) == 1 for answers in outcomes)
    assert len(bench.disk.rows) == len(bench.pbx.asked) == CommandLimits().in_flight
    assert sum(bench.desk.counts.values()) == 10_000
    assert len(bench.desk._turned_away) == bridge.MAX_TURNED_AWAY


# Repeated ids ---------------------------------------------------------------------------------------


async def test_a_repeated_id_gets_the_stored_answer_even_after_its_deadline(bench: Bench) -> None:
    bench.pbx.outcome = DONE_CALL
    request = bench.request(MakeCall("3001", "3002"))
    assert await bench.outcome(request) == DONE_CALL
    bench.clock.seconds += 86_000
    assert await bench.outcome(request) == DONE_CALL
    assert len(bench.pbx.asked) == 1


async def test_a_repeated_id_waits_for_the_one_outcome(bench: Bench) -> None:
    bench.pbx.is_slow = True
    outcomes = [bench.send(bench.request()) for _ in range(bridge.MAX_ANSWERS + 1)]
    await settled()
    assert outcomes == [[]] * bridge.MAX_ANSWERS + [[CommandRefused(Refused.UNKNOWN_OUTCOME)]]
    bench.pbx.finish()
    await settled()
    assert outcomes[:-1] == [[DONE]] * bridge.MAX_ANSWERS
    assert len(bench.pbx.asked) == 1


async def test_a_refused_id_stays_refused(bench: Bench) -> None:
    bench.desk.detach()
    request = bench.request()
    assert await bench.outcome(request) == CommandRefused(Refused.NO_PBX)
    bench.desk.attach(bench.pbx)
    assert await bench.outcome(request) == CommandRefused(Refused.NO_PBX)
    assert await bench.outcome(bench.request(id_="another")) == DONE


@pytest.mark.parametrize("is_running", [True, False])
async def test_an_id_means_one_command_only(bench: Bench, *, is_running: bool) -> None:
    bench.pbx.is_slow = is_running
    first = bench.send(bench.request(HoldCall(OWN)))
    await settled()
    other = bench.request(AnswerCall(OWN))
    assert await bench.outcome(other) == CommandRefused(Refused.CONFLICT)
    if is_running:
        bench.pbx.finish()
        await settled()
    assert first == [DONE]
    assert bench.pbx.commands == [HoldCall(OWN)]


async def test_an_id_is_free_again_after_a_day(bench: Bench) -> None:
    assert await bench.outcome(bench.request()) == DONE
    bench.clock.seconds += bridge.KEEP_SECONDS + 1
    del bench.disk.rows["cmd-1"]  # as the ledger does
    assert bench.desk.remembered("cmd-1") is not None
    assert await bench.outcome(bench.request()) == DONE
    assert len(bench.pbx.asked) == 2


# The disk -------------------------------------------------------------------------------------------


async def test_nothing_is_sent_when_the_id_can_not_be_written(bench: Bench) -> None:
    bench.disk.fails = True
    assert await bench.outcome(bench.request()) == CommandRefused(Refused.STORE)
    assert bench.pbx.asked == []
    bench.disk.fails = False
    assert await bench.outcome(bench.request()) == CommandRefused(Refused.STORE)  # its one answer
    assert await bench.outcome(bench.request(id_="2")) == DONE


async def test_an_outcome_that_can_not_be_written_is_told_all_the_same(bench: Bench) -> None:
    bench.pbx.is_slow = True
    answers = bench.send(bench.request())
    await settled()
    bench.disk.fails = True
    bench.pbx.finish()
    await settled()
    assert answers == [DONE]
    assert await bench.outcome(bench.request()) == DONE
    bench.disk.fails = False
    bench.new_desk()
    assert await bench.desk.recover() == ["cmd-1"]
    assert await bench.outcome(bench.request()) == CommandRefused(Refused.UNKNOWN_OUTCOME)
    assert len(bench.pbx.asked) == 1


async def test_nothing_is_taken_before_what_was_begun_is_known() -> None:
    bench = Bench()
    assert await bench.outcome(bench.request()) == CommandRefused(Refused.STORE)
    bench.disk.fails = True
    with pytest.raises(StoreError):
        await bench.desk.recover()
    assert await bench.outcome(bench.request(id_="2")) == CommandRefused(Refused.STORE)
    assert bench.pbx.asked == []


async def test_what_is_remembered_can_be_looked_up(bench: Bench) -> None:
    bench.pbx.is_slow = True
    bench.send(bench.request())
    await settled()
    running = bench.desk.remembered("cmd-1")
    assert running is not None
    assert (running.verb, running.outcome, running.at) == (Verb.ANSWER_CALL, None, NOON)
    bench.pbx.finish()
    await settled()
    ended = bench.desk.remembered("cmd-1")
    assert ended is not None
    assert ended.outcome == DONE
    assert bench.desk.remembered("never") is None


# Whoever executes and answers -----------------------------------------------------------------------


async def test_a_pbx_lost_between_claim_and_execution(bench: Bench) -> None:
    bench.disk.is_slow = True
    answers = bench.send(bench.request())
    await settled()
    bench.desk.detach()
    bench.disk.is_slow = False
    bench.disk.finish()
    await settled()
    assert refusals(answers) == [Refused.NO_PBX]


@pytest.mark.parametrize("failure", [ValueError("defect"), TimeoutError(), DISK_ERROR])
async def test_a_defect_of_the_adapter_is_an_unknown_outcome(bench: Bench, failure: Exception) -> None:
    bench.pbx.failure = failure
    assert await bench.outcome(bench.request()) == CommandRefused(Refused.UNKNOWN_OUTCOME)


async def test_an_answer_that_fails_costs_nobody_else_his(bench: Bench) -> None:
    bench.pbx.is_slow = True

    def fails(_outcome: Outcome) -> None:
        raise RuntimeError("the stream is gone")

    bench.desk.received(bench.request(), fails)
    second = bench.send(bench.request())
    await settled()
    bench.pbx.finish()
    await settled()
    assert second == [DONE]


async def test_the_end_waits_for_what_runs(bench: Bench) -> None:
    bench.pbx.is_slow = True
    answers = bench.send(bench.request())
    await settled()
    ending = asyncio.create_task(bench.desk.aclose())
    await settled()
    assert refusals(bench.send(bench.request(id_="new"))) == [Refused.BUSY]
    bench.pbx.finish()
    await ending
    assert answers == [DONE]


async def test_what_does_not_end_is_unknown() -> None:
    bench = await Bench(limits=CommandLimits(grace_seconds=0)).ready()
    bench.pbx.is_slow = True
    answers = bench.send(bench.request())
    await settled()
    await bench.desk.aclose()
    assert answers == [CommandRefused(Refused.UNKNOWN_OUTCOME)]
    bench.new_desk()
    assert await bench.desk.recover() == ["cmd-1"]


async def test_the_audit_line_masks_what_is_dialled(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "connector.bridge.commands"):
        await bench.outcome(bench.request(MakeCall("3001", "00639980001")))
        await bench.outcome(bench.request(MakeCall("3001", "000441632960001"), id_="2"))
    lines = [vars(record) for record in caplog.records]
    assert [(line["to"], line["outcome"], line["reason"]) for line in lines] == [
        ("********01", "done", ""),
        ("********01", "forbidden", "privilegeViolationCalledDevice"),
    ]
    assert {line["device"] for line in lines} == {"3001"}


async def test_a_password_is_neither_stored_nor_logged(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    log_on = SetAgentState("3001", AgentState.LOGGED_ON, agent="4711", password="canary-7")
    with caplog.at_level(logging.DEBUG):
        assert await bench.outcome(bench.request(log_on)) == DONE
    assert bench.pbx.commands == [log_on]
    assert "canary-7" not in caplog.text + repr(bench.disk.rows) + repr([vars(r) for r in caplog.records])
    assert timedelta(seconds=30) == bench.disk.rows["cmd-1"].deadline - NOON
