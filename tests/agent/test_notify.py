"""What systemd is told."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from connector.agent.notify import ServiceManager, watchdog_interval_seconds


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        listener.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))
        yield listener


def test_tells_each_fact_in_one_datagram(manager: socket.socket) -> None:
    service = ServiceManager.of_environment()
    service.ready("Both links\nare up.")
    service.alive()
    service.status("Waiting.")
    service.stopping()
    assert [manager.recv(200) for _ in range(4)] == [
        b"READY=1\nSTATUS=Both links are up.",
        b"WATCHDOG=1",
        b"STATUS=Waiting.",
        b"STOPPING=1",
    ]


def test_reaches_an_abstract_socket() -> None:
    name = f"oxbridge-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind("\0" + name)
        listener.settimeout(5)
        ServiceManager("@" + name).alive()
        assert listener.recv(200) == b"WATCHDOG=1"


@pytest.mark.parametrize("address", ["", "/nonexistent/notify"])
def test_without_a_manager_nothing_happens(address: str) -> None:
    ServiceManager(address).ready()


@pytest.mark.parametrize(
    ("microseconds", "pid", "expected"),
    [
        ("30000000", None, 15.0),
        ("30000000", "own", 15.0),
        ("30000000", "1", None),
        ("0", None, None),
        ("soon", None, None),
        (None, None, None),
    ],
)
def test_the_watchdog_is_fed_at_half_its_time(
    monkeypatch: pytest.MonkeyPatch, microseconds: str | None, pid: str | None, expected: float | None
) -> None:
    for name, value in (("WATCHDOG_USEC", microseconds), ("WATCHDOG_PID", pid)):
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, str(os.getpid()) if value == "own" else value)
    assert watchdog_interval_seconds() == expected
