"""Alarms are raised once, counted, cleared once; a second agent is the third conflict within an hour."""

from datetime import UTC, datetime, timedelta

import pytest

from connector.domain.alarms import MAX_DETAIL_CHARS, Alarm, Alarms, Conflicts
from connector.domain.faults import FaultId

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def test_an_alarm_is_raised_once_and_counts_its_repetitions() -> None:
    alarms = Alarms()
    assert alarms.report(FaultId.CLOCK_WRONG, NOON, "90 s")
    assert not alarms.report(FaultId.CLOCK_WRONG, NOON + timedelta(hours=1), "120 s")
    assert alarms.raised == (Alarm(FaultId.CLOCK_WRONG, NOON, 2, "120 s"),)


def test_what_is_over_is_cleared_once_and_still_known() -> None:
    alarms = Alarms()
    alarms.report(FaultId.CLOCK_WRONG, NOON)
    assert alarms.clear(FaultId.CLOCK_WRONG) == Alarm(FaultId.CLOCK_WRONG, NOON)
    assert alarms.clear(FaultId.CLOCK_WRONG) is None
    assert alarms.raised == ()
    assert alarms.known == {FaultId.CLOCK_WRONG: False}
    assert alarms.report(FaultId.CLOCK_WRONG, NOON), "the next time is news again"


def test_the_oldest_comes_first_and_details_are_bounded() -> None:
    alarms = Alarms()
    alarms.report(FaultId.CLOCK_WRONG, NOON, "x" * 9_000)
    alarms.report(FaultId.SECOND_AGENT, NOON - timedelta(seconds=1))
    assert [alarm.fault for alarm in alarms.raised] == [FaultId.SECOND_AGENT, FaultId.CLOCK_WRONG]
    assert len(alarms.raised[1].detail) == MAX_DETAIL_CHARS


@pytest.mark.parametrize(
    ("times", "now", "is_alarming"),
    [
        ([0.0, 1.0], 1.0, False),
        ([0.0, 1.0, 2.0], 2.0, True),
        ([0.0, 1_800.0, 3_600.0], 3_600.0, True),
        ([0.0, 1_800.0, 3_601.0], 3_601.0, False),
        ([0.0, 1.0, 2.0], 3_601.0, False),
        ([0.0, 4_000.0, 4_001.0, 4_002.0], 4_002.0, True),
    ],
)
def test_the_third_conflict_within_an_hour_alarms(times: list[float], now: float, is_alarming: bool) -> None:
    conflicts = Conflicts()
    for time in times:
        conflicts.happened(time)
    assert conflicts.is_alarming(now) is is_alarming
