"""Which device is asked what and when, in virtual time."""

import pytest

from connector.pbx.csta.roster import MAX_TRIES, Ask, Roster, Verdict, verdict
from connector.wire import rose
from connector.wire.csta import messages as m


def all_asked(roster: Roster, now: float = 0.0) -> list[str]:
    """Ask as much as is allowed; invoke ids are made of the number and the tries."""
    asked = []
    while (ask := roster.next_ask(now)) is not None:
        roster.sent(int(ask.number) * 10 + ask.tries, ask)
        asked.append(("?" if ask.is_snapshot else "") + ask.number)
    return asked


def test_no_more_are_asked_at_once_than_the_window_holds() -> None:
    roster = Roster(["1", "2", "3", "4"], max_open=2)
    assert all_asked(roster) == ["1", "2"]
    assert roster.answered(11) == Ask("1")
    assert roster.answered(11) is None
    assert all_asked(roster) == ["3"]


def test_probing_ends_with_the_last_answer() -> None:
    roster = Roster(["1", "2"], max_open=5)
    all_asked(roster)
    roster.answered(11)
    roster.granted("1", b"\x01")
    assert [roster.is_probing] == [True]
    ask = roster.answered(21)
    assert ask is not None
    assert roster.failed(ask, m.OBJECT_NOT_KNOWN, 0.0) is Verdict.ABSENT
    assert [roster.is_probing] == [False]
    assert (roster.monitored, roster.device_of(b"\x01"), roster.device_of(b"\x02")) == (["1"], "1", None)
    assert roster.resume_in(0.0) is None


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (m.OBJECT_NOT_KNOWN, Verdict.ABSENT),
        (m.INVALID_DEVICE, Verdict.ABSENT),
        (m.OVERALL_MONITOR_LIMIT, Verdict.LIMIT),
        (m.OBJECT_MONITOR_LIMIT, Verdict.LIMIT),
        (m.OUTSTANDING_REQUEST_LIMIT, Verdict.BUSY),
        (m.SERVICE_BUSY, Verdict.BUSY),
        (m.RESOURCE_BUSY, Verdict.BUSY),
        (m.ServiceError(m.ErrorClass.STATE, 2), Verdict.BUSY),
        (m.ServiceError(m.ErrorClass.PERFORMANCE, 2), Verdict.BUSY),
        (m.ServiceError(m.ErrorClass.OPERATION, 8), Verdict.REFUSED),
        (m.ServiceError(m.ErrorClass.UNSPECIFIED), Verdict.REFUSED),
        (m.ServiceError(99, 4), Verdict.REFUSED),
        (rose.Reject(1, *rose.RESOURCE_LIMITATION), Verdict.BUSY),
        (rose.Reject(1, *rose.UNRECOGNISED_OPERATION), Verdict.REFUSED),
        (None, Verdict.BUSY),
    ],
)
def test_what_a_failure_means(error: m.ServiceError | rose.Reject | None, expected: Verdict) -> None:
    assert verdict(error) is expected


def test_at_the_limit_nothing_is_added_but_calls_are_read() -> None:
    roster = Roster(["1", "2", "3"], max_open=1)
    all_asked(roster)
    roster.read_calls(["9"])
    ask = roster.answered(11)
    assert ask is not None
    assert roster.failed(ask, m.OVERALL_MONITOR_LIMIT, 0.0) is Verdict.LIMIT
    assert not roster.is_probing
    assert all_asked(roster) == ["?9"]


def test_a_busy_pbx_is_asked_later_and_half_as_much() -> None:
    roster = Roster(["1", "2", "3", "4", "5", "6"], max_open=4)
    assert all_asked(roster) == ["1", "2", "3", "4"]
    for invoke_id in (11, 21):
        ask = roster.answered(invoke_id)
        assert ask is not None
        assert roster.failed(ask, m.SERVICE_BUSY, 10.0) is Verdict.BUSY
    assert all_asked(roster, 10.9) == []
    assert roster.resume_in(10.25) == 0.75
    roster.answered(31)
    roster.answered(41)
    assert roster.resume_in(11.0) == 0.0
    assert all_asked(roster, 11.0) == ["5", "6"]
    assert roster.resume_in(11.0) is None
    roster.answered(51)
    roster.answered(61)
    assert all_asked(roster, 11.0) == ["1", "2"]


def test_a_device_is_given_up_after_some_tries() -> None:
    roster = Roster(["1"], max_open=8)
    now = 0.0
    pauses = []
    for tries in range(1, MAX_TRIES):
        assert all_asked(roster, now) == ["1"]
        ask = roster.answered(10 + tries)
        assert ask is not None
        assert roster.failed(ask, None, now) is Verdict.BUSY
        pause = roster.resume_in(now)
        assert pause is not None
        pauses.append(pause)
        now += pause
    assert pauses == [1, 2, 4, 8]
    assert all_asked(roster, now) == ["1"]
    ask = roster.answered(10 + MAX_TRIES)
    assert ask is not None
    assert roster.failed(ask, None, now) is Verdict.REFUSED
    assert not roster.is_probing


def test_a_monitor_that_ended_is_asked_for_again() -> None:
    roster = Roster(["1"], max_open=1)
    all_asked(roster)
    roster.answered(11)
    roster.granted("1", b"\x01")
    assert roster.ended(b"\x02") is None
    assert roster.ended(b"\x01") == "1"
    assert roster.monitored == []
    assert all_asked(roster) == ["1"]


def test_calls_are_not_asked_for_twice() -> None:
    roster = Roster([], max_open=1)
    roster.read_calls(["1", "2"])
    roster.read_calls(["2", "1"])
    asked = all_asked(roster)
    while asked:
        last = asked[-1]
        roster.answered(int(last[1:]) * 10 + 1)
        more = all_asked(roster)
        if not more:
            break
        asked += more
    assert asked == ["?1", "?2"]
