"""One measured figure: its rounds, what it is compared with, and whether that meets its goal."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import Any


class Sense(StrEnum):
    """Which side of a goal is the good one."""

    AT_LEAST = ">="
    AT_MOST = "<="


@dataclass(frozen=True, slots=True)
class Goal:
    """A bound on the ratio to the baseline, or on the value itself where there is no baseline."""

    sense: Sense
    bound: float

    def is_met_by(self, value: float) -> bool:
        """Whether `value` lies on the good side."""
        return value >= self.bound if self.sense is Sense.AT_LEAST else value <= self.bound


def at_least(bound: float) -> Goal:
    """The more the better."""
    return Goal(Sense.AT_LEAST, bound)


def at_most(bound: float) -> Goal:
    """The less the better."""
    return Goal(Sense.AT_MOST, bound)


@dataclass(frozen=True, slots=True)
class Figure:
    """`values` are one number a round; `baseline` those of the same rounds, in the same order and unit."""

    name: str
    unit: str
    values: Sequence[float]
    baseline_name: str = ""
    baseline: Sequence[float] = ()
    goal: Goal | None = None

    @property
    def ratios(self) -> list[float]:
        """Value by baseline, paired inside each round: what slows the machine down slows both."""
        pairs = zip(self.values, self.baseline, strict=bool(self.baseline))
        return [value / base for value, base in pairs]

    @property
    def judged(self) -> float:
        """The number that the goal is about."""
        return median(self.ratios) if self.baseline else median(self.values)

    @property
    def verdict(self) -> str:
        """Whether the goal is met; empty without one."""
        if self.goal is None:
            return ""
        return "met" if self.goal.is_met_by(self.judged) else "missed"

    def line(self) -> str:
        """The figure as one line of the report."""
        parts = [f"{self.name:<36}", f"{_with_spread(self.values)} {self.unit}"]
        if self.baseline:
            low, high = min(self.ratios), max(self.ratios)
            parts += [
                f"{self.baseline_name} {_with_spread(self.baseline)}",
                f"ratio {_short(self.judged)} ({_short(low)} to {_short(high)})",
            ]
        if self.goal is not None:
            parts += [f"goal {self.goal.sense} {self.goal.bound:g}", self.verdict]
        return " | ".join(parts)

    def as_json(self) -> dict[str, Any]:
        """The figure with all its rounds."""
        return {
            "name": self.name,
            "unit": self.unit,
            "median": median(self.values),
            "values": list(self.values),
            "baseline_name": self.baseline_name,
            "baseline": list(self.baseline),
            "ratio": self.judged if self.baseline else None,
            "goal": None if self.goal is None else f"{self.goal.sense} {self.goal.bound:g}",
            "verdict": self.verdict,
        }


def figure_of(record: dict[str, Any]) -> Figure:
    """The figure that `as_json` wrote."""
    goal = None
    if record["goal"]:
        sense, bound = record["goal"].split()
        goal = Goal(Sense(sense), float(bound))
    return Figure(
        record["name"],
        record["unit"],
        record["values"],
        record["baseline_name"],
        record["baseline"],
        goal,
    )


def report(machine: str, figures: Sequence[Figure], *, as_json: bool) -> str:
    """All figures as text, or as one JSON object."""
    if as_json:
        return json.dumps({"machine": machine, "figures": [figure.as_json() for figure in figures]})
    return "\n".join([machine, *(figure.line() for figure in figures)])


def percentile(values: Sequence[float], percent: float) -> float:
    """The value below which `percent` of the sorted values lie (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def _with_spread(values: Sequence[float]) -> str:
    """The median, and half the range as a share of it."""
    middle = median(values)
    spread = (max(values) - min(values)) / 2 / middle if middle else 0.0
    return f"{_short(middle)} ±{spread:.0%}"


def _short(value: float) -> str:
    """Three significant digits, or all digits before the point."""
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"
