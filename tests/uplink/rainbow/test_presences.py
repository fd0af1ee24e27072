"""Presence goes in a few stanzas, however much changes in a burst."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from connector.domain.presence import Presence, PresenceState
from connector.uplink.rainbow import presences
from connector.uplink.rainbow.presences import PresenceSender
from connector.wire.pcg.presence import read_presences
from connector.wire.xmpp.xml import parse

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def presence(device: int, state: PresenceState, seconds: int = 0) -> Presence:
    return Presence(str(device), state, NOON + timedelta(seconds=seconds))


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presences, "GATHER_SECONDS", 0.0)


async def test_a_burst_is_told_once_for_each_device_with_its_newest_state() -> None:
    said: list[str] = []
    sender = PresenceSender(said.append)
    for second in range(1_000):
        state = PresenceState.BUSY if second % 2 else PresenceState.FREE
        sender.add([presence(3001 + second % 3, state, second)])
    assert said == []
    await asyncio.sleep(0.01)
    (payload,) = said
    told = read_presences(parse(payload))
    assert [(one.device, one.since) for one in told] == [
        ("3001", NOON + timedelta(seconds=999)),
        ("3002", NOON + timedelta(seconds=997)),
        ("3003", NOON + timedelta(seconds=998)),
    ]


async def test_many_devices_go_in_pages_and_later_changes_in_a_later_stanza() -> None:
    said: list[str] = []
    sender = PresenceSender(said.append)
    sender.add([presence(number, PresenceState.FREE) for number in range(3000, 3450)])
    await asyncio.sleep(0.01)
    assert [len(read_presences(parse(payload))) for payload in said] == [200, 200, 50]
    sender.add([presence(3001, PresenceState.BUSY)])
    await asyncio.sleep(0.01)
    assert len(said) == 4


async def test_a_link_that_ended_tells_nothing_more() -> None:
    said: list[str] = []
    sender = PresenceSender(said.append)
    sender.add([presence(3001, PresenceState.FREE)])
    sender.cancel()
    await asyncio.sleep(0.01)
    assert said == []
