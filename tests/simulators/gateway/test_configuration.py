"""Settings and monitored numbers on their way to an agent, and what it says of them."""

from dataclasses import replace

import pytest

from connector.domain.configuration import CloudSettings, MonitorRefusal, RuleText
from connector.domain.devices import Device, DeviceState
from connector.wire.pcg import conf
from simulators.gateway.configuration import cloud_settings, monitored
from simulators.gateway.journal import Kind
from simulators.gateway.phonebook import Link, PhoneNumber
from simulators.gateway.session import AgentSession
from simulators.gateway.systems import NumberingRule, SystemStatus
from tests.simulators.gateway.agents import Agent, device_pages
from tests.simulators.gateway.test_session import PROFILE, Bench

DIALLING = replace(
    PROFILE,
    country="FRA",
    national_prefix="0",
    international_prefix="00",
    main_bundle_prefixes=("9",),
    uses_main_bundle_prefix=True,
    numbering_rules=(NumberingRule("^7(.*)$", r"0033\1", "short"),),
    server_ping_timeout_seconds=60,
)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def _with_devices(bench: Bench, count: int = 3) -> tuple[Agent, AgentSession]:
    agent, session = bench.join("4711")
    found = [
        Device(str(3001 + number), state=DeviceState.IN_SERVICE, source="csta") for number in range(count)
    ]
    for page in device_pages(found, 1):
        agent.ask(page, bench.clock.seconds)
    bench.run(agent, session)
    assert len(bench.system.phone_book) == count
    return agent, session


def _entry(bench: Bench, number: str = "3001") -> PhoneNumber:
    return next(entry for entry in bench.system.phone_book.numbers() if entry.device.number == number)


def test_what_the_administrator_entered_is_what_the_agent_is_told() -> None:
    assert cloud_settings(DIALLING, 7) == CloudSettings(
        revision=7,
        country="FR",
        outbound_prefix="9",
        uses_outbound_prefix=True,
        national_prefix="0",
        international_prefix="00",
        rules=(RuleText("^7(.*)$", r"0033\1", "short"),),
        ping_timeout_seconds=60.0,
    )


def test_what_was_not_entered_stays_the_sites_own() -> None:
    assert cloud_settings(PROFILE, 1) == CloudSettings(revision=1, ping_timeout_seconds=120.0)
    unused = replace(DIALLING, uses_main_bundle_prefix=False)
    assert not cloud_settings(unused, 1).uses_outbound_prefix


def test_settings_follow_hello_and_each_change(bench: Bench) -> None:
    agent, session = bench.join("4711")
    assert [told.revision for told in agent.settings] == [1]
    bench.gateway.change(bench.system, DIALLING)
    bench.run(agent, session)
    assert agent.settings[-1] == cloud_settings(DIALLING, 2)
    assert bench.system.answers.settings == "in force"
    assert bench.woken > 0


def test_a_change_that_does_not_concern_the_agent_is_not_sent(bench: Bench) -> None:
    agent, session = bench.join("4711")
    bench.gateway.change(bench.system, replace(PROFILE, name="Paris", search_result_order=("PBX",)))
    bench.run(agent, session)
    assert bench.system.profile.name == "Paris"
    assert [told.revision for told in agent.settings] == [1]


def test_a_change_while_the_agent_is_away_comes_with_its_next_hello(bench: Bench) -> None:
    _, session = bench.join("4711")
    session.receive_eof(bench.clock.seconds)
    bench.gateway.change(bench.system, DIALLING)
    agent, _ = bench.join(bench.system.private_code)
    assert agent.settings == [cloud_settings(DIALLING, 2)]
    assert not bench.system.is_configuration_due


def test_refused_settings_are_kept_with_the_reason(bench: Bench) -> None:
    agent, session = bench.join("4711")
    agent.answers["settings"] = lambda *_: None
    bench.gateway.change(bench.system, DIALLING)
    bench.run(agent, session)
    assert bench.system.answers.settings == "internal-server-error"
    entry = bench.gateway.journal.find(kind=Kind.CONFIGURATION)[-1]
    assert (entry.values["revision"], entry.values["reason"]) == (2, "internal-server-error")
    assert not session.is_closed


