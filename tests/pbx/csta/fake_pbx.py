"""A PBX of a few lines on a real loopback socket, so that the adapter's tests can make it misbehave."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from connector.domain.calls import CallEvent, DeviceSnapshot, LocalState
from connector.domain.devices import Device, DeviceState
from connector.wire.csta import errors
from connector.wire.csta import messages as m
from connector.wire.csta.session import CstaServer
from connector.wire.csta.session_events import AssociationRequested, Requested, ServerEvent, ServerOptions

Answer = m.Result | errors.ServiceError | None


class FakePbx:
    """Serves one client. `answers` decides; by default every set of `numbers` exists and is in one call."""

    def __init__(self, numbers: list[str], options: ServerOptions | None = None) -> None:
        self.numbers = numbers
        self.requests: list[m.Request] = []
        self.answers: Callable[[m.Request], Answer] = self.answer
        self.most_open = 0
        self.was_asked = asyncio.Event()
        self.batch = 1  # answers are held back until so many requests wait
        self.is_closed = asyncio.Event()
        self._options = options or ServerOptions()
        self._machine: CstaServer | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._waiting: list[Requested] = []
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> "FakePbx":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.hang_up()
        if self._machine is not None:
            await self.is_closed.wait()
        await self._server.wait_closed()

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    @property
    def machine(self) -> CstaServer:
        assert self._machine is not None
        return self._machine

    async def until_asked(self, count: int) -> None:
        """Wait for the request number `count`."""
        while len(self.requests) < count:
            self.was_asked.clear()
            await self.was_asked.wait()

    def hang_up(self) -> None:
        """Close the connection without a word."""
        if self._writer is not None:
            self._writer.close()

    def flush(self) -> None:
        """Send what the machine has to send."""
        if self._writer is not None:
            self._writer.write(b"".join(self.machine.to_send()))

    def report(self, number: str, event: m.Event) -> None:
        """Report `event` to the monitor of `number`."""
        self.machine.report(m.EventReport(number.encode(), event))
        self.flush()

    def answer(self, request: m.Request) -> Answer:
        """What a well-behaved PBX says."""
        match request:
            case m.MonitorStart(device, _):
                known = device.number in self.numbers
                return m.MonitorStarted(device.number.encode()) if known else errors.OBJECT_NOT_KNOWN
            case m.SnapshotDevice(device):
                leg = m.Connection(b"\x00\x01", device.number.encode())
                return m.DeviceSnapshot((m.SnapshotEntry(device, leg, LocalState.CONNECTED),))
        return m.Done()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._machine = CstaServer(self._options, 0.0)
        self._writer = writer
        try:
            while data := await reader.read(65_536):
                self._machine.receive(data, 0.0)
                for event in self._machine.events():
                    self._take(event)
                self.flush()
        finally:
            writer.close()
            self.is_closed.set()

    def _take(self, event: ServerEvent) -> None:
        if isinstance(event, AssociationRequested):
            self.machine.accept_association()
        elif isinstance(event, Requested):
            self._waiting.append(event)
            self.most_open = max(self.most_open, len(self._waiting))
            self.requests.append(event.request)
            self.was_asked.set()
            if len(self._waiting) >= self.batch:
                self.answer_waiting()

    def answer_waiting(self) -> None:
        """Answer all requests that wait."""
        waiting, self._waiting = self._waiting, []
        for event in waiting:
            answer = self.answers(event.request)
            if answer is None:
                self.machine.forget(event.invoke_id)
            elif isinstance(answer, errors.ServiceError):
                self.machine.refuse(event.invoke_id, answer)
            else:
                self.machine.answer(event.invoke_id, answer)


@dataclass
class RecordingSink:
    """Implements PbxSink: keeps everything, and lets a test wait for the nth fact of a kind."""

    facts: list[tuple[str, object]] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def pbx_connected(self, version: str) -> None:
        self._add("connected", version)

    def devices_read(self, devices: Sequence[Device]) -> None:
        self._add("devices", [device.number for device in devices])

    def device_state_changed(self, number: str, state: DeviceState) -> None:
        self._add("state", (number, state))

    def call_event(self, event: CallEvent) -> None:
        self._add("event", event)

    def device_snapshot(self, snapshot: DeviceSnapshot) -> None:
        self._add("snapshot", snapshot.device)

    def of(self, kind: str) -> list[object]:
        """All facts of a kind, in order."""
        return [fact for name, fact in self.facts if name == kind]

    async def until(self, kind: str, count: int = 1) -> list[object]:
        """The facts of a kind, once there are `count`."""
        while len(self.of(kind)) < count:
            self._changed.clear()
            await self._changed.wait()
        return self.of(kind)

    def _add(self, kind: str, fact: object) -> None:
        self.facts.append((kind, fact))
        self._changed.set()
