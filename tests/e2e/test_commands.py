"""Call control from the cloud to the telephone, with real processes: done once, never late, answered."""

import asyncio
from datetime import timedelta

import pytest

from connector.domain.calls import ConnectionId
from connector.domain.commands import (
    AnswerCall,
    ClearConnection,
    Command,
    CommandDone,
    CommandRefused,
    CommandRequest,
    HoldCall,
    MakeCall,
    Outcome,
    Refused,
    RetrieveCall,
)
from simulators.clock import SystemClock
from simulators.gateway import commands
from simulators.gateway.journal import Entry, Kind
from simulators.gateway.line import Line
from simulators.pbx.server import PbxSimulator
from simulators.pbx.settings import CstaBehaviour, PbxWorld, SwitchingAnswer
from tests.e2e.sites import PATIENCE_SECONDS, Site


def give(
    site: Site, device: str, command: Command, *, id_: str = "", seconds: float = 10.0, sender: str = ""
) -> "asyncio.Future[Outcome]":
    """Give one command to the agent; what becomes of it."""
    ended: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    def say(line: Line) -> None:
        deadline = site.cloud.wall() + timedelta(seconds=seconds)
        request = CommandRequest(id_ or line.new_id(), device, "u1", deadline, command)
        commands.give(line, request, ended.set_result, sender=sender)

    assert site.cloud.speak(site.entry, say)
    return ended


async def done(site: Site, device: str, command: Command) -> CommandDone:
    """The outcome of a command that has to succeed."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        outcome = await give(site, device, command)
    assert isinstance(outcome, CommandDone), outcome
    return outcome


def calls_made(site: Site) -> int:
    """How many calls the PBX has now."""
    return len(site.pbx.calls)


async def test_a_call_is_made_answered_held_retrieved_and_cleared(site: Site) -> None:
    await site.open()
    made = await done(site, "3001", MakeCall("3001", "3002"))
    own = made.connections[0]
    rung = await site.event("delivered")
    assert rung.values["call"]
    await done(site, "3002", AnswerCall(ConnectionId(own.call, "3002")))
    await site.event("established")
    await done(site, "3001", HoldCall(ConnectionId(own.call, "3001")))
    await site.event("held")
    await done(site, "3001", RetrieveCall(ConnectionId(own.call, "3001")))
    await site.event("retrieved")
    await done(site, "3001", ClearConnection(ConnectionId(own.call, "3001")))
    await site.event("connectionCleared")
    assert calls_made(site) == 0


async def test_what_the_site_did_not_allow_is_refused_and_not_done(site: Site) -> None:
    await site.open()
    outside = await give(site, "3001", MakeCall("3001", "00639980001"))
    assert isinstance(outside, CommandRefused)
    assert outside.reason is Refused.FORBIDDEN
    foreign = await give(site, "3002", HoldCall(ConnectionId("1", "3001")))
    assert isinstance(foreign, CommandRefused)
    assert foreign.reason is Refused.FORBIDDEN
    late = await give(site, "3001", MakeCall("3001", "3002"), seconds=-1.0)
    assert isinstance(late, CommandRefused)
    assert late.reason is Refused.EXPIRED
    assert calls_made(site) == 0


async def test_a_stranger_commands_nothing(site: Site) -> None:
    await site.open()
    stranger = f"pbxpcg_{'cd' * 16}@{site.domain}/pbxpcg"
    outcome = await give(site, "3001", MakeCall("3001", "3002"), sender=stranger)
    assert isinstance(outcome, CommandRefused)
    assert calls_made(site) == 0


async def test_a_repeated_id_is_answered_as_before_and_done_once(site: Site) -> None:
    await site.open()
    first = await give(site, "3001", MakeCall("3001", "3002"), id_="once")
    again = await give(site, "3001", MakeCall("3001", "3002"), id_="once")
    assert isinstance(first, CommandDone)
    assert again == first
    assert calls_made(site) == 1


async def test_a_repeated_id_is_known_after_a_kill(site: Site) -> None:
    await site.open()
    first = await give(site, "3001", MakeCall("3001", "3002"), id_="once")
    await site.agent.kill()
    await site.agent.start()
    await site.up()
    assert await give(site, "3001", MakeCall("3001", "3002"), id_="once") == first
    assert calls_made(site) == 1


@pytest.mark.slow
async def test_a_kill_while_the_pbx_works_leaves_an_unknown_outcome_and_one_call(site: Site) -> None:
    mute = CstaBehaviour(switching=SwitchingAnswer.NEVER)
    world = PbxWorld(kind=site.kind, sets=site.pbx.settings.sets, csta=mute)
    site.pbx = PbxSimulator(world, clock=SystemClock())
    await site.open()
    ended = give(site, "3001", MakeCall("3001", "3002"), id_="cut", seconds=25.0)
    await site.event("originated")
    assert not ended.done()
    await site.agent.kill()
    await site.agent.start()
    await site.up()

    def is_answered(entry: Entry) -> bool:
        return entry.kind is Kind.COMMAND and "outcome" in entry.values

    told = await site.told(is_answered)
    assert (told.values["outcome"], told.values["reason"]) == ("refused", "unknown-outcome")
    assert await ended == CommandRefused(Refused.UNKNOWN_OUTCOME)
    again = await give(site, "3001", MakeCall("3001", "3002"), id_="cut")
    assert again == CommandRefused(Refused.UNKNOWN_OUTCOME)
    assert calls_made(site) == 1


async def test_without_a_pbx_nothing_is_sent(site: Site) -> None:
    await site.open()
    await site.pbx_goes()
    await site.until(lambda status: status["links"]["pbx"]["state"] != "connected")
    outcome = await give(site, "3001", MakeCall("3001", "3002"))
    assert isinstance(outcome, CommandRefused)
    assert outcome.reason is Refused.NO_PBX
