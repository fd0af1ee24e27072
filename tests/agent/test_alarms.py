"""The board logs an alarm once, counts conflicts, and knows which are over when the link is up."""

import logging

import pytest

from connector.agent.alarms import AlarmBoard
from connector.domain.errors import AuthError, DialError, Replaced
from connector.domain.faults import FAULTS, FaultId
from tests.agent.clocks import NOON, StillClock

REPLACED = Replaced(FaultId.CLOUD_REPLACED, link="cloud")
REFUSED = AuthError(FaultId.CLOUD_NOT_AUTHORIZED, "not-authorized", link="cloud")


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def board(clock: StillClock) -> AlarmBoard:
    return AlarmBoard(clock)


def faults(board: AlarmBoard) -> list[FaultId]:
    return [alarm.fault for alarm in board.raised()]


def test_one_line_when_it_is_raised_and_one_when_it_is_over(
    board: AlarmBoard, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    for _ in range(3):
        board.report(FaultId.STORE_UNUSABLE, "no space left")
    board.clear(FaultId.STORE_UNUSABLE)
    board.clear(FaultId.STORE_UNUSABLE)
    raised, cleared = caplog.records
    assert (raised.message, raised.levelname) == ("alarm raised", "ERROR")
    assert raised.__dict__["remedy"] == FAULTS[FaultId.STORE_UNUSABLE].remedy
    assert (cleared.message, cleared.__dict__["count"]) == ("alarm cleared", 3)
    assert board.known() == {FaultId.STORE_UNUSABLE: False}


def test_the_third_conflict_within_an_hour_is_a_second_agent(board: AlarmBoard, clock: StillClock) -> None:
    for _ in range(2):
        board.cloud_ended(REPLACED)
        clock.seconds += 60
    board.cloud_connected()
    assert faults(board) == []
    board.cloud_ended(REPLACED)
    assert faults(board) == [FaultId.SECOND_AGENT]
    board.cloud_connected()
    assert faults(board) == [FaultId.SECOND_AGENT], "that we won once more changes nothing"
    clock.seconds += 3_700
    assert faults(board) == []
    assert board.known() == {FaultId.SECOND_AGENT: False}


def test_what_needs_a_person_is_an_alarm_until_a_login_succeeds(board: AlarmBoard) -> None:
    board.cloud_ended(REFUSED)
    board.cloud_ended(REFUSED)
    (alarm,) = board.raised()
    assert (alarm.fault, alarm.count, alarm.since) == (FaultId.CLOUD_NOT_AUTHORIZED, 2, NOON)
    board.cloud_connected()
    assert faults(board) == []


def test_a_cut_line_is_no_alarm(board: AlarmBoard) -> None:
    board.cloud_ended(DialError(FaultId.CLOUD_UNREACHABLE, link="cloud"))
    assert faults(board) == []
