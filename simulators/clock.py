"""The simulators' time."""

import time
from datetime import UTC, datetime


class SystemClock:
    """The machine's clocks; a `connector.domain.ports.Clock`."""

    def now(self) -> datetime:
        """Wall time, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that only grow."""
        return time.monotonic()
