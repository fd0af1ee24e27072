"""When to try again: first delay by cause, then decorrelated jitter; slow steps where a person must act.

The figures come from a simulated fleet of 1,000 agents (docs/architecture.md, Reconnecting): after an outage
of 120 s no more than 5 % of them may come back in the same second.
"""

from collections.abc import Callable
from enum import StrEnum

from connector.domain.errors import (
    AccountDisabled,
    ConnectorError,
    Disposition,
    LinkClosed,
    ProxyAuthError,
    Replaced,
    Throttled,
)

# First retry after a loss that only we saw, and after one that the far end announced to everybody.
_FIRST_LOCAL_SECONDS = 2.0
_FIRST_ANNOUNCED_SECONDS = 30.0
_LONGEST_SECONDS = 60.0
# A person has to act: never tight (an account may lock), never given up.
_HOLD_STEPS_SECONDS = (60.0, 300.0)
_HOLD_LATER_SECONDS = (900.0, 1800.0)
# Two agents with one identity throw each other out: they must not do it every few seconds.
_REPLACED_SECONDS = (60.0, 120.0)
# A directory locks an account after a few wrong passwords within minutes; others use it, too.
_PROXY_LOGIN_SECONDS = (300.0, 360.0)
# Nothing but a new activation helps: one look an hour finds it.
_DISABLED_SECONDS = (3600.0, 4200.0)
# A server's hint is obeyed within reason: a mistake of theirs must not stop us for days.
_LONGEST_HINT_SECONDS = 3600.0
# The schedule of the PBX's own agent (OXO Connect manual 3EH21123USAA, p. 42), then every 16 minutes.
_VENDOR_STEPS_SECONDS = (10.0, 30.0, 60.0, 120.0, 240.0, 480.0, 960.0)

# A link that held this long was good: its failures are forgotten.
FORGIVEN_AFTER_SECONDS = 30.0


class RetrySchedule(StrEnum):
    """How the delays of ordinary failures grow."""

    JITTER = "jitter"
    VENDOR = "vendor"


class Backoff:
    """The delays of one link. `uniform(low, high)` is the randomness, as `random.uniform`."""

    def __init__(
        self, uniform: Callable[[float, float], float], schedule: RetrySchedule = RetrySchedule.JITTER
    ) -> None:
        self._uniform = uniform
        self._schedule = schedule
        self._failures = 0
        self._holds = 0
        self._previous = 0.0

    def succeeded(self, ready_seconds: float) -> None:
        """The link was READY for `ready_seconds`, then ended; forgets failures if that was long enough."""
        if ready_seconds >= FORGIVEN_AFTER_SECONDS:
            self.reset()

    def reset(self) -> None:
        """Forget everything: a person changed something, so the next failure is a first one."""
        self._failures = self._holds = 0
        self._previous = 0.0

    def next_delay(self, error: ConnectorError) -> float:
        """Seconds to wait before the next try after `error`."""
        if isinstance(error, Throttled):
            return min(max(error.retry_after_seconds, 0.0), _LONGEST_HINT_SECONDS)
        if isinstance(error, AccountDisabled):
            return self._uniform(*_DISABLED_SECONDS)
        if error.disposition is Disposition.HOLD:
            return max(self._least_hold(error), self._next_hold())
        if self._schedule is RetrySchedule.VENDOR:
            return self._next_vendor()
        return self._next_jitter(announced=isinstance(error, LinkClosed) and error.announced)

    def _least_hold(self, error: ConnectorError) -> float:
        if isinstance(error, Replaced):
            return self._uniform(*_REPLACED_SECONDS)
        if isinstance(error, ProxyAuthError):
            return self._uniform(*_PROXY_LOGIN_SECONDS)
        return 0.0

    def _next_hold(self) -> float:
        step, self._holds = self._holds, self._holds + 1
        if step < len(_HOLD_STEPS_SECONDS):
            return _HOLD_STEPS_SECONDS[step] * self._uniform(0.9, 1.1)
        return self._uniform(*_HOLD_LATER_SECONDS)

    def _next_vendor(self) -> float:
        step = min(self._failures, len(_VENDOR_STEPS_SECONDS) - 1)
        self._failures += 1
        return _VENDOR_STEPS_SECONDS[step]

    def _next_jitter(self, *, announced: bool) -> float:
        first, self._failures = self._failures == 0, self._failures + 1
        if first:
            self._previous = self._uniform(
                0.0, _FIRST_ANNOUNCED_SECONDS if announced else _FIRST_LOCAL_SECONDS
            )
        else:
            self._previous = min(_LONGEST_SECONDS, self._uniform(1.0, max(1.0, 3.0 * self._previous)))
        return self._previous
