"""Keeps one link alive: a life, a wait, the next life. The only owner of retries."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

from connector.domain.backoff import Backoff
from connector.domain.credentials import NO_CODE
from connector.domain.errors import ConnectorError, LinkClosed, LocalProtocolError
from connector.domain.faults import FAULTS, FaultId
from connector.domain.links import LinkState, LinkStatus
from connector.domain.ports import Clock

# An orderly end of a link takes a round trip; a dead far end must not hold up the stop.
_CLOSE_TIMEOUT_SECONDS = 3.0

_log = logging.getLogger(__name__)


class Life(Protocol):
    """One connection, used once."""

    async def run(self) -> None:
        """Live until the end. Raises the `ConnectorError` that says why it ended."""

    def close(self) -> None:
        """Ask for an orderly end; `run` ends soon after."""


class LinkSupervisor:
    """`new_life` builds the next life, or raises the `ConnectorError` that forbids one.

    `settle(error)` decides on what ended a life: True means that the next life may begin at once.
    """

    def __init__(
        self,
        name: str,
        new_life: Callable[[], Life],
        backoff: Backoff,
        clock: Clock,
        *,
        settle: Callable[[ConnectorError], bool] = lambda _: False,
    ) -> None:
        self._name = name
        self._new_life = new_life
        self._backoff = backoff
        self._clock = clock
        self._settle = settle
        self._life: Life | None = None
        self._running: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None
        self._is_stopping = False
        self._is_paused = False
        self._is_interrupted = False
        self._wakeup = asyncio.Event()
        self._connected_at: float | None = None
        self._last_fault: FaultId | None = None
        self.ended_lives: Counter[tuple[str, str]] = Counter()
        self.status = LinkStatus(name, LinkState.STOPPED, clock.now())

    def connected(self) -> None:
        """The life is authenticated and has the channels that it needs."""
        self._connected_at = self._clock.monotonic()
        self._last_fault = None
        self._show(LinkState.CONNECTED)
        _log.info("link connected", extra={"link": self._name})

    def retry_now(self) -> None:
        """A person changed something: forget the failures and begin a new life, whatever this one is at."""
        self._backoff.reset()
        self._wakeup.set()
        self._interrupt()

    def pause(self) -> None:
        """The agent is switched off: end the present life at once, begin none until `resume`."""
        self._is_paused = True
        self._wakeup.set()
        self._interrupt()

    def resume(self) -> None:
        """Switched on again: the next life begins at once, as if it were the first."""
        self._is_paused = False
        self._backoff.reset()
        self._wakeup.set()

    async def run(self) -> None:
        """Live, wait and live again, until `stop`."""
        while not self._is_asked_to_stop():
            self._wakeup.clear()
            if self._is_paused:
                self._show(LinkState.STOPPED)
                await self._wakeup.wait()
                continue
            error = await self._live()
            if not self._is_asked_to_stop():
                await self._wait_after(error)
        self._show(LinkState.STOPPED)

    async def stop(self) -> None:
        """End the present life in order, or cut it; `run` returns."""
        self._is_stopping = True
        self._wakeup.set()
        if self._running is not None:
            await self._end(self._running)

    def _is_asked_to_stop(self) -> bool:
        return self._is_stopping

    def _interrupt(self) -> None:
        """End the present life for a reason that is no failure of it."""
        if self._running is None or self._ending is not None:
            return
        self._is_interrupted = True
        self._ending = asyncio.create_task(self._end(self._running), name=f"{self._name}-end")

    async def _end(self, running: asyncio.Task[None]) -> None:
        """In order when it is connected; else there is nothing to end in order."""
        timeout = 0.0
        if self._life is not None and self.status.state is LinkState.CONNECTED:
            self._life.close()
            timeout = _CLOSE_TIMEOUT_SECONDS
        _, late = await asyncio.wait([running], timeout=timeout)
        for task in late:
            task.cancel()

    async def _live(self) -> ConnectorError:
        self._show(LinkState.CONNECTING)
        self._connected_at = None
        try:
            self._life = self._new_life()
        except ConnectorError as error:
            return error
        self._running = asyncio.create_task(self._life.run(), name=f"{self._name}-link")
        try:
            await asyncio.wait([self._running])
            return self._end_of(self._running)
        finally:
            self._running.cancel()
            if self._ending is not None:
                await self._ending
            self._life = self._running = self._ending = None

    def _end_of(self, running: asyncio.Task[None]) -> ConnectorError:
        if running.cancelled():
            return LinkClosed(FaultId.ENDED_ON_SITE, link=self._name)
        failure = running.exception()
        if isinstance(failure, ConnectorError):
            return failure
        if failure is None:
            return LinkClosed(FaultId.OWN_PROTOCOL, "the life ended without a reason", link=self._name)
        # The last resort: a defect of one link must not end the agent.
        _log.error("link failed by a defect", extra={"link": self._name}, exc_info=failure)
        return LocalProtocolError(FaultId.OWN_PROTOCOL, type(failure).__name__, link=self._name)

    async def _wait_after(self, error: ConnectorError) -> None:
        self.ended_lives[self._name, error.fault.value] += 1
        if self._connected_at is not None:
            self._backoff.succeeded(self._clock.monotonic() - self._connected_at)
        is_interrupted, self._is_interrupted = self._is_interrupted, False
        if self._settle(error) or is_interrupted:
            return
        if error.fault in NO_CODE:
            self._show(LinkState.WAITING, error)
            self._tell(error, None)
            await self._wakeup.wait()
            return
        delay = self._backoff.next_delay(error)
        self._show(LinkState.WAITING, error, delay)
        self._tell(error, delay)
        try:
            async with asyncio.timeout(delay):
                await self._wakeup.wait()
        except TimeoutError:
            return

    def _show(
        self, state: LinkState, error: ConnectorError | None = None, delay: float | None = None
    ) -> None:
        now = self._clock.now()
        if error is None and state is LinkState.CONNECTING:
            error = self.status.error  # until it is connected, a person sees why it was not
        next_try = None if delay is None else now + timedelta(seconds=delay)
        reconnects = sum(self.ended_lives.values())
        down_since = None if state is LinkState.CONNECTED else self.status.down_since or now
        self.status = LinkStatus(self._name, state, now, error, next_try, reconnects, down_since)

    def _tell(self, error: ConnectorError, delay: float | None) -> None:
        """The first failure of a kind is a warning, its repetitions are not worth one."""
        level = logging.DEBUG if error.fault is self._last_fault else logging.WARNING
        self._last_fault = error.fault
        words = FAULTS[error.fault]
        _log.log(
            level,
            "link down",
            extra={
                "link": self._name,
                "fault": error.fault.value,
                "reason": str(error),
                "remedy": words.remedy,
                "next_try_seconds": None if delay is None else round(delay, 1),
            },
        )
