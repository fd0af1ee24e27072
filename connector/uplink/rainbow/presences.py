"""Presence on its way to the gateway: what changes within a moment goes together, each device once.

A burst of call events changes the presence of the same few devices over and over; a stanza for each would
fill the stream's window of unacknowledged stanzas, which call events need.
"""

import asyncio
from collections.abc import Callable, Sequence

from connector.domain.presence import Presence
from connector.wire.pcg.presence import presences

# Nobody looks at a colleague's dot more often; 15,000 devices are 75 stanzas then.
GATHER_SECONDS = 0.25


class PresenceSender:
    """One for a life of the link; `say` sends the payload of a message. `aclose` is `cancel`."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._waiting: dict[str, Presence] = {}
        self._timer: asyncio.TimerHandle | None = None

    def add(self, changed: Sequence[Presence]) -> None:
        """Tell these soon; of a device only the newest."""
        self._waiting.update((one.device, one) for one in changed)
        if self._waiting and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(GATHER_SECONDS, self._tell)

    def cancel(self) -> None:
        """Tell nothing more."""
        if self._timer is not None:
            self._timer.cancel()

    def _tell(self) -> None:
        self._timer = None
        waiting, self._waiting = tuple(self._waiting.values()), {}
        for payload in presences(waiting):
            self._say(payload)
