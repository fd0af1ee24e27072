"""The PBX on a real socket: CSTA over TCP for any number of clients up to a cap."""

import asyncio
import contextlib
from collections.abc import Iterable
from datetime import datetime, timedelta

from connector.domain.identifiers import PbxKind
from connector.domain.ports import Clock
from connector.wire.csta.messages import SystemStatus
from connector.wire.csta.session_events import ServerOptions
from simulators.pbx.csta import OXE_FILTER, CstaFace, FaceOptions, MonitorQuota
from simulators.pbx.reports import Report
from simulators.pbx.settings import PbxWorld
from simulators.pbx.switchboard import Switchboard, model_of
from simulators.pbx.switching import SwitchingQuota
from simulators.pbx.words import Dialect

# One read takes at most this: a busy client's requests of some milliseconds.
_READ_BYTES = 65_536
# A client that does not read is cut off: at 110 bytes an event this is some 9,000 unread events.
MAX_UNSENT_BYTES = 1_000_000


class _Link:
    """One client's connection: it pumps between the socket and the face until either ends."""

    def __init__(self, face: CstaFace, writer: asyncio.StreamWriter, clock: Clock) -> None:
        self.face = face
        self._writer = writer
        self._clock = clock

    async def run(self, reader: asyncio.StreamReader) -> None:
        """Serve until the end; the connection is closed afterwards, also when cancelled."""
        try:
            while not self.face.is_closed:
                await self._step(reader)
                self.flush()
        except OSError:
            pass  # the client is gone, which is all there is to know
        finally:
            self.face.close()
            await self._close()

    def flush(self) -> None:
        """Send what the face has, without waiting; a client that reads nothing loses its connection."""
        units = self.face.to_send()
        if units and not self._writer.is_closing():
            self._writer.writelines(units)
        if self._writer.transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            self.cut()

    def cut(self) -> None:
        """Drop the connection at once."""
        self._writer.transport.abort()

    async def _step(self, reader: asyncio.StreamReader) -> None:
        deadline = self.face.deadline()
        wait = None if deadline is None else max(0.0, deadline - self._clock.monotonic())
        try:
            async with asyncio.timeout(wait):
                data = await reader.read(_READ_BYTES)
        except TimeoutError:
            self.face.tick(self._clock.monotonic())
            return
        if data:
            self.face.receive(data, self._clock.monotonic())
        else:
            self.face.receive_eof(self._clock.monotonic())

    async def _close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


class PbxSimulator(Switchboard):
    """One PBX with its CSTA port. Operations reach the monitors of all clients before they return."""

    def __init__(self, settings: PbxWorld, *, clock: Clock) -> None:
        super().__init__(model_of(settings), clock)
        self.settings = settings
        offset = timedelta(minutes=settings.utc_offset_minutes)
        self._dialect = Dialect(settings.kind, settings.trunk_prefix, offset)
        switching = SwitchingQuota.of(settings.kind, settings.csta.switching_per_second)
        self._quota = MonitorQuota(settings.monitor_limit, switching)
        self._server: asyncio.Server | None = None
        self._links: dict[asyncio.Task[None], _Link] = {}
        self.listen(self._report)

    @property
    def port(self) -> int:
        """The TCP port that is really listened on."""
        if self._server is None:
            raise RuntimeError("the PBX is not started")
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def monitored(self) -> list[str]:
        """Numbers of the monitored devices, one entry for each monitor of each client."""
        return [number for link in self._links.values() for number in link.face.monitored]

    async def start(self) -> None:
        """Listen; raises `OSError` if the address can't be had."""
        self._server = await asyncio.start_server(self._accept, self.settings.host, self.settings.port)

    async def aclose(self) -> None:
        """Stop listening and drop every client."""
        if self._server is None:
            return
        self._server.close()
        for link in self._links.values():
            link.cut()
        await asyncio.gather(*self._links, return_exceptions=True)
        await self._server.wait_closed()
        self._server = None

    def restart(self) -> None:
        """The PBX restarts: every call, monitor and connection is lost, and none of them is told."""
        self._model.restart()
        for link in self._links.values():
            link.cut()

    def send_status(self, status: SystemStatus) -> None:
        """Tell every client how the PBX is, for example messagesLost or overloadReached."""
        for link in self._links.values():
            link.face.send_status(status, self._clock.monotonic())
            link.flush()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._links) >= self.settings.max_clients:
            writer.transport.abort()
            return
        link = _Link(self._new_face(), writer, self._clock)
        task = asyncio.get_running_loop().create_task(link.run(reader))
        self._links[task] = link
        task.add_done_callback(self._links.pop)

    def _new_face(self) -> CstaFace:
        behaviour = self.settings.csta
        session = ServerOptions(
            phase=self.settings.phase,
            greeting=behaviour.greeting.encode("ascii"),
            answers_heartbeats=behaviour.answers_heartbeats,
            sends_heartbeats=behaviour.sends_heartbeats,
        )
        usual_filter = OXE_FILTER if self.settings.kind is PbxKind.OXE else None
        options = FaceOptions(
            session, behaviour.association, usual_filter, behaviour.switching, behaviour.late_seconds
        )
        return CstaFace(self, self._dialect, self._quota, options, self._clock.monotonic())

    def _report(self, reports: Iterable[Report], at: datetime) -> None:
        for link in self._links.values():
            link.face.report(reports, at)
            link.flush()
