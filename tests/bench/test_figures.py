"""What the report says of a figure."""

import json

import pytest

from bench.figures import Figure, Goal, at_least, at_most, figure_of, percentile, report


def test_a_ratio_is_made_inside_each_round() -> None:
    # The machine was half as fast in the second round: the medians alone would say 0.75.
    figure = Figure("rate", "events/s", [50, 25, 60], "echo", [100, 50, 100], at_least(0.5))
    assert figure.ratios == [0.5, 0.5, 0.6]
    assert figure.judged == 0.5
    assert figure.verdict == "met"


def test_rounds_have_to_be_paired() -> None:
    with pytest.raises(ValueError, match="zip"):
        _ = Figure("rate", "events/s", [50, 25], "echo", [100]).judged


@pytest.mark.parametrize(
    ("goal", "value", "verdict"),
    [
        (at_least(0.5), 0.5, "met"),
        (at_least(0.5), 0.49, "missed"),
        (at_most(80), 80, "met"),
        (at_most(80), 81, "missed"),
        (None, 1, ""),
    ],
)
def test_a_goal_without_a_baseline_is_about_the_value(goal: Goal | None, value: float, verdict: str) -> None:
    assert Figure("memory", "MB", [value], goal=goal).verdict == verdict


def test_a_line_shows_all_that_is_judged() -> None:
    figure = Figure("rate", "events/s", [9_000, 10_000, 11_000], "echo", [20_000] * 3, at_least(0.5))
    assert figure.line().split(" | ") == [
        f"{'rate':<36}",
        "10,000 ±10% events/s",
        "echo 20,000 ±0%",
        "ratio 0.5 (0.45 to 0.55)",
        "goal >= 0.5",
        "met",
    ]


def test_a_figure_survives_the_way_between_two_processes() -> None:
    figure = Figure("rate", "events/s", [1.5, 2.5], "echo", [3.0, 4.0], at_most(2))
    told = json.loads(report("machine: one", [figure], as_json=True))
    assert told["machine"] == "machine: one"
    assert figure_of(told["figures"][0]) == figure


def test_percentiles_take_the_nearest_rank() -> None:
    values = [float(number) for number in range(100, 0, -1)]
    assert percentile(values, 50) == 51
    assert percentile(values, 99) == 100
    assert percentile([7.0], 99) == 7
