"""What the gateway asks for is served, and every answer finds the stream that it belongs to."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import cast

import pytest

from connector.domain.calls import ConnectionId
from connector.domain.cloud import CloudSink
from connector.domain.commands import (
    Answer,
    CommandDone,
    CommandRefused,
    CommandRequest,
    HoldCall,
    MakeCall,
    Outcome,
    Refused,
    Verb,
)
from connector.domain.configuration import (
    Applied,
    CloudSettings,
    Monitored,
    MonitorRefusal,
    MonitorsApplied,
)
from connector.domain.errors import StoreError
from connector.domain.faults import FaultId
from connector.uplink.rainbow.events import (
    AccessProposed,
    CommandAsked,
    HttpRequested,
    MonitorsGiven,
    SettingsGiven,
)
from connector.uplink.rainbow.home import Home
from connector.uplink.rainbow.replies import MAX_PARKED, Replies, Reply
from connector.uplink.rainbow.service import RequestService
from connector.wire.pcg import conf, http
from connector.wire.pcg.names import CONF, CSTA
from connector.wire.xmpp.stanzas import OwedRequest, Stanza

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
GATEWAY = "pbxpcg_ab@rainbow.test/pbxpcg"


def asked(id_: str = "r1") -> Stanza:
    return Stanza("iq", id_, "set", GATEWAY, "pbx1@rainbow.test/pbxagent", None, ())


def owed(id_: str, tag: str = f"{{{CSTA}}}command") -> OwedRequest:
    return OwedRequest(id_, "set", GATEWAY, "pbx1@rainbow.test/pbxagent", tag)


class FakeLink:
    """Implements `Replier`."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Reply]] = []

    def reply(self, owed: OwedRequest, reply: Reply) -> None:
        self.told.append((owed.id, reply))


class World:
    """The sink and the home of a service, with what they were asked."""

    def __init__(self) -> None:
        self.replies = Replies()
        self.link = FakeLink()
        self.replies.attach(self.link, goes_on=False)
        self.service = RequestService(cast("CloudSink", self), cast("Home", self), self.replies)
        self.answers: list[Answer] = []
        self.settings: list[Applied] = []
        self.monitors: list[tuple[Sequence[Monitored], MonitorsApplied]] = []
        self.outcomes: dict[str, tuple[Verb, Outcome]] = {}
        self.disk_fails = False
        self.page = "{}"

    def command_received(self, request: CommandRequest, answer: Answer) -> None:
        self.answers.append(answer)

    def command_outcome(self, id_: str) -> tuple[Verb, Outcome]:
        return self.outcomes[id_]

    def settings_received(self, settings: CloudSettings, done: Applied) -> None:
        self.settings.append(done)

    def monitors_received(self, monitors: Sequence[Monitored], done: MonitorsApplied) -> None:
        self.monitors.append((monitors, done))

    async def keep_access_code(self, code: str) -> None:
        if self.disk_fails:
            raise StoreError(FaultId.STORE_UNUSABLE, "no space")

    def serve(self, request: http.HttpRequest) -> http.HttpResponse:
        return http.HttpResponse(200, body=self.page)

    @property
    def reply(self) -> Reply:
        """The only answer so far."""
        ((_, told),) = self.link.told
        return told


@pytest.fixture
def world() -> World:
    return World()


def hold() -> CommandAsked:
    command = HoldCall(ConnectionId("7", "3001"))
    return CommandAsked(asked(), CommandRequest("r1", "3001", "u1", NOON, command))


def test_a_command_is_answered_when_its_outcome_is_known(world: World) -> None:
    world.service.serve(hold())
    assert world.link.told == []
    world.answers[0](CommandDone())
    assert "HoldCallResponse" in world.reply.payload
    assert world.reply.condition == ""


def test_a_refused_command_is_an_error_that_says_why(world: World) -> None:
    world.service.serve(hold())
    world.answers[0](CommandRefused(Refused.UNKNOWN_OUTCOME))
    assert world.reply.condition == "undefined-condition"
    assert "unknown-outcome" in world.reply.payload


