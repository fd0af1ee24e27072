"""Commands given by the gateway: what the agent gets, what its answer means, what a bad gateway would do."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from connector.domain.calls import ConnectionId
from connector.domain.commands import (
    VERBS,
    Answer,
    AnswerCall,
    CommandDone,
    CommandRefused,
    CommandRequest,
    MakeCall,
    Outcome,
    Refused,
    Verb,
)
from connector.domain.errors import LocalProtocolError
from connector.wire.pcg import commands as codec
from connector.wire.xmpp.stanzas import Stanza
from simulators.gateway import commands
from simulators.gateway.app import create_app
from simulators.gateway.journal import Kind
from simulators.gateway.line import ANSWER_SECONDS, Line
from simulators.gateway.session import AgentSession
from tests.simulators.gateway.agents import NOON, Agent
from tests.simulators.gateway.test_session import Bench

LEG = {"call": "2AD8", "device": "3001"}
CONNECTION = ConnectionId("2AD8", "3001")
DONE = CommandDone((CONNECTION,))


class Site:
    """A bound agent that answers commands with `outcome`, and the gateway's end of it."""

    def __init__(self) -> None:
        self.bench = Bench()
        self.outcome: Outcome = DONE
        self.received: list[CommandRequest] = []
        self.senders: list[str] = []
        self.agent, self.session = self._join()
        self.agent.withheld["command"] = None

    def _join(self) -> tuple[Agent, AgentSession]:
        return self.bench.join("4711")

    def give(self, request: CommandRequest, ended: Answer, sender: str = "") -> bool:
        """Give a command by way of the gateway."""
        return self.bench.gateway.speak(
            self.bench.system, lambda line: commands.give(line, request, ended, sender=sender)
        )

    def outcome_of(self, request: CommandRequest, sender: str = "") -> Outcome:
        """Give a command and carry the answer back."""
        outcomes: list[Outcome] = []
        assert self.give(request, outcomes.append, sender)
        self.run()
        (outcome,) = outcomes
        return outcome

    def run(self) -> None:
        """Let the agent answer what it was asked."""
        self.bench.run(self.agent, self.session)
        asked = self.agent.withheld["command"]
        if asked is not None:
            self.agent.withheld["command"] = None
            self._answer(asked)
            self.bench.run(self.agent, self.session)

    def _answer(self, asked: Stanza) -> None:
        assert asked.payload is not None
        request = codec.read_command(asked.payload, asked.id)
        self.received.append(request)
        self.senders.append(asked.from_)
        answer = codec.answer(self.outcome, request.verb)
        if answer.condition is None:
            self.agent.client.answer(asked, answer.payload)
        else:
            self.agent.client.refuse(asked, answer.condition, payload=answer.payload)

    def journal(self) -> list[dict[str, object]]:
        """What is written down about commands."""
        return [dict(entry.values) for entry in self.bench.gateway.journal.find(kind=Kind.COMMAND)]


@pytest.fixture
def site() -> Site:
    return Site()


def request(id_: str = "cmd-1", seconds: float = 30) -> CommandRequest:
    return CommandRequest(id_, "3001", "anna", NOON + timedelta(seconds=seconds), MakeCall("3001", "3002"))


def test_a_command_and_its_answer_are_told_and_written_down(site: Site) -> None:
    assert site.outcome_of(request()) == DONE
    assert site.received == [request()]
    given, answered = site.journal()
    about = {"name": "make-call", "command": "cmd-1", "device": "3001"}
    assert given == {**about, "user": "anna", "from": ""}
    assert answered == {**about, "outcome": "done", "reason": "", "error": "", "connections": [LEG]}


@pytest.mark.parametrize("reason", Refused)
def test_a_refusal_is_told_as_it_is(site: Site, reason: Refused) -> None:
    site.outcome = CommandRefused(reason)
    outcome = site.outcome_of(request())
    assert isinstance(outcome, CommandRefused)
    assert outcome.reason is reason
    assert site.journal()[-1]["reason"] == reason.value


