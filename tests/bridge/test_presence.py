"""Who can be called: every state of a device, and only what changes is told."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from connector.bridge import presence
from connector.bridge.presence import PresenceBoard
from connector.domain.call_model import CallEnd, CallUpdate
from connector.domain.calls import (
    UNKNOWN_PARTY,
    CallEvent,
    ConnectionCleared,
    ConnectionId,
    Delivered,
    DeviceSnapshot,
    Established,
    Held,
    LiveConnection,
    LocalState,
    Transferred,
)
from connector.domain.devices import Device, DeviceState
from connector.domain.presence import Presence, PresenceState

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
FREE, RINGING, BUSY = PresenceState.FREE, PresenceState.RINGING, PresenceState.BUSY


class World:
    """A board over the sets 3001 and 3002, with what it told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, PresenceState]] = []
        self.board = PresenceBoard(lambda: NOON, self._changed)
        self.board.devices_read(
            [Device("3001", state=DeviceState.IN_SERVICE), Device("3002", state=DeviceState.IN_SERVICE)]
        )
        self.board.pbx_changed(is_up=True)
        self.told.clear()

    def _changed(self, presences: Sequence[Presence]) -> None:
        self.told += [(one.device, one.state) for one in presences]

    def states(self) -> dict[str, PresenceState]:
        return {one.device: one.state for one in self.board.present()}

    def hear(self, event: CallEvent, call_id: str = "c-1", end: CallEnd | None = None) -> None:
        update = CallUpdate(call_id, event.device, event, UNKNOWN_PARTY, UNKNOWN_PARTY, end=end)
        self.board.call_update(update)


@pytest.fixture
def world() -> World:
    return World()


def delivered(device: str, call: str, state: LocalState) -> Delivered:
    return Delivered(
        device=device,
        connection=ConnectionId(call, "3001"),
        state=state,
        cause=None,
        at=NOON,
        alerting=UNKNOWN_PARTY,
        calling=UNKNOWN_PARTY,
        called=UNKNOWN_PARTY,
    )


def established(device: str, call: str) -> Established:
    return Established(
        device=device,
        connection=ConnectionId(call, device),
        state=LocalState.CONNECTED,
        cause=None,
        at=NOON,
        answering=UNKNOWN_PARTY,
        calling=UNKNOWN_PARTY,
        called=UNKNOWN_PARTY,
    )


def cleared(device: str, call: str) -> ConnectionCleared:
    return ConnectionCleared(
        device=device,
        connection=ConnectionId(call, device),
        state=LocalState.NULL,
        cause=None,
        at=NOON,
        releasing=UNKNOWN_PARTY,
    )


def test_before_anything_happens_everybody_is_free(world: World) -> None:
    assert world.states() == {"3001": FREE, "3002": FREE}


def test_a_call_rings_is_talked_in_and_ends(world: World) -> None:
    world.hear(delivered("3001", "7", LocalState.ALERTING))
    world.hear(established("3001", "7"))
    world.hear(cleared("3001", "7"), end=CallEnd.ANSWERED)
    assert world.told == [("3001", RINGING), ("3001", BUSY), ("3001", FREE)]


def test_who_calls_is_busy_while_the_other_rings(world: World) -> None:
    world.hear(delivered("3002", "7", LocalState.CONNECTED))
    assert world.states() == {"3001": FREE, "3002": BUSY}


def test_a_second_call_that_rings_does_not_make_a_talker_ring(world: World) -> None:
    world.hear(established("3001", "7"))
    world.hear(delivered("3001", "8", LocalState.ALERTING), call_id="c-2")
    assert world.told == [("3001", BUSY)]
    world.hear(cleared("3001", "7"), end=CallEnd.ANSWERED)
    assert world.states()["3001"] is RINGING


def test_a_consultation_that_ends_leaves_the_held_call(world: World) -> None:
    held = Held(
        device="3001",
        connection=ConnectionId("7", "3001"),
        state=LocalState.HOLD,
        cause=None,
        at=NOON,
        by=UNKNOWN_PARTY,
    )
    world.hear(established("3001", "7"))
    world.hear(held)
    world.hear(established("3001", "8"))
    world.hear(cleared("3001", "8"))
    assert world.states()["3001"] is BUSY


def test_who_transfers_is_free_and_who_takes_over_stays_busy(world: World) -> None:
    world.hear(established("3001", "7"))
    world.hear(established("3002", "8"))
    joined = Transferred(
        device="3001",
        connection=ConnectionId("9", "3001"),
        state=LocalState.NULL,
        cause=None,
        at=NOON,
        primary_old=ConnectionId("7", "3001"),
        secondary_old=ConnectionId("8", "3001"),
        connections=(),
        transferring=UNKNOWN_PARTY,
        transferred=UNKNOWN_PARTY,
    )
    world.hear(joined)
    world.hear(replace(joined, device="3002", state=LocalState.CONNECTED))
    assert world.states() == {"3001": FREE, "3002": BUSY}


def test_the_end_of_a_call_frees_everybody_who_was_in_it(world: World) -> None:
    world.hear(established("3001", "7"))
    world.hear(established("3002", "7"))
    world.hear(cleared("3001", "7"), end=CallEnd.UNKNOWN)
    assert world.states() == {"3001": FREE, "3002": FREE}


def test_a_pbx_that_is_not_heard_leaves_everybody_unknown(world: World) -> None:
    world.hear(established("3001", "7"))
    world.board.pbx_changed(is_up=False)
    assert set(world.states().values()) == {PresenceState.UNKNOWN}
    world.board.pbx_changed(is_up=True)
    world.board.device_snapshot(DeviceSnapshot("3001", ()))
    assert world.states() == {"3001": FREE, "3002": FREE}


def test_a_snapshot_replaces_what_was_known(world: World) -> None:
    connection = LiveConnection(ConnectionId("7", "3002"), LocalState.ALERTING)
    world.board.device_snapshot(DeviceSnapshot("3002", (connection,)))
    assert world.told == [("3002", RINGING)]


def test_a_set_out_of_service_is_told_so(world: World) -> None:
    world.board.device_state_changed("3001", DeviceState.OUT_OF_SERVICE)
    world.board.device_state_changed("9999", DeviceState.OUT_OF_SERVICE)
    assert world.told == [("3001", PresenceState.OUT_OF_SERVICE)]


def test_a_call_that_never_ends_is_forgotten_with_the_call_model(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "MAX_CALLS", 2)
    world.hear(established("3001", "7"), call_id="c-1")
    for number in (2, 3):
        world.hear(established("3002", str(number)), call_id=f"c-{number}")
    assert world.states() == {"3001": FREE, "3002": BUSY}


def test_only_watched_devices_are_told(world: World) -> None:
    world.board.watch(frozenset({"3002"}))
    world.hear(established("3001", "7"))
    world.hear(established("3002", "7"))
    assert world.told == [("3002", BUSY)]
    assert world.states() == {"3002": BUSY}
    world.board.watch(None)
    assert world.states() == {"3001": BUSY, "3002": BUSY}


def test_a_device_that_left_the_list_is_told_no_more(world: World) -> None:
    world.board.devices_read([Device("3002", state=DeviceState.IN_SERVICE)])
    assert world.states() == {"3002": FREE}