@pytest.mark.parametrize(
    ("reason", "condition"), [(None, ""), ("rule 3: not a regular expression", "not-acceptable")]
)
def test_settings_are_answered_when_they_are_in_force_or_refused(
    world: World, reason: str | None, condition: str
) -> None:
    world.service.serve(SettingsGiven(asked(), CloudSettings(1)))
    world.settings[0](reason)
    assert (world.reply.condition, world.reply.text) == (condition, reason or "")


def test_monitors_are_answered_with_those_that_can_not_be_watched(world: World) -> None:
    given = (conf.Monitor("3001", "u1"), conf.Monitor("3002", is_on=False), conf.Monitor("3009"))
    world.service.serve(MonitorsGiven(asked(), given))
    wanted, done = world.monitors[0]
    assert wanted == [Monitored("3001", "u1"), Monitored("3009")]
    done({"3009": MonitorRefusal.UNKNOWN_NUMBER})
    assert 'number="3009" reason="unknown-number"' in world.reply.payload


def test_monitors_that_could_not_be_stored_are_an_error(world: World) -> None:
    world.service.serve(MonitorsGiven(asked(), ()))
    world.monitors[0][1](None)
    assert world.reply.condition == "internal-server-error"


def test_a_page_that_no_stanza_can_hold_follows_in_chunks(world: World) -> None:
    world.page = "x" * 100_000
    world.service.serve(HttpRequested(asked(), http.HttpRequest("GET", "/metrics")))
    assert "chunkedBase64" in world.reply.payload
    assert len(world.reply.followed_by) > 1


@pytest.mark.parametrize(("fails", "condition"), [(False, ""), (True, "internal-server-error")])
async def test_a_code_is_acknowledged_only_when_it_is_stored(
    world: World, *, fails: bool, condition: str
) -> None:
    world.disk_fails = fails
    await world.service.keep_access_code(AccessProposed(asked(), "secret"))
    assert world.reply.condition == condition


def test_what_the_process_before_owed_is_answered_and_no_command_is_run(world: World) -> None:
    world.outcomes = {
        "done": (Verb.MAKE_CALL, CommandDone((ConnectionId("9", "3001"),))),
        "cut": (Verb.MAKE_CALL, CommandRefused(Refused.UNKNOWN_OUTCOME)),
    }
    world.service.recall([owed("done"), owed("cut"), owed("other", f"{{{CONF}}}settings")])
    told = dict(world.link.told)
    assert "MakeCallResponse" in told["done"].payload
    assert told["cut"].condition == "undefined-condition"
    assert told["other"].condition == "internal-server-error"
    assert world.answers == []


# -- replies


def test_an_answer_without_a_link_waits_for_the_session_to_go_on(world: World) -> None:
    world.replies.detach()
    world.replies.give(owed("r1"), Reply("<late/>"))
    resumed = FakeLink()
    world.replies.attach(resumed, goes_on=True)
    assert resumed.told == [("r1", Reply("<late/>"))]
    world.replies.detach()
    world.replies.attach(FakeLink(), goes_on=True)
    assert len(resumed.told) == 1


def test_an_answer_of_a_session_that_is_gone_is_given_to_nobody(world: World) -> None:
    world.replies.detach()
    world.replies.give(owed("r1"), Reply("<late/>"))
    other = FakeLink()
    world.replies.attach(other, goes_on=False)
    world.replies.detach()
    world.replies.attach(other, goes_on=True)
    assert other.told == []


def test_answers_that_wait_are_bounded(world: World) -> None:
    world.replies.detach()
    for number in range(MAX_PARKED + 10):
        world.replies.give(owed(f"r{number}"), Reply())
    resumed = FakeLink()
    world.replies.attach(resumed, goes_on=True)
    assert len(resumed.told) == MAX_PARKED


def test_a_made_call_is_answered_with_its_connection(world: World) -> None:
    request = CommandRequest("r1", "3001", "u1", NOON, MakeCall("3001", "3002"))
    world.service.serve(CommandAsked(asked(), request))
    world.answers[0](CommandDone((ConnectionId("77", "3001"),)))
    assert "77" in world.reply.payload
