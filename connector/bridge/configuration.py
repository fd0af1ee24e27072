"""The configuration from the cloud: stored whole, in force at once, and kept for starts without the cloud."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from connector.domain.configuration import (
    MAX_MONITORED,
    MAX_PING_TIMEOUT_SECONDS,
    MIN_PING_TIMEOUT_SECONDS,
    Applied,
    CloudSettings,
    Effective,
    Monitored,
    MonitorRefusal,
    MonitorsApplied,
    OwnConfiguration,
    dial_plan,
    effective,
)
from connector.domain.errors import StoreError
from connector.domain.numbers import DialPlan
from connector.domain.transformation import Transformation

Report = Callable[[Mapping[str, MonitorRefusal]], None]
# Watch these numbers, None for all that are configured on site; `Report` is called exactly once.
ApplyMonitors = Callable[[frozenset[str] | None, Report], None]

# Sets that wait for the disk. A gateway that sends more before the first is answered does not read answers.
MAX_WAITING = 16


class Stored(Protocol):
    """What the disk remembers; None is a kind that the cloud has never sent."""

    @property
    def settings(self) -> CloudSettings | None:
        """The newest settings."""

    @property
    def monitors(self) -> Sequence[Monitored] | None:
        """The newest set of monitored numbers."""


class Table(Protocol):
    """Where sets are kept. Every method raises `StoreError`."""

    def load(self) -> Awaitable[Stored]:
        """What is stored."""

    def save_settings(self, settings: CloudSettings) -> Awaitable[None]:
        """Replace the settings; durable when it returns."""

    def save_monitors(self, monitors: Sequence[Monitored]) -> Awaitable[None]:
        """Replace the monitored numbers; durable when it returns."""


class ConfigurationDesk:
    """Whoever needs a configured value asks for it each time, so a new set is in force at once.

    The last set that came wins, whatever its revision: a stream keeps the order, and a gateway that was
    restored from a backup counts from an older number. A set with a wrong value is refused as a whole.
    """

    def __init__(
        self,
        table: Table,
        own: OwnConfiguration,
        *,
        apply_monitors: ApplyMonitors,
        on_ping_timeout: Callable[[float], None],
        on_verdict: Callable[[str | None], None],
    ) -> None:
        """`on_verdict` hears after each set of settings what is wrong with it, None for nothing."""
        self._table = table
        self._own = own
        self._apply_monitors = apply_monitors
        self._on_ping_timeout = on_ping_timeout
        self._on_verdict = on_verdict
        self._cloud: CloudSettings | None = None
        self._monitors: tuple[Monitored, ...] | None = None
        self._dial_plan = own.plan
        self._transformation = Transformation()
        self._work: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue(MAX_WAITING)

    async def load(self) -> None:
        """Put in force what the disk remembers; before the links run. Raises `StoreError`."""
        stored = await self._table.load()
        if stored.settings is not None and self._wrong_with(stored.settings) is None:
            self._put_in_force(stored.settings)
        self._monitors = None if stored.monitors is None else tuple(stored.monitors)

    async def run(self) -> None:
        """Store and apply what comes, one set after the other, until cancelled."""
        while True:
            work = await self._work.get()
            await work()

    # What is in force ------------------------------------------------------------------------------------

    @property
    def dial_plan(self) -> DialPlan:
        """The site's dial plan at this moment."""
        return self._dial_plan

    @property
    def ping_timeout_seconds(self) -> float:
        """The silence after which the cloud link is dead."""
        timeout = self._cloud.ping_timeout_seconds if self._cloud else None
        return self._own.ping_timeout_seconds if timeout is None else timeout

    @property
    def monitored(self) -> frozenset[str] | None:
        """The numbers to watch; None while the cloud has never said: all that are configured."""
        return None if self._monitors is None else frozenset(one.number for one in self._monitors)

    @property
    def users(self) -> Mapping[str, str]:
        """Monitored number → the user linked to it."""
        return {one.number: one.user for one in self._monitors or () if one.user}

    def dialled(self, number: str) -> str:
        """What a number that the cloud dials becomes by its rules; "" if that can't be dialled."""
        return self._transformation.dialled(number)

    def effective(self) -> tuple[Effective, ...]:
        """Every value in force and where it comes from."""
        return effective(self._own, self._cloud, self.monitored)

    # What comes ------------------------------------------------------------------------------------------

    def settings_received(self, settings: CloudSettings, done: Applied) -> None:
        """A whole set; `done` is called once it is on disk and in force, or refused."""
        self._queue(lambda: self._take_settings(settings, done), lambda: done("too many sets at once"))

    def monitors_received(self, monitors: Sequence[Monitored], done: MonitorsApplied) -> None:
        """The whole set of numbers to watch; `done` is called once it is on disk and was applied."""
        self._queue(lambda: self._take_monitors(tuple(monitors), done), lambda: done(None))

    def _queue(self, work: Callable[[], Awaitable[None]], refuse: Callable[[], None]) -> None:
        if self._work.full():
            refuse()
        else:
            self._work.put_nowait(work)

    async def _take_settings(self, settings: CloudSettings, done: Applied) -> None:
        wrong = self._wrong_with(settings)
        if wrong is None and settings != self._cloud:
            try:
                await self._table.save_settings(settings)
            except StoreError as error:
                done(str(error))
                return
            self._put_in_force(settings)
        self._on_verdict(wrong)
        done(wrong)

    async def _take_monitors(self, monitors: tuple[Monitored, ...], done: MonitorsApplied) -> None:
        if len(monitors) > MAX_MONITORED:
            done({one.number: MonitorRefusal.LIMIT for one in monitors[MAX_MONITORED:]})
            return
        if monitors != self._monitors:
            try:
                await self._table.save_monitors(monitors)
            except StoreError:
                done(None)
                return
            self._monitors = monitors
        # Also for the same set: what could not be watched an hour ago may be possible now.
        self._apply_monitors(self.monitored, lambda refused: done(dict(refused)))

    def _wrong_with(self, settings: CloudSettings) -> str | None:
        """Why `settings` can't be used, in words that name the field and not its value."""
        timeout = settings.ping_timeout_seconds
        if timeout is not None and not MIN_PING_TIMEOUT_SECONDS <= timeout <= MAX_PING_TIMEOUT_SECONDS:
            return f"ping timeout: not {MIN_PING_TIMEOUT_SECONDS:g} to {MAX_PING_TIMEOUT_SECONDS:g} seconds"
        try:
            dial_plan(self._own.plan, settings)
            Transformation(settings.rules)
        except ValueError as error:
            return str(error)
        return None

    def _put_in_force(self, settings: CloudSettings) -> None:
        before = self.ping_timeout_seconds
        self._cloud = settings
        self._dial_plan = dial_plan(self._own.plan, settings)
        self._transformation = Transformation(settings.rules)
        if self.ping_timeout_seconds != before:
            self._on_ping_timeout(self.ping_timeout_seconds)
