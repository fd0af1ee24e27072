"""Half the pace at each offence, one at a time when the blame must be certain, and back when it is calm."""

from connector.bridge.pace import CALM_SECONDS, MAX_BLAMED, MAX_STEPS, Pace

FULL = 384


def test_in_good_times_the_window_is_full() -> None:
    pace = Pace()
    pace.ready(0.0)
    assert pace.is_full
    assert pace.window(FULL, 10.0) == FULL


def test_each_offence_halves_down_to_one() -> None:
    pace = Pace()
    windows = []
    for number in range(1, 12):
        pace.offended(number, float(number))
        windows.append(pace.window(FULL, float(number)))
    assert windows == [192, 96, 48, 24, 12, 6, 3, 1, 1, 1, 1]
    assert pace.window(192, 12.0) == 1
    assert not pace.suspects, "each was blamed once"


def test_ten_calm_minutes_double_it_and_only_readiness_counts() -> None:
    pace = Pace()
    pace.offended(0, 0.0)
    pace.offended(0, 0.0)
    pace.ready(1_000.0)
    pace.gone(1_000.0 + CALM_SECONDS - 1)
    assert pace.window(FULL, 9_000.0) == 96, "there was no link"
    pace.ready(9_000.0)
    assert pace.window(FULL, 9_000.5) == 96
    assert pace.window(FULL, 9_001.0) == 192
    assert pace.window(FULL, 9_001.0 + CALM_SECONDS) == FULL
    assert pace.is_full


def test_an_offence_starts_the_ten_minutes_anew() -> None:
    pace = Pace()
    pace.offended(0, 0.0)
    pace.ready(0.0)
    pace.offended(0, CALM_SECONDS - 1)
    pace.ready(CALM_SECONDS)
    assert pace.window(FULL, 2 * CALM_SECONDS - 1) == 96
    assert pace.window(FULL, 2 * CALM_SECONDS) == 192


def test_the_second_strike_makes_a_suspect_and_a_window_of_one() -> None:
    pace = Pace()
    assert pace.offended(7, 0.0) == 1
    assert pace.offended(8, 0.0) == 1
    assert not pace.suspects
    assert pace.offended(7, 0.0) == 2
    assert pace.suspects == {7}
    assert pace.window(FULL, 0.0) == 1
    assert pace.offended(7, 0.0) == 3


def test_what_arrived_is_acquitted() -> None:
    pace = Pace()
    for seq in (7, 7, 9):
        pace.offended(seq, 0.0)
    pace.acquit(7)
    assert not pace.suspects
    assert pace.offended(7, 0.0) == 1
    assert pace.offended(9, 0.0) == 2


def test_other_numbers_inherit_nothing() -> None:
    pace = Pace()
    pace.offended(7, 0.0)
    pace.offended(7, 0.0)
    pace.forget()
    assert not pace.suspects
    assert pace.offended(7, 0.0) == 1
    assert pace.window(FULL, 0.0) == 1, "the gateway is the same"


def test_strikes_are_bounded_and_the_oldest_go_first() -> None:
    pace = Pace()
    pace.offended(1, 0.0)
    pace.offended(1, 0.0)
    for seq in range(2, MAX_BLAMED + 2):
        pace.offended(seq, 0.0)
    assert not pace.suspects
    assert pace.offended(1, 0.0) == 1
    assert pace.offended(MAX_BLAMED + 1, 0.0) == 2


def test_full_pace_comes_back_whatever_there_was() -> None:
    pace = Pace()
    for _ in range(50):
        pace.offended(0, 0.0)
    pace.ready(0.0)
    assert pace.window(FULL, MAX_STEPS * CALM_SECONDS - 1) < FULL
    assert pace.window(FULL, MAX_STEPS * CALM_SECONDS) == FULL
