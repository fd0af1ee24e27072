"""What each switch does to an agent, frame by frame."""

import base64
from collections.abc import Sequence
from datetime import timedelta
from xml.etree.ElementTree import Element

import pytest

from connector.domain.devices import Device, DeviceState
from connector.domain.errors import LinkTimeout, Redirected, RemoteProtocolError, Replaced
from connector.domain.faults import FaultId
from connector.wire.pcg import conf
from connector.wire.xmpp.stanzas import Stanza, error_of
from connector.wire.xmpp.stream import StreamFailed, StreamReady
from connector.wire.xmpp.xml import parse
from simulators.gateway.faults import FAULTS, FaultName, Faults
from simulators.gateway.journal import Kind
from simulators.gateway.session import AgentSession
from simulators.gateway.spoiling import STRANGER, Spoiler
from tests.simulators.gateway.agents import EPOCH, Agent, device_pages, event_payload
from tests.simulators.gateway.test_session import Bench


@pytest.fixture
def bench() -> Bench:
    return Bench()


def _spoilt(faults: Faults, frames: Sequence[str], now: float = 0.0) -> Sequence[str]:
    return Spoiler(faults).outgoing(frames, now, is_bound=False)


def _failure(agent: Agent) -> StreamFailed:
    return next(event for event in agent.events if isinstance(event, StreamFailed))


def _switched(bench: Bench, name: FaultName) -> tuple[Agent, AgentSession]:
    """An agent that was joined before the switch."""
    agent, session = bench.join("4711")
    bench.gateway.faults.switch_on(name)
    bench.run(agent, session)
    return agent, session


def test_every_switch_stands_in_the_table_and_says_how_it_ends() -> None:
    assert set(FAULTS) == set(FaultName)
    assert all(fault.what and fault.end for fault in FAULTS.values())


def test_a_switch_has_its_own_value_unless_given_one() -> None:
    faults = Faults()
    assert not faults
    faults.switch_on(FaultName.SLOW)
    assert faults
    assert faults.value(FaultName.SLOW) == 1_000
    faults.switch_on(FaultName.SLOW, 5)
    assert faults.value(FaultName.SLOW) == 5
    faults.switch_off(FaultName.SLOW)
    faults.switch_off(FaultName.SLOW)
    assert (faults.value(FaultName.SLOW), list(faults)) == (0, [])


def test_acknowledgements_of_stanzas_are_dropped_or_made_up() -> None:
    faults, ack = Faults(), '<a xmlns="urn:xmpp:sm:3" h="7"/>'
    assert _spoilt(faults, [ack]) == [ack]
    faults.switch_on(FaultName.EARLY_STREAM_ACK)
    assert _spoilt(faults, [ack, "<message/>"]) == ['<a xmlns="urn:xmpp:sm:3" h="1007"/>', "<message/>"]
    faults.switch_on(FaultName.NO_STREAM_ACK)
    assert _spoilt(faults, [ack, "<message/>"]) == ["<message/>"]


def test_a_challenge_asks_for_two_to_the_31_rounds() -> None:
    faults = Faults()
    faults.switch_on(FaultName.SCRAM_ROUNDS)
    content = base64.b64encode(b"r=abc,s=c2FsdA==,i=4096").decode()
    spoilt = _spoilt(faults, [f'<challenge xmlns="x">{content}</challenge>'])[0]
    assert base64.b64decode(parse(spoilt).text or "") == b"r=abc,s=c2FsdA==,i=2147483648"


def test_a_slow_stream_gives_frames_at_their_rate_in_order() -> None:
    faults = Faults()
    faults.switch_on(FaultName.SLOW, 100)
    spoiler = Spoiler(faults)
    assert spoiler.outgoing(["a" * 50, "b" * 100], 10.0, is_bound=True) == []
    assert spoiler.deadline == 10.5
    assert spoiler.outgoing([], 10.5, is_bound=True) == ["a" * 50]
    assert spoiler.outgoing(["c"], 11.4, is_bound=True) == []
    faults.switch_off(FaultName.SLOW)
    assert spoiler.outgoing(["d"], 11.4, is_bound=True) == ["b" * 100, "c", "d"]
    assert spoiler.deadline is None


