"""The control API and its client, over a real Unix socket."""

import asyncio
import json
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from connector.agent.control_client import MAX_ANSWER_BYTES, ControlClient
from connector.agent.followers import MAX_FOLLOWERS
from connector.domain.devices import Device
from connector.domain.errors import ConnectorError, StoreError
from connector.domain.faults import FaultId
from tests.agent.fake_agent import RIGHT_CODE, FakeAgent, controlled


@pytest.fixture
async def agent(tmp_path: Path) -> AsyncIterator[FakeAgent]:
    async with controlled(FakeAgent(), tmp_path / "control.sock") as running:
        yield running


@pytest.fixture
def client(tmp_path: Path) -> ControlClient:
    return ControlClient(str(tmp_path / "control.sock"))


async def activated(client: ControlClient, code: str) -> list[dict[str, Any]]:
    return await asyncio.to_thread(lambda: list(client.activate(code)))


async def raw(tmp_path: Path, request: bytes) -> bytes:
    """The answer to `request`, byte for byte."""
    reader, writer = await asyncio.open_unix_connection(str(tmp_path / "control.sock"))
    writer.write(request)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_the_socket_is_for_owner_and_group_and_goes_with_the_agent(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    async with controlled(FakeAgent(), path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert not path.exists()


async def test_status_devices_and_calls(agent: FakeAgent, client: ControlClient) -> None:
    agent.call_list = [{"call": "c-1", "device": "101"}]
    assert await asyncio.to_thread(client.get, "/status") == agent.status().as_json()
    devices = await asyncio.to_thread(client.get, "/devices")
    assert devices["revision"] == 5
    assert devices["devices"][1] == {
        "number": "102",
        "name": "",
        "first_name": "",
        "type": "",
        "state": "out-of-service",
        "source": "csta",
    }
    assert (await asyncio.to_thread(client.get, "/calls"))["calls"] == agent.call_list


async def test_orders_are_obeyed_and_answered_with_a_sentence(
    agent: FakeAgent, client: ControlClient
) -> None:
    for order in ("enable", "disable", "reset"):
        assert await asyncio.to_thread(client.post, f"/{order}") == f"Done: {order}."
    assert agent.orders == ["enable", "disable", "reset"]


async def test_an_order_that_fails_says_why(agent: FakeAgent, client: ControlClient) -> None:
    agent.refuses = StoreError(FaultId.STORE_UNUSABLE, "disabled.json: no space")
    with pytest.raises(ConnectorError) as raised:
        await asyncio.to_thread(client.post, "/disable")
    assert (raised.value.fault, raised.value.detail) == (FaultId.STORE_UNUSABLE, "disabled.json: no space")


@pytest.mark.usefixtures("agent")
@pytest.mark.parametrize("order", ["enable", "disable", "reset", "activate"])
async def test_looking_is_no_order(tmp_path: Path, order: str) -> None:
    request = f"GET /{order} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    assert b" 405 " in (await raw(tmp_path, request.encode())).split(b"\r\n")[0]


@pytest.mark.usefixtures("agent")
async def test_the_configuration_in_force(client: ControlClient) -> None:
    answer = await asyncio.to_thread(client.get, "/configuration")
    assert answer["values"] == [{"setting": "site.country", "value": "FR", "source": "cloud revision 17"}]


async def test_fifteen_thousand_devices_fit(agent: FakeAgent, client: ControlClient) -> None:
    agent.device_list = [Device(str(10_000 + n), "N" * 40, "F" * 40) for n in range(15_000)]
    answer = await asyncio.to_thread(client.get, "/devices")
    assert len(answer["devices"]) == 15_000
    assert len(json.dumps(answer)) < MAX_ANSWER_BYTES / 4


async def test_activation_tells_its_steps_and_its_end(agent: FakeAgent, client: ControlClient) -> None:
    assert await activated(client, RIGHT_CODE) == [
        {"progress": "Connecting to the gateway."},
        {"progress": "The private code is stored."},
        {"result": "This agent is activated."},
    ]
    assert agent.codes == [RIGHT_CODE]


@pytest.mark.usefixtures("agent")
async def test_a_wrong_code_is_the_gateways_word(client: ControlClient) -> None:
    with pytest.raises(ConnectorError) as raised:
        await activated(client, "1234")
    assert raised.value.fault is FaultId.CLOUD_NOT_AUTHORIZED
    assert raised.value.detail == "not-authorized"


async def test_a_defect_in_an_activation_is_an_answer_too(
    agent: FakeAgent, client: ControlClient, caplog: pytest.LogCaptureFixture
) -> None:
    agent.breaks = ZeroDivisionError("inside")
    with pytest.raises(ConnectorError) as raised:
        await activated(client, RIGHT_CODE)
    assert raised.value.fault is FaultId.OWN_PROTOCOL
    assert [record.message for record in caplog.records] == ["activation-broke"]


@pytest.mark.parametrize("code", ["", "12 34", "ä", "a" * 65, "4711\n", "'; drop"])
async def test_what_can_be_no_code_never_reaches_the_agent(
    agent: FakeAgent, client: ControlClient, code: str
) -> None:
    with pytest.raises(ConnectorError) as raised:
        await activated(client, code)
    assert raised.value.fault is FaultId.CONTROL_REFUSED
    assert not code or code not in str(raised.value)
    assert agent.codes == []


@pytest.mark.usefixtures("agent")
@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"code": 4711}', b"\xff", b"[" * 4000, b"x" * 5000, b'{"cod": "1"}']
)
async def test_a_body_of_another_shape_is_refused(tmp_path: Path, body: bytes) -> None:
    head = b"POST /activate HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    answer = await raw(tmp_path, head % len(body) + body)
    assert answer.startswith(b"HTTP/1.1 409 ")
    assert json.loads(answer.split(b"\r\n\r\n")[1])["error"]["fault"] == "control-refused"


