"""CSTA events as an OXE writes them, encoded beforehand so that the source costs next to nothing.

Every call is new: its reference, and the correlation in its private data, were never used before.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from connector.domain.calls import Cause, LocalState
from connector.wire import rose
from connector.wire.csta import messages as m
from connector.wire.csta.events import encode_event_report
from connector.wire.csta.operations import Operation
from connector.wire.framing import framed

# Twice the sets of the demo; each has one call at a time.
DEVICES = tuple(str(number) for number in range(3001, 3025))

_EVENT_REPORT = int(Operation.EVENT_REPORT)
_CALLER = m.DeviceId(m.DeviceForm.IMPLICIT_PUBLIC, "0639980001")  # of the range that France keeps for films
_NAME = "Camille Roux"
_LOCAL_TIME = "261120100000Z"


def cross_reference(number: str) -> bytes:
    """The monitor of the device `number`: its number, so that events can be written before it asks."""
    return int(number).to_bytes(4, "big")


@dataclass(frozen=True, slots=True)
class _Call:
    number: int
    device: str

    @property
    def connection(self) -> m.Connection:
        # Zero is no reference, and 16 bits is all a PBX has.
        return m.Connection((self.number % 65_535 + 1).to_bytes(2, "big"), cross_reference(self.device))

    def frame(self, event: m.CallEvent) -> bytes:
        private = m.PrivateData(
            outside=1, name=_NAME, call_reference=b"\x0a\x01" + self.number.to_bytes(6, "big")
        )
        report = m.EventReport(cross_reference(self.device), event, _LOCAL_TIME, private)
        argument = encode_event_report(report, m.Phase.TWO)
        return framed(rose.encode(rose.Invoke(self.number % 0x7FFF + 1, _EVENT_REPORT, argument)))

    def delivered(self) -> bytes:
        own = m.DeviceId(m.DeviceForm.IMPLICIT_PRIVATE, self.device)
        return self.frame(
            m.Delivered(
                connection=self.connection,
                alerting=own,
                calling=_CALLER,
                called=own,
                state=LocalState.ALERTING,
                cause=Cause.NEW_CALL,
            )
        )

    def established(self) -> bytes:
        own = m.DeviceId(m.DeviceForm.IMPLICIT_PRIVATE, self.device)
        return self.frame(
            m.Established(
                connection=self.connection,
                answering=own,
                calling=_CALLER,
                called=own,
                state=LocalState.CONNECTED,
                cause=Cause.NEW_CALL,
            )
        )

    def cleared(self) -> bytes:
        own = m.DeviceId(m.DeviceForm.IMPLICIT_PRIVATE, self.device)
        return self.frame(
            m.ConnectionCleared(
                connection=self.connection,
                releasing=own,
                state=LocalState.NULL,
                cause=Cause.NORMAL_CLEARING,
            )
        )


def durable(count: int, first_call: int) -> Iterator[bytes]:
    """`count` ends of calls, each of another call: every event has to reach the disk."""
    for number in range(first_call, first_call + count):
        yield _Call(number, DEVICES[number % len(DEVICES)]).cleared()


def mixed(count: int, first_call: int) -> Iterator[bytes]:
    """`count` events of calls that ring, are answered and end, on all devices at a time: a third durable."""
    calls_each = len(DEVICES)
    made = 0
    for start in range(first_call, first_call + count, calls_each):
        calls = [_Call(start + index, device) for index, device in enumerate(DEVICES)]
        for kind in (_Call.delivered, _Call.established, _Call.cleared):
            for call in calls:
                if made == count:
                    return
                made += 1
                yield kind(call)


def ringing(count: int) -> Iterator[bytes]:
    """`count` calls that begin to ring: the fullest of the usual events, and each of a call never seen."""
    for number in range(count):
        yield _Call(number, DEVICES[number % len(DEVICES)]).delivered()
