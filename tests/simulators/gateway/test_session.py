"""An agent and the gateway, machine to machine, in virtual time."""

import random

import pytest

from connector.domain.devices import Device, DeviceDelta, DeviceState
from connector.domain.errors import AuthError, LinkClosed, Replaced, Throttled
from connector.domain.identifiers import Channel
from connector.wire.pcg import csta, devices, ecma323, http
from connector.wire.pcg.conf import DisconnectReason
from connector.wire.xmpp.stanzas import error_of
from connector.wire.xmpp.stream import StreamFailed, StreamReady
from simulators.gateway.gateway import Gateway, Options
from simulators.gateway.intake import ACK_INTERVAL_SECONDS
from simulators.gateway.journal import Kind
from simulators.gateway.session import AgentSession
from simulators.gateway.systems import Profile, System, SystemStatus, SystemType
from tests.simulators.gateway.agents import (
    DOMAIN,
    EPOCH,
    Agent,
    VirtualClock,
    device_pages,
    event_payload,
    status_payload,
)

PROFILE = Profile(name="Lyon", type=SystemType.OXE, site_id="site1")


class Bench:
    """A gateway with one system, and agents joined to it frame by frame."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.gateway = Gateway(Options(DOMAIN), self.clock, random.Random(5).randbytes)
        self.system = self.gateway.create_system(PROFILE, pbx_id="PBX1", activation_code="4711")
        self.woken = 0

    def wake(self) -> None:
        self.woken += 1

    def join(self, code: str, user: str = "pbx1") -> tuple[Agent, AgentSession]:
        agent, session = Agent(user, code), self.gateway.open_session(self.wake)
        agent.client.start(self.clock.seconds)
        self.run(agent, session)
        return agent, session

    def run(self, agent: Agent, session: AgentSession) -> None:
        """Carry frames both ways until both are quiet."""
        now = self.clock.seconds
        while True:
            out = list(agent.client.to_send())
            for frame in out:
                session.receive(frame, now)
            back = list(session.to_send())
            for frame in back:
                agent.client.receive(frame, now)
                agent.follow(now)
            agent.follow(now)
            if not out and not back:
                return

    def status(self) -> SystemStatus:
        return self.system.status

    def kinds(self) -> list[Kind]:
        return [entry.kind for entry in self.gateway.journal]

    def names(self, kind: Kind) -> list[str]:
        return [entry.name for entry in self.gateway.journal.find(kind=kind)]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def _failure(agent: Agent) -> StreamFailed:
    return next(event for event in agent.events if isinstance(event, StreamFailed))


def test_the_first_login_activates_and_opens_the_channels(bench: Bench) -> None:
    agent, session = bench.join("4711")
    system = bench.system
    assert any(isinstance(event, StreamReady) for event in agent.events)
    assert agent.asked == ["hello", "access", "settings", "snapshot", "req"]
    assert agent.codes == [system.private_code]
    assert system.status is SystemStatus.ACTIVATED
    assert system.channels == {
        Channel.XMPP: True,
        Channel.CONF: True,
        Channel.CSTA: False,
        Channel.HTTP: True,
    }
    assert (system.agent_version, system.pbx_version) == ("oxbridge/0.1.0", "R101")
    assert bench.kinds() == [
        Kind.CONNECTED,
        Kind.HELLO,
        Kind.ACTIVATION,
        Kind.ACTIVATION,
        Kind.CONFIGURATION,
        Kind.SNAPSHOT,
        Kind.HTTP,
    ]
    assert not session.is_closed


def test_the_next_login_uses_the_private_code_and_nothing_is_proposed(bench: Bench) -> None:
    bench.join("4711")
    agent, _ = bench.join(bench.system.private_code)
    assert agent.asked == ["hello", "settings", "snapshot", "req"]


def test_the_public_code_is_void_after_the_activation(bench: Bench) -> None:
    bench.join("4711")
    agent, _ = bench.join("4711")
    assert isinstance(_failure(agent).error, AuthError)


def test_a_refused_code_leaves_both_valid_and_is_proposed_again(bench: Bench) -> None:
    agent, session = Agent("pbx1", "4711"), bench.gateway.open_session(bench.wake)
    agent.takes_codes = False
    agent.client.start(bench.clock.seconds)
    bench.run(agent, session)
    assert bench.status() is SystemStatus.ACTIVATING
    again, _ = bench.join("4711")
    assert again.codes == agent.codes
    assert bench.status() is SystemStatus.ACTIVATED
    assert bench.names(Kind.ACTIVATION) == ["proposed", "refused", "proposed", "acknowledged"]


def test_a_login_with_the_proposed_code_makes_up_for_a_lost_answer(bench: Bench) -> None:
    agent, session = Agent("pbx1", "4711"), bench.gateway.open_session(bench.wake)
    agent.takes_codes = False
    agent.client.start(bench.clock.seconds)
    bench.run(agent, session)
    again, _ = bench.join(bench.system.private_code)
    assert bench.status() is SystemStatus.ACTIVATED
    assert again.asked == ["hello", "settings", "snapshot", "req"]


def test_an_answer_that_comes_after_a_reset_activates_nothing(bench: Bench) -> None:
    agent, session = Agent("pbx1", "4711"), bench.gateway.open_session(bench.wake)
    agent.withheld = {"access": None, "disconnect": None}
    agent.client.start(bench.clock.seconds)
    bench.run(agent, session)
    assert bench.status() is SystemStatus.ACTIVATING
    bench.gateway.reset(bench.system)
    late = agent.withheld["access"]
    assert late is not None
    agent.client.answer(late)
    bench.run(agent, session)
    assert bench.status() is SystemStatus.CREATED


def test_a_proposal_without_an_answer_stays_open(bench: Bench) -> None:
    agent, session = Agent("pbx1", "4711"), bench.gateway.open_session(bench.wake)
    agent.withheld = {"access": None}
    agent.client.start(bench.clock.seconds)
    bench.run(agent, session)
    bench.clock.seconds += 31
    session.tick(bench.clock.seconds)
    assert bench.status() is SystemStatus.ACTIVATING
    assert bench.names(Kind.ACTIVATION) == ["proposed", "refused"]


@pytest.mark.parametrize(("user", "code"), [("pbx1", "4712"), ("nobody", "4711")])
def test_a_wrong_login_is_refused_and_written_down(bench: Bench, user: str, code: str) -> None:
    agent, session = bench.join(code, user)
    failure = _failure(agent)
    assert isinstance(failure.error, AuthError)
    entry = bench.gateway.journal.find(kind=Kind.LOGIN_REFUSED)[0]
    assert entry.values == {"user": user}
    assert entry.system == (bench.system.id if user == "pbx1" else "")
    assert code not in str(dict(entry.values))
    session.receive_eof(bench.clock.seconds)
    assert session.is_closed


def test_the_newest_stream_of_an_identity_wins(bench: Bench) -> None:
    old, old_session = bench.join("4711")
    bench.woken = 0
    new, new_session = bench.join(bench.system.private_code)
    assert bench.woken == 1
    bench.run(old, old_session)
    assert isinstance(_failure(old).error, Replaced)
    assert old_session.is_closed
    assert not new_session.is_closed
    assert bench.system.is_connected
    assert not any(isinstance(event, StreamFailed) for event in new.events)
    reasons = [entry.values["reason"] for entry in bench.gateway.journal.find(kind=Kind.DISCONNECTED)]
    assert reasons == ["conflict"]


def test_channels_go_down_with_the_stream(bench: Bench) -> None:
    _, session = bench.join("4711")
    session.receive_eof(bench.clock.seconds)
    assert not any(bench.system.channels.values())
    assert [entry.event for entry in bench.system.history] == ["connected", "disconnected"]
    assert bench.kinds()[-1] is Kind.DISCONNECTED


def test_the_state_of_the_pbx_link_is_the_csta_channel(bench: Bench) -> None:
    agent, session = bench.join("4711")
    for status, is_up in ((ecma323.SystemStatus.NORMAL, True), (ecma323.SystemStatus.DISABLED, False)):
        request = agent.ask(status_payload(status), bench.clock.seconds)
        bench.run(agent, session)
        assert agent.answer_to(request).type == "result"
        assert bench.system.channels[Channel.CSTA] is is_up


def test_http_is_up_only_for_an_agent_that_serves_its_status(bench: Bench) -> None:
    agent, session = Agent("pbx1", "4711"), bench.gateway.open_session(bench.wake)
    agent.status_answer = http.HttpResponse(403, body="no")
    agent.client.start(bench.clock.seconds)
    bench.run(agent, session)
    assert bench.system.channels[Channel.HTTP] is False


def test_device_pages_make_the_list_and_a_delta_changes_it(bench: Bench) -> None:
    agent, session = bench.join("4711")
    known = [Device(str(number), state=DeviceState.IN_SERVICE) for number in range(1000, 1450)]
    requests = [agent.ask(page, bench.clock.seconds) for page in device_pages(known, 5)]
    bench.run(agent, session)
    assert [agent.answer_to(request).type for request in requests] == ["result"] * 3
    assert (len(bench.system.phone_book), bench.system.phone_book.revision) == (450, 5)
    change = devices.DevicesChange(6, 5, DeviceDelta((Device("2000"),), ("1000",)))
    agent.ask(devices.devices_change(change), bench.clock.seconds)
    bench.run(agent, session)
    assert (len(bench.system.phone_book), bench.system.phone_book.revision) == (450, 6)
    assert bench.names(Kind.DEVICES) == ["page", "page", "list", "change"]


def test_a_delta_on_a_wrong_base_is_not_found(bench: Bench) -> None:
    agent, session = bench.join("4711")
    change = devices.DevicesChange(6, 5, DeviceDelta((Device("2000"),), ()))
    request = agent.ask(devices.devices_change(change), bench.clock.seconds)
    bench.run(agent, session)
    error = error_of(agent.answer_to(request))
    assert error is not None
    assert error.condition == "item-not-found"


@pytest.mark.parametrize(
    ("payload", "condition"),
    [
        ('<devices xmlns="urn:oxbridge:conf:1" revision="x"/>', "bad-request"),
        ('<query xmlns="jabber:iq:roster"/>', "service-unavailable"),
    ],
)
def test_a_request_that_is_none_is_refused_once(bench: Bench, payload: str, condition: str) -> None:
    agent, session = bench.join("4711")
    request = agent.ask(payload, bench.clock.seconds)
    bench.run(agent, session)
    error = error_of(agent.answer_to(request))
    assert error is not None
    assert error.condition == condition
    assert bench.kinds()[-1] is Kind.REFUSED


def test_events_are_acknowledged_together_and_told_by_name(bench: Bench) -> None:
    agent, session = bench.join("4711")
    for seq in range(1, 11):
        agent.say(event_payload(seq))
    bench.run(agent, session)
    assert agent.acknowledged() == [(EPOCH, 10)]
    assert bench.names(Kind.CALL_EVENT) == ["delivered"] * 10
    entry = bench.gateway.journal.find(kind=Kind.CALL_EVENT)[0]
    assert {name: entry.values[name] for name in ("seq", "device", "call", "calling", "state")} == {
        "seq": 1,
        "device": "3001",
        "call": "c-1",
        "calling": "0639980001",
        "state": "alerting",
    }


def test_a_long_burst_is_acknowledged_every_64_events(bench: Bench) -> None:
    agent, session = bench.join("4711")
    for seq in range(1, 151):
        agent.say(event_payload(seq))
    bench.run(agent, session)
    assert agent.acknowledged() == [(EPOCH, 64), (EPOCH, 128), (EPOCH, 150)]


def test_quiet_moments_are_acknowledged_at_most_once_a_millisecond(bench: Bench) -> None:
    agent, session = bench.join("4711")
    for seq in (1, 2, 3):
        agent.say(event_payload(seq))
        bench.run(agent, session)
    assert agent.acknowledged() == [(EPOCH, 1)]
    bench.clock.seconds += ACK_INTERVAL_SECONDS
    due = session.deadline()
    assert due is not None
    assert due <= bench.clock.seconds
    session.tick(bench.clock.seconds)
    bench.run(agent, session)
    assert agent.acknowledged() == [(EPOCH, 1), (EPOCH, 3)]


def test_a_repeated_event_is_acknowledged_again_but_counted_once(bench: Bench) -> None:
    agent, session = bench.join("4711")
    agent.say(event_payload(1))
    bench.run(agent, session)
    bench.clock.seconds += ACK_INTERVAL_SECONDS
    agent.say(event_payload(1))
    bench.run(agent, session)
    assert agent.acknowledged() == [(EPOCH, 1), (EPOCH, 1)]
    assert (bench.system.events.stored, bench.system.events.duplicates) == (1, 1)
    assert len(bench.names(Kind.CALL_EVENT)) == 1


def test_numbers_are_known_over_streams(bench: Bench) -> None:
    agent, session = bench.join("4711")
    agent.say(event_payload(1))
    agent.say(event_payload(3))
    bench.run(agent, session)
    assert agent.acknowledged() == [(EPOCH, 1)]
    again, new_session = bench.join(bench.system.private_code)
    again.say(event_payload(2))
    again.say(event_payload(3))
    bench.run(again, new_session)
    assert again.acknowledged() == [(EPOCH, 3)]
    assert bench.system.events.stored == 3


def test_a_gap_fills_a_hole_and_is_written_down(bench: Bench) -> None:
    agent, session = bench.join("4711")
    agent.say(event_payload(1))
    agent.say(csta.gap(csta.Gap(EPOCH, 2, 9, durable=False, count=8, reason="overflow")))
    agent.say(event_payload(10))
    bench.run(agent, session)
    assert agent.acknowledged() == [(EPOCH, 10)]
    assert bench.gateway.journal.find(kind=Kind.GAP)[0].values["count"] == 8


def test_two_epochs_are_acknowledged_apart(bench: Bench) -> None:
    agent, session = bench.join("4711")
    agent.say(event_payload(5))
    agent.say(event_payload(1, epoch="other"))
    bench.run(agent, session)
    assert agent.acknowledged() == [(EPOCH, 5), ("other", 1)]


@pytest.mark.parametrize(
    "payload",
    [
        '<event xmlns="urn:oxbridge:csta:1" epoch="e" seq="-1"/>',
        '<event xmlns="urn:oxbridge:csta:1" seq="1"/>',
        '<gap xmlns="urn:oxbridge:csta:1" epoch="e" from="9" to="2" class="durable" count="1" reason="r"/>',
        '<body xmlns="jabber:client">hello</body>',
    ],
)
def test_a_message_that_is_none_of_ours_comes_back_and_costs_nothing(bench: Bench, payload: str) -> None:
    agent, session = bench.join("4711")
    agent.say(payload)
    agent.say(event_payload(1))
    bench.run(agent, session)
    assert len(bench.gateway.journal.find(kind=Kind.REFUSED)) == 1
    assert agent.acknowledged() == [(EPOCH, 1)]


def test_an_event_whose_content_can_not_be_read_is_kept_with_its_error(bench: Bench) -> None:
    agent, session = bench.join("4711")
    agent.say('<event xmlns="urn:oxbridge:csta:1" epoch="e" seq="1"/>')
    bench.run(agent, session)
    entry = bench.gateway.journal.find(kind=Kind.CALL_EVENT)[0]
    assert "error" in entry.values
    assert agent.acknowledged() == [("e", 1)]


def test_a_scattered_sequence_ends_the_stream(bench: Bench) -> None:
    agent, session = bench.join("4711")
    for seq in range(1, 399):
        agent.say(event_payload(seq * 3))
    bench.run(agent, session)
    assert isinstance(_failure(agent).error, Throttled)
    assert session.is_closed


def test_a_reset_tells_the_agent_and_puts_it_out(bench: Bench) -> None:
    agent, session = bench.join("4711")
    old = bench.system.private_code
    bench.gateway.reset(bench.system)
    assert bench.woken == 1
    bench.run(agent, session)
    assert agent.asked[-1] == "disconnect"
    assert isinstance(_failure(agent).error, LinkClosed)
    session.receive_eof(bench.clock.seconds)
    assert session.is_closed
    assert not bench.system.is_connected
    late, _ = bench.join(old)
    assert isinstance(_failure(late).error, AuthError)
    fresh, _ = bench.join(bench.system.public_code)
    assert bench.status() is SystemStatus.ACTIVATED
    assert fresh.codes[-1] != old


def test_an_agent_that_does_not_answer_its_dismissal_is_put_out(bench: Bench) -> None:
    _, session = bench.join("4711")
    session.dismiss(DisconnectReason.DISABLE, bench.clock.seconds)
    session.to_send()
    bench.clock.seconds += 2.5
    session.tick(bench.clock.seconds)
    assert any("<close" in frame for frame in session.to_send())
    bench.clock.seconds += 6
    session.tick(bench.clock.seconds)
    session.tick(bench.clock.seconds + 6)
    assert session.is_closed


def test_a_deleted_system_is_gone(bench: Bench) -> None:
    agent, session = bench.join("4711")
    bench.gateway.delete(bench.system)
    bench.run(agent, session)
    assert agent.asked[-1] == "disconnect"
    assert bench.gateway.systems.by_pbx_id("PBX1") is None
    late, _ = bench.join(bench.system.private_code)
    assert isinstance(_failure(late).error, AuthError)


def test_a_shutdown_is_announced_to_every_agent(bench: Bench) -> None:
    agent, session = bench.join("4711")
    bench.gateway.shut_down()
    bench.run(agent, session)
    assert session.is_closed
    assert any("system-shutdown" in str(entry.values) for entry in bench.gateway.journal)


def test_a_stream_without_login_is_closed_in_time(bench: Bench) -> None:
    session = bench.gateway.open_session(bench.wake)
    deadline = session.deadline()
    assert deadline is not None
    session.tick(deadline)
    assert session.is_closed
    assert any("connection-timeout" in frame for frame in session.to_send())


def test_many_systems_have_their_own_sessions(bench: Bench) -> None:
    other: System = bench.gateway.create_system(PROFILE, pbx_id="PBX2", activation_code="4712")
    bench.join("4711")
    bench.join("4712", "pbx2")
    assert bench.system.is_connected
    assert other.is_connected
