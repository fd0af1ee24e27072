"""The CSTA face of the PBX: one client's link, its monitors, and what the PBX answers.

Pure: `CstaFace` is a protocol machine around `CstaServer` that serves requests from the model. It answers as
the facts say: an unknown number is objectNotKnown (operation 4), a monitor too many overallMonitorLimit
(system 7), a service that is not modelled an unrecognised operation. The answer to a switching request goes
out before the events that it causes.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from connector.domain.errors import ConnectorError
from connector.domain.identifiers import PbxKind
from connector.wire import rose
from connector.wire.csta import errors
from connector.wire.csta import messages as m
from connector.wire.csta.session import PBX_GREETING, CstaServer
from connector.wire.csta.session_events import (
    AssociationRequested,
    ClientGreeted,
    Requested,
    ServerOptions,
    SessionFailed,
)
from simulators.pbx.reports import Report
from simulators.pbx.settings import AssociationAnswer, SwitchingAnswer
from simulators.pbx.switchboard import Switchboard
from simulators.pbx.switching import SwitchingDesk, SwitchingQuota
from simulators.pbx.words import Dialect, connection

# The filter a real OXE answers to a MonitorStart without one: callCleared never comes, of the feature events
# only the first, of the voice events two.
OXE_FILTER = m.MonitorFilter(
    call=frozenset((0,)), feature=frozenset(range(1, 8)), voice=frozenset((1, 2, 4, 5, 6))
)

# Call-control events in the order of their filter bits.
_FILTER_BITS: dict[type[m.Event], int] = {
    kind: bit
    for bit, kind in enumerate(
        (
            m.CallCleared,
            m.Conferenced,
            m.ConnectionCleared,
            m.Delivered,
            m.Diverted,
            m.Established,
            m.Failed,
            m.Held,
            m.NetworkReached,
            m.Originated,
            m.Queued,
            m.Retrieved,
            m.ServiceInitiated,
            m.Transferred,
        )
    )
}
_MAINTENANCE_BITS: dict[type[m.Event], int] = {m.BackInService: 0, m.OutOfService: 1}
_STATION = 0


class MonitorQuota:
    """What all clients of one PBX share: the limit of monitors, and the counter of their cross references.

    `switching` are the limits of the other services, without which there are none.
    """

    def __init__(self, limit: int, switching: SwitchingQuota | None = None) -> None:
        self.switching = switching or SwitchingQuota(None, None)
        self._limit = limit
        self._used = 0
        self._last_reference = 0

    def take(self) -> bytes | None:
        """The cross reference (4 bytes) of one more monitor, or None at the limit."""
        if self._used >= self._limit:
            return None
        self._used += 1
        self._last_reference = (self._last_reference + 1) % (1 << 32)
        return self._last_reference.to_bytes(4, "big")

    def give_back(self, count: int) -> None:
        """So many monitors ended."""
        self._used -= count


@dataclass(frozen=True, slots=True)
class FaceOptions:
    """How one link behaves: `session` on the wire, `association` when asked for one.

    `switching` is how it answers switching requests, which it obeys in any case; `late_seconds` go with LATE.
    """

    session: ServerOptions
    association: AssociationAnswer = AssociationAnswer.ACCEPT
    filter: m.MonitorFilter | None = None
    switching: SwitchingAnswer = SwitchingAnswer.PROMPT
    late_seconds: float = 0.0


@dataclass(slots=True)
class _Monitor:
    device: str
    filter: m.MonitorFilter


class CstaFace:
    """One client's link. A machine of bytes; `error` says how it ended, None for in order."""

    def __init__(
        self, pbx: Switchboard, dialect: Dialect, quota: MonitorQuota, options: FaceOptions, now: float
    ) -> None:
        self.error: ConnectorError | None = None
        self._pbx = pbx
        self._dialect = dialect
        self._quota = quota
        self._options = options
        self._session = CstaServer(options.session, now)
        self._monitors: dict[bytes, _Monitor] = {}
        self._at_device: dict[str, list[bytes]] = {}
        self._desk = SwitchingDesk(pbx, dialect.kind, self._can_control)
        self._held_back: list[tuple[Iterable[Report], datetime]] | None = None
        self._late: deque[tuple[float, int, m.Result | errors.ServiceError]] = deque()
        self._unanswered = 0
        self._is_greeted = False
        self._is_associated = False
        self._is_refused = False

    @property
    def monitored(self) -> Sequence[str]:
        """Numbers of the devices with a monitor, one entry for each."""
        return [monitor.device for monitor in self._monitors.values()]

    def receive(self, data: bytes, now: float) -> None:
        """Take bytes of the stream, cut anywhere."""
        self._session.receive(data, now)
        self._serve(now)

    def receive_eof(self, now: float) -> None:
        """The client closed."""
        self._session.receive_eof(now)
        self._serve(now)

    def to_send(self) -> Sequence[bytes]:
        """What has to be sent now, in order."""
        return self._session.to_send()

    def deadline(self) -> float | None:
        """When `tick` is due."""
        times = [self._late[0][0]] if self._late else []
        session = self._session.deadline()
        return min([*times, *([] if session is None else [session])], default=None)

    def tick(self, now: float) -> None:
        """Let time pass: heartbeats, late answers."""
        self._session.tick(now)
        self._serve(now)
        while self._late and now >= self._late[0][0] and not self._session.is_closed:
            _, invoke_id, answer = self._late.popleft()
            self._settle(invoke_id, answer)
            self._give_back()

    @property
    def is_closed(self) -> bool:
        """Whether the link is over, after the pending units."""
        return self._is_refused or self._session.is_closed

    def report(self, reports: Iterable[Report], at: datetime) -> None:
        """Send each report (of `at`, UTC) to the monitors of its device."""
        if self.is_closed:
            return
        if self._held_back is not None:
            self._held_back.append((reports, at))
            return
        for report in reports:
            for cross_ref in self._at_device.get(report.device, ()):
                message = self._dialect.event_report(cross_ref, report, at)
                if self._passes(message.event, self._monitors[cross_ref].filter):
                    self._session.report(message)

    def send_status(self, status: m.SystemStatus, now: float) -> None:
        """Tell the client how the PBX is, if it listens."""
        if self._is_greeted and not self.is_closed:
            self._session.send_status(status, now)

    def close(self) -> None:
        """Forget all monitors: the link is gone."""
        self._quota.give_back(len(self._monitors))
        self._quota.switching.give_back(self._unanswered)
        self._unanswered = 0
        self._late.clear()
        self._monitors.clear()
        self._at_device.clear()

    def _passes(self, event: m.Event, wanted: m.MonitorFilter) -> bool:
        if type(event) in _FILTER_BITS:
            return _FILTER_BITS[type(event)] not in wanted.call
        # No capture shows how phase II writes the maintenance events: then they are left out.
        is_written = self._options.session.phase is m.Phase.ONE
        return is_written and _MAINTENANCE_BITS[type(event)] not in wanted.maintenance

    def _can_control(self, device: str) -> bool:
        # An OXO serves a device only while it is monitored (its manual).
        return self._dialect.kind is PbxKind.OXE or bool(self._at_device.get(device))

    def _serve(self, now: float) -> None:
        for event in self._session.events():
            match event:
                case ClientGreeted():
                    self._is_greeted = True
                    self._is_refused = self._options.session.greeting != PBX_GREETING
                case AssociationRequested():
                    self._associate()
                case Requested(invoke_id, request) if not self._session.is_closed:
                    self._serve_request(invoke_id, request, now)
                case SessionFailed(error):
                    self.error = error
                case _:
                    pass  # heartbeats, their answers and the release are the session's

    def _associate(self) -> None:
        if self._session.is_closed or self._options.association is AssociationAnswer.SILENCE:
            return
        if self._is_associated:
            return  # a second request in the same read; the first one's answer stands
        self._is_associated = True
        if self._options.association is AssociationAnswer.ACCEPT:
            self._session.accept_association()
        else:
            self._session.reject_association()

    def _serve_request(self, invoke_id: int, request: m.Request, now: float) -> None:
        if isinstance(request, m.SwitchingRequest):
            self._switch(invoke_id, request, now)
        else:
            self._settle(invoke_id, self._answer_to(request))

    def _settle(self, invoke_id: int, answer: m.Result | errors.ServiceError | None) -> None:
        if answer is None:
            self._session.reject(invoke_id, rose.UNRECOGNISED_OPERATION)
        elif isinstance(answer, errors.ServiceError):
            self._session.refuse(invoke_id, answer)
        else:
            self._session.answer(invoke_id, answer)

    def _switch(self, invoke_id: int, request: m.SwitchingRequest, now: float) -> None:
        """Obey, answer in the way of the options, and only then tell what happened."""
        limit = self._quota.switching.take(now)
        if limit is not None:
            self._session.refuse(invoke_id, limit)
            return
        self._unanswered += 1
        self._held_back = []
        try:
            self._answer_switching(invoke_id, self._desk.answer(request), now)
        finally:
            held_back, self._held_back = self._held_back, None
        for reports, at in held_back:
            self.report(reports, at)

    def _answer_switching(
        self, invoke_id: int, answer: m.Result | errors.ServiceError | None, now: float
    ) -> None:
        if answer is None or self._options.switching is SwitchingAnswer.PROMPT:
            self._settle(invoke_id, answer)
            self._give_back()
        elif self._options.switching is SwitchingAnswer.LATE:
            self._late.append((now + self._options.late_seconds, invoke_id, answer))
        # A PBX that never answers keeps the request open for good.

    def _give_back(self) -> None:
        self._unanswered -= 1
        self._quota.switching.give_back()

    def _answer_to(self, request: m.Request) -> m.Result | errors.ServiceError | None:
        match request:
            case m.MonitorStart(device, wanted):
                return self._start_monitor(device.number, wanted)
            case m.MonitorStop(cross_ref):
                return self._stop_monitor(cross_ref)
            case m.ChangeMonitorFilter(cross_ref, wanted):
                return self._change_filter(cross_ref, wanted)
            case m.SnapshotDevice(device):
                return self._snapshot(device.number)
            case m.QueryDevice(device, feature):
                return self._query(device.number, feature)
            case _:
                return None

    def _start_monitor(self, number: str, wanted: m.MonitorFilter | None) -> m.Result | errors.ServiceError:
        if number not in self._pbx.sets:
            return errors.OBJECT_NOT_KNOWN
        cross_ref = self._quota.take()
        if cross_ref is None:
            return errors.OVERALL_MONITOR_LIMIT
        in_force = wanted or self._options.filter
        self._monitors[cross_ref] = _Monitor(number, in_force or m.MonitorFilter())
        self._at_device.setdefault(number, []).append(cross_ref)
        return m.MonitorStarted(cross_ref, in_force)

    def _stop_monitor(self, cross_ref: bytes) -> m.Result | errors.ServiceError:
        monitor = self._monitors.pop(cross_ref, None)
        if monitor is None:
            return errors.INVALID_CROSS_REF
        self._at_device[monitor.device].remove(cross_ref)
        self._quota.give_back(1)
        return m.Done()

    def _change_filter(self, cross_ref: bytes, wanted: m.MonitorFilter) -> m.Result | errors.ServiceError:
        monitor = self._monitors.get(cross_ref)
        if monitor is None:
            return errors.INVALID_CROSS_REF
        monitor.filter = wanted
        return m.MonitorFilterChanged(wanted)

    def _snapshot(self, number: str) -> m.Result | errors.ServiceError:
        if number not in self._pbx.sets:
            return errors.OBJECT_NOT_KNOWN
        device = m.DeviceId(m.DeviceForm.IMPLICIT_PRIVATE, number)
        live = self._pbx.snapshot(number).connections
        entries = (m.SnapshotEntry(device, connection(each.connection), each.state) for each in live)
        return m.DeviceSnapshot(tuple(entries))

    def _query(self, number: str, feature: int) -> m.Result | errors.ServiceError:
        if number not in self._pbx.sets:
            return errors.OBJECT_NOT_KNOWN
        if feature != m.QueryFeature.DEVICE_INFO:
            return errors.GENERIC
        return m.DeviceInfo(m.DeviceId(m.DeviceForm.DIALING, number), _STATION)
