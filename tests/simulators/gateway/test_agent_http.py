"""What the gateway reads of an agent: whole pages, pages in chunks, and agents that break them off."""

import asyncio
from collections.abc import AsyncIterator
from xml.etree.ElementTree import Element

import httpx2
import pytest
import pytest_asyncio

from connector.domain.errors import LocalProtocolError
from connector.wire.pcg import chunks, http
from connector.wire.xmpp.stanzas import Stanza
from simulators.gateway import agent_http
from simulators.gateway.agent_http import AgentAbsent, NotRead, Reading
from simulators.gateway.app import create_app
from simulators.gateway.journal import Kind
from simulators.gateway.line import ANSWER_SECONDS, Line
from tests.simulators.gateway.test_session import Bench

LARGE = bytes(range(256)) * 1_024  # eight chunks
PAGE = http.HttpResponse(200, (("Content-Type", "text/plain"),), LARGE)

Told = http.HttpResponse | NotRead


class WakingBench(Bench):
    """One that tells when the gateway has something to send."""

    def __init__(self) -> None:
        super().__init__()
        self.has_woken = asyncio.Event()

    def wake(self) -> None:
        self.has_woken.set()


class Site:
    """A bound agent that gives `page`, its chunks after it, and the gateway's end of it."""

    def __init__(self) -> None:
        self.bench = WakingBench()
        self.page = http.HttpResponse(200, body="all well")
        self.asked: list[http.HttpRequest] = []
        self.chunks: list[str] = []
        self.agent, self.session = self.bench.join("4711")
        self.agent.answers["req"] = self._answer

    def _answer(self, stanza: Stanza, payload: Element) -> str:
        request = http.read_request(payload)
        self.asked.append(request)
        given = chunks.answer(self.page, stanza.id, request.max_chunk_bytes)
        self.chunks += given.chunks
        return given.payload

    def run(self) -> None:
        """Let the agent answer; chunks wait in `chunks`."""
        self.bench.run(self.agent, self.session)

    def send_chunks(self, *payloads: str) -> None:
        """Let the agent send these."""
        for payload in payloads:
            self.agent.say(payload)
        self.run()

    def ask(self, resource: str = "/status") -> tuple[Reading, list[Told]]:
        """Ask, and let the agent answer; what was told."""
        told: list[Told] = []
        readings: list[Reading] = []

        def say(line: Line) -> None:
            readings.append(Reading(line, http.HttpRequest("GET", resource), told.append))

        assert self.bench.gateway.speak(self.bench.system, say)
        self.run()
        return readings[0], told

    def noted(self) -> list[dict[str, object]]:
        """What is written down about the http channel, after the probe at hello."""
        return [dict(entry.values) for entry in self.bench.gateway.journal.find(kind=Kind.HTTP)][1:]

    def refused(self) -> list[str]:
        """Why stanzas were dropped."""
        return [str(one.values["reason"]) for one in self.bench.gateway.journal.find(kind=Kind.REFUSED)]


@pytest.fixture
def site() -> Site:
    return Site()


def reason(told: list[Told]) -> str:
    """The one failure that was told."""
    (failure,) = told
    assert isinstance(failure, NotRead)
    return str(failure)


def test_a_small_page_is_told_and_written_down(site: Site) -> None:
    _, told = site.ask("/calls")
    assert told == [http.HttpResponse(200, body="all well", message="OK")]
    assert [(one.method, one.resource) for one in site.asked] == [("GET", "/calls")]
    assert site.noted() == [{"name": "/calls", "method": "GET", "status": 200, "bytes": 8}]


def test_a_large_page_is_put_together_again(site: Site) -> None:
    site.page = PAGE
    _, told = site.ask()
    assert told == []
    site.send_chunks(*site.chunks)
    (response,) = told
    assert isinstance(response, http.HttpResponse)
    assert (response.status, response.headers, response.body) == (200, PAGE.headers, LARGE)
    assert site.noted()[-1]["bytes"] == len(LARGE)
    assert site.refused() == []


def test_pages_of_several_requests_may_come_mixed(site: Site) -> None:
    site.page = PAGE
    _, first = site.ask()
    one, site.chunks = site.chunks, []
    _, second = site.ask()
    site.send_chunks(*(chunk for pair in zip(one, site.chunks, strict=True) for chunk in pair))
    assert [len(told) for told in (first, second)] == [1, 1]
    assert first == second


def test_a_chunk_left_out_ends_the_page_and_the_rest_is_dropped(site: Site) -> None:
    site.page = PAGE
    _, told = site.ask()
    site.send_chunks(site.chunks[0], *site.chunks[2:])
    assert "broke off" in reason(told)
    assert len(site.refused()) == len(site.chunks) - 2
    assert not any(one.tag.endswith("chunk") for one in site.agent.messages), "nothing is sent back"


def test_a_ninth_page_at_a_time_is_not_waited_for(site: Site) -> None:
    site.page = PAGE
    waiting = [site.ask() for _ in range(chunks.MAX_STREAMS)]
    assert [told for _, told in waiting] == [[]] * chunks.MAX_STREAMS
    _, ninth = site.ask()
    assert "over 8" in reason(ninth)
    waiting[0][0].close()
    _, tenth = site.ask()
    assert tenth == []


def test_chunks_after_nobody_waits_are_dropped(site: Site) -> None:
    site.page = PAGE
    reading, told = site.ask()
    reading.close()
    site.send_chunks(*site.chunks)
    assert told == []
    assert len(site.refused()) == len(site.chunks)


