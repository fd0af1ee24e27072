"""Switching the agent off and on: off closes every connection and stays off over restarts."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Protocol

from connector.domain.ports import Clock
from connector.domain.switch import Disabled, SwitchedBy
from connector.store.switch import DisabledFile

_log = logging.getLogger(__name__)


class Pausable(Protocol):
    """Whoever has connections: a link's supervisor, the desk that asks the hub."""

    def pause(self) -> None:
        """Close them at once, open none until `resume`."""

    def resume(self) -> None:
        """Connections may be opened again, at once."""


class Switch:
    """On or off. `links` are paused while it is off."""

    def __init__(self, file: DisabledFile, clock: Clock, links: Sequence[Pausable]) -> None:
        self._file = file
        self._clock = clock
        self._links = links
        self._one_at_a_time = asyncio.Lock()
        self.disabled: Disabled | None = None

    async def load(self) -> None:
        """What the last process left; to be called before the links run."""
        self.disabled = await asyncio.to_thread(self._file.load)
        if self.disabled is not None:
            _log.warning("agent is switched off", extra={"by": self.disabled.by.value})
            self._pause()

    async def disable(self, by: SwitchedBy) -> bool:
        """Close every connection at once, then keep it so; False if it was off already.

        Raises `StoreError` when it would not outlast a restart; it is off all the same.
        """
        async with self._one_at_a_time:
            if self.disabled is not None:
                return False
            self.disabled = Disabled(self._clock.now(), by)
            self._pause()
            _log.warning("agent switched off", extra={"by": by.value})
            await asyncio.to_thread(self._file.save, self.disabled)
            return True

    async def enable(self) -> bool:
        """Connect again at once; False if it was on already. Raises `StoreError`: then it stays off."""
        async with self._one_at_a_time:
            if self.disabled is None:
                return False
            await asyncio.to_thread(self._file.save, None)
            self.disabled = None
            _log.warning("agent switched on")
            for link in self._links:
                link.resume()
            return True

    def _pause(self) -> None:
        for link in self._links:
            link.pause()
