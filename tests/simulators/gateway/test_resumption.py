"""An agent that comes back to its session: nothing is greeted or asked anew, and nobody else gets it."""

from dataclasses import replace
from itertools import count

import pytest

from connector.domain.identifiers import Channel
from connector.wire.xmpp.stream import StreamClient, StreamReady, StreamResumed, SuspendedStream
from simulators.gateway.journal import Kind
from simulators.gateway.resumption import MAX_PARKED, Parked, Parking
from simulators.gateway.session import AgentSession
from simulators.gateway.systems import Profile, SystemType
from tests.simulators.gateway.agents import DOMAIN, EPOCH, Agent, event_payload
from tests.simulators.gateway.test_session import Bench

_ids = count(1)


def left_by(agent: Agent, bench: Bench) -> SuspendedStream:
    """What the agent keeps of its session when its connection breaks."""
    agent.client.receive_eof(bench.clock.seconds)
    left = agent.client.suspended()
    assert left is not None
    return left


def come_back(
    bench: Bench, left: SuspendedStream, user: str = "pbx1", code: str = ""
) -> tuple[Agent, AgentSession]:
    """A new connection that asks for the session."""
    agent, session = Agent(user, code or bench.system.private_code), bench.gateway.open_session(bench.wake)
    old = agent.client
    agent.client = StreamClient(old._config, lambda: f"b{next(_ids)}", lambda: "nonce", left)
    agent.client.start(bench.clock.seconds)
    bench.run(agent, session)
    return agent, session


def is_resumed(agent: Agent) -> bool:
    kinds = [type(event) for event in agent.events if isinstance(event, StreamResumed | StreamReady)]
    assert len(kinds) == 1
    return kinds == [StreamResumed]


@pytest.mark.parametrize("is_noticed", [True, False])
def test_an_agent_goes_on_where_it_was(is_noticed: bool) -> None:
    bench = Bench()
    agent, session = bench.join("4711")
    agent.say(event_payload(1))
    bench.run(agent, session)
    agent.say(event_payload(2))  # lost on the way
    left = left_by(agent, bench)
    channels = dict(bench.system.channels)
    if is_noticed:
        session.receive_eof(bench.clock.seconds)
        assert not bench.system.is_connected
    since = bench.gateway.journal.last_id
    again, resumed = come_back(bench, left)
    bench.clock.seconds += 1
    resumed.tick(bench.clock.seconds)
    bench.run(again, resumed)
    assert is_resumed(again)
    assert again.asked == [], "no hello, no snapshot, no settings"
    assert bench.system.channels == channels
    assert bench.system.channels[Channel.HTTP]
    kinds = [entry.kind for entry in bench.gateway.journal.find(since=since)]
    assert kinds == [*([] if is_noticed else [Kind.DISCONNECTED]), Kind.RESUMED, Kind.CALL_EVENT]
    assert again.acknowledged() == [(EPOCH, 2)]
    assert session.is_closed


def test_an_answer_that_comes_after_the_resumption_counts() -> None:
    bench = Bench()
    agent, session = Agent("pbx1", "4711"), bench.gateway.open_session(bench.wake)
    agent.withheld["access"] = None
    agent.client.start(bench.clock.seconds)
    bench.run(agent, session)
    [debt] = [owed for owed in agent.client.owed if owed.payload_tag.endswith("}access")]
    left = left_by(agent, bench)
    session.receive_eof(bench.clock.seconds)
    again, resumed = come_back(bench, left, code="4711")
    assert is_resumed(again)
    again.client.answer(debt)
    bench.run(again, resumed)
    assert bench.names(Kind.ACTIVATION) == ["proposed", "acknowledged"]


def test_after_its_time_a_session_is_gone() -> None:
    for seconds, is_there in ((299.0, True), (301.0, False)):
        bench = Bench()
        agent, session = bench.join("4711")
        left = left_by(agent, bench)
        session.receive_eof(bench.clock.seconds)
        bench.clock.seconds += seconds
        again, _ = come_back(bench, left)
        assert is_resumed(again) is is_there
        assert ("hello" in again.asked) is not is_there