def test_a_delayed_stream_gives_each_frame_so_much_later() -> None:
    faults = Faults()
    faults.switch_on(FaultName.DELAY, 2)
    spoiler = Spoiler(faults)
    assert spoiler.outgoing(["a"], 10.0, is_bound=True) == []
    assert spoiler.outgoing(["b"], 11.0, is_bound=True) == []
    assert spoiler.outgoing([], 12.0, is_bound=True) == ["a"]
    assert spoiler.outgoing([], 13.0, is_bound=True) == ["b"]


def test_the_session_is_asked_again_when_a_delayed_frame_is_due(bench: Bench) -> None:
    agent, session = _switched(bench, FaultName.DELAY)
    agent.ask("<nonsense xmlns='urn:x'/>", bench.clock.seconds)
    bench.run(agent, session)
    due = session.deadline()
    assert due is not None
    assert due <= bench.clock.seconds + 2
    heard = len(agent.events)
    bench.clock.seconds += 2
    session.tick(bench.clock.seconds)
    bench.run(agent, session)
    assert len(agent.events) > heard


@pytest.mark.parametrize(
    ("name", "condition"),
    [
        (FaultName.CONFLICT, Replaced),
        (FaultName.SEE_OTHER_HOST, Redirected),
        (FaultName.SEE_OTHER_URI, Redirected),
        (FaultName.GARBAGE, RemoteProtocolError),
        (FaultName.ENTITY_BOMB, RemoteProtocolError),
    ],
)
def test_a_live_stream_ends_so(bench: Bench, name: FaultName, condition: type[Exception]) -> None:
    agent, session = _switched(bench, name)
    assert isinstance(_failure(agent).error, condition)
    assert session.is_closed
    bench.gateway.faults.switch_off(name)
    again, _ = bench.join(bench.system.private_code)
    assert any(isinstance(event, StreamReady) for event in again.events)
    assert not again.client.is_closed


@pytest.mark.parametrize("name", [FaultName.SHUTDOWN, FaultName.RESET])
def test_a_live_stream_ends_and_so_does_each_new_one(bench: Bench, name: FaultName) -> None:
    agent, _ = _switched(bench, name)
    again, _ = bench.join(bench.system.private_code)
    assert agent.client.is_closed
    assert again.client.is_closed


def test_a_stranger_is_named_that_no_resolver_knows(bench: Bench) -> None:
    agent, _ = _switched(bench, FaultName.SEE_OTHER_URI)
    error = _failure(agent).error
    assert isinstance(error, Redirected)
    assert STRANGER in error.target


def test_a_flood_of_pings_is_too_much(bench: Bench) -> None:
    agent, _ = _switched(bench, FaultName.PING_FLOOD)
    assert agent.client.is_closed


