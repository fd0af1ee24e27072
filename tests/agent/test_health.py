"""`/-/ready` and `/-/healthy` differ on purpose."""

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from connector.agent.figures import Figures, LagHistogram
from connector.agent.health import health_app
from connector.agent.metrics import Metrics
from tests.agent.fake_agent import FakeAgent


class StuckAgent(FakeAgent):
    """Its store never answers."""

    async def is_healthy(self) -> tuple[bool, list[str]]:
        await asyncio.Event().wait()
        return True, []


@pytest.fixture
def agent() -> FakeAgent:
    return FakeAgent()


@pytest.fixture
async def http(agent: FakeAgent) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(
        health_app(agent, Metrics(lambda: Figures(calls_live=3), LagHistogram()))
    )
    async with httpx2.AsyncClient(transport=transport, base_url="http://agent") as client:
        yield client


async def test_all_well(http: httpx2.AsyncClient) -> None:
    ready, healthy = await http.get("/-/ready"), await http.get("/-/healthy")
    assert (ready.status_code, ready.json()) == (200, {"ready": True, "reasons": []})
    assert (healthy.status_code, healthy.json()) == (200, {"healthy": True, "reasons": []})


async def test_without_the_cloud_it_is_healthy_but_not_ready(
    agent: FakeAgent, http: httpx2.AsyncClient
) -> None:
    agent.is_up = False
    ready, healthy = await http.get("/-/ready"), await http.get("/-/healthy")
    assert (ready.status_code, ready.json()["reasons"]) == (503, ["The gateway can't be reached."])
    assert healthy.status_code == 200


async def test_a_broken_store_is_not_healthy(agent: FakeAgent, http: httpx2.AsyncClient) -> None:
    agent.health = (False, ["The disk is full."])
    answer = await http.get("/-/healthy")
    assert (answer.status_code, answer.json()) == (500, {"healthy": False, "reasons": ["The disk is full."]})


async def test_a_store_that_does_not_answer_is_not_healthy() -> None:
    app = health_app(StuckAgent(), Metrics(Figures, LagHistogram()), check_timeout_seconds=0.01)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://agent") as client:
        answer = await client.get("/-/healthy")
    assert (answer.status_code, answer.json()["reasons"]) == (500, ["The local store does not answer."])


async def test_metrics_are_prometheus_text(http: httpx2.AsyncClient) -> None:
    answer = await http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    names = {family.name for family in text_string_to_metric_families(answer.text)}
    assert {"oxbridge_calls_live", "process_resident_memory_bytes"} <= names


@pytest.mark.parametrize("path", ["/-/ready", "/-/healthy", "/metrics"])
async def test_nothing_can_be_changed_here(http: httpx2.AsyncClient, path: str) -> None:
    assert (await http.post(path)).status_code == 405
