"""The alarms of this process: told once in the log, shown in `oxbridge status` and as a metric until over."""

import logging

from connector.domain.alarms import Alarm, Alarms, Conflicts
from connector.domain.errors import ConnectorError
from connector.domain.faults import FAULTS, FaultId
from connector.domain.ports import Clock

# Faults that end a life of the cloud link and need a person: over as soon as a login succeeds.
_OVER_WHEN_CONNECTED = frozenset(
    {
        FaultId.CLOUD_NOT_AUTHORIZED,
        FaultId.CLOUD_IMPOSTOR,
        FaultId.CLOUD_NO_MECHANISM,
        FaultId.CLOUD_CERTIFICATE_UNTRUSTED,
        FaultId.CLOUD_CERTIFICATE_NAME,
        FaultId.CLOUD_CERTIFICATE_EXPIRED,
    }
)

_log = logging.getLogger(__name__)


class AlarmBoard:
    """What a person should know. Every method returns at once and never raises."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._alarms = Alarms()
        self._conflicts = Conflicts()

    def report(self, fault: FaultId, detail: str = "") -> None:
        """`fault` is there; `detail` adds facts and never a secret or a whole number."""
        if self._alarms.report(fault, self._clock.now(), detail):
            words = FAULTS[fault]
            _log.error(
                "alarm raised",
                extra={
                    "fault": fault.value,
                    "reason": words.sentence,
                    "detail": detail,
                    "remedy": words.remedy,
                },
            )

    def clear(self, fault: FaultId) -> None:
        """`fault` is over."""
        alarm = self._alarms.clear(fault)
        if alarm is not None:
            _log.info("alarm cleared", extra={"fault": fault.value, "count": alarm.count})

    def cloud_ended(self, error: ConnectorError) -> None:
        """A life of the cloud link ended with `error`."""
        if error.fault is FaultId.CLOUD_REPLACED:
            self._conflicts.happened(self._clock.monotonic())
            if self._conflicts.is_alarming(self._clock.monotonic()):
                self.report(FaultId.SECOND_AGENT)
        elif error.fault in _OVER_WHEN_CONNECTED:
            self.report(error.fault, error.detail)

    def cloud_connected(self) -> None:
        """The gateway accepted us over a connection that we trust."""
        for fault in _OVER_WHEN_CONNECTED:
            self.clear(fault)

    def raised(self) -> tuple[Alarm, ...]:
        """The raised alarms, oldest first."""
        self._end_old_conflict()
        return self._alarms.raised

    def known(self) -> dict[FaultId, bool]:
        """Every alarm since the start, and whether it is raised now."""
        self._end_old_conflict()
        return self._alarms.known

    def _end_old_conflict(self) -> None:
        """Nothing happens when a second agent goes away, so whoever looks ends that alarm."""
        if not self._conflicts.is_alarming(self._clock.monotonic()):
            self.clear(FaultId.SECOND_AGENT)
