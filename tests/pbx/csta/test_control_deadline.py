"""A command that waited too long for its turn is not sent: the promise holds behind the pace too."""

import asyncio

import pytest

from connector.domain.commands import CommandRefused, MakeCall, Refused
from connector.pbx.csta.control import CallControl
from connector.wire.csta import messages as m
from tests.bridge.command_parts import VirtualClock, settled

DIAL = MakeCall("101", "102")
EXPIRED = CommandRefused(Refused.EXPIRED)

pytestmark = pytest.mark.usefixtures("no_task_left")


@pytest.mark.parametrize("late_seconds", [0.0, 1.0])
async def test_nothing_is_sent_at_or_after_the_deadline(late_seconds: float) -> None:
    clock, sent = VirtualClock(), list[m.Request]()

    def send(request: m.Request) -> int:
        sent.append(request)
        return len(sent)

    control = CallControl(send, clock, interval_seconds=0, max_open=1)
    first = asyncio.create_task(control.execute(DIAL, m.Phase.ONE, frozenset(), clock.seconds + 10))
    await settled()
    second = asyncio.create_task(control.execute(DIAL, m.Phase.ONE, frozenset(), clock.seconds + 2))
    await settled()
    assert len(sent) == 1
    clock.seconds += 2 + late_seconds
    control.failed(1, None)
    assert await second == EXPIRED
    assert await first == CommandRefused(Refused.UNKNOWN_OUTCOME)
    assert len(sent) == 1
    # Its place is free again.
    third = asyncio.create_task(control.execute(DIAL, m.Phase.ONE, frozenset(), clock.seconds + 2))
    await settled()
    assert len(sent) == 2
    control.end()
    assert await third == CommandRefused(Refused.UNKNOWN_OUTCOME)
