"""The small parts of a stream: timers, rate, open requests."""

import pytest

from connector.domain.errors import LocalProtocolError, Overflow
from connector.wire.xmpp import stanzas
from connector.wire.xmpp.limits import Rate, StreamLimits
from connector.wire.xmpp.requests import MAX_OPEN_REQUESTS, OpenRequest, OpenRequests, OwedAnswers
from connector.wire.xmpp.stanzas import read_stanza
from connector.wire.xmpp.timers import Timers
from connector.wire.xmpp.xml import StreamViolation, parse


def test_timers_are_due_in_order_and_once() -> None:
    timers: Timers[str] = Timers()
    assert timers.deadline(0.0) is None
    timers.start("late", 9.0)
    timers.start("early", 5.0)
    assert timers.deadline(0.0) == 5.0
    assert timers.due(4.9) == []
    assert timers.due(9.0) == ["early", "late"]
    assert timers.due(99.0) == []


def test_a_timer_without_a_clock_begins_with_the_next_look() -> None:
    timers: Timers[str] = Timers()
    timers.start_unless_running("a", 5.0)
    assert timers.deadline(3.0) == 3.0
    assert timers.due(10.0) == []
    assert timers.deadline(10.0) == 15.0
    timers.start_unless_running("a", 1.0)
    assert timers.deadline(10.0) == 15.0
    timers.start("a", 12.0)
    assert timers.due(12.0) == ["a"]


def test_stopped_timers_are_never_due() -> None:
    timers: Timers[str] = Timers()
    timers.start("a", 1.0)
    timers.start_unless_running("b", 1.0)
    timers.stop("a")
    timers.stop("b")
    timers.stop("never started")
    assert timers.deadline(0.0) is None
    timers.start("a", 1.0)
    timers.clear()
    assert timers.due(9.0) == []


def test_rate_allows_a_burst_and_then_its_pace() -> None:
    rate = Rate(StreamLimits(stanzas_per_second=10.0, burst=3))
    for _ in range(3):
        rate.take(100.0)
    with pytest.raises(StreamViolation) as caught:
        rate.take(100.0)
    assert caught.value.condition == "policy-violation"


def test_rate_forgets_with_time() -> None:
    rate = Rate(StreamLimits(stanzas_per_second=10.0, burst=3))
    for tenth in range(1_000):
        rate.take(tenth / 10)
    for _ in range(2):
        rate.take(99.95)
    with pytest.raises(StreamViolation):
        rate.take(99.95)


def test_no_rate_is_no_limit() -> None:
    rate = Rate(StreamLimits(stanzas_per_second=None))
    for _ in range(10_000):
        rate.take(5.0)


def test_requests_expire_at_their_own_time() -> None:
    requests = OpenRequests()
    requests.add("a", OpenRequest("x", 5.0))
    requests.add("b", OpenRequest("x", 3.0))
    assert requests.deadline == 3.0
    assert [id_ for id_, _ in requests.expire(4.0)] == ["b"]
    assert requests.deadline == 5.0
    assert requests.find("b") is None
    requests.remove("a")
    assert requests.expire(5.0) == []
    assert requests.deadline is None


def test_requests_are_bounded_and_distinct() -> None:
    requests = OpenRequests()
    for number in range(MAX_OPEN_REQUESTS):
        requests.add(f"{number}", OpenRequest("x", 5.0))
    with pytest.raises(Overflow):
        requests.add("one more", OpenRequest("x", 5.0))
    with pytest.raises(LocalProtocolError):
        requests.add("0", OpenRequest("x", 5.0))


def test_two_requests_of_one_id_are_two_debts() -> None:
    frame = stanzas.iq("get", "same", payload="<x xmlns='urn:x'/>")
    first, second = read_stanza(parse(frame)), read_stanza(parse(frame))
    owed = OwedAnswers()
    owed.add(first.owed)
    owed.add(second.owed)
    assert list(owed.requests) == [first.owed, first.owed]
    owed.remove(first.owed)
    assert second.owed in owed
    owed.remove(second.owed)
    assert second.owed not in owed
    assert len(owed.requests) == 0