def test_an_id_can_be_repeated_after_its_answer_and_not_before(site: Site) -> None:
    first: list[Outcome] = []
    assert site.give(request(), first.append)
    with pytest.raises(LocalProtocolError):
        site.give(request(), first.append)
    site.run()
    assert site.outcome_of(request()) == DONE
    assert [one.id for one in site.received] == ["cmd-1", "cmd-1"]


def test_a_stranger_can_be_played(site: Site) -> None:
    assert site.outcome_of(request(), "pbxpcg_0@rainbow.test/pbxpcg") == DONE
    assert site.senders == ["pbxpcg_0@rainbow.test/pbxpcg"]


def test_no_answer_is_an_unknown_outcome(site: Site) -> None:
    outcomes: list[Outcome] = []
    assert site.give(request(), outcomes.append)
    site.bench.clock.seconds += ANSWER_SECONDS
    site.session.tick(site.bench.clock.seconds)
    assert outcomes == [CommandRefused(Refused.UNKNOWN_OUTCOME)]


def test_an_agent_that_is_not_there_gets_nothing(site: Site) -> None:
    site.session.receive_eof(site.bench.clock.seconds)
    outcomes: list[Outcome] = []
    assert not site.give(request(), outcomes.append)
    assert (outcomes, site.journal()) == ([], [])


def test_a_flood_ends_where_the_stream_ends(site: Site) -> None:
    sent: list[int] = []

    def say(line: Line) -> None:
        sent.append(commands.flood(line, [request(str(number)) for number in range(10_000)]))

    assert site.bench.gateway.speak(site.bench.system, say)
    assert 1_000 <= sent[0] <= 10_000
    frames = [frame for frame in site.session.to_send() if "<MakeCall" in frame]
    assert len(frames) == sent[0]


# REST -----------------------------------------------------------------------------------------------


@pytest_asyncio.fixture
async def client(site: Site) -> AsyncIterator[httpx2.AsyncClient]:
    headers = {"Authorization": f"Bearer {site.bench.gateway.admin_token}"}
    transport = httpx2.ASGITransport(create_app(site.bench.gateway))
    async with httpx2.AsyncClient(transport=transport, base_url="https://localhost", headers=headers) as made:
        yield made


def path(site: Site, rest: str = "") -> str:
    return f"/_sim/systems/{site.bench.system.id}/commands{rest}"


async def post(site: Site, client: httpx2.AsyncClient, body: dict[str, Any]) -> httpx2.Response:
    """POST and play the agent meanwhile."""
    journal = site.bench.gateway.journal
    posting = asyncio.create_task(client.post(path(site), json=body))
    await journal.wait_for(lambda entry: entry.kind is Kind.COMMAND, 2.0, since=journal.last_id)
    site.run()
    return await posting


BODIES: dict[Verb, dict[str, Any]] = {
    Verb.MAKE_CALL: {"called": "3002"},
    **{
        verb: {"connection": LEG}
        for verb in (Verb.ANSWER_CALL, Verb.HOLD_CALL, Verb.RETRIEVE_CALL, Verb.CLEAR_CONNECTION)
    },
    **{
        verb: {"held": LEG, "active": {"call": "2AD9"}}
        for verb in (Verb.TRANSFER_CALL, Verb.CONFERENCE_CALL, Verb.ALTERNATE_CALL)
    },
    Verb.CONSULTATION_CALL: {"connection": LEG, "destination": "3002"},
    Verb.DEFLECT_CALL: {"connection": LEG, "destination": "3002"},
    Verb.GENERATE_DIGITS: {"connection": LEG, "digits": "12*#"},
    Verb.SET_FORWARDING: {"kind": "forwardBusy", "isOn": True, "destination": "3002"},
    Verb.SET_DO_NOT_DISTURB: {"isOn": False},
    Verb.SET_AGENT_STATE: {"state": "notReady", "agent": "4711", "password": "x", "withdrawReason": 3},
}


