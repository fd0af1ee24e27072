"""Sessions whose connection broke, kept for a while for their agents to come back for them. PURE."""

import hmac
from dataclasses import dataclass
from typing import Generic, TypeVar

from connector.domain.identifiers import Channel
from connector.wire.xmpp.suspension import SuspendedStream

# The largest fleet that a gateway serves; each has one session at most.
MAX_PARKED = 10_000

Session = TypeVar("Session")


@dataclass(frozen=True, slots=True)
class Parked(Generic[Session]):
    """One session without a connection: its stream, what stood above it, and which channels were up."""

    stream: SuspendedStream
    session: Session
    channels: tuple[Channel, ...]
    until: float


class Parking(Generic[Session]):
    """At most one session a system. Times are monotonic seconds."""

    def __init__(self, capacity: int = MAX_PARKED) -> None:
        self._capacity = capacity
        self._by_system: dict[str, Parked[Session]] = {}

    def __len__(self) -> int:
        return len(self._by_system)

    def park(self, system: str, parked: Parked[Session], now: float) -> None:
        """Keep one; what is too old goes, and the oldest if there are too many."""
        self._by_system.pop(system, None)
        while self._by_system:
            oldest = next(iter(self._by_system))
            if len(self._by_system) < self._capacity and self._by_system[oldest].until > now:
                break
            del self._by_system[oldest]
        self._by_system[system] = parked

    def claim(self, system: str, previd: str, now: float) -> Parked[Session] | None:
        """Take the session `previd` of this system, None if there is none or it is too old.

        Whoever asks has logged in as this system: somebody else's id finds nothing, and takes nothing away.
        """
        parked = self._by_system.get(system)
        if parked is None or not hmac.compare_digest(parked.stream.id.encode(), previd.encode()):
            return None
        del self._by_system[system]
        return parked if now < parked.until else None

    def forget(self, system: str) -> None:
        """This system's session can't be resumed any more."""
        self._by_system.pop(system, None)
