"""How fast an offended gateway is served, and which event seems to offend it. PURE.

A gateway that ends a stream because of what we send names no stanza: the last one sent is blamed, and with
others on their way it may be one of those. So each time fewer are let on their way, until the blame is
certain; an event that is blamed again and again travels alone.
"""

from collections import OrderedDict

# Halvings until one event is on its way, of the greatest window there is (384).
MAX_STEPS = 8
# Of readiness without another offence, before the pace is doubled: a gateway's quota may be per minute, so
# ten of those have passed.
CALM_SECONDS = 600.0
# One blame may be an accident of what went before it; from the second on the event has to travel alone.
SUSPECT_STRIKES = 2
# Blamed so often, the last time alone: an event that would end every stream to come.
MAX_STRIKES = 3
# Events whose strikes are remembered: each halving can blame others, and there are 8; more is hearsay.
MAX_BLAMED = 64


class Pace:
    """Of one outbox, over all its streams. Times are monotonic seconds."""

    __slots__ = ("_calm_seconds", "_ready_since", "_steps", "_strikes", "suspects")

    def __init__(self) -> None:
        self._steps = 0
        self._calm_seconds = 0.0
        self._ready_since: float | None = None
        self._strikes: OrderedDict[int, int] = OrderedDict()
        # Numbers of events that may only travel alone.
        self.suspects: set[int] = set()

    def ready(self, now: float) -> None:
        """A stream takes events."""
        self._add_calm(now)
        self._ready_since = now

    def gone(self, now: float) -> None:
        """The stream takes no more."""
        self._add_calm(now)
        self._ready_since = None

    @property
    def is_full(self) -> bool:
        """Whether nobody was offended lately: what the way of each event asks first."""
        return not self._steps

    def window(self, full: int, now: float) -> int:
        """How many events may be on their way, where `full` are in good times; at least one."""
        self._add_calm(now)
        while self._steps and self._calm_seconds >= CALM_SECONDS:
            self._calm_seconds -= CALM_SECONDS
            self._steps -= 1
        return max(1, full >> self._steps)

    def offended(self, seq: int, now: float) -> int:
        """The gateway ended the stream after event `seq`, 0 if that was no event: its strikes so far."""
        self.gone(now)
        self._calm_seconds = 0.0
        self._steps = min(self._steps + 1, MAX_STEPS)
        if not seq:
            return 0
        strikes = self._strikes.pop(seq, 0) + 1
        self._strikes[seq] = strikes
        if strikes >= SUSPECT_STRIKES:
            self.suspects.add(seq)
            self._steps = MAX_STEPS
        if len(self._strikes) > MAX_BLAMED:
            self.suspects.discard(self._strikes.popitem(last=False)[0])
        return strikes

    def acquit(self, upto: int) -> None:
        """Every event up to `upto` is settled: the gateway has it, or was told that it never comes."""
        for seq in [one for one in self._strikes if one <= upto]:
            del self._strikes[seq]
            self.suspects.discard(seq)

    def forget(self) -> None:
        """The numbers belong to other events now."""
        self._strikes.clear()
        self.suspects.clear()

    def _add_calm(self, now: float) -> None:
        if self._ready_since is not None:
            self._calm_seconds += now - self._ready_since
            self._ready_since = now
