"""What `oxbridge config effective` says: the source of each value, refusals, and after a restart."""

from dataclasses import replace

from simulators.gateway.journal import Kind
from simulators.gateway.systems import NumberingRule, Profile
from tests.e2e.sites import Site


async def in_force(site: Site) -> dict[str, tuple[str, str]]:
    """Setting → value and source, as `oxbridge config effective` shows them."""
    ran = await site.run("config", "effective")
    assert ran.code == 0, ran
    rows = (line.split() for line in ran.output.splitlines()[1:])
    return {row[0]: (row[1], " ".join(row[2:])) for row in rows if len(row) > 2}


async def change(site: Site, profile: Profile) -> None:
    """Change the system in the cloud, and wait for what the agent says of it."""
    since = site.cloud.journal.last_id
    site.cloud.change(site.entry, profile)
    await site.told(lambda one: one.kind is Kind.CONFIGURATION and one.name == "settings", since=since)


async def test_one_wrong_rule_refuses_the_whole_set_and_raises_an_alarm(site: Site) -> None:
    await site.open()
    good = replace(site.entry.profile, country="DEU", server_ping_timeout_seconds=90)
    await change(site, good)
    source = f"cloud revision {site.entry.revision}"
    shown = await in_force(site)
    assert shown["site.country"] == ("DE", source)
    assert shown["cloud.ping_timeout_seconds"] == ("90", source)
    assert shown["site.outbound_prefix"] == ("0", "default")
    wrong = replace(good, country="GBR", numbering_rules=(NumberingRule("^7"), NumberingRule("(")))
    await change(site, wrong)
    (alarm,) = (await site.status())["alarms"]
    assert alarm["fault"] == "settings-refused"
    assert alarm["detail"].startswith("rule 2:")
    assert await in_force(site) == shown
    await change(site, replace(wrong, numbering_rules=()))
    assert (await site.status())["alarms"] == []
    assert (await in_force(site))["site.country"][0] == "GB"


async def test_the_numbers_to_watch_outlast_a_start_without_the_cloud(site: Site) -> None:
    await site.open()
    assert len(site.pbx.monitored) == len(site.pbx.sets), "until the cloud asks, all of them"
    expert = next(one for one in site.entry.phone_book.numbers() if one.device.number == site.expert)
    taken: list[object] = []
    site.cloud.link(site.entry, expert, replace(expert.link, is_monitored=True), taken.append)
    await site.until(lambda _: bool(taken))
    assert site.pbx.monitored == [site.expert]
    assert (await site.status())["devices"]["in_service"] == len(site.pbx.sets), "the list stays whole"
    await site.agent.kill()
    await site.gateway_goes()
    await site.agent.start()
    await site.until(lambda status: status["links"]["pbx"]["state"] == "connected")
    await site.until(lambda _: site.pbx.monitored == [site.expert])
