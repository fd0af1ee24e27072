"""Call control through the adapter on simulated PBXs of both kinds: outcome, then what the sets report."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.domain import calls
from connector.domain import commands as c
from connector.domain.calls import CallEvent, Cause, ConnectionId, LocalState
from connector.domain.commands import CommandDone, CommandRefused, Outcome, Refused
from connector.domain.errors import LocalProtocolError
from connector.domain.faults import FaultId
from connector.domain.identifiers import PbxKind
from connector.links.clock import SystemClock
from connector.pbx.csta import control
from connector.pbx.csta.adapter import CstaLink
from connector.pbx.csta.control import CallControl
from connector.pbx.csta.settings import CstaSettings
from connector.wire.csta import messages as m
from tests.pbx.csta.fake_pbx import RecordingSink
from tests.pbx.csta.plant import Plant, plant

pytestmark = pytest.mark.usefixtures("no_task_left")

KINDS = [PbxKind.OXO, PbxKind.OXE]
both = pytest.mark.parametrize("kind", KINDS)


def told(events: Sequence[CallEvent]) -> list[tuple[str, str, LocalState | None]]:
    """Who reports what, and its own state after it."""
    return [(event.device, type(event).__name__, event.state) for event in events]


@both
async def test_a_call_from_making_to_clearing(kind: PbxKind) -> None:
    async with plant(kind) as site:
        a, b = site.a, site.b
        made = await site.done(c.MakeCall(a, b))
        events = await site.events(4)
        assert told(events) == [
            (a, "ServiceInitiated", LocalState.INITIATED),
            (a, "Originated", LocalState.CONNECTED),
            (b, "Delivered", LocalState.ALERTING),
            (a, "Delivered", LocalState.CONNECTED),
        ]
        # The connections of events and outcomes are good for commands as they are.
        assert made.connections == (events[0].connection,)
        assert await site.done(c.AnswerCall(events[2].connection)) == CommandDone()
        events = await site.events(2)
        assert told(events) == [
            (b, "Established", LocalState.CONNECTED),
            (a, "Established", LocalState.CONNECTED),
        ]
        await site.done(c.HoldCall(events[0].connection))
        await site.done(c.RetrieveCall(events[0].connection))
        await site.done(c.ClearConnection(made.connections[0]))
        assert told(await site.events(7)) == [
            (b, "Held", LocalState.HOLD),
            (a, "Held", LocalState.CONNECTED),
            (b, "Retrieved", LocalState.CONNECTED),
            (a, "Retrieved", LocalState.CONNECTED),
            (a, "ConnectionCleared", LocalState.NULL),
            (b, "ConnectionCleared", LocalState.CONNECTED),
            (b, "ConnectionCleared", LocalState.NULL),
        ]
        assert not site.pbx.calls


@both
async def test_an_outside_call(kind: PbxKind) -> None:
    async with plant(kind) as site:
        await site.done(c.MakeCall(site.a, "00199005678"))
        events = await site.events(3)
        assert [type(event).__name__ for event in events] == [
            "ServiceInitiated",
            "Originated",
            "NetworkReached",
        ]
        [call] = site.pbx.calls.values()
        assert call.called.number == "0199005678"


@both
async def test_a_consultation_that_is_transferred(kind: PbxKind) -> None:
    async with plant(kind) as site:
        await site.conversation()
        [initiated] = (await site.done(c.ConsultationCall(site.leg(site.a), site.b))).connections
        site.pbx.answer(site.b)
        await site.events(7)
        held = site.leg(site.a, LocalState.HOLD)
        joined = await site.done(c.TransferCall(held, initiated))
        moved = [event for event in await site.events(2) if isinstance(event, calls.Transferred)]
        assert [event.device for event in moved] == [site.a, site.b]
        assert moved[0].primary_old == held
        assert moved[0].secondary_old == initiated
        [call] = site.pbx.calls.values()
        assert [leg.end.number for leg in call.legs] == ["0199001234", site.b]
        assert {connection.call for connection in joined.connections} == {f"{call.call_id:04x}"}
        assert not site.pbx.snapshot(site.a).connections


@both
async def test_a_consultation_that_becomes_a_conference(kind: PbxKind) -> None:
    async with plant(kind) as site:
        await site.conversation()
        [active] = (await site.done(c.ConsultationCall(site.leg(site.a), site.b))).connections
        site.pbx.answer(site.b)
        await site.events(7)
        joined = await site.done(c.ConferenceCall(site.leg(site.a, LocalState.HOLD), active))
        assert [type(event) for event in await site.events(2)] == [calls.Conferenced] * 2
        [call] = site.pbx.calls.values()
        assert len(call.legs) == 3
        assert len(joined.connections) == 3


@both
async def test_alternating_between_two_calls(kind: PbxKind) -> None:
    async with plant(kind) as site:
        await site.conversation()
        [second] = (await site.done(c.ConsultationCall(site.leg(site.a), site.b))).connections
        site.pbx.answer(site.b)
        await site.events(7)
        first = site.leg(site.a, LocalState.HOLD)
        await site.done(c.AlternateCall(held=first, active=second))
        events = await site.events(3)
        assert told(events) == [
            (site.a, "Held", LocalState.HOLD),
            (site.b, "Held", LocalState.CONNECTED),
            (site.a, "Retrieved", LocalState.CONNECTED),
        ]
        assert {event.cause for event in events} == {Cause.ALTERNATE}
        again = await site.refused(c.AlternateCall(held=first, active=second))
        assert again == CommandRefused(Refused.PBX, "noActiveCall")


@both
async def test_a_ringing_call_is_deflected(kind: PbxKind) -> None:
    async with plant(kind) as site:
        site.pbx.ring_from_outside("0199001234", site.a)
        await site.events(1)
        unknown = await site.refused(c.DeflectCall(site.leg(site.a), "999"))
        assert unknown == CommandRefused(Refused.PBX, "invalidDestination")
        await site.done(c.DeflectCall(site.leg(site.a), site.b))
        assert told(await site.events(2)) == [
            (site.a, "Diverted", LocalState.NULL),
            (site.b, "Delivered", LocalState.ALERTING),
        ]


async def test_tones_reach_the_call_of_an_oxe() -> None:
    async with plant(PbxKind.OXE) as site:
        await site.conversation()
        await site.done(c.GenerateDigits(site.leg(site.a), "12#"))
        [call] = site.pbx.calls.values()
        assert call.tones == [(site.a, "12#")]


async def test_an_oxo_has_no_service_for_tones() -> None:
    async with plant(PbxKind.OXO) as site:
        await site.conversation()
        refused = await site.refused(c.GenerateDigits(site.leg(site.a), "12#"))
        assert refused.reason is Refused.UNSUPPORTED


@both
async def test_do_not_disturb(kind: PbxKind) -> None:
    async with plant(kind) as site:
        await site.done(c.SetDoNotDisturb(site.b, is_on=True))
        await site.done(c.MakeCall(site.a, site.b))
        *_, failed = await site.events(3)
        assert isinstance(failed, calls.Failed)
        assert failed.cause is Cause.DO_NOT_DISTURB
        await site.done(c.ClearConnection(failed.connection))
        await site.done(c.SetDoNotDisturb(site.b, is_on=False))
        await site.events(1)
        await site.done(c.MakeCall(site.a, site.b))
        assert isinstance((await site.events(4))[-1], calls.Delivered)


@both
async def test_forwarding(kind: PbxKind) -> None:
    async with plant(kind) as site:
        await site.done(c.SetForwarding(site.a, c.ForwardingKind.IMMEDIATE, is_on=True, destination=site.b))
        await site.done(c.SetForwarding(site.a, c.ForwardingKind.BUSY, is_on=True, destination=site.c))
        site.pbx.ring_from_outside("0199001234", site.a)
        events = await site.events(2)
        assert told(events)[1] == (site.b, "Delivered", LocalState.ALERTING)
        await site.done(c.SetForwarding(site.a, c.ForwardingKind.IMMEDIATE, is_on=False))
        forwards = site.pbx.sets[site.a].forwards
        assert (forwards.immediate, forwards.busy) == ("", site.c)
        nowhere = c.SetForwarding(site.a, c.ForwardingKind.NO_ANSWER, is_on=True, destination="999")
        assert (await site.refused(nowhere)).error == "invalidForwardingDestination"


async def test_an_agent_of_an_oxe() -> None:
    async with plant(PbxKind.OXE) as site:
        phone = site.pbx.sets[site.a]
        early = await site.refused(c.SetAgentState(site.a, c.AgentState.READY))
        assert early == CommandRefused(Refused.PBX, "invalidObjectState")
        await site.done(c.SetAgentState(site.a, c.AgentState.LOGGED_ON, agent="41", password="1234"))
        assert (phone.agent, phone.agent_state) == ("41", c.AgentState.NOT_READY)
        for state in (c.AgentState.READY, c.AgentState.WORKING_AFTER_CALL, c.AgentState.NOT_READY):
            await site.done(c.SetAgentState(site.a, state))
            assert phone.agent_state is state
        reason = c.SetAgentState(site.a, c.AgentState.NOT_READY, withdraw_reason=2)
        assert (await site.refused(reason)).reason is Refused.UNSUPPORTED
        await site.done(c.SetAgentState(site.a, c.AgentState.LOGGED_OFF, agent="41"))
        assert phone.agent_state is None


@both
async def test_the_pbx_says_why_not(kind: PbxKind) -> None:
    async with plant(kind) as site:
        await site.conversation()
        leg = site.leg(site.a)
        gone = ConnectionId("7777", leg.device)
        stranger = ConnectionId(leg.call, "ffff0100")
        why: dict[c.Command, str] = {
            c.MakeCall("999", site.a): "invalidCallingDeviceID",
            c.MakeCall(site.b, "x"): "invalidCalledDeviceID",
            c.MakeCall(site.b, "é" * 3): "invalidCalledDeviceID",
            c.MakeCall(site.b, "€"): "valueOutOfRange",
            c.MakeCall(site.a, site.b): "invalidObjectState",
            c.AnswerCall(leg): "invalidObjectState",
            c.RetrieveCall(leg): "invalidObjectState",
            c.ClearConnection(gone): "invalidCallID",
            c.ClearConnection(stranger): "invalidConnectionID",
            c.ClearConnection(ConnectionId("no hex", "")): "invalidConnectionID",
            c.TransferCall(leg, leg): "noHeldCall",
            c.SetDoNotDisturb("999", is_on=True): "objectNotKnown",
        }
        answers = {command: await site.refused(command) for command in why}
        assert answers == {command: CommandRefused(Refused.PBX, word) for command, word in why.items()}
        assert len(site.pbx.calls) == 1


async def test_an_oxo_controls_only_what_is_monitored() -> None:
    async with plant(PbxKind.OXO) as site:
        applied = asyncio.Event()
        site.link.set_monitored(frozenset((site.a,)), lambda _: applied.set())
        await applied.wait()
        assert (await site.refused(c.MakeCall(site.b, site.a))).error == "privilegeViolationSpecifiedDevice"
        await site.done(c.MakeCall(site.a, site.b))


async def test_an_oxo_takes_commands_as_fast_as_it_can() -> None:
    """With both limits in force: the PBX refuses a third request in a second, and never has to."""
    async with plant(
        PbxKind.OXO, behaviour={"switching_per_second": None}, max_commands_per_second=None
    ) as site:
        switch = [c.SetDoNotDisturb(site.a, is_on=bool(turn % 2)) for turn in range(3)]
        outcomes = await asyncio.gather(*map(site.run, switch))
        assert outcomes == [CommandDone()] * 3


async def test_an_oxo_that_is_asked_too_fast_says_so() -> None:
    async with plant(PbxKind.OXO, behaviour={"switching_per_second": 2}) as site:
        switch = [c.SetDoNotDisturb(site.a, is_on=True)] * 3
        outcomes = await asyncio.gather(*map(site.run, switch))
        assert outcomes == [
            CommandDone(),
            CommandDone(),
            CommandRefused(Refused.PBX, "performanceLimitExceeded"),
        ]


async def test_what_would_wait_too_long_for_its_turn_is_told_at_once() -> None:
    async with plant(PbxKind.OXE, max_commands_per_second=0.1) as site:
        await site.done(c.MakeCall(site.a, site.b))
        assert await site.refused(c.MakeCall(site.c, site.b)) == CommandRefused(Refused.BUSY)
        assert len(site.pbx.calls) == 1


async def test_a_pbx_that_hangs_makes_the_next_ones_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "HOLD_SECONDS", 0.2)
    async with plant(PbxKind.OXE, behaviour={"switching": "never"}) as site:
        begun = [
            asyncio.create_task(site.run(c.SetDoNotDisturb(site.a, is_on=True)))
            for _ in range(control.MAX_OPEN)
        ]
        late = asyncio.create_task(site.run(c.SetDoNotDisturb(site.b, is_on=True)))
        assert await late == CommandRefused(Refused.BUSY)
        assert not site.pbx.sets[site.b].do_not_disturb
        site.pbx.restart()
        assert await asyncio.gather(*begun) == [control.UNKNOWN] * control.MAX_OPEN


async def test_only_so_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "MAX_WAITING", 1)
    async with plant(PbxKind.OXE, behaviour={"switching": "never"}) as site:
        commands = [c.SetDoNotDisturb(site.a, is_on=True)] * (control.MAX_OPEN + 2)
        tasks = [asyncio.create_task(site.run(command)) for command in commands]
        assert await tasks[-1] == CommandRefused(Refused.BUSY)
        site.pbx.restart()
        await asyncio.gather(*tasks)


@both
async def test_a_link_cut_in_mid_command(kind: PbxKind) -> None:
    async with plant(kind, behaviour={"switching": "never"}) as site:
        running = asyncio.create_task(site.run(c.MakeCall(site.a, site.b)))
        await site.events(4)  # it was done, but nobody said so
        site.pbx.restart()
        assert await running == CommandRefused(Refused.UNKNOWN_OUTCOME)
        assert await site.run(c.MakeCall(site.a, site.b)) == CommandRefused(Refused.NO_PBX)


async def test_an_answer_that_does_not_come_in_time() -> None:
    async with plant(PbxKind.OXE, behaviour={"switching": "never"}, request_timeout_seconds=1) as site:
        assert await site.run(c.MakeCall(site.a, site.b)) == CommandRefused(Refused.UNKNOWN_OUTCOME)
        assert not site.task.done()


async def test_an_answer_that_comes_late_is_the_answer() -> None:
    late = {"switching": "late", "late_seconds": 0.02}
    async with plant(PbxKind.OXE, behaviour=late) as site:
        made = await site.done(c.MakeCall(site.a, site.b))
        assert made.connections == (site.leg(site.a),)
        first = (await site.events(4))[0]
        assert first.connection == made.connections[0]


async def test_before_there_is_a_link_nothing_is_sent() -> None:
    settings_ = CstaSettings.model_validate({"kind": "oxe", "host": "127.0.0.1", "devices": ["101"]})
    link = CstaLink(settings_, RecordingSink(), SystemClock())
    assert await link.execute(c.MakeCall("101", "102")) == CommandRefused(Refused.NO_PBX)


async def test_a_link_that_ends_while_a_command_waits_its_turn() -> None:
    def refuse(_: m.Request) -> int:
        raise LocalProtocolError(FaultId.OWN_PROTOCOL, "closed", link="pbx")

    ended = CallControl(refuse, SystemClock(), interval_seconds=0.0, max_open=1)
    for _ in range(3):  # and it keeps no room that nobody uses
        assert await ended.execute(c.MakeCall("101", "102"), m.Phase.ONE, frozenset()) == control.NO_PBX


async def test_whoever_gives_up_takes_nothing_from_the_others() -> None:
    async with plant(PbxKind.OXE, behaviour={"switching": "late", "late_seconds": 0.01}) as site:
        for _ in range(2 * control.MAX_OPEN):
            task = asyncio.create_task(site.run(c.SetDoNotDisturb(site.a, is_on=True)))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert await site.run(c.SetDoNotDisturb(site.b, is_on=True)) == CommandDone()


# --- any commands in any order

STEP = st.tuples(
    st.sampled_from([*c.Verb]), st.integers(0, 2), st.integers(0, 2), st.integers(0, 3), st.booleans()
)
Step = tuple[c.Verb, int, int, int, bool]


def command_of(site: Plant, step: Step) -> c.Command:  # noqa: C901, PLR0911, PLR0912 - one case a verb
    """The command of `step` on whatever runs now; a connection that is not there any more is used too."""
    verb, one, two, which, flag = step
    sets = (site.a, site.b, site.c)
    device, other = sets[one], sets[two]
    live = [each.connection for each in site.pbx.snapshot(device).connections]
    legs = [*live, ConnectionId("7777", "08000100")]
    leg, held = legs[which % len(legs)], legs[0]
    match verb:
        case c.Verb.MAKE_CALL:
            return c.MakeCall(device, other)
        case c.Verb.ANSWER_CALL:
            return c.AnswerCall(leg)
        case c.Verb.HOLD_CALL:
            return c.HoldCall(leg)
        case c.Verb.RETRIEVE_CALL:
            return c.RetrieveCall(leg)
        case c.Verb.CLEAR_CONNECTION:
            return c.ClearConnection(leg)
        case c.Verb.CONSULTATION_CALL:
            return c.ConsultationCall(leg, other)
        case c.Verb.TRANSFER_CALL:
            return c.TransferCall(held, leg)
        case c.Verb.CONFERENCE_CALL:
            return c.ConferenceCall(held, leg)
        case c.Verb.ALTERNATE_CALL:
            return c.AlternateCall(held, leg)
        case c.Verb.DEFLECT_CALL:
            return c.DeflectCall(leg, other)
        case c.Verb.GENERATE_DIGITS:
            return c.GenerateDigits(leg, "1")
        case c.Verb.SET_FORWARDING:
            return c.SetForwarding(device, c.ForwardingKind.BUSY, flag, other if flag else "")
        case c.Verb.SET_DO_NOT_DISTURB:
            return c.SetDoNotDisturb(device, flag)
        case c.Verb.SET_AGENT_STATE:
            return c.SetAgentState(device, c.AgentState.LOGGED_ON if flag else c.AgentState.READY)


def check(site: Plant) -> None:
    """Calls and sets agree, and no set talks twice."""
    for number in (site.a, site.b, site.c):
        phone = site.pbx.sets[number]
        assert all(site.pbx.calls[call.call_id] is call for call in phone.calls)
        states = [leg.state for _, leg in phone.legs()]
        assert len(states) == len(phone.calls)
        assert states.count(LocalState.CONNECTED) <= 1


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=12)
@given(steps=st.lists(STEP, max_size=40))
def test_each_command_has_one_outcome_whatever_came_before(kind: PbxKind, steps: list[Step]) -> None:
    async def walk() -> list[Outcome]:
        outcomes: list[Outcome] = []
        async with plant(kind) as site:
            for step in steps:
                command = command_of(site, step)
                outcomes.append(await site.run(command))
                check(site)
        return outcomes

    outcomes = asyncio.run(walk())
    assert len(outcomes) == len(steps)
    for outcome in outcomes:
        if isinstance(outcome, CommandRefused):
            assert outcome.reason in {Refused.PBX, Refused.UNSUPPORTED}


@settings(deadline=None, max_examples=12)
@given(steps=st.lists(STEP, min_size=1, max_size=20), cut=st.integers(0, 20))
def test_each_command_has_one_outcome_when_the_link_goes(steps: list[Step], cut: int) -> None:
    async def walk() -> list[Outcome]:
        async with plant(PbxKind.OXE) as site:
            running = [asyncio.create_task(site.run(command_of(site, step))) for step in steps]
            for _ in range(cut):
                await asyncio.sleep(0)
            site.pbx.restart()
            return await asyncio.gather(*running)

    outcomes = asyncio.run(walk())
    assert len(outcomes) == len(steps)
