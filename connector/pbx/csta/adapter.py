"""A PBX by CSTA over TCP: dial, associate, probe the configured devices, then report what they do.

Everything is handled in the order of the stream, within the pump's delivery: a snapshot that was overtaken by
a later event would be wrong for ever.
"""

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from connector.domain.devices import Device, DeviceState
from connector.domain.errors import ConnectorError, LinkClosed, LinkTimeout, TranslationError
from connector.domain.faults import FAULTS, FaultId
from connector.domain.identifiers import PbxKind, masked
from connector.domain.ports import Clock, PbxSink
from connector.links.dialer import open_tcp
from connector.links.pump import Pump
from connector.pbx.csta import mapping
from connector.pbx.csta.roster import Ask, Roster, Verdict
from connector.wire import rose
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

_log = logging.getLogger(__name__)


class CstaLink:
    """One life of a CSTA link. Implements `connector.domain.ports.PbxLink`."""

    def __init__(self, settings: "CstaSettings", sink: PbxSink, clock: Clock) -> None:
        self.dropped_events = 0  # events of no monitor of ours, or without an equivalent for the business
        self._settings = settings
        self._sink = sink
        self._clock = clock
        self._roster = Roster(settings.numbers, settings.max_open_requests)
        self._client: CstaClient | None = None
        self._pump: Pump[bytes, ClientEvent] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._version = ""
        self._is_connected = False
        self._is_listed = False
        self._is_limited = False
        self._error: ConnectorError | None = None
        self._logged_kinds: set[str] = set()

    async def run(self) -> None:
        """Open the link, read and monitor the devices, report until it ends.

        Raises the `LinkError` or `ProtocolError` that says why it ended.
        """
        settings = self._settings
        transport = await open_tcp(settings.host, settings.port, timeout_seconds=_DIAL_SECONDS, link="pbx")
        options = ClientOptions(
            versions=_VERSIONS[settings.kind],
            association=settings.association,
            timing=Timing(request_seconds=settings.request_timeout_seconds),
        )
        self._client = CstaClient(options, self._clock.monotonic())
        self._pump = Pump(self._client, transport, self._clock, self._hear)
        try:
            await self._pump.run()
        finally:
            if self._timer is not None:
                self._timer.cancel()
        raise self._error or LinkClosed(FaultId.PBX_CLOSED, link="pbx")

    def close(self) -> None:
        """Release the association in order; `run` ends soon after."""
        if self._client is not None and self._pump is not None:
            self._client.release(self._clock.monotonic())
            self._pump.wake()

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
        if client is None or client.is_closed:
            return
        now = self._clock.monotonic()
        while (ask := self._roster.next_ask(now)) is not None:
            send = client.snapshot_device if ask.is_snapshot else client.monitor_start
            self._roster.sent(send(ask.number, now), ask)
        if not self._is_listed and not self._roster.is_probing:
            self._hand_over_devices()
            self._ask()
            return
        self._arm(self._roster.resume_in(now))
        if self._pump is not None:
            self._pump.wake()

    def _arm(self, delay: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if delay is not None:
            self._timer = asyncio.get_running_loop().call_later(delay, self._ask)

    def _hand_over_devices(self) -> None:
        self._is_listed = True
        monitored = self._roster.monitored
        if not monitored:
            _log_fault(FaultId.PBX_NO_DEVICE, configured=len(self._settings.numbers))
        self._sink.devices_read(
            [Device(number, state=DeviceState.IN_SERVICE, source=SOURCE) for number in monitored]
        )
        self._roster.read_calls(monitored)

    # --- answers ----------------------------------------------------------------------------------------

    def _take_result(self, invoke_id: int, result: m.Result) -> None:
        ask = self._roster.answered(invoke_id)
        if ask is None:
            return
        if isinstance(result, m.MonitorStarted):
            self._roster.granted(ask.number, result.cross_ref)
            if self._is_listed:
                self._sink.device_state_changed(ask.number, DeviceState.IN_SERVICE)
                self._roster.read_calls([ask.number])
        elif isinstance(result, m.DeviceSnapshot):
            self._sink.device_snapshot(mapping.device_snapshot(result, ask.number))
        self._ask()

    def _take_failure(self, invoke_id: int, error: m.ServiceError | rose.Reject | None) -> None:
        ask = self._roster.answered(invoke_id)
        if ask is None:
            return
        result = self._roster.failed(ask, error, self._clock.monotonic())
        if result is Verdict.LIMIT and not self._is_limited:
            self._is_limited = True
            _log_fault(FaultId.PBX_MONITOR_LIMIT, monitored=len(self._roster.monitored))
        elif result is Verdict.REFUSED:
            _log_fault(
                FaultId.PBX_REQUEST_REFUSED, device=masked(ask.number), error=str(error or "no answer")
            )
        if self._is_listed and result in (Verdict.ABSENT, Verdict.REFUSED):
            self._take_lost_device(ask, result)
        self._ask()

    def _take_lost_device(self, ask: Ask, result: Verdict) -> None:
        """A device that was listed could not be monitored again."""
        if not ask.is_snapshot:
            is_gone = result is Verdict.ABSENT
            state = DeviceState.OUT_OF_SERVICE if is_gone else DeviceState.UNKNOWN
            self._sink.device_state_changed(ask.number, state)

    # --- what the PBX says of itself --------------------------------------------------------------------

    def _take_report(self, report: m.EventReport) -> None:
        device = self._roster.device_of(report.cross_ref)
        if device is None:
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


def _version_text(versions: frozenset[int] | None) -> str:
    """What the PBX says of itself: the newest phase it chose, or nothing without an association."""
    known = [phase for phase in Version if phase in (versions or ())]
    return _PHASE_NAMES.get(known[-1], "") if known else ""


def _log_fault(fault: FaultId, **facts: object) -> None:
    _log.warning(FAULTS[fault].sentence, extra={"fault": fault.value, **facts})
