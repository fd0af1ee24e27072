"""What the cloud link finds in the process."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from connector import __version__
from connector.domain.credentials import Code, CodeKind, Credentials, Voided
from connector.domain.devices import Device, DeviceState
from connector.domain.errors import StoreError
from connector.domain.faults import FaultId
from connector.domain.switch import Disabled, SwitchedBy
from connector.links.certificates import PeerCertificate
from connector.store.switch import DisabledFile
from connector.wire.pcg import chunks
from connector.wire.pcg.conf import DisconnectReason
from connector.wire.pcg.http import HttpRequest
from tests.agent.clocks import NOON
from tests.agent.running_parts import Parts
from tests.bridge.far_sides import cleared
from tests.store.hosts import credentials_file


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    return Parts(tmp_path)


def test_hello_tells_who_we_are_and_what_the_outbox_holds_now(parts: Parts) -> None:
    parts.site.pbx_connected("CSTA phase II")
    parts.site.call_event(cleared())
    hello = parts.home.hello()
    assert (hello.agent, hello.pbx, hello.pbx_version) == (f"oxbridge/{__version__}", "oxe", "CSTA phase II")
    assert (hello.epoch, hello.last) == ("epoch", 1)


@pytest.mark.parametrize("resource", ["/status", "/devices", "/calls", "/status?x=1"])
def test_the_gateway_may_read_what_is_served(parts: Parts, resource: str) -> None:
    response = parts.home.serve(HttpRequest("GET", resource))
    assert response.status == 200
    assert isinstance(response.body, str)
    assert json.loads(response.body)["schema_version"] == 1
    assert response.headers == (("Content-Type", "application/json"),)


def test_the_gateway_reads_the_same_metrics_as_prometheus(parts: Parts) -> None:
    parts.alarms.report(FaultId.CLOCK_WRONG)
    response = parts.home.serve(HttpRequest("GET", "/metrics"))
    assert isinstance(response.body, str)
    assert 'oxbridge_alarm{fault="clock-wrong"} 1.0' in response.body
    assert response.headers[0][1].startswith("text/plain; version=0.0.4")


def test_fifteen_thousand_devices_are_within_what_chunks_carry(parts: Parts) -> None:
    parts.site.devices_read([Device(str(10_000 + n), state=DeviceState.IN_SERVICE) for n in range(5_000)])
    response = parts.home.serve(HttpRequest("GET", "/devices"))
    assert chunks.answer(response, "s").chunks


@pytest.mark.parametrize(
    ("method", "resource", "status"),
    [
        ("POST", "/status", 405),
        ("GET", "/activate", 403),
        ("GET", "/configuration", 403),
        ("POST", "/disable", 405),
        ("GET", "/statusx", 403),
        ("GET", "/../status", 403),
        ("DELETE", "/calls", 405),
    ],
)
def test_and_nothing_else(parts: Parts, method: str, resource: str, status: int) -> None:
    assert parts.home.serve(HttpRequest(method, resource)).status == status


KEPT = Credentials(None, "9f0c", is_proven=True)


@pytest.mark.parametrize(
    ("reason", "stored", "disabled"),
    [
        (DisconnectReason.RESET, Credentials.none(Voided.RESET), None),
        (DisconnectReason.DELETE, Credentials.none(Voided.DELETED), None),
        (DisconnectReason.DISABLE, KEPT, Disabled(NOON, SwitchedBy.CLOUD)),
        (DisconnectReason.REPLACED, KEPT, None),
    ],
)
async def test_each_reason_does_what_it_says_and_no_more(
    parts: Parts,
    tmp_path: Path,
    reason: DisconnectReason,
    stored: Credentials,
    disabled: Disabled | None,
) -> None:
    await parts.home.keep_access_code("9f0c")
    await parts.home.logged_in(Code(CodeKind.ACCESS, "9f0c"), "SCRAM-SHA-256")
    await parts.home.disconnected(reason)
    assert credentials_file(tmp_path).load(NOON).credentials == stored
    assert DisabledFile(tmp_path / "disabled.json").load() == disabled
    assert parts.view.status().disabled == disabled


@pytest.mark.parametrize(("seconds", "alarms"), [(3.0, 0), (-59.0, 0), (61.0, 1), (-3_600.0, 1)])
def test_a_clock_that_is_far_off_is_an_alarm_until_it_is_right(
    parts: Parts, seconds: float, alarms: int
) -> None:
    parts.home.gateway_time(NOON - timedelta(seconds=seconds))
    assert len(parts.alarms.raised()) == alarms
    assert parts.view.clock_skew_seconds == seconds
    parts.home.gateway_time(NOON)
    assert parts.alarms.raised() == ()


async def test_what_is_known_of_the_gateway_outlasts_a_restart(parts: Parts, tmp_path: Path) -> None:
    await parts.home.load()
    assert (parts.home.known_time(), parts.home.known_mechanism()) == (None, "")
    parts.home.gateway_time(NOON)
    code = Code(CodeKind.ACCESS, "9f0c")
    for mechanism in ("SCRAM-SHA-1", "SCRAM-SHA-256-PLUS", "PLAIN", "NEW-ONE"):
        await parts.home.logged_in(code, mechanism)
    again = Parts(tmp_path)
    await again.home.load()
    assert (again.home.known_time(), again.home.known_mechanism()) == (NOON, "SCRAM-SHA-256-PLUS")


async def test_a_full_disk_does_not_end_a_login(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_: object) -> None:
        raise StoreError(FaultId.STORE_UNUSABLE, "no space")

    monkeypatch.setattr(parts.memory, "save", fails)
    await parts.home.logged_in(Code(CodeKind.ACCESS, "9f0c"), "PLAIN")


async def test_a_weaker_login_is_an_alarm_until_the_best_one_is_back(parts: Parts) -> None:
    code = Code(CodeKind.ACCESS, "9f0c")
    await parts.home.logged_in(code, "SCRAM-SHA-256")
    parts.home.login_weakened("SCRAM-SHA-256", "PLAIN")
    await parts.home.logged_in(code, "PLAIN")
    (alarm,) = parts.alarms.raised()
    assert (alarm.fault, alarm.detail) == (FaultId.CLOUD_DOWNGRADED, "SCRAM-SHA-256 before, PLAIN now")
    await parts.home.logged_in(code, "SCRAM-SHA-256")
    assert parts.alarms.raised() == ()


@pytest.mark.parametrize(("days", "alarms"), [(31, 0), (29, 1), (-1, 1)])
def test_a_certificate_that_runs_out_is_told_in_time(parts: Parts, days: int, alarms: int) -> None:
    ends = NOON + timedelta(days=days)
    parts.home.certificate_seen(PeerCertificate(NOON, ends, "CN=Our CA", "", b""))
    assert len(parts.alarms.raised()) == alarms
    assert all("CN=Our CA" in alarm.detail for alarm in parts.alarms.raised())
    parts.home.certificate_seen(PeerCertificate(NOON, NOON + timedelta(days=90), "CN=Our CA", "", b""))
    assert parts.alarms.raised() == ()
