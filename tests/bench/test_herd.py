"""The herd's simulation counts what it says that it counts."""

import pytest

from bench.herd import Return, come_back, figures


def test_everybody_comes_back_after_the_outage_and_nobody_before() -> None:
    back = come_back(120, announced=False, seed=1, agents=200)
    assert len(back.seconds) == 200
    assert min(back.seconds) >= 0
    assert max(back.seconds) <= 60  # the longest delay of the real backoff
    assert back.tries > 2 * 200  # they tried meanwhile


def test_the_peak_is_the_busiest_second_of_all() -> None:
    assert Return([0.1, 0.9, 1.0, 5.0], tries=4).peak_percent == pytest.approx(50)


def test_the_same_seed_gives_the_same_fleet() -> None:
    assert come_back(3, announced=True, seed=7) == come_back(3, announced=True, seed=7)
    assert come_back(3, announced=True, seed=7) != come_back(3, announced=True, seed=8)


def test_an_announced_end_spreads_the_first_try() -> None:
    announced = come_back(0.001, announced=True, seed=1)
    torn = come_back(0.001, announced=False, seed=1)
    assert max(torn.seconds) <= 2
    assert max(announced.seconds) > 20


def test_the_goals_of_a_long_outage_are_met() -> None:
    verdicts = {figure.name: figure.verdict for figure in figures(3) if "120_s" in figure.name}
    assert len(verdicts) == 2
    assert set(verdicts.values()) == {"met"}