@pytest.mark.parametrize("verb", Verb)
async def test_each_verb_by_rest(site: Site, client: httpx2.AsyncClient, verb: Verb) -> None:
    site.outcome = CommandDone()
    body = {"device": "3001", "command": {"verb": verb.value, **BODIES[verb]}}
    response = await post(site, client, body)
    assert response.status_code == 200, response.text
    data = response.json()["data"]
    (received,) = site.received
    assert data == {"id": received.id, "outcome": "done", "reason": "", "error": "", "connections": []}
    assert VERBS[type(received.command)] is verb
    assert (received.device, received.user) == ("3001", "console")
    assert received.deadline == site.bench.clock.now() + timedelta(seconds=30)


async def test_everything_of_a_bad_request_by_rest(site: Site, client: httpx2.AsyncClient) -> None:
    site.outcome = CommandRefused(Refused.EXPIRED)
    body = {
        "device": "3001",
        "user": "mallory",
        "deadlineSeconds": -5,
        "id": "cmd-7",
        "sender": "mallory@rainbow.test/x",
        "command": {"verb": "answer-call", "connection": {"call": "2AD8"}},
    }
    response = await post(site, client, body)
    assert response.json()["data"] == {
        "id": "cmd-7",
        "outcome": "refused",
        "reason": "expired",
        "error": "",
        "connections": [],
    }
    (received,) = site.received
    assert received == CommandRequest(
        "cmd-7", "3001", "mallory", site.bench.clock.now() - timedelta(seconds=5), AnswerCall(CONNECTION)
    )
    assert site.senders == ["mallory@rainbow.test/x"]


async def test_connections_of_the_answer_by_rest(site: Site, client: httpx2.AsyncClient) -> None:
    body = {"device": "3001", "command": {"verb": "make-call", "called": "3002"}}
    response = await post(site, client, body)
    assert response.json()["data"]["connections"] == [LEG]


async def test_a_flood_by_rest(site: Site, client: httpx2.AsyncClient) -> None:
    body = {"device": "3001", "id": "same", "command": {"verb": "make-call", "called": "3002"}}
    response = await client.post(path(site, "/flood"), json={"count": 3, "request": body})
    assert response.json() == {"data": {"sent": 3}}
    frames = [frame for frame in site.session.to_send() if "<MakeCall" in frame]
    assert len({frame.partition(' id="')[2].partition('"')[0] for frame in frames}) == 3


@pytest.mark.parametrize("rest", ["", "/flood"])
async def test_what_can_not_be_given_by_rest(site: Site, client: httpx2.AsyncClient, rest: str) -> None:
    command = {"device": "3001", "command": {"verb": "make-call", "called": "3002"}}
    body = {"count": 1, "request": command} if rest else command
    unknown = await client.post(f"/_sim/systems/{'0' * 24}/commands{rest}", json=body)
    assert unknown.status_code == 404
    no_token = await client.post(path(site, rest), json=body, headers={"Authorization": "Bearer x"})
    assert no_token.status_code == 401
    wrong = await client.post(path(site, rest), json={**body, "colour": "red"})
    assert wrong.status_code == 400
    site.session.receive_eof(site.bench.clock.seconds)
    absent = await client.post(path(site, rest), json=body)
    assert absent.status_code == 409
    assert site.received == []


async def test_an_id_that_waits_is_a_conflict_by_rest(site: Site, client: httpx2.AsyncClient) -> None:
    assert site.give(request(), lambda _: None)
    body = {"device": "3001", "id": "cmd-1", "command": {"verb": "make-call", "called": "3002"}}
    response = await client.post(path(site), json=body)
    assert response.status_code == 409
    site.run()


async def test_the_documentation_page_shows_the_calls(client: httpx2.AsyncClient) -> None:
    page = await client.get("/docs")
    assert page.status_code == 200
    assert "/_sim/systems/{system_id}/commands" in page.text
    assert "deadlineSeconds" in page.text
