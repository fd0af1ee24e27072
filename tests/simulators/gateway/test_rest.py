"""The administration's REST calls: shapes, errors, authentication, console. No socket is opened."""

import random
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from connector.domain.configuration import MonitorRefusal
from connector.domain.devices import Device, DeviceState
from connector.domain.identifiers import Channel
from simulators.gateway import rest, rest_numbers
from simulators.gateway.app import create_app
from simulators.gateway.faults import FaultName
from simulators.gateway.gateway import Gateway, Options
from simulators.gateway.guard import MAX_BODY_BYTES
from simulators.gateway.journal import Kind
from simulators.gateway.systems import Profile, System, SystemType
from tests.simulators.gateway.agents import NOON, VirtualClock

ADMIN = "/api/rainbow/admin/v1.0"
BODY = {"name": "Lyon", "siteId": "site1", "type": "oxe"}


@pytest.fixture
def gateway() -> Gateway:
    return Gateway(Options(), VirtualClock(), random.Random(9).randbytes)


@pytest_asyncio.fixture
async def client(gateway: Gateway) -> AsyncIterator[httpx2.AsyncClient]:
    headers = {"Authorization": f"Bearer {gateway.admin_token}"}
    transport = httpx2.ASGITransport(create_app(gateway))
    async with httpx2.AsyncClient(transport=transport, base_url="https://localhost", headers=headers) as made:
        yield made


def _error(response: httpx2.Response, status: int) -> dict[str, Any]:
    body: dict[str, Any] = response.json()
    assert response.status_code == status
    assert set(body) == {"errorCode", "errorMsg", "errorDetails", "errorDetailsCode"}
    assert body["errorCode"] == status
    return body


def _system(gateway: Gateway, name: str = "Lyon", pbx_id: str = "") -> System:
    return gateway.create_system(Profile(name=name, type=SystemType.OXE, site_id="s1"), pbx_id=pbx_id)


async def test_a_created_system_has_its_documented_shape(client: httpx2.AsyncClient) -> None:
    response = await client.post(f"{ADMIN}/systems", json={**BODY, "country": "FRA"})
    assert response.status_code == 201
    data = response.json()["data"]
    assert re.fullmatch(r"[0-9a-f]{24}", data["id"])
    assert data["siteId"] == ["site1"]
    assert data["status"] == "created"
    assert re.fullmatch(r"[1-9][0-9]{3}", data["jid_pbxagent_password"])
    assert data["jid_pbxagent"] == data["pbxId"].lower() + "@rainbow.test"
    assert (data["jid_pbxagent_password_activating"], data["activatingTransactionId"]) == ("", "")
    assert data["creationDate"] == data["statusUpdatedDate"] == "2026-11-20T12:00:00.000Z"
    assert (data["serverPingTimeout"], data["country"], data["bpId"]) == (120, "FRA", None)
    assert "connectionHistory" not in data


async def test_a_given_identity_and_code_are_taken(client: httpx2.AsyncClient) -> None:
    body = {
        **BODY,
        "pbxId": "PBX7",
        "activationCode": "4711",
        "type": "third party",
        "serverPingTimeout": "60",
    }
    data = (await client.post(f"{ADMIN}/systems", json=body)).json()["data"]
    assert (data["pbxId"], data["jid_pbxagent_password"]) == ("PBX7", "4711")
    assert (data["type"], data["serverPingTimeout"]) == ("third_party", 60)
    again = await client.post(f"{ADMIN}/systems", json={**BODY, "pbxId": "pbx7"})
    _error(again, 409)


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"name": None}, "name"),
        ({"siteId": ""}, "siteId"),
        ({"type": "alcatel"}, "type"),
        ({"pbxId": "a b"}, "pbxId"),
        ({"country": "France"}, "country"),
        ({"activationCode": "12"}, "activationCode"),
        ({"isShared": "yes"}, "isShared"),
        ({"pbxNumberingTranslator": [{"regexpMatch": "1" * 65}]}, "pbxNumberingTranslator.0.regexpMatch"),
    ],
)
async def test_a_wrong_field_is_named_and_its_value_is_not_told(
    client: httpx2.AsyncClient, change: dict[str, Any], param: str
) -> None:
    response = await client.post(f"{ADMIN}/systems", json={**BODY, **change})
    body = _error(response, 400)
    assert [detail["param"] for detail in body["errorDetails"]] == [param]
    assert "input" not in response.text


