"""The process's own life: health that is not readiness, the orderly stop, a second agent."""

import time

import httpx2
import pytest

from tests.e2e.sites import Site, oxbridge

# Five seconds less than systemd waits (deploy/systemd).
GRACE_SECONDS = 10.0


async def test_an_agent_without_a_cloud_is_healthy_and_not_ready(site: Site, unused_tcp_port: int) -> None:
    await site.begin()
    site.tables["http"] = {"listen": f"127.0.0.1:{unused_tcp_port}"}
    await site.start()
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{unused_tcp_port}", trust_env=False) as probe:
        assert (await probe.get("/-/healthy")).json() == {"healthy": True, "reasons": []}
        assert (await probe.get("/-/ready")).status_code == 503
        assert (await site.activate()).code == 0
        await site.up()
        assert (await probe.get("/-/ready")).json() == {"ready": True, "reasons": []}
        await site.gateway_goes()
        await site.fault("cloud", "cloud-unreachable", "cloud-closed")
        answer = await probe.get("/-/ready")
        assert answer.status_code == 503
        (reason,) = answer.json()["reasons"]
        assert reason.startswith("cloud: The gateway ")
        assert (await probe.get("/-/healthy")).status_code == 200
        await site.pbx_goes()
        await site.fault("pbx", "pbx-unreachable", "pbx-closed")
        assert len((await probe.get("/-/ready")).json()["reasons"]) == 2
        assert (await probe.get("/-/healthy")).status_code == 200
        await site.gateway_comes()
        await site.pbx_comes()
        await site.up()
        assert (await probe.get("/-/ready")).status_code == 200


@pytest.mark.parametrize("is_whole", [True, False])
async def test_a_stop_is_orderly_quick_and_leaves_nothing(site: Site, is_whole: bool) -> None:
    if is_whole:
        await site.open()
        site.pbx.ring_from_outside("0639980001", site.expert)
        site.pbx.release(site.expert)
    else:
        await site.begin()
        await site.gateway_goes()
        await site.pbx_goes()
        await site.start()
    began = time.monotonic()
    assert await site.agent.stop() == 0
    assert time.monotonic() - began < GRACE_SECONDS
    assert not site.agent.place.socket.exists()
    assert (await site.run("status")).code == 3
    if is_whole:
        assert (await site.event("connectionCleared")).values["end"] == "missed"
        assert site.pbx.monitored == []
        reason = (await site.told(lambda one: one.kind == "disconnected")).values["reason"]
        assert reason in ("closed", "cloud-closed: in order"), "it said farewell"


async def test_a_stop_while_someone_follows_the_calls_ends_him_too(site: Site) -> None:
    await site.open()
    following = await site.begin_command("calls", "--follow")
    await site.until(lambda status: status["calls"]["live"] == 0)
    assert await site.agent.stop() == 0
    output, talk = await following.communicate()
    assert b"Traceback" not in output + talk


async def test_a_restart_loses_no_number_and_announces_no_gap(site: Site) -> None:
    await site.open()
    site.pbx.ring_from_outside("0639980001", "3004")
    site.pbx.release("3004")
    await site.drained()
    last = (await site.status())["outbox"]["last_seq"]
    before = site.cloud.journal.last_id
    assert await site.agent.stop() == 0
    await site.agent.start()
    status = await site.up()
    assert status["outbox"]["last_seq"] == last
    assert site.cloud.journal.find(since=before, kind="gap") == []
    assert status["activation"] == "activated"


async def test_a_second_agent_at_the_same_place_does_not_disturb_the_first(site: Site) -> None:
    await site.open()
    ran = await oxbridge("run", "--config", str(site.agent.place.config_file))
    assert ran.code == 1
    assert "Another agent answers on the control socket." in ran.talk
    assert "Traceback" not in ran.talk
    await site.up()


async def test_a_port_that_is_taken_is_told_and_leaves_nothing(site: Site) -> None:
    await site.begin()
    site.tables["http"] = {"listen": f"127.0.0.1:{site.pbx.port}"}
    site.agent.configure(site.tables)
    ran = await oxbridge("run", "--config", str(site.agent.place.config_file))
    assert ran.code == 1
    assert "The port for metrics and health can't be opened." in ran.talk
    assert not site.agent.place.socket.exists()


async def test_a_state_directory_that_is_not_ours_is_told_and_leaves_nothing(site: Site) -> None:
    await site.begin()
    (site.agent.place.directory / "state").write_text("a file where a directory should be")
    site.agent.configure(site.tables)
    ran = await oxbridge("run", "--config", str(site.agent.place.config_file))
    assert ran.code == 1
    assert "The local store can't be used." in ran.talk
    assert "Traceback" not in ran.talk
    assert not site.agent.place.socket.exists()
