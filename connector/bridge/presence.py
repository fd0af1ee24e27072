"""Who can be called now: from the calls of each monitored device, its service state and the PBX's link."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from connector.domain.call_model import MAX_CALLS, CallUpdate
from connector.domain.calls import CallCleared, Conferenced, DeviceSnapshot, LocalState, Transferred
from connector.domain.devices import Device, DeviceState
from connector.domain.presence import Presence, PresenceState

_GONE = (None, LocalState.NULL)


class PresenceBoard:
    """One state for each device of the PBX that is watched; `changed` is told what became different.

    A device's part in a call is known by the PBX's own reference of the call: a consultation is a second one.
    """

    def __init__(self, now: Callable[[], datetime], changed: Callable[[Sequence[Presence]], None]) -> None:
        self._now = now
        self._changed = changed
        self._is_up = False
        self._watched: frozenset[str] | None = None
        self._service: dict[str, DeviceState] = {}
        self._legs: dict[str, dict[str, LocalState]] = {}
        self._of_call: dict[str, set[tuple[str, str]]] = {}
        self._told: dict[str, Presence] = {}

    def present(self) -> tuple[Presence, ...]:
        """The state of every watched device, by number."""
        return tuple(self._told[number] for number in sorted(self._told))

    def watch(self, numbers: frozenset[str] | None) -> None:
        """Only `numbers` are watched; None: every device of the PBX."""
        self._watched = numbers
        self._look(self._service)

    def pbx_changed(self, *, is_up: bool) -> None:
        """The PBX can be heard, or not: then nobody knows who is in a call."""
        self._is_up = is_up
        self._look(self._service)

    def devices_read(self, devices: Iterable[Device]) -> None:
        """The PBX's whole list."""
        before, self._service = self._service, {device.number: device.state for device in devices}
        self._look({**before, **self._service})

    def device_state_changed(self, number: str, state: DeviceState) -> None:
        """A device went in or out of service."""
        if number in self._service:
            self._service[number] = state
            self._look((number,))

    def call_update(self, update: CallUpdate) -> None:
        """A monitored device reported an event of a call."""
        event, device = update.event, update.device
        if isinstance(event, (Transferred, Conferenced)):
            for old in (event.primary_old, event.secondary_old):
                if old is not None:
                    self._leave(device, old.call)
        if event.state in _GONE or isinstance(event, CallCleared):
            self._leave(device, event.connection.call)
        elif event.state is not None:
            self._legs.setdefault(device, {})[event.connection.call] = event.state
            self._of_call.setdefault(update.call_id, set()).add((device, event.connection.call))
        touched = {device}
        if len(self._of_call) > MAX_CALLS:  # the call model forgets its oldest call, without an end
            touched |= self._forget(next(iter(self._of_call)))
        if update.end is not None:
            touched |= self._forget(update.call_id)
        self._look(touched)

    def device_snapshot(self, snapshot: DeviceSnapshot) -> None:
        """All connections of one device, read after a gap."""
        self._legs[snapshot.device] = {
            one.connection.call: one.state or LocalState.CONNECTED
            for one in snapshot.connections
            if one.state is not LocalState.NULL
        }
        self._look((snapshot.device,))

    def _forget(self, call_id: str) -> set[str]:
        """Nobody is in that call any more; who was."""
        legs = self._of_call.pop(call_id, set())
        for number, reference in legs:
            self._leave(number, reference)
        return {number for number, _ in legs}

    def _leave(self, device: str, reference: str) -> None:
        legs = self._legs.get(device)
        if legs is not None:
            legs.pop(reference, None)
            if not legs:
                del self._legs[device]

    def _look(self, numbers: Iterable[str]) -> None:
        different: list[Presence] = []
        for number in numbers:
            if number not in self._service or not (self._watched is None or number in self._watched):
                self._told.pop(number, None)
                continue
            state, told = self._state_of(number), self._told.get(number)
            if told is None or told.state is not state:
                self._told[number] = Presence(number, state, self._now())
                different.append(self._told[number])
        if different:
            self._changed(different)

    def _state_of(self, number: str) -> PresenceState:
        if not self._is_up:
            return PresenceState.UNKNOWN
        if self._service[number] is DeviceState.OUT_OF_SERVICE:
            return PresenceState.OUT_OF_SERVICE
        states = self._legs.get(number, {}).values()
        if not states:
            return PresenceState.FREE
        only_rings = all(state is LocalState.ALERTING for state in states)
        return PresenceState.RINGING if only_rings else PresenceState.BUSY
