"""What the cloud configures is in force at once, kept for starts without it, and refused when wrong."""

import json
from typing import Any

from simulators.gateway.journal import Kind
from tests.e2e.sites import Site

RULES = [{"regexpMatch": "^7([0-9]{3})$", "regexpReplace": "3\\1", "description": "short numbers"}]


async def effective(site: Site) -> dict[str, Any]:
    """What `oxbridge config effective --json` shows."""
    ran = await site.run("config", "effective", "--json")
    assert ran.code == 0, ran
    shown: dict[str, Any] = json.loads(ran.output)
    return shown


async def change(site: Site, **fields: Any) -> None:
    """Change the system as its administrator does, and wait until the agent has answered."""
    since = site.cloud.journal.last_id
    await site._rest("PUT", f"/systems/{site.entry.id}", json=fields)
    await site.told(lambda one: one.kind is Kind.CONFIGURATION and one.name == "settings", since=since)


async def test_rules_and_dial_data_are_in_force_at_once_and_after_a_start_without_the_cloud(
    site: Site,
) -> None:
    await site.open()
    await change(site, pbxNumberingTranslator=RULES, pbxNationalPrefix="9", serverPingTimeout="60")
    shown = json.dumps(await effective(site))
    assert "short numbers" in shown or "^7([0-9]{3})$" in shown
    await site.agent.stop()
    await site.gateway_goes()
    await site.agent.start()
    await site.until(lambda status: status["links"]["pbx"]["state"] == "connected")
    assert json.dumps(await effective(site)) == shown


async def test_only_the_numbers_that_the_cloud_monitors_are_reported(site: Site) -> None:
    await site.open()
    await site.told(lambda one: one.kind is Kind.DEVICES and one.name == "list")
    numbers = (await site._rest("GET", f"/systems/{site.entry.id}/phone-numbers?limit=100"))["data"]
    (wanted,) = [one for one in numbers if one["shortNumber"] == "3002"]
    path = f"/systems/{site.entry.id}/phone-numbers/{wanted['id']}"
    await site._rest("PUT", path, json={"isMonitored": True, "userId": "5f3c9a7be2d14c0012ab34cd"})
    since = site.cloud.journal.last_id
    site.pbx.ring_from_outside("0639980001", "3001")
    site.pbx.ring_from_outside("0639980002", "3002")
    event = await site.told(lambda one: one.kind is Kind.CALL_EVENT, since=since)
    assert event.values["device"] == "3002"
    site.pbx.release("3001")
    site.pbx.release("3002")
    await site.event("connectionCleared", since=since)
    told = site.cloud.journal.find(since=since, kind=Kind.CALL_EVENT)
    assert {one.values["device"] for one in told} == {"3002"}
