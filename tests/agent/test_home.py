"""What the cloud link finds in the process."""

import json
import logging
from pathlib import Path

import pytest

from connector import __version__
from connector.domain.credentials import Code, CodeKind, Credentials
from connector.store.credentials import CredentialsFile
from connector.wire.pcg.conf import DisconnectReason
from connector.wire.pcg.http import HttpRequest
from tests.agent.running_parts import Parts
from tests.bridge.far_sides import cleared


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    return Parts(tmp_path)


def test_hello_tells_who_we_are_and_what_the_outbox_holds_now(parts: Parts) -> None:
    parts.site.pbx_connected("CSTA phase II")
    parts.site.call_event(cleared())
    hello = parts.home.hello()
    assert (hello.agent, hello.pbx, hello.pbx_version) == (f"oxbridge/{__version__}", "oxe", "CSTA phase II")
    assert (hello.epoch, hello.last) == ("epoch", 1)


@pytest.mark.parametrize("resource", ["/status", "/calls", "/status?x=1"])
def test_the_gateway_may_read_what_is_served(parts: Parts, resource: str) -> None:
    response = parts.home.serve(HttpRequest("GET", resource))
    assert response.status == 200
    assert isinstance(response.body, str)
    assert json.loads(response.body)["schema_version"] == 1
    assert response.headers == (("Content-Type", "application/json"),)


@pytest.mark.parametrize(
    ("method", "resource", "status"),
    [
        ("POST", "/status", 405),
        ("GET", "/activate", 403),
        ("GET", "/statusx", 403),
        ("GET", "/../status", 403),
        ("DELETE", "/calls", 405),
    ],
)
def test_and_nothing_else(parts: Parts, method: str, resource: str, status: int) -> None:
    assert parts.home.serve(HttpRequest(method, resource)).status == status


@pytest.mark.parametrize("reason", DisconnectReason)
async def test_only_a_reset_and_a_deletion_void_the_access_code(
    parts: Parts, tmp_path: Path, reason: DisconnectReason
) -> None:
    await parts.home.keep_access_code("9f0c")
    await parts.home.logged_in(Code(CodeKind.ACCESS, "9f0c"))
    await parts.home.disconnected(reason)
    stored = CredentialsFile(tmp_path / "credentials.json").load()
    kept = Credentials(None, "9f0c", is_proven=True)
    assert stored == (Credentials.none() if reason.value in ("reset", "delete") else kept)


@pytest.mark.parametrize(("seconds", "warnings"), [(3.0, 0), (-59.0, 0), (61.0, 1), (-3_600.0, 1)])
def test_a_clock_that_is_far_off_is_worth_a_warning(
    parts: Parts, caplog: pytest.LogCaptureFixture, seconds: float, warnings: int
) -> None:
    parts.home.clock_skew(seconds)
    told = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(told) == warnings
    assert parts.view.clock_skew_seconds == seconds