def test_somebody_elses_session_is_not_found() -> None:
    bench = Bench()
    profile = Profile(name="Nice", type=SystemType.OXE, site_id="site2")
    other = bench.gateway.create_system(profile, pbx_id="PBX2", activation_code="8150")
    agent, session = bench.join("4711")
    left = left_by(agent, bench)
    session.receive_eof(bench.clock.seconds)
    thief, _ = come_back(bench, replace(left, jid=f"pbx2@{DOMAIN}/pbxagent"), "pbx2", "8150")
    assert not is_resumed(thief)
    assert other.is_connected
    again, _ = come_back(bench, left)
    assert is_resumed(again), "and the owner still finds it"


def test_somebody_elses_live_session_is_left_alone() -> None:
    bench = Bench()
    profile = Profile(name="Nice", type=SystemType.OXE, site_id="site2")
    bench.gateway.create_system(profile, pbx_id="PBX2", activation_code="8150")
    agent, session = bench.join("4711")
    stolen = SuspendedStream(agent.client.session_id, f"pbx2@{DOMAIN}/pbxagent", 300, 0, 0)
    thief, _ = come_back(bench, stolen, "pbx2", "8150")
    assert not is_resumed(thief)
    assert not session.is_closed


@pytest.mark.parametrize("end", ["reset", "delete", "new session", "orderly end"])
def test_what_ends_a_session_for_good(end: str) -> None:
    bench = Bench()
    agent, session = bench.join("4711")
    code = bench.system.private_code
    left = left_by(agent, bench)
    if end == "orderly end":
        session.receive('<close xmlns="urn:ietf:params:xml:ns:xmpp-framing"/>', bench.clock.seconds)
    else:
        session.receive_eof(bench.clock.seconds)
    match end:
        case "reset":
            bench.gateway.reset(bench.system)
            code = bench.system.public_code
        case "delete":
            bench.gateway.delete(bench.system)
            assert len(bench.gateway._parking) == 0
            return
        case "new session":
            bench.join(code)
    again, _ = come_back(bench, left, code=code)
    assert not is_resumed(again)


def test_a_session_is_resumed_again_and_again() -> None:
    bench = Bench()
    agent, session = bench.join("4711")
    for seq in range(1, 6):
        agent.say(event_payload(seq))
        left = left_by(agent, bench)
        session.receive_eof(bench.clock.seconds)
        agent, session = come_back(bench, left)
        assert is_resumed(agent)
    assert bench.kinds().count(Kind.CALL_EVENT) == 5
    assert bench.kinds().count(Kind.HELLO) == 1


def parked(id_: str, until: float) -> Parked[str]:
    return Parked(SuspendedStream(id_, "a@b/c", 300, 0, 0), id_, (), until)


def test_the_kept_sessions_are_bounded_in_number_and_age() -> None:
    parking: Parking[str] = Parking(capacity=3)
    for number in range(5):
        parking.park(f"system{number}", parked(f"s{number}", 10.0), 0.0)
    assert len(parking) == 3
    assert parking.claim("system1", "s1", 1.0) is None
    assert parking.claim("system4", "other", 1.0) is None
    taken = parking.claim("system4", "s4", 1.0)
    assert taken is not None
    assert taken.session == "s4"
    assert parking.claim("system4", "s4", 1.0) is None, "once"
    parking.park("system9", parked("s9", 30.0), 20.0)
    assert len(parking) == 1, "the others were too old"
    assert MAX_PARKED >= 10_000


def test_a_system_has_one_session() -> None:
    parking: Parking[str] = Parking()
    parking.park("system", parked("old", 10.0), 0.0)
    parking.park("system", parked("new", 10.0), 0.0)
    assert parking.claim("system", "old", 1.0) is None
    assert parking.claim("system", "new", 1.0) is not None