async def test_missing_fields_and_broken_json_are_400(client: httpx2.AsyncClient) -> None:
    missing = _error(await client.post(f"{ADMIN}/systems", json={}), 400)
    assert {detail["param"] for detail in missing["errorDetails"]} == {"name", "siteId", "type"}
    _error(await client.post(f"{ADMIN}/systems", content=b"{"), 400)


async def test_rules_across_fields(client: httpx2.AsyncClient) -> None:
    same = {**BODY, "pbxNationalPrefix": "0", "pbxInternationalPrefix": "0"}
    assert _error(await client.post(f"{ADMIN}/systems", json=same), 400)["errorDetailsCode"] == 400601
    both = {**BODY, "isCentrex": True, "isShared": True}
    _error(await client.post(f"{ADMIN}/systems", json=both), 409)


async def test_a_body_over_the_limit_is_413(client: httpx2.AsyncClient) -> None:
    response = await client.post(f"{ADMIN}/systems", content=b" " * (MAX_BODY_BYTES + 1))
    _error(response, 413)
    assert response.headers["connection"] == "close"


@pytest.mark.parametrize("header", ["", "Bearer wrong", "Basic eHg6eXk=", "Bearer \xe9"])
async def test_without_the_token_nothing_is_told(client: httpx2.AsyncClient, header: str) -> None:
    response = await client.get(f"{ADMIN}/systems", headers={b"authorization": header.encode("latin-1")})
    assert _error(response, 401)["errorDetailsCode"] == 401202
    assert response.headers["www-authenticate"] == "Bearer"


async def test_the_health_calls_are_open(client: httpx2.AsyncClient) -> None:
    client.headers.pop("Authorization")
    assert (await client.get("/api/rainbow/ping")).json() == {"status": "OK"}
    assert set((await client.get(f"{ADMIN}/about")).json()) == {"version", "description"}


async def test_a_list_has_formats_pages_and_filters(client: httpx2.AsyncClient, gateway: Gateway) -> None:
    for number in range(5):
        _system(gateway, f"Site {number}", f"PBX{number}")
    small = (await client.get(f"{ADMIN}/systems", params={"limit": 2, "offset": 1})).json()
    assert {key: small[key] for key in ("total", "limit", "offset")} == {"total": 5, "limit": 2, "offset": 1}
    assert [item["pbxId"] for item in small["data"]] == ["PBX1", "PBX2"]
    assert set(small["data"][0]) == {"id", "pbxId", "version"}
    medium = (await client.get(f"{ADMIN}/systems?format=medium&sortOrder=-1&limit=1")).json()["data"][0]
    assert set(medium) == {"id", "name", "pbxId", "serialNumber", "version", "status"}
    assert medium["pbxId"] == "PBX4"
    named = (await client.get(f"{ADMIN}/systems?name=SITE 3&status=created&type=oxe&isShared=false")).json()
    assert [item["pbxId"] for item in named["data"]] == ["PBX3"]
    assert (await client.get(f"{ADMIN}/systems?status=activated&type=oxo")).json()["total"] == 0
    beyond = (await client.get(f"{ADMIN}/systems?offset=99")).json()
    assert (beyond["data"], beyond["total"]) == ([], 5)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "offset=-1", "format=huge", "sortOrder=2", "status=dead", "isShared=1"]
)
async def test_a_wrong_query_is_400(client: httpx2.AsyncClient, query: str) -> None:
    _error(await client.get(f"{ADMIN}/systems?{query}"), 400)


async def test_the_query_of_a_real_client_is_taken(client: httpx2.AsyncClient, gateway: Gateway) -> None:
    _system(gateway)
    query = "format=small&limit=100&offset=0&sortField=pbxId&sortOrder=1&connectionHistory=true"
    item = (await client.get(f"{ADMIN}/systems?{query}")).json()["data"][0]
    assert item["connectionHistory"] == []


async def test_one_system_is_read_by_id_and_by_pbx_id(client: httpx2.AsyncClient, gateway: Gateway) -> None:
    system = _system(gateway, pbx_id="PBX7")
    by_id = await client.get(f"{ADMIN}/systems/{system.id}")
    by_pbx_id = await client.get(f"{ADMIN}/systems/pbxid/pbx7?connectionHistory=true")
    assert by_id.json()["data"]["id"] == by_pbx_id.json()["data"]["id"] == system.id
    assert by_pbx_id.json()["data"]["connectionHistory"] == []
    for path in (f"/systems/{'0' * 24}", "/systems/pbxid/none", f"/systems/{'0' * 24}/state"):
        assert _error(await client.get(ADMIN + path), 404)["errorDetailsCode"] == 404000
    _error(await client.get(f"{ADMIN}/systems/xyz"), 400)


