"""Which device is asked what and when, in virtual time."""

import pytest

from connector.domain.configuration import MonitorRefusal
from connector.pbx.csta.roster import MAX_TRIES, Ask, Purpose, Roster, Verdict, verdict
from connector.wire import rose
from connector.wire.csta import errors


def all_asked(roster: Roster, now: float = 0.0) -> list[str]:
    """Ask as much as is allowed; invoke ids are made of the number and the tries."""
    asked = []
    while (ask := roster.next_ask(now)) is not None:
        roster.sent(int(ask.number) * 10 + ask.tries, ask)
        asked.append(("?" if ask.purpose is Purpose.SNAPSHOT else "") + ask.number)
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
    assert roster.failed(ask, errors.OBJECT_NOT_KNOWN, 0.0) is Verdict.ABSENT
    assert [roster.is_probing] == [False]
    assert (roster.monitored, roster.device_of(b"\x01"), roster.device_of(b"\x02")) == (["1"], "1", None)
    assert roster.resume_in(0.0) is None


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (errors.OBJECT_NOT_KNOWN, Verdict.ABSENT),
        (errors.INVALID_DEVICE, Verdict.ABSENT),
        (errors.OVERALL_MONITOR_LIMIT, Verdict.LIMIT),
        (errors.OBJECT_MONITOR_LIMIT, Verdict.LIMIT),
        (errors.OUTSTANDING_REQUEST_LIMIT, Verdict.BUSY),
        (errors.SERVICE_BUSY, Verdict.BUSY),
        (errors.RESOURCE_BUSY, Verdict.BUSY),
        (errors.ServiceError(errors.ErrorClass.STATE, 2), Verdict.BUSY),
        (errors.ServiceError(errors.ErrorClass.PERFORMANCE, 2), Verdict.BUSY),
        (errors.ServiceError(errors.ErrorClass.OPERATION, 8), Verdict.REFUSED),
        (errors.ServiceError(errors.ErrorClass.UNSPECIFIED), Verdict.REFUSED),
        (errors.ServiceError(99, 4), Verdict.REFUSED),
        (rose.Reject(1, *rose.RESOURCE_LIMITATION), Verdict.BUSY),
        (rose.Reject(1, *rose.UNRECOGNISED_OPERATION), Verdict.REFUSED),
        (None, Verdict.BUSY),
    ],
)
def test_what_a_failure_means(error: errors.ServiceError | rose.Reject | None, expected: Verdict) -> None:
    assert verdict(error) is expected


def test_at_the_limit_nothing_is_added_but_calls_are_read() -> None:
    roster = Roster(["1", "2", "3"], max_open=1)
    all_asked(roster)
    roster.read_calls(["9"])
    ask = roster.answered(11)
    assert ask is not None
    assert roster.failed(ask, errors.OVERALL_MONITOR_LIMIT, 0.0) is Verdict.LIMIT
    assert not roster.is_probing
    assert all_asked(roster) == ["?9"]


def test_a_busy_pbx_is_asked_later_and_half_as_much() -> None:
    roster = Roster(["1", "2", "3", "4", "5", "6"], max_open=4)
    assert all_asked(roster) == ["1", "2", "3", "4"]
    for invoke_id in (11, 21):
        ask = roster.answered(invoke_id)
        assert ask is not None
        assert roster.failed(ask, errors.SERVICE_BUSY, 10.0) is Verdict.BUSY
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


# --- what is wanted


def grant(roster: Roster, number: str) -> bytes:
    """Answer the MonitorStart of `number`, which was asked; its cross reference."""
    roster.answered(int(number) * 10 + 1)
    roster.granted(number, number.encode())
    return number.encode()


def test_a_monitor_that_only_probed_is_stopped_before_the_next_number_is_asked() -> None:
    roster = Roster(["1", "2"], max_open=1)
    roster.want(frozenset(("2",)))
    assert all_asked(roster) == ["1"]
    grant(roster, "1")
    assert (roster.found, roster.monitored, roster.is_ending(b"1")) == (["1"], [], True)
    stop = roster.next_ask(0.0)
    assert stop == Ask("1", Purpose.STOP, b"1")
    roster.sent(99, stop)
    assert roster.answered(99) == stop
    roster.stopped(stop.cross_ref)
    assert not roster.is_ending(b"1")
    assert all_asked(roster) == ["2"]
    grant(roster, "2")
    assert not roster.is_probing
    assert (roster.monitored, roster.refusals_of(frozenset(("2",)))) == (["2"], {})


def test_what_is_not_wanted_any_more_is_named_and_stopped() -> None:
    roster = Roster(["1", "2", "3"], max_open=5)
    all_asked(roster)
    for number in "123":
        grant(roster, number)
    assert roster.want(frozenset(("2",))) == ["1", "3"]
    assert roster.monitored == ["2"]
    assert {ask.cross_ref for ask in iter(lambda: roster.next_ask(0.0), None)} == {b"1", b"3"}
    assert roster.want(None) == []
    assert all_asked(roster) == ["1", "3"]


def test_a_change_of_mind_asks_once() -> None:
    roster = Roster(["1", "2"], max_open=5)
    all_asked(roster)
    for number in "12":
        grant(roster, number)
    for wanted in (("1",), ("2",), ("1", "2"), ("1",), ("1", "2")):
        roster.want(frozenset(wanted))
    purposes = [(ask.number, ask.purpose) for ask in iter(lambda: roster.next_ask(0.0), None)]
    assert purposes == [("1", Purpose.STOP), ("2", Purpose.STOP), ("1", Purpose.START), ("2", Purpose.START)]


def test_a_probe_of_what_is_not_wanted_is_made_all_the_same() -> None:
    roster = Roster(["1", "2", "3"], max_open=1)
    assert all_asked(roster) == ["1"]
    roster.want(frozenset())
    roster.read_calls(["1"])
    grant(roster, "1")
    assert [ask.number for ask in iter(lambda: roster.next_ask(0.0), None)] == ["1", "2", "3", "1"]


def test_a_limit_is_the_reason_for_all_that_were_not_asked() -> None:
    roster = Roster(["1", "2", "3", "4"], max_open=2)
    wanted = frozenset(("1", "2", "3", "4", "5"))
    roster.want(wanted)
    all_asked(roster)
    grant(roster, "1")
    ask = roster.answered(21)
    assert ask is not None
    roster.failed(ask, errors.OVERALL_MONITOR_LIMIT, 0.0)
    assert roster.refusals_of(wanted) == {
        "2": MonitorRefusal.LIMIT,
        "3": MonitorRefusal.LIMIT,
        "4": MonitorRefusal.LIMIT,
        "5": MonitorRefusal.UNKNOWN_NUMBER,
    }
    roster.want(frozenset(("1", "4")))
    assert all_asked(roster) == ["4"]