@pytest.mark.usefixtures("agent")
@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET /nothing", b"404"),
        (b"GET /activate", b"405"),
        (b"DELETE /calls", b"405"),
        (b"POST /status", b"405"),
    ],
)
async def test_other_requests_are_refused(tmp_path: Path, request_line: bytes, status: bytes) -> None:
    answer = await raw(tmp_path, request_line + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert answer.split(b" ")[1] == status


async def test_following_calls_until_the_agent_stops(agent: FakeAgent, client: ControlClient) -> None:
    seen: list[dict[str, Any]] = []
    following = asyncio.create_task(asyncio.to_thread(lambda: seen.extend(client.follow("/calls/follow"))))
    await until(lambda: len(agent.followers) == 1)
    agent.followers.publish({"event": "delivered", "caller": "0199001234"})
    agent.followers.publish({"event": "established"})
    agent.followers.end()
    await following
    assert [record["event"] for record in seen] == ["delivered", "established"]
    await until(lambda: len(agent.followers) == 0)


async def test_a_follower_that_goes_away_is_forgotten(agent: FakeAgent, tmp_path: Path) -> None:
    _, writer = await asyncio.open_unix_connection(str(tmp_path / "control.sock"))
    writer.write(b"GET /calls/follow HTTP/1.1\r\nHost: x\r\n\r\n")
    await until(lambda: len(agent.followers) == 1)
    writer.close()
    await writer.wait_closed()
    await until(lambda: len(agent.followers) == 0)


async def test_too_many_followers_are_told_so(agent: FakeAgent, client: ControlClient) -> None:
    for _ in range(MAX_FOLLOWERS):
        agent.followers.follow()
    with pytest.raises(ConnectorError) as raised:
        await asyncio.to_thread(lambda: list(client.follow("/calls/follow")))
    assert raised.value.fault is FaultId.QUEUE_FULL


async def test_an_activation_ends_with_the_person_who_waits_for_it(agent: FakeAgent, tmp_path: Path) -> None:
    _, writer = await asyncio.open_unix_connection(str(tmp_path / "control.sock"))
    body = b'{"code": "wait"}'
    writer.write(b"POST /activate HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    async with asyncio.timeout(5):
        await agent.hangs.wait()
        writer.close()
        await writer.wait_closed()
        await agent.was_cancelled.wait()


@pytest.mark.parametrize("kind", ["absent", "stale", "file"])
async def test_without_an_agent_the_client_says_so(tmp_path: Path, client: ControlClient, kind: str) -> None:
    path = tmp_path / "control.sock"
    if kind == "stale":
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
            left.bind(str(path))
    elif kind == "file":
        path.write_text("")
    with pytest.raises(ConnectorError) as raised:
        client.get("/status")
    assert raised.value.fault is FaultId.AGENT_NOT_RUNNING
    assert str(path) in raised.value.detail


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (b"", FaultId.AGENT_NOT_RUNNING),
        (b"SSH-2.0-x\r\n", FaultId.CONTROL_REFUSED),
        (b"HTTP/1.1 200 OK\r\n\r\n<html>", FaultId.CONTROL_REFUSED),
        (b"HTTP/1.1 200 OK\r\n\r\n[1]", FaultId.CONTROL_REFUSED),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"[" * 100_000, FaultId.CONTROL_REFUSED),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{", FaultId.AGENT_NOT_RUNNING),
        (b"HTTP/1.1 500 No\r\n\r\nboom", FaultId.CONTROL_REFUSED),
        (
            b"HTTP/1.1 409 No\r\nContent-Type: application/json\r\n\r\n"
            b'{"error": {"fault": "of-the-future", "sentence": "Hm."}}',
            FaultId.CONTROL_REFUSED,
        ),
    ],
)
async def test_another_server_on_the_socket_is_no_traceback(
    tmp_path: Path, client: ControlClient, answer: bytes, fault: FaultId
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_unix_server(serve, str(tmp_path / "control.sock"))
    async with server:
        with pytest.raises(ConnectorError) as raised:
            await asyncio.to_thread(client.get, "/status")
    assert raised.value.fault is fault


async def test_an_endless_line_is_cut(tmp_path: Path, client: ControlClient) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000)
        writer.close()

    server = await asyncio.start_unix_server(serve, str(tmp_path / "control.sock"))
    async with server:
        with pytest.raises(ConnectorError) as raised:
            await asyncio.to_thread(lambda: list(client.follow("/calls/follow")))
    assert "64 KiB" in raised.value.detail


async def until(condition: Any) -> None:
    """Let the loop turn until `condition()`; fails after 5 s."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - the other side is a real server without an event for us
            await asyncio.sleep(0.001)
