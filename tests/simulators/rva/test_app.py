import itertools
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from simulators.rva.app import create_app
from simulators.rva.hub import PATH, Hub
from simulators.rva.inbox import SmsInbox

AT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
BASE_URL = "https://hub.test"
PARAMETERS = {
    "agentID": "anna",
    "clientPhone": "+33639980001",
    "autoAnswer": "true",
    "answerInVideo": "true",
    "useRearCamera": "true",
    "useScreenSharing": "false",
    "hideSwitchInVideo": "false",
    "enableChat": "true",
    "muteConference": "true",
    "autoStart": "false",
    "mirrorMode": "false",
}
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def hub() -> Hub:
    numbers = itertools.count(1)
    hub = Hub(SmsInbox(), lambda: AT, lambda: f"t-{next(numbers)}")
    hub.base_url = BASE_URL
    return hub


@pytest.fixture
async def client(hub: Hub) -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(create_app(hub))
    async with httpx2.AsyncClient(transport=transport, base_url=BASE_URL) as client:
        yield client


async def test_an_invitation_becomes_a_delivered_message_with_a_link(
    client: httpx2.AsyncClient, hub: Hub
) -> None:
    answer = await client.post(PATH, params=PARAMETERS, headers=JSON)
    assert (answer.status_code, answer.json()) == (200, {"id": "t-2", "status": "accepted"})
    shown = (await client.get("/api/inbox")).json()
    assert shown == {
        "total": 1,
        "messages": [
            {
                "id": "t-2",
                "to": "+33639980001",
                "agent": "anna",
                "at": "2026-11-20T09:00:00Z",
                "text": "Video assistance: show the expert what you see. Open https://hub.test/guest/t-1",
                "link": "https://hub.test/guest/t-1",
                "state": "delivered",
            }
        ],
    }
    (message,) = hub.inbox.messages()
    assert message.options.use_rear_camera
    assert not message.options.mirror_mode


async def test_an_absent_switch_is_off(client: httpx2.AsyncClient, hub: Hub) -> None:
    needed = {name: PARAMETERS[name] for name in ("agentID", "clientPhone")}
    assert (await client.post(PATH, params=needed, headers=JSON)).status_code == 200
    assert not hub.inbox.messages()[0].options.auto_answer


async def test_the_same_request_twice_sends_two(client: httpx2.AsyncClient, hub: Hub) -> None:
    for _ in range(2):
        await client.post(PATH, params=PARAMETERS, headers=JSON)
    assert len(hub.inbox) == 2


def without(name: str) -> list[tuple[str, str]]:
    return [pair for pair in PARAMETERS.items() if pair[0] != name]


@pytest.mark.parametrize(
    ("params", "headers", "names"),
    [
        (without("agentID"), JSON, ["agentID"]),
        (without("clientPhone"), JSON, ["clientPhone"]),
        ([], JSON, ["agentID", "clientPhone"]),
        ([*without("clientPhone"), ("clientPhone", "0639980001")], JSON, ["clientPhone"]),
        ([*without("clientPhone"), ("clientPhone", "+33639980001\n")], JSON, ["clientPhone"]),
        ([*without("agentID"), ("agentID", "<b>")], JSON, ["agentID"]),
        ([*without("autoStart"), ("autoStart", "True")], JSON, ["autoStart"]),
        ([*without("autoStart"), ("autoStart", "1")], JSON, ["autoStart"]),
        ([*PARAMETERS.items(), ("auto_start", "true")], JSON, ["auto_start"]),
        ([*PARAMETERS.items(), ("more", "1")], JSON, ["more"]),
        ([*PARAMETERS.items(), ("clientPhone", "+33639980002")], JSON, ["clientPhone"]),
        (list(PARAMETERS.items()), {}, ["Content-Type"]),
        (list(PARAMETERS.items()), {"Content-Type": "text/plain"}, ["Content-Type"]),
    ],
)
async def test_a_wrong_request_names_what_is_wrong_and_sends_nothing(
    client: httpx2.AsyncClient, hub: Hub, params: Any, headers: dict[str, str], names: list[str]
) -> None:
    answer = await client.post(PATH, params=params, headers=headers)
    assert answer.status_code == 400
    body = answer.json()
    assert body["error"] == "invalid-request"
    assert sorted(problem["name"] for problem in body["problems"]) == names
    assert "639980002" not in answer.text
    assert len(hub.inbox) == 0


async def test_only_post_invites(client: httpx2.AsyncClient, hub: Hub) -> None:
    assert (await client.get(PATH, params=PARAMETERS)).status_code == 405
    assert len(hub.inbox) == 0


async def test_the_pages_show_the_message_and_its_call(client: httpx2.AsyncClient) -> None:
    empty = (await client.get("/")).text
    assert "No message yet" in empty
    await client.post(PATH, params=PARAMETERS, headers=JSON)
    for address in ("/", "/messages"):
        page = (await client.get(address)).text
        assert '<a href="https://hub.test/guest/t-1">' in page
        assert "+33639980001" in page
        assert "Delivered" in page
    guest = (await client.get("/guest/t-1")).text
    assert "<strong>+33639980001</strong>" in guest
    assert "<strong>anna</strong>" in guest
    assert "no real SMS is sent" in guest


async def test_search_narrows_page_and_list(client: httpx2.AsyncClient) -> None:
    await client.post(PATH, params=PARAMETERS, headers=JSON)
    assert (await client.get("/api/inbox", params={"search": "berta"})).json() == {"total": 1, "messages": []}
    page = (await client.get("/", params={"search": '"><script>alert(1)</script>'})).text
    assert "Nothing found" in page
    assert "<script>alert" not in page
    assert (await client.get("/", params={"search": "x" * 65})).status_code == 400


@pytest.mark.parametrize(
    "address", ["/guest/unknown", "/guest/..%2f..%2fetc", "/static/../app.py", "/nothing"]
)
async def test_what_is_not_there_is_not_found(client: httpx2.AsyncClient, address: str) -> None:
    assert (await client.get(address)).status_code in (400, 404)


@pytest.mark.parametrize(
    "address", ["/", "/messages", "/guest/unknown", "/api/inbox", "/static/inbox.js", PATH]
)
async def test_every_answer_is_locked_down(client: httpx2.AsyncClient, address: str) -> None:
    headers = (await client.get(address)).headers
    assert headers["content-security-policy"].startswith("default-src 'none';")
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("address", ["/", "/guest/t-1"])
async def test_pages_load_nothing_from_afar_and_hold_no_script(
    client: httpx2.AsyncClient, address: str
) -> None:
    await client.post(PATH, params=PARAMETERS, headers=JSON)
    page = (await client.get(address)).text
    own = page.replace(BASE_URL, "")
    assert "http://" not in own
    assert "https://" not in own
    assert "<style" not in page
    assert page.count("<script") == page.count('<script src="/static/')


async def test_the_interface_is_described(client: httpx2.AsyncClient) -> None:
    described = (await client.get("/openapi.json")).json()
    operation = described["paths"][PATH]["post"]
    assert {parameter["name"] for parameter in operation["parameters"]} == set(PARAMETERS)
    assert "400" in operation["responses"]
    assert (await client.get("/docs")).status_code == 404