async def test_the_activation_shows_in_the_documented_fields(
    client: httpx2.AsyncClient, gateway: Gateway
) -> None:
    system = _system(gateway)
    system.propose(NOON, gateway.random)
    data = (await client.get(f"{ADMIN}/systems/{system.id}")).json()["data"]
    assert data["status"] == "activating"
    assert data["jid_pbxagent_password"] == system.public_code
    assert data["jid_pbxagent_password_activating"] == system.private_code
    assert data["activatingTransactionId"] == system.transaction
    system.acknowledge(NOON)
    response = await client.get(f"{ADMIN}/systems/{system.id}")
    assert response.json()["data"]["status"] == "activated"
    assert response.json()["data"]["jid_pbxagent_password"] == system.shown_password()
    assert system.private_code not in response.text


async def test_the_state_has_three_formats_of_texts(client: httpx2.AsyncClient, gateway: Gateway) -> None:
    system = _system(gateway)
    system.set_channel(Channel.XMPP, NOON, is_up=True)
    system.set_channel(Channel.CONF, NOON + timedelta(seconds=2), is_up=True)

    async def state(query: str) -> dict[str, Any]:
        answer: dict[str, Any] = (await client.get(f"{ADMIN}/systems/{system.id}/state{query}")).json()
        return dict(answer["data"])

    at = str(int(NOON.timestamp()) + 2)
    assert await state("") == {"timestamp": at, "connection": "true"}
    assert await state("?format=medium") == {
        "timestamp": at,
        "conf": "true",
        "csta": "false",
        "http": "false",
    }
    full = await state("?format=full&connectionHistory=true")
    assert (full["xmpp"], full["connection"], full["csta"]) == ("true", "true", "false")
    assert full["connectionHistory"] == [{"eventType": "connected", "eventDate": "2026-11-20T12:00:00.000Z"}]


async def test_phone_numbers_are_made_from_the_device_list(
    client: httpx2.AsyncClient, gateway: Gateway
) -> None:
    system = _system(gateway)
    devices = [Device(str(number), "Doe", "Jane", "4035", DeviceState.IN_SERVICE) for number in (3002, 3001)]
    system.phone_book.take_page((1, 1, 1), devices, lambda: gateway.random(12).hex())
    path = f"{ADMIN}/systems/{system.id}/phone-numbers"
    small = (await client.get(f"{path}?format=small&limit=100&sortField=shortNumber&sortOrder=1")).json()
    assert [item["shortNumber"] for item in small["data"]] == ["3001", "3002"]
    assert set(small["data"][0]) == {"id", "shortNumber", "internalNumber", "numberE164"}
    full = (await client.get(f"{path}?format=full&shortNumber=3002&name=ja")).json()["data"][0]
    assert (full["firstName"], full["lastName"], full["deviceName"]) == ("Jane", "Doe", "Jane Doe")
    assert (full["isFromSystem"], full["userId"], full["type"]) == (True, None, "work")
    one = (await client.get(f"{path}/{full['id']}")).json()["data"]
    assert one == full
    assert (await client.get(f"{path}?name=x")).json()["total"] == 0
    _error(await client.get(f"{path}/{'0' * 24}"), 404)


async def test_reset_and_delete(client: httpx2.AsyncClient, gateway: Gateway) -> None:
    system = _system(gateway)
    system.propose(NOON, gateway.random)
    system.acknowledge(NOON)
    data = (await client.post(f"{ADMIN}/systems/{system.id}/reset-password")).json()["data"]
    assert (data["status"], data["jid_pbxagent_password"]) == ("created", system.public_code)
    deleted = await client.delete(f"{ADMIN}/systems/{system.id}")
    assert set(deleted.json()) == {"status"}
    _error(await client.delete(f"{ADMIN}/systems/{system.id}"), 404)


async def test_unknown_paths_and_methods_have_the_same_error_body(client: httpx2.AsyncClient) -> None:
    _error(await client.get("/nowhere"), 404)
    refused = await client.patch(f"{ADMIN}/systems")
    _error(refused, 405)
    assert refused.headers["allow"] == "GET, POST"
    assert (await client.post("/docs")).headers["allow"] == "GET"


