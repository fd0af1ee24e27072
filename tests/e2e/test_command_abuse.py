"""A gateway that goes too far: other people's calls stay theirs, and 10,000 commands at once cost little."""

import json
from datetime import timedelta
from typing import Any

import pytest

from connector.domain.calls import ConnectionId
from connector.domain.commands import (
    ClearConnection,
    Command,
    CommandRefused,
    CommandRequest,
    DeflectCall,
    HoldCall,
    MakeCall,
    Refused,
)
from simulators.gateway import commands
from simulators.gateway.line import Line
from tests.e2e.sites import Site
from tests.e2e.test_commands import done, give
from tests.e2e.test_hostile import lives_on

FLOOD = 10_000
DIALS_PER_MINUTE = 5
ROUNDS = 2
# A session that ends takes the last ones with it.
SLACK = 100


def decisions(site: Site) -> list[str]:
    """How each request ended, from the audit lines of the agent's log."""
    lines = [json.loads(line) for line in site.log().splitlines() if '"event": "command"' in line]
    return [line["outcome"] for line in lines if line["user"] == "mallory"]


@pytest.mark.slow
async def test_a_flood_of_commands(site: Site) -> None:
    await site.open()
    sent = 0

    def flood(line: Line) -> None:
        nonlocal sent
        deadline = site.cloud.wall() + timedelta(seconds=30)
        sent += commands.flood(
            line,
            [
                CommandRequest(line.new_id(), "3001", "mallory", deadline, MakeCall("3001", "3002"))
                for _ in range(FLOOD)
            ],
        )

    def is_judged(_status: dict[str, Any]) -> bool:
        return len(decisions(site)) >= sent - SLACK

    for _ in range(ROUNDS):
        assert site.cloud.speak(site.entry, flood)
        # All that the stream took was judged. Whether the answers fit the stream, or it ends and a new one
        # begins, depends on who is quicker.
        await site.until(is_judged)
        await site.up()
    outcomes = decisions(site)
    assert sent >= ROUNDS * 1_000
    assert outcomes.count("busy") > ROUNDS * 100
    assert len([one for one in outcomes if one != "busy"]) <= DIALS_PER_MINUTE
    assert len(site.pbx.calls) <= 1
    await lives_on(site)


async def test_another_leg_of_ones_own_call_is_not_ones_own(site: Site) -> None:
    """Neither by its number nor as the PBX's events name it."""
    await site.open()
    own = (await done(site, "3001", MakeCall("3001", "3002"))).connections[0]
    rings = await site.event("delivered")
    call, _, word = str(rings.values["connection"]).partition("#")
    assert call == own.call
    assert word != own.device
    for leg in (ConnectionId(call, "3002"), ConnectionId(call, word)):
        orders: tuple[Command, ...] = (ClearConnection(leg), DeflectCall(leg, "3003"), HoldCall(leg))
        for order in orders:
            assert await give(site, "3001", order) == CommandRefused(
                Refused.FORBIDDEN, "privilegeViolationSpecifiedDevice"
            )
    assert len(site.pbx.calls) == 1
    await done(site, "3001", ClearConnection(own))
    assert len(site.pbx.calls) == 0
