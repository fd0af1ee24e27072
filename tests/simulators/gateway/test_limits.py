"""How often codes may be guessed, and how many may connect."""

from functools import cache

import pytest

from connector.wire.xmpp import sasl
from simulators.gateway.limits import (
    TOO_MANY_GUESSES,
    WRONG_CODE,
    Admission,
    AdmissionLimits,
    Guesses,
    GuessLimits,
)
from simulators.gateway.session import AgentSession
from simulators.gateway.systems import CODE_LIFE
from tests.simulators.gateway.agents import Agent
from tests.simulators.gateway.test_session import Bench


@pytest.fixture
def guesses() -> Guesses:
    return Guesses(GuessLimits())


def _wrong(guesses: Guesses, name: str, address: str, now: float) -> str:
    return guesses.verdict(name, address, now, is_right=False, is_guessable=True)


def _right(guesses: Guesses, name: str, address: str, now: float, *, is_guessable: bool = True) -> str:
    return guesses.verdict(name, address, now, is_right=True, is_guessable=is_guessable)


def test_after_five_wrong_codes_even_the_right_one_has_to_wait(guesses: Guesses) -> None:
    assert [_wrong(guesses, "pbx1", f"192.0.2.{n}", 0) for n in range(5)] == [WRONG_CODE] * 5
    assert _wrong(guesses, "pbx1", "192.0.2.9", 1) == TOO_MANY_GUESSES
    assert _right(guesses, "pbx1", "192.0.2.9", 899.9) == TOO_MANY_GUESSES
    assert guesses.paused(100.0) == [("pbx1", 800.0)]
    assert _right(guesses, "pbx1", "192.0.2.9", 900) == ""
    assert guesses.refused == 2


def test_guessing_on_does_not_make_the_pause_longer(guesses: Guesses) -> None:
    for second in range(1_000):
        _wrong(guesses, "pbx1", f"192.0.2.{second}", float(second))
    assert guesses.is_paused("pbx1", 900.0)
    fresh = Guesses(GuessLimits())
    for _ in range(5):
        _wrong(fresh, "pbx1", "192.0.2.1", 0)
    for second in range(1, 900):
        _wrong(fresh, "pbx1", "192.0.2.1", float(second))
    assert _right(fresh, "pbx1", "192.0.2.2", 900) == ""


def test_a_right_code_forgets_the_wrong_ones_before_it(guesses: Guesses) -> None:
    for _ in range(4):
        _wrong(guesses, "pbx1", "192.0.2.1", 0)
    assert _right(guesses, "pbx1", "192.0.2.1", 0) == ""
    assert [_wrong(guesses, "pbx1", "192.0.2.1", 0) for _ in range(5)] == [WRONG_CODE] * 5


def test_a_private_code_is_let_in_whatever_others_tried(guesses: Guesses) -> None:
    for _ in range(30):
        _wrong(guesses, "pbx1", "192.0.2.1", 0)
    assert _right(guesses, "pbx1", "192.0.2.1", 1, is_guessable=False) == ""


def test_an_address_has_twenty_tries_an_hour_at_any_names(guesses: Guesses) -> None:
    told = [_wrong(guesses, f"pbx{n}", "192.0.2.1", float(n)) for n in range(25)]
    assert told == [WRONG_CODE] * 20 + [TOO_MANY_GUESSES] * 5
    assert _wrong(guesses, "pbx99", "192.0.2.2", 30) == WRONG_CODE
    assert _wrong(guesses, "pbx99", "192.0.2.1", 3_599.9) == TOO_MANY_GUESSES
    # The first try is an hour old: one is free again, not all.
    assert _wrong(guesses, "pbx99", "192.0.2.1", 3_600) == WRONG_CODE
    assert _wrong(guesses, "pbx99", "192.0.2.1", 3_600) == TOO_MANY_GUESSES


def test_what_is_remembered_is_bounded() -> None:
    guesses = Guesses(GuessLimits(), capacity=10)
    for number in range(100):
        _wrong(guesses, f"pbx{number}", f"192.0.2.{number}", 0)
    assert len(guesses._names) == len(guesses._addresses) == 10


