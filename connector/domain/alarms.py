"""What a person should know although the agent goes on: raised once a cause, cleared when it is over."""

from collections import deque
from dataclasses import dataclass, replace
from datetime import datetime

from connector.domain.faults import FaultId

# One conflict is a restart that came too late to say goodbye, two a restart of each side; the third within
# an hour are two agents that throw each other out.
CONFLICTS_TO_ALARM = 3
CONFLICT_WINDOW_SECONDS = 3_600.0
# An alarm's detail is one line of a status.
MAX_DETAIL_CHARS = 400


@dataclass(frozen=True, slots=True)
class Alarm:
    """`fault` is raised `since` (UTC) and was reported `count` times; `detail` holds no secret."""

    fault: FaultId
    since: datetime
    count: int = 1
    detail: str = ""


class Alarms:
    """The raised alarms, at most one a fault; bounded by the catalogue."""

    def __init__(self) -> None:
        self._raised: dict[FaultId, Alarm] = {}
        self._known: set[FaultId] = set()

    def report(self, fault: FaultId, at: datetime, detail: str = "") -> bool:
        """`fault` is there at `at`; True if it was not raised yet. The newest detail is kept."""
        self._known.add(fault)
        before = self._raised.get(fault)
        detail = detail[:MAX_DETAIL_CHARS]
        if before is None:
            self._raised[fault] = Alarm(fault, at, detail=detail)
        else:
            self._raised[fault] = replace(before, count=before.count + 1, detail=detail)
        return before is None

    def clear(self, fault: FaultId) -> Alarm | None:
        """`fault` is over; the alarm that this ends, None if there was none."""
        return self._raised.pop(fault, None)

    @property
    def raised(self) -> tuple[Alarm, ...]:
        """The raised ones, oldest first."""
        return tuple(sorted(self._raised.values(), key=lambda alarm: alarm.since))

    @property
    def known(self) -> dict[FaultId, bool]:
        """Every alarm since the start, and whether it is raised now."""
        return {fault: fault in self._raised for fault in self._known}


class Conflicts:
    """Counts how often another agent took over our identity. `now` is monotonic, in seconds."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=CONFLICTS_TO_ALARM)

    def happened(self, now: float) -> None:
        """The gateway replaced us."""
        self._times.append(now)

    def is_alarming(self, now: float) -> bool:
        """Whether it happened so often within the last hour that there must be a second agent."""
        return len(self._times) == CONFLICTS_TO_ALARM and now - self._times[0] <= CONFLICT_WINDOW_SECONDS