async def test_the_journal_is_queried(client: httpx2.AsyncClient, gateway: Gateway) -> None:
    system = _system(gateway)
    gateway.journal.add(Kind.HELLO, NOON, system.id, known={"agent": "oxbridge"})
    gateway.journal.add(Kind.DEVICES, NOON, system.id, known={"name": "list", "devices": 3})
    entries = (await client.get(f"/_sim/journal?since=1&system={system.id}")).json()
    assert entries == [
        {
            "id": 2,
            "at": "2026-11-20T12:00:00.000Z",
            "system": system.id,
            "kind": "devices",
            "name": "list",
            "values": {"name": "list", "devices": 3},
        }
    ]
    assert len((await client.get("/_sim/journal?kind=hello")).json()) == 1
    _error(await client.get("/_sim/journal?kind=nothing"), 400)


async def test_the_console_shows_systems_and_events(client: httpx2.AsyncClient, gateway: Gateway) -> None:
    assert "No system yet" in (await client.get("/")).text
    system = _system(gateway, "<b>Lyon</b>")
    gateway.journal.add(Kind.LOGIN_REFUSED, NOON, system.id, known={"user": "<script>"})
    page = await client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "&lt;b&gt;Lyon&lt;/b&gt;" in page.text
    assert "&lt;script&gt;" in page.text
    assert system.public_code in page.text
    assert "not for production" in page.text
    assert (await client.get(f"/_sim/systems/{system.id}")).status_code == 200
    _error(await client.get("/_sim/systems/none"), 404)


async def test_pages_load_nothing_from_elsewhere_and_nothing_inline(
    client: httpx2.AsyncClient, gateway: Gateway
) -> None:
    system = _system(gateway)
    for path in ("/", "/docs", f"/_sim/systems/{system.id}"):
        page = await client.get(path)
        assert page.status_code == 200
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//|<style|style=| on[a-z]+=""", page.text)
        assert all(tag.startswith("<script src=") for tag in re.findall(r"<script[^>]*", page.text))
        for asset in re.findall(r'(?:src|href)="(/_sim/static/[^"]+)"', page.text):
            assert (await client.get(asset)).status_code == 200
    _error(await client.get("/_sim/static/other"), 404)