def test_a_short_ping_timeout_is_asked_for_at_a_third_of_it(bench: Bench) -> None:
    agent, session = bench.join("4711")
    bench.gateway.change(bench.system, replace(PROFILE, server_ping_timeout_seconds=30))
    bench.run(agent, session)
    bench.clock.seconds += 10
    session.tick(bench.clock.seconds)
    assert any("urn:xmpp:ping" in frame for frame in session.to_send())


def test_nothing_is_said_of_numbers_that_nobody_linked(bench: Bench) -> None:
    agent, _ = _with_devices(bench)
    assert agent.monitors == []
    assert monitored(bench.system) is None


def test_a_linked_number_is_monitored_and_the_caller_told(bench: Bench) -> None:
    agent, session = _with_devices(bench)
    told: list[str] = []
    bench.gateway.link(bench.system, _entry(bench), Link(is_monitored=True, user_id="u1"), told.append)
    assert told == []
    bench.run(agent, session)
    assert told == [""]
    assert agent.monitors == [conf.MonitorsPage((conf.Monitor("3001", "u1"),))]
    bench.gateway.link(bench.system, _entry(bench), Link(), told.append)
    bench.run(agent, session)
    assert agent.monitors[-1] == conf.MonitorsPage(())
    assert told == ["", ""]


def test_a_name_is_no_matter_for_the_agent(bench: Bench) -> None:
    agent, session = _with_devices(bench)
    told: list[str] = []
    bench.gateway.link(bench.system, _entry(bench), Link(first_name="Anna"), told.append)
    bench.run(agent, session)
    assert (told, agent.monitors) == ([""], [])


def test_numbers_that_the_agent_refuses_are_kept(bench: Bench) -> None:
    agent, session = _with_devices(bench)
    agent.refuses = {"3002": MonitorRefusal.LIMIT}
    for number in ("3001", "3002"):
        link = Link(is_monitored=True)
        bench.gateway.link(bench.system, _entry(bench, number), link, lambda _: None)
        bench.run(agent, session)
    assert bench.system.answers.refused == {"3002": MonitorRefusal.LIMIT}
    assert bench.gateway.journal.find(kind=Kind.CONFIGURATION)[-1].values["refused"] == ["3002 limit"]


def test_a_large_set_goes_in_pages_and_counts_when_all_are_answered(bench: Bench) -> None:
    agent, session = _with_devices(bench, 450)
    told: list[str] = []
    for entry in bench.system.phone_book.numbers()[1:]:
        bench.system.phone_book.link(entry, Link(is_monitored=True, user_id="u" * 24))
    bench.gateway.link(bench.system, _entry(bench), Link(is_monitored=True), told.append)
    bench.run(agent, session)
    assert [(page.page, page.pages) for page in agent.monitors] == [(1, 3), (2, 3), (3, 3)]
    assert sum(len(page.monitors) for page in agent.monitors) == 450
    assert told == [""]


def test_a_set_that_is_refused_is_reported(bench: Bench) -> None:
    agent, session = _with_devices(bench)
    agent.answers["monitors"] = lambda *_: None
    told: list[str] = []
    bench.gateway.link(bench.system, _entry(bench), Link(is_monitored=True), told.append)
    bench.run(agent, session)
    assert told == ["internal-server-error"]
    assert bench.system.answers.monitors == "internal-server-error"


def test_links_stay_through_a_new_device_list_and_go_with_their_number(bench: Bench) -> None:
    agent, session = _with_devices(bench)
    bench.gateway.link(bench.system, _entry(bench), Link(is_monitored=True), lambda _: None)
    renamed = Device("3001", state=DeviceState.IN_SERVICE, source="csta", name="Anna")
    agent.ask(device_pages([renamed], 2)[0], bench.clock.seconds)
    bench.run(agent, session)
    assert _entry(bench).link.is_monitored
    agent.ask(device_pages([], 3)[0], bench.clock.seconds)
    agent.ask(device_pages([renamed], 4)[0], bench.clock.seconds)
    bench.run(agent, session)
    assert not _entry(bench).link.is_monitored


def test_an_activation_is_not_held_up_by_the_configuration(bench: Bench) -> None:
    agent = Agent("pbx1", "4711")
    agent.withheld["settings"] = None
    session = bench.gateway.open_session(bench.wake)
    agent.client.start(bench.clock.seconds)
    bench.run(agent, session)
    assert bench.status() is SystemStatus.ACTIVATED
    assert bench.system.answers.settings == ""
