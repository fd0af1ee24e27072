"""The agent's life, decided on site and in the cloud: off, on, reset, deleted, and a broken file."""

import json
import shutil
from pathlib import Path

import pytest

from connector.wire.pcg.conf import DisconnectReason
from simulators.demo.agent import AgentPlace, AgentProcess
from simulators.gateway.journal import Kind
from tests.e2e.sites import CODE, Site


def state(site: Site) -> Path:
    """The agent's state directory."""
    return site.agent.place.directory / "state"


def is_off(status: dict[str, object]) -> bool:
    """Whether the agent says that it is off, and both its links with it."""
    links = status["links"]
    assert isinstance(links, dict)
    return status["disabled"] is not None and all(link["state"] == "stopped" for link in links.values())


async def test_off_closes_everything_outlasts_a_restart_and_on_needs_nothing(site: Site) -> None:
    await site.open()
    for sentence in ("The agent is off. No connection is open.\n", "The agent was off already.\n"):
        ran = await site.run("disable")
        assert (ran.code, ran.output) == (0, sentence)
    await site.until(is_off)
    assert not site.entry.is_connected
    assert site.pbx.monitored == []
    await site.agent.kill()
    await site.agent.start()
    await site.until(is_off)
    shown = await site.run("status")
    assert shown.code == 1
    assert "switched off on site" in shown.output
    refused = await site.activate()
    assert refused.code == 1
    assert "oxbridge enable" in refused.talk
    before = site.cloud.journal.last_id
    ran = await site.run("enable")
    assert (ran.code, ran.output) == (0, "The agent is on and connects.\n")
    await site.up()
    assert site.cloud.journal.find(since=before, kind=Kind.ACTIVATION) == [], "the code was kept"


async def test_the_cloud_can_switch_it_off_and_only_the_site_on_again(site: Site) -> None:
    await site.open()
    site.cloud.dismiss(site.entry, DisconnectReason.DISABLE)
    status = await site.until(is_off)
    assert status["disabled"]["by"] == "cloud"
    assert status["activation"] == "activated"
    assert (await site.run("enable")).code == 0
    await site.up()


async def test_a_reset_on_site_cuts_the_link_and_a_new_code_opens_it(site: Site) -> None:
    await site.open()
    assert (await site.run("reset")).code == 1, "nobody said yes"
    ran = await site.run("reset", "--yes")
    assert ran.code == 0
    told = await site.fault("cloud", "not-activated")
    assert told["hop"] == "login"
    assert not site.entry.is_connected
    site.cloud.reset(site.entry)
    assert (await site.activate(site.entry.public_code)).code == 0
    await site.up()


async def test_a_second_agent_is_named_by_the_one_that_lost(site: Site) -> None:
    await site.open()
    site.cloud.dismiss(site.entry, DisconnectReason.REPLACED)
    told = await site.fault("cloud", "cloud-replaced")
    assert told["next_try_at"]
    assert (await site.status())["activation"] == "activated"


@pytest.mark.parametrize("damage", ["{", "", '{"version": 1}'])
async def test_a_damaged_file_costs_the_activation_and_nothing_else(site: Site, damage: str) -> None:
    await site.open()
    await site.agent.kill()
    (state(site) / "credentials.json").write_text(damage)
    await site.agent.start()
    await site.fault("cloud", "credentials-damaged")
    status = await site.until(lambda status: status["links"]["pbx"]["state"] == "connected")
    assert [alarm["fault"] for alarm in status["alarms"]] == ["credentials-damaged"]
    (aside,) = state(site).glob("credentials.json.damaged-*")
    assert aside.read_text() == damage
    site.cloud.reset(site.entry)
    assert (await site.activate(site.entry.public_code)).code == 0
    assert (await site.up())["alarms"] == []


async def test_a_clone_without_its_own_machine_is_not_activated(site: Site) -> None:
    await site.open()
    await site.agent.kill()
    path = state(site) / "credentials.json"
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"machine": "0" * 16}))
    await site.agent.start()
    told = await site.fault("cloud", "credentials-foreign")
    assert told["detail"] == "sealed on another machine"
    assert path.exists()


async def test_two_agents_with_one_identity(site: Site) -> None:
    """A machine cloned with its id: the newer one wins, and the third time the older one raises the alarm."""
    await site.open()
    place = AgentPlace(site.directory / "clone")
    place.directory.mkdir()
    shutil.copytree(state(site), place.directory / "state")
    clone = AgentProcess(place)
    try:
        clone.configure(site.tables)
        for conflict in (1, 2, 3):
            await clone.start()
            await site.fault("cloud", "cloud-replaced")
            await clone.kill()
            alarms = [alarm["fault"] for alarm in (await site.status())["alarms"]]
            assert alarms == (["second-agent"] if conflict == 3 else [])
            # Nobody waits a minute here: a person who switches off and on begins anew.
            await site.run("disable")
            await site.run("enable")
            await site.up()
    finally:
        await clone.stop()
    shown = await site.run("status")
    assert "Two agents use this PBX-ID." in shown.output


@pytest.mark.parametrize("point", ["code stored", "code accepted", "proposed", "acknowledged"])
async def test_a_kill_in_the_middle_of_an_activation_is_over_after_a_restart(site: Site, point: str) -> None:
    await site.begin()
    await site.start()
    process = await site.begin_command("activate")
    assert process.stdin is not None
    assert process.stderr is not None
    process.stdin.write(f"{CODE}\n".encode())
    process.stdin.close()
    if point.startswith("code"):
        for _ in range(1 + (point == "code accepted")):
            await process.stderr.readline()
    else:
        await site.told(lambda entry: entry.kind is Kind.ACTIVATION and entry.name == point)
    await site.agent.kill()
    await process.communicate()
    await site.agent.start()
    # Nothing is typed again: one of the two codes that may be on disk opens the link.
    status = await site.up()
    assert (status["activation"], status["alarms"]) == ("activated", [])
    assert [path.name for path in state(site).glob("credentials*")] == ["credentials.json"]
