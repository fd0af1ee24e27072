"""The gateway simulator's administration, proved by a client and by paths that we did not write.

`httpx2` speaks REST over TLS through a system's whole documented life; the agent's side of it is played by
the `websockets` client with hand-written XML (tests.simulators.gateway.raw). `slixmpp` can't take that part:
it speaks XMPP over plain streams only, not RFC 7395.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from simulators.gateway.server import GatewaySettings, GatewaySimulator
from tests.simulators.gateway.raw import RawClient, raw_client, trust

pytestmark = pytest.mark.usefixtures("no_task_left")

ADMIN = "/api/rainbow/admin/v1.0/systems"
BODY = {"name": "Lyon", "siteId": "5f3c9a7be2d14c0012ab0001", "type": "oxe", "country": "FRA"}


@pytest_asyncio.fixture
async def simulator(tmp_path: Path) -> AsyncIterator[GatewaySimulator]:
    made = GatewaySimulator(GatewaySettings(tmp_path / "ca"), None, random.Random(11).randbytes)
    await made.start()
    yield made
    await made.aclose()


@pytest_asyncio.fixture
async def admin(simulator: GatewaySimulator) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the administration that trusts nobody but the simulator's authority."""
    headers = {"Authorization": f"Bearer {simulator.admin_token}"}
    async with httpx2.AsyncClient(
        base_url=simulator.url, verify=trust(simulator), headers=headers, trust_env=False
    ) as client:
        yield client


async def system_of(admin: httpx2.AsyncClient, system_id: str) -> dict[str, Any]:
    response = await admin.get(f"{ADMIN}/{system_id}")
    assert response.status_code == 200
    data: dict[str, Any] = response.json()["data"]
    return data


async def answer(client: RawClient, request: str, payload: str = "") -> None:
    """The result of the gateway's request in the frame `request`."""
    number = request.split(' id="')[1].split('"', maxsplit=1)[0]
    sender = request.split(' from="')[1].split('"', maxsplit=1)[0]
    await client.say(f'<iq xmlns="jabber:client" type="result" id="{number}" to="{sender}">{payload}</iq>')


async def test_a_system_from_its_creation_to_its_deletion(
    simulator: GatewaySimulator, admin: httpx2.AsyncClient
) -> None:
    created = await admin.post(ADMIN, json=BODY)
    assert created.status_code == 201
    system = created.json()["data"]
    assert system["status"] == "created"
    assert len(system["jid_pbxagent_password"]) == 4

    async with raw_client(simulator) as client:
        await client.bind(system["pbxId"].lower(), system["jid_pbxagent_password"])
        hello = '<hello xmlns="urn:oxbridge:conf:1" version="1" agent="x" pbx="oxe" epoch="e" last="0"/>'
        await answer(client, await client.hear_until("<hello"), hello)
        proposal = await client.hear_until("<access")
        assert (await system_of(admin, system["id"]))["status"] == "activating"
        await answer(client, proposal)
        await client.hear_until("<snapshot")
        async with asyncio.timeout(5):
            # Polled, as a client of the real administration would have to.
            while (shown := await system_of(admin, system["id"]))["status"] != "activated":  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        state = (await admin.get(f"{ADMIN}/{system['id']}/state?format=full")).json()["data"]
        assert (state["xmpp"], state["conf"]) == ("true", "true")
        private = proposal.split(' code="')[1].split('"')[0]
        assert private not in str(shown), "an activated system shows no code that lets anybody in"

        reset = await admin.post(f"{ADMIN}/{system['id']}/reset-password")
        assert reset.status_code == 200, reset.text
        order = await client.hear_until("<disconnect")
        assert 'reason="reset"' in order
        await answer(client, order)
    again = await system_of(admin, system["id"])
    assert again["status"] == "created"
    assert again["pbxId"] == system["pbxId"]
    assert again["jid_pbxagent_password"] != system["jid_pbxagent_password"]

    async with raw_client(simulator) as client:
        assert "<not-authorized/>" in await client.authenticate(system["pbxId"].lower(), private)
    deleted = await admin.delete(f"{ADMIN}/{system['id']}")
    assert deleted.status_code == 200
    assert (await admin.get(f"{ADMIN}/{system['id']}")).status_code == 404


async def test_nobody_without_the_token_and_nobody_without_the_authority(simulator: GatewaySimulator) -> None:
    async with httpx2.AsyncClient(
        base_url=simulator.url, verify=trust(simulator), trust_env=False
    ) as stranger:
        assert (await stranger.get(ADMIN)).status_code == 401
    async with httpx2.AsyncClient(base_url=simulator.url, trust_env=False) as trustful:
        with pytest.raises(httpx2.ConnectError):
            await trustful.get(ADMIN)
