"""Delays: bounded, jittered, first by cause, forgotten only after stability."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.domain.backoff import Backoff, RetrySchedule
from connector.domain.errors import (
    AccountDisabled,
    AuthError,
    DialError,
    LinkClosed,
    ProxyAuthError,
    Replaced,
    Throttled,
)
from connector.domain.faults import FaultId

LOST = LinkClosed(FaultId.CLOUD_CLOSED)
SHUTDOWN = LinkClosed(FaultId.CLOUD_CLOSED, announced=True)
WRONG_CODE = AuthError(FaultId.CLOUD_NOT_AUTHORIZED)


@given(st.integers(0, 2**32))
def test_ordinary_delays_stay_in_their_bounds(seed: int) -> None:
    backoff = Backoff(random.Random(seed).uniform)
    delays = [backoff.next_delay(LOST) for _ in range(30)]
    assert 0 <= delays[0] <= 2
    assert all(1 <= delay <= 60 for delay in delays[1:])


@given(st.integers(0, 2**32))
def test_after_an_announced_shutdown_the_fleet_spreads_over_half_a_minute(seed: int) -> None:
    assert 0 <= Backoff(random.Random(seed).uniform).next_delay(SHUTDOWN) <= 30


def test_a_fleet_does_not_come_back_in_step() -> None:
    firsts = {round(Backoff(random.Random(seed).uniform).next_delay(SHUTDOWN)) for seed in range(200)}
    assert len(firsts) > 20


def test_failures_are_forgotten_only_after_a_stable_time() -> None:
    backoff = Backoff(random.Random(1).uniform)
    for _ in range(10):
        backoff.next_delay(LOST)
    backoff.succeeded(29.9)
    assert backoff.next_delay(LOST) >= 1
    backoff.succeeded(30.0)
    assert backoff.next_delay(LOST) <= 2


def test_a_wrong_code_is_never_tried_tightly_and_never_given_up() -> None:
    backoff = Backoff(random.Random(1).uniform)
    delays = [backoff.next_delay(WRONG_CODE) for _ in range(6)]
    assert 54 <= delays[0] <= 66
    assert 270 <= delays[1] <= 330
    assert all(900 <= delay <= 1800 for delay in delays[2:])


def test_a_proxys_account_is_not_locked_by_us() -> None:
    backoff = Backoff(random.Random(1).uniform)
    delays = [backoff.next_delay(ProxyAuthError(FaultId.PROXY_AUTH)) for _ in range(6)]
    assert all(300 <= delay <= 1800 for delay in delays)
    assert delays[2] >= 900


@pytest.mark.parametrize(("hint", "obeyed"), [(5, 5), (-1, 0), (10**9, 3600)])
def test_a_server_s_hint_is_obeyed_within_an_hour(hint: float, obeyed: float) -> None:
    backoff = Backoff(random.Random(1).uniform)
    assert backoff.next_delay(Throttled(FaultId.CLOUD_CLOSED, hint)) == obeyed


def test_the_vendor_s_own_schedule() -> None:
    backoff = Backoff(random.Random(1).uniform, RetrySchedule.VENDOR)
    error = DialError(FaultId.CLOUD_UNREACHABLE)
    assert [backoff.next_delay(error) for _ in range(9)] == [10, 30, 60, 120, 240, 480, 960, 960, 960]


@given(st.integers(0, 2**32))
def test_two_agents_of_one_identity_leave_each_other_a_minute_at_least(seed: int) -> None:
    backoff = Backoff(random.Random(seed).uniform)
    delays = [backoff.next_delay(Replaced(FaultId.CLOUD_REPLACED)) for _ in range(6)]
    assert all(60 <= delay <= 1800 for delay in delays)
    assert delays[3] >= 900


@given(st.integers(0, 2**32))
def test_a_disabled_account_is_looked_at_once_an_hour(seed: int) -> None:
    backoff = Backoff(random.Random(seed).uniform)
    delays = [backoff.next_delay(AccountDisabled(FaultId.CLOUD_ACCOUNT_DISABLED)) for _ in range(4)]
    assert all(3600 <= delay <= 4200 for delay in delays)
    assert backoff.next_delay(WRONG_CODE) <= 66, "a code typed anew starts its own steps"


def test_the_vendor_s_schedule_is_not_for_what_a_person_must_do() -> None:
    backoff = Backoff(random.Random(1).uniform, RetrySchedule.VENDOR)
    assert backoff.next_delay(Replaced(FaultId.CLOUD_REPLACED)) >= 60
    assert backoff.next_delay(AccountDisabled(FaultId.CLOUD_ACCOUNT_DISABLED)) >= 3600
    assert backoff.next_delay(LOST) == 10