def test_an_answer_after_nobody_waits_opens_nothing(site: Site) -> None:
    site.page = PAGE
    site.agent.withheld["req"] = None
    reading, told = site.ask()
    reading.close()
    late = site.agent.withheld.pop("req")
    assert late is not None
    assert late.payload is not None
    site.agent.client.answer(late, site._answer(late, late.payload))
    site.run()
    site.send_chunks(site.chunks[0])
    assert (told, len(site.refused())) == ([], 1)


@pytest.mark.parametrize(
    "chunk",
    [
        '<chunk xmlns="urn:xmpp:http" streamId="strange" nr="0" last="true">QUJD</chunk>',
        '<chunk xmlns="urn:xmpp:http" nr="0">QUJD</chunk>',
        '<chunk xmlns="urn:xmpp:http" streamId="s" nr="0">!</chunk>',
    ],
)
def test_a_chunk_that_is_none_is_dropped_and_the_stream_lives(site: Site, chunk: str) -> None:
    site.send_chunks(chunk)
    assert len(site.refused()) == 1
    _, told = site.ask()
    assert len(told) == 1


def test_an_error_and_no_answer_are_named(site: Site) -> None:
    site.agent.answers["req"] = lambda *_: None
    _, told = site.ask()
    assert reason(told) == "refused: internal-server-error"
    site.agent.withheld["req"] = None
    _, told = site.ask()
    site.bench.clock.seconds += ANSWER_SECONDS
    site.session.tick(site.bench.clock.seconds)
    assert reason(told) == "no answer"


def test_a_response_that_is_none_is_named(site: Site) -> None:
    site.agent.answers["req"] = lambda *_: '<resp xmlns="urn:xmpp:http" version="1.1" statusCode="7"/>'
    _, told = site.ask()
    assert "statusCode" in reason(told)


async def test_who_gives_up_leaves_nothing_behind(site: Site) -> None:
    site.page = PAGE
    reading = asyncio.create_task(site.bench.gateway.read(site.bench.system, "/devices"))
    await asyncio.sleep(0)
    site.run()
    reading.cancel()
    await asyncio.wait([reading])
    site.send_chunks(*site.chunks)
    assert len(site.refused()) == len(site.chunks)


async def test_time_runs_out_while_chunks_are_missing(site: Site) -> None:
    site.page = PAGE
    wanted = http.HttpRequest("GET", "/devices")
    with pytest.raises(TimeoutError):
        await agent_http.read(site.bench.gateway, site.bench.system, wanted, patience_seconds=0)


async def test_what_can_not_be_asked(site: Site) -> None:
    with pytest.raises(LocalProtocolError):
        await site.bench.gateway.read(site.bench.system, "status")
    site.session.receive_eof(site.bench.clock.seconds)
    with pytest.raises(AgentAbsent):
        await site.bench.gateway.read(site.bench.system, "/status")


# REST -----------------------------------------------------------------------------------------------


@pytest_asyncio.fixture
async def client(site: Site) -> AsyncIterator[httpx2.AsyncClient]:
    headers = {"Authorization": f"Bearer {site.bench.gateway.admin_token}"}
    transport = httpx2.ASGITransport(create_app(site.bench.gateway))
    async with httpx2.AsyncClient(transport=transport, base_url="https://localhost", headers=headers) as made:
        yield made


def path(site: Site) -> str:
    return f"/_sim/systems/{site.bench.system.id}/agent"


async def get(site: Site, client: httpx2.AsyncClient, **query: str) -> httpx2.Response:
    """GET, and play the agent as soon as it is asked."""
    site.bench.has_woken.clear()
    getting = asyncio.create_task(client.get(path(site), params=query))
    async with asyncio.timeout(2.0):
        await site.bench.has_woken.wait()
    site.run()
    site.send_chunks(*site.chunks)
    return await getting


async def test_a_page_by_rest(site: Site, client: httpx2.AsyncClient) -> None:
    site.page = http.HttpResponse(200, PAGE.headers, "é" * 40_000)
    response = await get(site, client, resource="/metrics")
    assert response.status_code == 200, response.text
    assert response.json()["data"] == {
        "status": 200,
        "message": "OK",
        "headers": [{"name": "Content-Type", "value": "text/plain"}],
        "body": "é" * 40_000,
    }


async def test_a_refusal_of_the_agent_by_rest(site: Site, client: httpx2.AsyncClient) -> None:
    site.page = http.refused(405, "only GET is served")
    response = await get(site, client, resource="/status", method="DELETE")
    assert (response.status_code, response.json()["data"]["status"]) == (200, 405)
    assert site.asked[-1].method == "DELETE"


async def test_an_agent_that_can_not_be_understood_by_rest(site: Site, client: httpx2.AsyncClient) -> None:
    site.agent.answers["req"] = lambda *_: None
    response = await get(site, client, resource="/status")
    assert (response.status_code, response.json()["errorDetails"]) == (502, "refused: internal-server-error")


async def test_time_that_runs_out_by_rest(
    site: Site, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object) -> None:
        raise TimeoutError

    monkeypatch.setattr(site.bench.gateway, "read", never)
    assert (await client.get(path(site))).status_code == 504


async def test_what_can_not_be_read_by_rest(site: Site, client: httpx2.AsyncClient) -> None:
    assert (await client.get(f"/_sim/systems/{'0' * 24}/agent")).status_code == 404
    no_token = await client.get(path(site), headers={"Authorization": "Bearer x"})
    assert no_token.status_code == 401
    for query in ({"resource": "status"}, {"resource": "/a b"}, {"method": "get it"}):
        assert (await client.get(path(site), params=query)).status_code == 400
    site.session.receive_eof(site.bench.clock.seconds)
    assert (await client.get(path(site))).status_code == 409
    assert site.asked == []
