"""A fleet that comes back after an outage, in virtual time: each agent with the backoff that it really has.

Connecting takes no time here, and a gateway that is away refuses at once, so that only the delays spread
them. The real agent's dial, TLS and login only add to that.
"""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from bench.figures import Figure, Goal, at_most, percentile
from connector.domain.backoff import Backoff
from connector.domain.errors import ConnectorError, DialError, LinkClosed
from connector.domain.faults import FaultId

AGENTS = 1_000
# Any other gives about the same; it is printed, so that a figure can be had again.
SEED = 20_261_120


@dataclass(frozen=True, slots=True)
class Return:
    """How the fleet came back: seconds after the gateway did, one for each agent, and its tries in all."""

    seconds: Sequence[float]
    tries: int

    @property
    def peak_percent(self) -> float:
        """The busiest second's connections, as a share of the fleet."""
        busiest = max(Counter(int(second) for second in self.seconds).values())
        return 100 * busiest / len(self.seconds)


def come_back(outage_seconds: float, *, announced: bool, seed: int, agents: int = AGENTS) -> Return:
    """All agents lose their link at once; every try before the outage is over fails."""
    loss = LinkClosed(FaultId.CLOUD_CLOSED, "the benchmark's outage", link="cloud", announced=announced)
    refusal = DialError(FaultId.CLOUD_UNREACHABLE, "the benchmark's outage", link="cloud")
    source = random.Random(seed)  # noqa: S311 - the same fleet for the same seed
    fleet = [Backoff(source.uniform) for _ in range(agents)]
    tries = [_tries_until(one, outage_seconds, loss, refusal) for one in fleet]
    return Return([moments[-1] - outage_seconds for moments in tries], sum(map(len, tries)))


def _tries_until(
    backoff: Backoff, outage_seconds: float, loss: ConnectorError, refusal: ConnectorError
) -> list[float]:
    moments = [backoff.next_delay(loss)]
    while moments[-1] < outage_seconds:
        moments.append(moments[-1] + backoff.next_delay(refusal))
    return moments


def figures(rounds: int) -> list[Figure]:
    """One fleet a round, each with a seed of its own."""
    long = [come_back(120, announced=False, seed=SEED + number) for number in range(rounds)]
    short = [come_back(3, announced=False, seed=SEED + number) for number in range(rounds)]
    planned = [come_back(3, announced=True, seed=SEED + number) for number in range(rounds)]
    return [
        *_pair(f"fleet.herd.120_s (seed {SEED})", long, at_most(5), at_most(60)),
        *_pair("fleet.herd.3_s", short, None, at_most(8)),
        *_pair("fleet.herd.announced_3_s", planned, at_most(10), at_most(60)),
    ]


def _pair(name: str, returns: Sequence[Return], peak: Goal | None, last: Goal | None) -> list[Figure]:
    peaks = [one.peak_percent for one in returns]
    lasts = [percentile(one.seconds, 99) for one in returns]
    return [
        Figure(f"{name}.peak", "% of the fleet in a second", peaks, goal=peak),
        Figure(f"{name}.p99", "s after the gateway", lasts, goal=last),
    ]