@pytest.mark.parametrize(
    ("peer", "host", "is_let_in"),
    [
        ("127.0.0.1", "localhost:8443", True),
        ("::1", "[::1]:8443", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("192.0.2.7", "localhost", False),
        ("127.0.0.1", "evil.example", False),
        ("127.0.0.1", "localhost.evil.example:8443", False),
    ],
)
async def test_the_console_is_for_this_machine(
    gateway: Gateway, peer: str, host: str, is_let_in: bool
) -> None:
    transport = httpx2.ASGITransport(create_app(gateway), client=(peer, 40_000))
    async with httpx2.AsyncClient(transport=transport, base_url="https://localhost") as client:
        for path in ("/", "/_sim/journal"):
            response = await client.get(path, headers={"Host": host, "X-Forwarded-For": "127.0.0.1"})
            assert (response.status_code == 200) is is_let_in
        assert (await client.get("/api/rainbow/ping", headers={"Host": host})).status_code == 200


async def test_a_put_changes_what_it_names_and_nothing_else(
    client: httpx2.AsyncClient, gateway: Gateway
) -> None:
    system = _system(gateway)
    rules = [{"regexpMatch": "^7(.*)$", "regexpReplace": r"0033\1", "description": "short"}]
    body = {
        "country": "FRA",
        "pbxNumberingTranslator": rules,
        "serverPingTimeout": "60",
        "pbxMainBundlePrefix": ["9"],
    }
    data = (await client.put(f"{ADMIN}/systems/{system.id}", json=body)).json()["data"]
    assert data["pbxNumberingTranslator"] == rules
    assert (data["name"], data["serverPingTimeout"], data["country"]) == ("Lyon", 60, "FRA")
    assert (data["pbxMainBundlePrefix"], data["siteId"]) == (["9"], ["s1"])
    emptied = await client.put(f"{ADMIN}/systems/{system.id}", json={"pbxNumberingTranslator": []})
    assert emptied.json()["data"]["pbxNumberingTranslator"] == []
    assert emptied.json()["data"]["pbxMainBundlePrefix"] == ["9"]


async def test_a_put_changes_neither_identity_nor_code(client: httpx2.AsyncClient, gateway: Gateway) -> None:
    system = _system(gateway, pbx_id="PBX7")
    body = {"pbxId": "PBX8", "activationCode": "1234", "isCentrex": True, "status": "activated"}
    data = (await client.put(f"{ADMIN}/systems/{system.id}", json=body)).json()["data"]
    assert (data["pbxId"], data["isCentrex"], data["status"]) == ("PBX7", False, "created")
    assert data["jid_pbxagent_password"] == system.public_code != "1234"


@pytest.mark.parametrize(
    "body",
    [
        {"pbxNumberingTranslator": [{"regexpMatch": r"^\d+$"}]},
        {"pbxNumberingTranslator": [{"regexpMatch": "x" * 65}]},
        {"pbxNumberingTranslator": [{"regexpMatch": "a"}] * 101},
        {"pbxNumberingTranslator": [{"regexpReplace": "a"}]},
        {"country": "XXX"},
        {"serverPingTimeout": 2},
        {"type": "cisco"},
    ],
)
async def test_a_put_that_breaks_a_rule_is_refused_and_changes_nothing(
    client: httpx2.AsyncClient, gateway: Gateway, body: dict[str, Any]
) -> None:
    system = _system(gateway)
    before = system.profile
    _error(await client.put(f"{ADMIN}/systems/{system.id}", json={"name": "Paris", **body}), 400)
    assert system.profile == before


async def test_a_backslash_that_is_meant_may_stand_before_a_d(
    client: httpx2.AsyncClient, gateway: Gateway
) -> None:
    body = {"pbxNumberingTranslator": [{"regexpMatch": r"^\\d\+$"}]}
    assert (await client.put(f"{ADMIN}/systems/{_system(gateway).id}", json=body)).status_code == 200


async def test_rules_across_fields_hold_for_what_would_be_in_force(
    client: httpx2.AsyncClient, gateway: Gateway
) -> None:
    system = _system(gateway)
    path = f"{ADMIN}/systems/{system.id}"
    assert (await client.put(path, json={"pbxNationalPrefix": "0"})).status_code == 200
    refused = _error(await client.put(path, json={"pbxInternationalPrefix": "0"}), 400)
    assert refused["errorDetailsCode"] == 400601
    created = await client.post(f"{ADMIN}/systems", json={**BODY, "isCentrex": True})
    centrex = created.json()["data"]["id"]
    _error(await client.put(f"{ADMIN}/systems/{centrex}", json={"isShared": True}), 409)


async def test_a_system_that_is_not_shared_any_more_belongs_to_no_partner(
    client: httpx2.AsyncClient, gateway: Gateway
) -> None:
    path = f"{ADMIN}/systems/{_system(gateway).id}"
    shared = await client.put(path, json={"isShared": True, "bpId": "bp1"})
    assert (shared.json()["data"]["isShared"], shared.json()["data"]["bpId"]) == (True, "bp1")
    assert (await client.put(path, json={"isShared": False})).json()["data"]["bpId"] is None


async def test_the_countries_are_those_that_a_system_may_be_in(client: httpx2.AsyncClient) -> None:
    countries = (await client.get(f"{ADMIN}/systems/countries")).json()["data"]
    assert {"FRA", "DEU", "CHE"} <= set(countries)
    assert all(re.fullmatch("[A-Z]{3}", country) for country in countries)
    refused = await client.put(f"{ADMIN}/systems/countries", json={})
    _error(refused, 405)
    assert refused.headers["allow"] == "GET"


def _with_numbers(gateway: Gateway) -> tuple[System, list[str]]:
    system = _system(gateway)
    devices = [Device(number, state=DeviceState.IN_SERVICE, source="csta") for number in ("3001", "3002")]
    system.phone_book.take_page((1, 1, 1), devices, lambda: gateway.random(12).hex())
    return system, [entry.id for entry in system.phone_book.numbers()]


async def test_a_number_is_linked_to_a_user_and_shown_so(
    client: httpx2.AsyncClient, gateway: Gateway
) -> None:
    system, ids = _with_numbers(gateway)
    path = f"{ADMIN}/systems/{system.id}/phone-numbers/{ids[0]}"
    body = {
        "isMonitored": True,
        "userId": "u9",
        "internalNumber": "88",
        "firstName": "Anna",
        "country": "FRA",
    }
    data = (await client.put(path, json=body)).json()["data"]
    assert (data["isMonitored"], data["userId"], data["internalNumber"]) == (True, "u9", "88")
    assert (data["shortNumber"], data["firstName"], data["country"]) == ("3001", "Anna", "FRA")
    assert (await client.get(path)).json()["data"] == data
    unlinked = (await client.put(path, json={"userId": ""})).json()["data"]
    assert (unlinked["userId"], unlinked["isMonitored"]) == (None, True)


async def test_an_internal_number_is_given_once(client: httpx2.AsyncClient, gateway: Gateway) -> None:
    system, ids = _with_numbers(gateway)
    path = f"{ADMIN}/systems/{system.id}/phone-numbers"
    refused = _error(await client.put(f"{path}/{ids[0]}", json={"internalNumber": "3002"}), 409)
    assert refused["errorDetailsCode"] == 409552
    assert (await client.put(f"{path}/{ids[0]}", json={"internalNumber": "3001"})).status_code == 200


async def test_a_number_that_is_not_there_is_not_found(client: httpx2.AsyncClient, gateway: Gateway) -> None:
    system, _ = _with_numbers(gateway)
    _error(await client.put(f"{ADMIN}/systems/{system.id}/phone-numbers/{'0' * 24}", json={}), 404)


async def test_an_agent_that_takes_no_change_leaves_everything_as_it_was(
    client: httpx2.AsyncClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    system, ids = _with_numbers(gateway)
    monkeypatch.setattr(rest_numbers, "CONFIRM_SECONDS", 0.01)
    monkeypatch.setattr(
        gateway, "link", lambda system, entry, link, _taken: system.phone_book.link(entry, link)
    )
    path = f"{ADMIN}/systems/{system.id}/phone-numbers/{ids[0]}"
    refused = _error(await client.put(path, json={"isMonitored": True}), 500)
    assert refused["errorDetailsCode"] == 500600
    assert not (await client.get(path)).json()["data"]["isMonitored"]


async def test_a_delete_that_is_never_confirmed_deletes_nothing(
    client: httpx2.AsyncClient, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = _system(gateway)
    monkeypatch.setattr(rest, "CONFIRM_SECONDS", 0.01)
    path = f"/_sim/faults/{FaultName.UNANSWERED_DELETE}"
    assert (await client.put(path, json={"on": True})).json()["on"] is True
    refused = _error(await client.delete(f"{ADMIN}/systems/{system.id}"), 500)
    assert refused["errorDetailsCode"] == 500600
    assert (await client.put(path, json={"on": False})).json()["on"] is False
    deleted = (await client.delete(f"{ADMIN}/systems/{system.id}")).json()
    assert deleted == {"status": f"System {system.id} successfully deleted"}
    assert gateway.systems.get(system.id) is None


async def test_faults_are_listed_and_switched_with_a_value(
    client: httpx2.AsyncClient, gateway: Gateway
) -> None:
    assert {one["name"] for one in (await client.get("/_sim/faults")).json()} == set(FaultName)
    switched = (await client.put("/_sim/faults/slow", json={"on": True, "value": 50})).json()
    assert (switched["on"], switched["value"], switched["unit"]) == (True, 50, "bytes/s")
    assert gateway.faults.value(FaultName.SLOW) == 50
    _error(await client.put("/_sim/faults/slow", json={"on": "yes"}), 400)
    _error(await client.put("/_sim/faults/none", json={"on": True}), 400)


async def test_the_limits_at_work_are_shown(client: httpx2.AsyncClient, gateway: Gateway) -> None:
    gateway.open_session(lambda: None, "192.0.2.1")
    for _ in range(5):
        gateway._verdict("192.0.2.1", "pbx1", None)
    shown = (await client.get("/_sim/limits")).json()
    assert (shown["sessions"], shown["before_login"]) == (1, 1)
    assert shown["paused"] == [{"user": "pbx1", "seconds": 900.0}]


async def test_the_page_of_a_system_shows_its_configuration(
    client: httpx2.AsyncClient, gateway: Gateway
) -> None:
    system, _ = _with_numbers(gateway)
    system.answers.refused = {"3002": MonitorRefusal.LIMIT}
    page = (await client.get(f"/_sim/systems/{system.id}")).text
    assert "not answered yet" in page
    assert "limit</span>" in page
    gateway.faults.switch_on(FaultName.SLOW)
    assert "1 fault switched on" in (await client.get("/")).text
    assert 'aria-checked="true" aria-label="slow"' in (await client.get("/_sim/switches")).text
