"""A PBX by CSTA over TCP: dial, associate, probe the configured devices, then report what they do.

Everything is handled in the order of the stream, within the pump's delivery: a snapshot that was overtaken by
a later event would be wrong for ever.
"""

import asyncio
import logging
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from connector.domain.calls import DeviceSnapshot
from connector.domain.commands import Command, Outcome
from connector.domain.configuration import MonitorRefusal
from connector.domain.devices import Device, DeviceState
from connector.domain.errors import (
    ConnectorError,
    LinkClosed,
    LinkTimeout,
    LocalProtocolError,
    TranslationError,
)
from connector.domain.faults import FAULTS, FaultId
from connector.domain.identifiers import PbxKind, masked
from connector.domain.ports import Clock, PbxSink
from connector.links.dialer import open_tcp
from connector.links.pump import Pump
from connector.links.resolver import Resolver
from connector.pbx.csta import mapping
from connector.pbx.csta.control import MAX_OPEN, NO_PBX, CallControl
from connector.pbx.csta.roster import Ask, Purpose, Roster, Verdict
from connector.wire import rose
from connector.wire.csta import errors
from connector.wire.csta import messages as m
from connector.wire.csta.acse import Version
from connector.wire.csta.session import CstaClient
from connector.wire.csta.session_events import (
    Answered,
    Associated,
    ClientEvent,
    ClientOptions,
    EventReported,
    MonitorEnded,
    Refused,
    Released,
    SessionFailed,
    StatusReported,
    TimedOut,
    Timing,
)

if TYPE_CHECKING:
    from connector.pbx.csta.settings import CstaSettings  # pydantic: whoever made them has loaded it

SOURCE: Final = "csta"

_DIAL_SECONDS = 10.0
# Kinds of untranslatable events that are logged, each once; a PBX has a few dozen.
_MAX_LOGGED_KINDS = 100

_VERSIONS: Final = {
    PbxKind.OXO: frozenset((Version.ECMA_180,)),
    PbxKind.OXE: frozenset((Version.ECMA_180, Version.ECMA_218)),
}
_PHASE_NAMES: Final = {Version.ECMA_180: "CSTA phase I", Version.ECMA_218: "CSTA phase II"}

# Without an association only these show that somebody who speaks CSTA is at the other end.
_SIGNS_OF_SERVICE: Final = (EventReported, Answered, Refused, StatusReported)

# Called once, with the numbers that can't be watched.
MonitorsReport = Callable[[Mapping[str, MonitorRefusal]], None]

_log = logging.getLogger(__name__)


