"""The one loop between a protocol machine and a transport: read, write, timer.

The pump knows no protocol. It feeds what it reads to the machine, sends what the machine wants sent, lets
time pass when the machine asks for it, and hands every event to its owner, on the loop's thread.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from math import inf
from typing import Generic, Protocol, TypeVar

from connector.domain.errors import ConnectorError, LinkError, RemoteProtocolError
from connector.domain.ports import Clock
from connector.wire.machine import Machine, Unit

Event = TypeVar("Event")


class Transport(Protocol[Unit]):
    """A connected byte stream (any cut) or message channel (whole messages)."""

    async def read(self) -> Unit | None:
        """What came next, or None when nothing more will come.

        Raises the `LinkError` or `RemoteProtocolError` that says why, where the transport knows.
        """

    async def write(self, units: Sequence[Unit]) -> None:
        """Send in order; waits while the far side takes nothing. Raises `LinkError` when the link is gone."""

    async def aclose(self) -> None:
        """Close; returns when the connection is gone. Safe to call twice."""


class Pump(Generic[Unit, Event]):
    """Runs one machine over one transport for one life."""

    def __init__(
        self,
        machine: Machine[Unit, Event],
        transport: Transport[Unit],
        clock: Clock,
        deliver: Callable[[Event], None],
    ) -> None:
        self._machine: Machine[Unit, Event] = machine
        self._transport: Transport[Unit] = transport
        self._clock = clock
        self._deliver = deliver
        self._wakeup = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._wakes_at = inf
        self._units: list[Unit] = []
        # Why the transport ended, where it knows more than its machine, which only hears of the end.
        self.lost_by: ConnectorError | None = None

    def wake(self) -> None:
        """A command was given to the machine: look again at what it wants to send."""
        self._wakeup.set()

    async def run(self) -> None:
        """Pump until the machine's life is over and its last units are sent. Closes the transport."""
        reader = asyncio.create_task(self._read())
        try:
            await self._write_until_closed()
        finally:
            self._disarm()
            reader.cancel()
            with suppress(asyncio.CancelledError):
                await reader
            await self._transport.aclose()

    async def _read(self) -> None:
        machine = self._machine
        while not machine.is_closed:
            try:
                data = await self._transport.read()
            except (LinkError, RemoteProtocolError) as error:
                self.lost_by = self.lost_by or error
                data = None
            now = self._clock.monotonic()
            if data is None:
                machine.receive_eof(now)
            else:
                machine.receive(data, now)
            self._deliver_events()
            if self._has_work():
                self._wakeup.set()
            if data is None:
                return

    async def _write_until_closed(self) -> None:
        machine = self._machine
        while True:
            self._wakeup.clear()
            self._let_time_pass()
            self._deliver_events()
            units = self._take_units()
            if units:
                await self._write(units)
                continue
            if machine.is_closed:
                return
            self._arm()
            await self._wakeup.wait()

    def _has_work(self) -> bool:
        """Whether the writer has to look at the machine: most of what is read changes nothing for it."""
        self._units += self._machine.to_send()
        deadline = self._machine.deadline()
        is_earlier = deadline is not None and deadline < self._wakes_at
        return bool(self._units) or is_earlier or self._machine.is_closed

    def _take_units(self) -> Sequence[Unit]:
        units, self._units = self._units, []
        units += self._machine.to_send()
        return units

    async def _write(self, units: Sequence[Unit]) -> None:
        try:
            await self._transport.write(units)
        except LinkError as error:
            self.lost_by = self.lost_by or error
            # The machine learns of the loss as of any other end of the stream.
            self._machine.receive_eof(self._clock.monotonic())
            self._deliver_events()

    def _let_time_pass(self) -> None:
        deadline = self._machine.deadline()
        now = self._clock.monotonic()
        if deadline is not None and deadline <= now:
            self._machine.tick(now)

    def _deliver_events(self) -> None:
        for event in self._machine.events():
            self._deliver(event)

    def _arm(self) -> None:
        """Wake up at the machine's deadline at the latest. A timer that is early stays: it costs one look."""
        deadline = self._machine.deadline()
        if deadline is None or deadline >= self._wakes_at:
            return
        self._disarm()
        self._wakes_at = deadline
        delay = max(0.0, deadline - self._clock.monotonic())
        self._timer = asyncio.get_running_loop().call_later(delay, self._ring)

    def _ring(self) -> None:
        self._disarm()
        self._wakeup.set()

    def _disarm(self) -> None:
        self._wakes_at = inf
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
