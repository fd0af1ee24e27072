"""The sockets that the agent listens on, and how a server on them ends."""

import asyncio
import os
import signal
import socket
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from connector.agent.serving import HttpServer, tcp_listener, unix_listener
from connector.domain.errors import ConfigError
from connector.domain.faults import FaultId


async def hello(_request: Request) -> Response:
    return PlainTextResponse("hello")


def app() -> Starlette:
    return Starlette(routes=[Route("/", hello)])


async def fetched(port: int | None) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_serves_a_free_port_and_frees_it_again() -> None:
    server = HttpServer(app(), tcp_listener("127.0.0.1", 0))
    server.start()
    port = server.port
    assert (await fetched(port)).endswith(b"\r\n\r\nhello")
    await server.aclose()
    with pytest.raises(ConnectionRefusedError):
        await fetched(port)


async def test_a_request_from_before_the_start_is_answered() -> None:
    server = HttpServer(app(), tcp_listener("127.0.0.1", 0))
    early = asyncio.create_task(fetched(server.port))
    await asyncio.sleep(0)
    server.start()
    assert b"hello" in await early
    await server.aclose()


async def test_a_server_that_never_started_closes_its_socket(tmp_path: Path) -> None:
    server = HttpServer(app(), unix_listener(tmp_path / "control.sock"))
    await server.aclose()
    assert os.listdir(tmp_path) == []


async def test_the_signals_stay_the_agents() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    server = HttpServer(app(), tcp_listener("127.0.0.1", 0))
    server.start()
    await fetched(server.port)
    assert {number: signal.getsignal(number) for number in before} == before
    await server.aclose()


async def test_its_answers_do_not_name_the_server() -> None:
    server = HttpServer(app(), tcp_listener("127.0.0.1", 0))
    server.start()
    assert b"uvicorn" not in await fetched(server.port)
    await server.aclose()


def test_a_port_in_use_is_a_wrong_setting() -> None:
    with tcp_listener("127.0.0.1", 0) as taken, pytest.raises(ConfigError) as raised:
        tcp_listener("127.0.0.1", taken.getsockname()[1])
    assert raised.value.fault is FaultId.HTTP_PORT_UNUSABLE


def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind(str(path))
    with unix_listener(path), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as visitor:
        visitor.connect(str(path))


def test_a_living_agents_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with unix_listener(path):
        with pytest.raises(ConfigError) as raised:
            unix_listener(path)
        assert path.is_socket()
    assert raised.value.fault is FaultId.AGENT_ALREADY_RUNNING


@pytest.mark.parametrize("kind", ["file", "link", "directory"])
def test_what_is_no_socket_is_never_removed(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "control.sock"
    if kind == "file":
        path.write_text("precious")
    elif kind == "link":
        (tmp_path / "target").write_text("precious")
        path.symlink_to(tmp_path / "target")
    else:
        path.mkdir()
    with pytest.raises(ConfigError) as raised:
        unix_listener(path)
    assert raised.value.fault is FaultId.CONTROL_SOCKET_UNUSABLE
    assert path.exists()


def test_a_missing_directory_is_named_and_the_umask_comes_back(tmp_path: Path) -> None:
    umask = os.umask(0o022)
    try:
        with pytest.raises(ConfigError, match="No such file"):
            unix_listener(tmp_path / "absent" / "control.sock")
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(umask)