class CstaLink:
    """One life of a CSTA link. Implements the domain's `PbxLink` and `CommandExecutor`."""

    def __init__(
        self, settings: "CstaSettings", sink: PbxSink, clock: Clock, resolver: Resolver | None = None
    ) -> None:
        """`resolver` remembers the PBX's addresses from one life to the next."""
        self.dropped_events = 0  # events of no monitor of ours, or without an equivalent for the business
        self._settings = settings
        self._sink = sink
        self._clock = clock
        self._resolver = resolver
        self._numbers = frozenset(settings.numbers)
        # Commands never wait for the devices to be read: they have a share of the window of their own.
        commands = min(MAX_OPEN, settings.max_open_requests // 2)
        self._roster = Roster(settings.numbers, settings.max_open_requests - commands)
        self._control = CallControl(
            self._send, clock, interval_seconds=settings.switching_interval_seconds, max_open=commands
        )
        self._phase = m.Phase.ONE if settings.kind is PbxKind.OXO else m.Phase.TWO
        self._applying: list[tuple[frozenset[str], MonitorsReport]] = []
        self._client: CstaClient | None = None
        self._pump: Pump[bytes, ClientEvent] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._version = ""
        self._is_connected = False
        self._is_over = False
        self._is_listed = False
        self._is_list_stale = False
        self._is_limited = False
        self._error: ConnectorError | None = None
        self._logged_kinds: set[str] = set()

    async def run(self) -> None:
        """Open the link, read and monitor the devices, report until it ends.

        Raises the `LinkError` or `ProtocolError` that says why it ended.
        """
        try:
            await self._live()
        finally:
            self._end()
        raise self._error or LinkClosed(FaultId.PBX_CLOSED, link="pbx")

    async def _live(self) -> None:
        settings = self._settings
        transport = await open_tcp(
            settings.host, settings.port, timeout_seconds=_DIAL_SECONDS, link="pbx", resolver=self._resolver
        )
        options = ClientOptions(
            versions=_VERSIONS[settings.kind],
            association=settings.association,
            timing=Timing(request_seconds=settings.request_timeout_seconds),
        )
        self._client = CstaClient(options, self._clock.monotonic())
        self._pump = Pump(self._client, transport, self._clock, self._hear)
        await self._pump.run()

    def close(self) -> None:
        """Release the association in order; `run` ends soon after."""
        if self._client is not None and self._pump is not None:
            self._client.release(self._clock.monotonic())
            self._pump.wake()

    async def execute(self, command: Command, until: float = math.inf) -> Outcome:
        """Ask the PBX, once; see `CommandExecutor`. `BUSY` if the request could not leave within seconds."""
        if not self._is_connected or self._is_over:
            return NO_PBX
        return await self._control.execute(command, self._phase, self._numbers, until)

    def set_monitored(self, numbers: frozenset[str] | None, report: MonitorsReport) -> None:
        """Report the calls of `numbers` alone, of all configured if None, from now on and from the start.

        `report` is called exactly once: when it is known which of them can't be watched, or with `NO_LINK`
        for each when the link is over. The list of devices stays that of all configured. Of a number that is
        not watched any more an empty snapshot is told, since nothing will say how its calls end.
        """
        self._applying.append((numbers or frozenset(), report))
        for number in self._roster.want(numbers):
            self._sink.device_snapshot(DeviceSnapshot(number, ()))
        if self._is_over:
            self._report_no_link()
        elif self._is_listed:
            self._ask()

    def _send(self, request: m.Request) -> int:
        if self._client is None or self._pump is None:
            raise LocalProtocolError(FaultId.OWN_PROTOCOL, "a command before the link is open", link="pbx")
        invoke_id = self._client.request(request, self._clock.monotonic())
        self._pump.wake()
        return invoke_id

    def _end(self) -> None:
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()
        self._control.end()
        self._report_no_link()

    def _report_no_link(self) -> None:
        applying, self._applying = self._applying, []
        for numbers, report in applying:
            report(dict.fromkeys(sorted(numbers), MonitorRefusal.NO_LINK))

    def _hear(self, event: ClientEvent) -> None:
        if isinstance(event, _SIGNS_OF_SERVICE):
            self._connect()
        self._take(event)

    def _take(self, event: ClientEvent) -> None:
        match event:
            case EventReported(report):
                self._take_report(report)
            case Answered(invoke_id, result):
                self._take_result(invoke_id, result)
            case Refused(invoke_id, error):
                self._take_failure(invoke_id, error)
            case TimedOut(invoke_id):
                self._take_silence(invoke_id)
            case Associated(versions):
                self._take_association(versions)
            case MonitorEnded(cross_ref):
                self._take_monitor_ended(cross_ref)
            case StatusReported(status):
                self._take_status(status)
            case SessionFailed(error):
                self._error = error
            case Released():
                pass

    def _take_association(self, versions: frozenset[int] | None) -> None:
        self._version = _version_text(versions)
        if versions:
            self._phase = m.Phase.TWO if Version.ECMA_218 in versions else m.Phase.ONE
        if versions is not None:  # else the PBX has said nothing but its greeting
            self._connect()
        self._ask()

    def _connect(self) -> None:
        if not self._is_connected:
            self._is_connected = True
            self._sink.pbx_connected(self._version)

    def _take_silence(self, invoke_id: int) -> None:
        """A request stayed without an answer: a PBX that has never answered any does not serve us."""
        if self._is_connected:
            self._take_failure(invoke_id, None)
        else:
            self._error = self._error or LinkTimeout(
                FaultId.PBX_SILENT, "no answer since it greeted", link="pbx"
            )
            self.close()

    # --- asking -----------------------------------------------------------------------------------------

    def _ask(self) -> None:
        """Ask as much as the window allows; when no device is left to probe, hand over the list."""
        client = self._client
        if client is None or not client.is_serving:
            return
        now = self._clock.monotonic()
        while (ask := self._roster.next_ask(now)) is not None:
            self._roster.sent(_asked(client, ask, now), ask)
        if not self._is_listed and not self._roster.is_probing:
            self._hand_over_devices()
            self._ask()
            return
        self._settle_monitors()
        self._arm(self._roster.resume_in(now))
        if self._pump is not None:
            self._pump.wake()

    def _settle_monitors(self) -> None:
        """Once the monitors are as they are wanted, tell whoever wanted them so."""
        if not self._is_listed or not (self._applying or self._is_list_stale) or self._roster.is_probing:
            return
        if self._is_list_stale:
            self._tell_devices()
        applying, self._applying = self._applying, []
        for numbers, report in applying:
            report(self._roster.refusals_of(numbers))

    def _arm(self, delay: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if delay is not None:
            self._timer = asyncio.get_running_loop().call_later(delay, self._ask)

    def _hand_over_devices(self) -> None:
        self._is_listed = True
        if not self._roster.found:
            _log_fault(FaultId.PBX_NO_DEVICE, configured=len(self._settings.numbers))
        self._tell_devices()
        self._roster.read_calls(self._roster.monitored)

    def _tell_devices(self) -> None:
        self._is_list_stale = False
        self._sink.devices_read(
            [Device(number, state=DeviceState.IN_SERVICE, source=SOURCE) for number in self._roster.found]
        )

    # --- answers ----------------------------------------------------------------------------------------

    def _take_result(self, invoke_id: int, result: m.Result) -> None:
        if self._control.succeeded(invoke_id, result):
            return
        ask = self._roster.answered(invoke_id)
        if ask is None:
            return
        if isinstance(result, m.MonitorStarted):
            self._take_monitor(ask.number, result.cross_ref)
        elif isinstance(result, m.DeviceSnapshot) and self._roster.is_wanted(ask.number):
            self._sink.device_snapshot(mapping.device_snapshot(result, ask.number))
        elif ask.purpose is Purpose.STOP:
            self._roster.stopped(ask.cross_ref)
        self._ask()

    def _take_monitor(self, number: str, cross_ref: bytes) -> None:
        is_new = not self._roster.is_found(number)
        is_wanted = self._roster.granted(number, cross_ref)
        if not self._is_listed:
            return
        self._is_list_stale |= is_new
        self._sink.device_state_changed(number, DeviceState.IN_SERVICE)
        if is_wanted:
            self._roster.read_calls([number])

    def _take_failure(self, invoke_id: int, error: errors.ServiceError | rose.Reject | None) -> None:
        if self._control.failed(invoke_id, error):
            return
        ask = self._roster.answered(invoke_id)
        if ask is None:
            return
        result = self._roster.failed(ask, error, self._clock.monotonic())
        if result is Verdict.LIMIT and not self._is_limited:
            self._is_limited = True
            _log_fault(FaultId.PBX_MONITOR_LIMIT, monitored=len(self._roster.monitored))
        elif result is Verdict.REFUSED and ask.purpose is not Purpose.STOP:
            _log_fault(
                FaultId.PBX_REQUEST_REFUSED, device=masked(ask.number), error=str(error or "no answer")
            )
        if ask.purpose is Purpose.STOP and result is not Verdict.BUSY:
            self._roster.stopped(ask.cross_ref)  # the PBX does not know it any more: that was wanted
        elif self._is_listed and result in (Verdict.ABSENT, Verdict.REFUSED):
            self._take_lost_device(ask, result)
        self._ask()

    def _take_lost_device(self, ask: Ask, result: Verdict) -> None:
        """A device that was listed could not be monitored again."""
        if ask.purpose is Purpose.START and self._roster.is_found(ask.number):
            is_gone = result is Verdict.ABSENT
            state = DeviceState.OUT_OF_SERVICE if is_gone else DeviceState.UNKNOWN
            self._sink.device_state_changed(ask.number, state)

    # --- what the PBX says of itself --------------------------------------------------------------------

    def _take_report(self, report: m.EventReport) -> None:
        device = self._roster.device_of(report.cross_ref)
        if device is None:
            if not self._roster.is_ending(report.cross_ref):
                self._drop("event of an unknown monitor")
            return
        match report.event:
            case m.BackInService():
                self._sink.device_state_changed(device, DeviceState.IN_SERVICE)
            case m.OutOfService():
                self._sink.device_state_changed(device, DeviceState.OUT_OF_SERVICE)
            case _:
                try:
                    event = mapping.call_event(report, device, self._clock.now())
                except TranslationError as error:
                    self._drop(error.detail)
                else:
                    self._sink.call_event(event)

    def _drop(self, kind: str) -> None:
        self.dropped_events += 1
        if kind not in self._logged_kinds and len(self._logged_kinds) < _MAX_LOGGED_KINDS:
            self._logged_kinds.add(kind)
            _log.info(
                "pbx event skipped", extra={"fault": FaultId.EVENT_NOT_TRANSLATABLE.value, "kind": kind}
            )

    def _take_monitor_ended(self, cross_ref: bytes) -> None:
        number = self._roster.ended(cross_ref)
        if number is not None:
            if self._is_listed:
                self._sink.device_state_changed(number, DeviceState.UNKNOWN)
            self._ask()

    def _take_status(self, status: int) -> None:
        if status not in (m.SystemStatus.NORMAL, m.SystemStatus.ENABLED):
            _log.warning("pbx status", extra={"status": status})
        if status == m.SystemStatus.MESSAGES_LOST and self._is_listed:
            self._roster.read_calls(self._roster.monitored)
            self._ask()


def _asked(client: CstaClient, ask: Ask, now: float) -> int:
    """Send `ask`; its invoke id."""
    match ask.purpose:
        case Purpose.START:
            return client.monitor_start(ask.number, now)
        case Purpose.STOP:
            return client.monitor_stop(ask.cross_ref, now)
        case Purpose.SNAPSHOT:
            return client.snapshot_device(ask.number, now)


def _version_text(versions: frozenset[int] | None) -> str:
    """What the PBX says of itself: the newest phase it chose, or nothing without an association."""
    known = [phase for phase in Version if phase in (versions or ())]
    return _PHASE_NAMES.get(known[-1], "") if known else ""


def _log_fault(fault: FaultId, **facts: object) -> None:
    _log.warning(FAULTS[fault].sentence, extra={"fault": fault.value, **facts})