def test_a_huge_frame_is_as_long_as_it_says() -> None:
    faults = Faults()
    faults.switch_on(FaultName.HUGE_FRAME, 1)
    frames = Spoiler(faults).outgoing([], 0.0, is_bound=True)
    assert [len(frame) // 1_048_576 for frame in frames] == [1]


def test_what_is_done_once_is_done_once_a_stream_and_switch() -> None:
    faults = Faults()
    faults.switch_on(FaultName.GARBAGE)
    spoiler = Spoiler(faults)
    assert len(spoiler.outgoing([], 0.0, is_bound=True)) == 1
    assert spoiler.outgoing([], 0.0, is_bound=True) == []
    faults.switch_on(FaultName.GARBAGE)
    assert len(spoiler.outgoing([], 0.0, is_bound=True)) == 1


def test_a_forged_order_comes_counted_and_from_a_stranger(bench: Bench) -> None:
    agent, session = bench.join("4711")
    senders: list[str] = []

    def disconnect(stanza: Stanza, _payload: Element) -> str:
        senders.append(stanza.from_)
        return ""

    agent.answers["disconnect"] = disconnect
    bench.gateway.faults.switch_on(FaultName.FORGED_SENDER)
    bench.run(agent, session)
    assert senders == [f"pcloud@{STRANGER}/1"]
    assert not session.is_closed


def test_hello_tells_a_time_that_is_an_hour_ahead(bench: Bench) -> None:
    bench.gateway.faults.switch_on(FaultName.WRONG_TIME)
    agent = Agent("pbx1", "4711")
    told: list[conf.HelloRequest] = []
    usual = agent.answers["hello"]

    def hello(stanza: Stanza, payload: Element) -> str | None:
        told.append(conf.read_hello_request(payload))
        return usual(stanza, payload)

    agent.answers["hello"] = hello
    session = bench.gateway.open_session(bench.wake)
    agent.client.start(bench.clock.seconds)
    bench.run(agent, session)
    assert told[0].time == bench.clock.now() + timedelta(hours=1)


def test_device_lists_are_refused(bench: Bench) -> None:
    agent, session = _switched(bench, FaultName.REFUSE_DEVICES)
    device = Device("3001", state=DeviceState.IN_SERVICE, source="csta")
    asked = agent.ask(device_pages([device], 1)[0], bench.clock.seconds)
    bench.run(agent, session)
    error = error_of(agent.answer_to(asked))
    assert error is not None
    assert error.condition == "resource-constraint"
    assert len(bench.system.phone_book) == 0


def test_events_are_kept_once_while_none_is_acknowledged(bench: Bench) -> None:
    agent, session = _switched(bench, FaultName.NO_EVENT_ACK)
    for _ in range(2):
        agent.say(event_payload(1))
    bench.run(agent, session)
    assert agent.acknowledged() == []
    assert len(bench.names(Kind.CALL_EVENT)) == 1
    bench.gateway.faults.switch_off(FaultName.NO_EVENT_ACK)
    bench.clock.seconds += 1
    agent.say(event_payload(2))
    bench.run(agent, session)
    assert agent.acknowledged()[-1] == (EPOCH, 2)


def test_events_are_acknowledged_that_were_never_sent(bench: Bench) -> None:
    agent, session = _switched(bench, FaultName.EARLY_EVENT_ACK)
    agent.say(event_payload(1))
    bench.run(agent, session)
    assert agent.acknowledged() == [(EPOCH, 1_001)]


def _let_pass(bench: Bench, agent: Agent, session: AgentSession, seconds: int) -> None:
    """Time, second by second, in which both machines are run."""
    for _ in range(seconds):
        bench.clock.seconds += 1
        agent.client.tick(bench.clock.seconds)
        session.tick(bench.clock.seconds)
        bench.run(agent, session)


def test_a_gateway_that_acknowledges_no_stanza_is_taken_for_silent(bench: Bench) -> None:
    """It answers pings and acknowledges events: only XEP-0198 shows that stanzas may be lost."""
    agent, session = _switched(bench, FaultName.NO_STREAM_ACK)
    agent.say(event_payload(1))
    _let_pass(bench, agent, session, 30)
    assert agent.acknowledged() == [(EPOCH, 1)]
    assert not agent.client.is_closed
    _let_pass(bench, agent, session, 10)
    error = _failure(agent).error
    assert isinstance(error, LinkTimeout)
    assert (error.fault, error.detail) == (FaultId.CLOUD_SILENT, "no acknowledgement")


def test_a_gateway_that_acknowledges_stanzas_is_not(bench: Bench) -> None:
    agent, session = bench.join("4711")
    agent.say(event_payload(1))
    _let_pass(bench, agent, session, 300)
    assert not agent.client.is_closed


def test_no_upgrade_and_no_stream(bench: Bench) -> None:
    assert bench.gateway.refusal("192.0.2.1") == ""
    bench.gateway.faults.switch_on(FaultName.REFUSE_UPGRADE)
    assert bench.gateway.refusal("192.0.2.1")
    bench.gateway.faults.switch_on(FaultName.CLOSE_AFTER_ACCEPT)
    session = bench.gateway.open_session(bench.wake, "192.0.2.1")
    assert session.is_closed
    assert list(session.to_send()) == []
    assert len(bench.gateway.admission) == 0
