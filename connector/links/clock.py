"""The system's clock behind the port that everything else uses."""

import time
from datetime import UTC, datetime


class SystemClock:
    """Implements `connector.domain.ports.Clock`."""

    def now(self) -> datetime:
        """Wall time, UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds of the clock that asyncio's loops use too."""
        return time.monotonic()
