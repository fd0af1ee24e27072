"""What the tests of the PBX simulator share: a clock that they move, and a client beside a face."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from connector.wire.csta import errors
from connector.wire.csta import messages as m
from connector.wire.csta.session import CstaClient
from connector.wire.csta.session_events import (
    Answered,
    ClientEvent,
    ClientOptions,
    EventReported,
    Refused,
)
from simulators.pbx.csta import CstaFace

AT = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


class ManualClock:
    """Time that passes only when a test says so."""

    def __init__(self) -> None:
        self.elapsed = 0.0

    def now(self) -> datetime:
        return AT + timedelta(seconds=self.elapsed)

    def monotonic(self) -> float:
        return self.elapsed


class Line:
    """A client and a face joined by a wire that delivers in pieces of `piece` bytes."""

    def __init__(self, face: CstaFace, options: ClientOptions | None = None, piece: int = 1 << 16) -> None:
        self.face = face
        self.client = CstaClient(options or ClientOptions(), 0.0)
        self.told: list[ClientEvent] = []
        self._piece = piece

    def settle(self, now: float = 0.0) -> None:
        """Carry everything to and fro until both sides are quiet."""
        while True:
            up, down = b"".join(self.client.to_send()), b"".join(self.face.to_send())
            if not up and not down:
                return
            for piece in self._pieces(up):
                self.face.receive(piece, now)
            for piece in self._pieces(down):
                self.client.receive(piece, now)
            self.told += self.client.events()

    def tick(self, now: float) -> None:
        """Let both sides see the time, then carry what they say."""
        self.client.tick(now)
        self.face.tick(now)
        self.settle(now)
        self.told += self.client.events()

    def ask(self, request: m.Request) -> m.Result | errors.ServiceError | object:
        """What the PBX answers to `request`."""
        invoke_id = self.client.request(request, 0.0)
        self.settle()
        for event in self.told:
            if isinstance(event, Answered) and event.invoke_id == invoke_id:
                return event.result
            if isinstance(event, Refused) and event.invoke_id == invoke_id:
                return event.error
        raise AssertionError("no answer")

    def monitor(self, number: str) -> bytes:
        """The cross reference of a new monitor."""
        started = self.ask(m.MonitorStart(m.DeviceId(m.DeviceForm.DIALING, number)))
        assert isinstance(started, m.MonitorStarted)
        return started.cross_ref

    def reports(self) -> list[m.EventReport]:
        """The event reports that arrived since the last call."""
        found = [event.report for event in self.told if isinstance(event, EventReported)]
        self.told = [event for event in self.told if not isinstance(event, EventReported)]
        return found

    def _pieces(self, data: bytes) -> Sequence[bytes]:
        return [data[at : at + self._piece] for at in range(0, len(data), self._piece)]