def _guess(bench: Bench, user: str, code: str) -> str:
    """One login; the SASL condition of its failure, or "in"."""
    agent, session = Agent(user, code), bench.gateway.open_session(bench.wake, "192.0.2.1")
    agent.client.start(bench.clock.seconds)
    heard: list[str] = []
    for _ in range(12):
        for frame in agent.client.to_send():
            session.receive(frame, bench.clock.seconds)
        for frame in session.to_send():
            heard.append(frame)
            agent.client.receive(frame, bench.clock.seconds)
            agent.follow(bench.clock.seconds)
    session.receive_eof(bench.clock.seconds)
    failures = [frame for frame in heard if frame.startswith("<failure")]
    if not failures:
        return "in"
    return next(word for word in (WRONG_CODE, TOO_MANY_GUESSES) if word in failures[-1])


@pytest.mark.parametrize("user", ["pbx1", "nobody"])
def test_a_thousand_guesses_try_twenty_codes_and_tell_nothing_about_names(
    user: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The guesser knows the salt: hashing costs him nothing either.
    monkeypatch.setattr(sasl, "salted_password", cache(sasl.salted_password))
    bench = Bench()
    told = []
    for _ in range(1_000):
        told.append(_guess(bench, user, "1000"))
        bench.clock.seconds += 3.5  # an hour in all
    assert told.count(WRONG_CODE) == 20
    assert told.count(TOO_MANY_GUESSES) == 980
    assert [place for place, word in enumerate(told) if word == WRONG_CODE][:6] == [0, 1, 2, 3, 4, 262]


def test_guesses_that_began_before_the_pause_are_judged_within_it() -> None:
    bench = Bench()
    waiting = []
    for number in range(50):
        code = "4711" if number == 49 else f"{1000 + number}"
        agent, session = Agent("pbx1", code), bench.gateway.open_session(bench.wake, f"192.0.2.{number}")
        agent.client.start(0.0)
        for _ in range(2):  # as far as the challenge
            for frame in agent.client.to_send():
                session.receive(frame, 0.0)
            for frame in session.to_send():
                agent.client.receive(frame, 0.0)
                agent.follow(0.0)
        waiting.append((agent, session))
    told = []
    for agent, session in waiting:
        for frame in agent.client.to_send():
            session.receive(frame, 0.0)
        told += [frame for frame in session.to_send() if frame.startswith(("<failure", "<success"))]
    assert [WRONG_CODE in frame for frame in told] == [True] * 5 + [False] * 45
    assert all(TOO_MANY_GUESSES in frame for frame in told[5:])


def test_the_public_code_opens_nothing_after_a_day() -> None:
    bench = Bench()
    bench.clock.seconds += CODE_LIFE.total_seconds() - 1
    assert _guess(bench, "pbx1", "4711") == "in"
    bench.gateway.reset(bench.system)
    code = bench.system.public_code
    bench.clock.seconds += CODE_LIFE.total_seconds()
    assert _guess(bench, "pbx1", code) == WRONG_CODE


def test_the_public_code_is_used_once() -> None:
    bench = Bench()
    bench.join("4711")
    assert _guess(bench, "pbx1", "4711") == WRONG_CODE
    assert _guess(bench, "pbx1", bench.system.private_code) == "in"


def test_admission_counts_in_all_by_address_and_before_login() -> None:
    admission: Admission[str] = Admission(AdmissionLimits(in_all=4, per_address=2, before_login=3))
    for name, address in (("a", "192.0.2.1"), ("b", "192.0.2.1")):
        assert admission.refusal(address) == ""
        admission.opened(name, address)
    assert admission.refusal("192.0.2.1") == "too many agents of this address"
    admission.opened("c", "192.0.2.2")
    assert admission.refusal("192.0.2.3") == "too many that do not log in"
    admission.logged_in("a")
    admission.opened("d", "192.0.2.3")
    assert admission.refusal("192.0.2.4") == "too many agents"
    for name in "abcd":
        admission.closed(name)
        admission.closed(name)
    assert (len(admission), admission.before_login) == (0, 0)
    assert admission.refusal("192.0.2.1") == ""
    assert sum(admission.refused.values()) == 3


def test_a_thousand_idle_streams_leave_room_for_the_others() -> None:
    bench = Bench()
    idle: list[AgentSession] = []
    while not bench.gateway.refusal(f"192.0.2.{len(idle)}") and len(idle) < 1_000:
        idle.append(bench.gateway.open_session(bench.wake, f"192.0.2.{len(idle)}"))
    assert len(idle) == bench.gateway.options.max_before_login
    bench.clock.seconds += bench.gateway.options.login_seconds
    for session in idle:
        session.tick(bench.clock.seconds)
    assert all(session.is_closed for session in idle)
    assert bench.gateway.refusal("192.0.2.1") == ""
    assert len(bench.gateway.admission) == 0
