"""The gateway reads the pages of a real agent over the link, by XEP-0332."""

import asyncio
import json

import httpx2

from connector.links.tls import client_context
from connector.wire.pcg.chunks import MAX_CHUNK_BYTES
from connector.wire.pcg.http import Body
from simulators.clock import SystemClock
from simulators.gateway.journal import Kind
from simulators.pbx.server import PbxSimulator
from simulators.pbx.settings import PbxWorld, default_sets
from tests.e2e.sites import Site

# Some 130 bytes of JSON each: eight chunks and more.
MANY_SETS = 2_000


def text(body: Body) -> str:
    """A body as the text that it is."""
    return body.decode() if isinstance(body, bytes) else body or ""


async def test_all_four_pages_and_what_is_refused(site: Site) -> None:
    await site.open()
    status = await site.cloud.read(site.entry, "/status")
    assert (status.status, json.loads(text(status.body))["activation"]) == (200, "activated")
    devices = json.loads(text((await site.cloud.read(site.entry, "/devices")).body))
    assert {"3001", "3002"} <= {device["number"] for device in devices["devices"]}
    site.pbx.ring_from_outside("0639980001", site.expert)
    await site.event("delivered")
    calls = await site.cloud.read(site.entry, "/calls")
    assert calls.status == 200
    assert site.expert in text(calls.body)
    metrics = await site.cloud.read(site.entry, "/metrics")
    assert "oxbridge_" in text(metrics.body)
    assert (await site.cloud.read(site.entry, "/disable")).status == 403
    assert (await site.cloud.read(site.entry, "/status", "POST")).status == 405


async def test_a_page_too_large_for_one_stanza_comes_whole(site: Site) -> None:
    world = PbxWorld(kind=site.kind, sets=default_sets(site.kind, MANY_SETS))
    site.pbx = PbxSimulator(world, clock=SystemClock())
    await site.begin()
    site.tables["pbx"]["devices"] = [f"3001-{3000 + MANY_SETS}"]
    await site.start()
    assert (await site.activate()).code == 0
    await site.up()
    await site.until(lambda status: status["devices"]["total"] >= MANY_SETS)
    page = await site.cloud.read(site.entry, "/devices")
    assert isinstance(page.body, bytes), "it came in chunks"
    assert len(page.body) > 2 * MAX_CHUNK_BYTES
    numbers = [device["number"] for device in json.loads(page.body)["devices"]]
    assert len(set(numbers)) == len(numbers) == MANY_SETS
    read = site.cloud.journal.find(kind=Kind.HTTP)[-1]
    assert read.values == {"name": "/devices", "method": "GET", "status": 200, "bytes": len(page.body)}


async def test_an_administrator_reads_by_rest(site: Site) -> None:
    await site.open()
    context = await asyncio.to_thread(client_context, site.gateway.ca_file)
    headers = {"Authorization": f"Bearer {site.cloud.admin_token}"}
    url = f"{site.gateway.url}/_sim/systems/{site.entry.id}/agent"
    async with httpx2.AsyncClient(verify=context, headers=headers, trust_env=False) as client:
        metrics = await client.get(url, params={"resource": "/metrics"})
        assert metrics.status_code == 200, metrics.text
        assert "oxbridge_" in metrics.json()["data"]["body"]
        elsewhere = await client.get(url, params={"resource": "/etc/passwd"})
        assert (elsewhere.status_code, elsewhere.json()["data"]["status"]) == (200, 403)
        changing = await client.get(url, params={"resource": "/status", "method": "DELETE"})
        assert changing.json()["data"]["status"] == 405
