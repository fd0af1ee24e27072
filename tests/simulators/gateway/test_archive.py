"""A gateway that goes on where an earlier one stopped, wherever that was."""

import json
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.domain.configuration import MonitorRefusal
from connector.domain.devices import Device, DeviceDelta, DeviceState
from connector.wire.pcg import devices
from simulators.gateway.archive import Archive
from simulators.gateway.gateway import Gateway, Options
from simulators.gateway.phonebook import Link
from simulators.gateway.system_files import NUMBERS, SYSTEMS
from simulators.gateway.systems import CODE_LIFE, NumberingRule, System, SystemStatus
from tests.simulators.gateway.agents import DOMAIN, EPOCH, VirtualClock, device_pages, event_payload
from tests.simulators.gateway.test_session import PROFILE, Bench

USER = "5f3c9a7be2d14c0012ab0002"
DEVICES = [
    Device("3001", "Durand", "Anne", "ALE-300", DeviceState.IN_SERVICE, "csta"),
    Device("3002", state=DeviceState.OUT_OF_SERVICE),
]
# What an administrator can enter, each value unlike its default.
CHANGED = replace(
    PROFILE,
    name="Lyon <2>",
    country="FRA",
    server_ping_timeout_seconds=60,
    main_bundle_prefixes=("0", "1"),
    uses_main_bundle_prefix=True,
    numbering_rules=(NumberingRule("^7(.*)$", "0033\\1", "seven"), NumberingRule("^8")),
    national_prefix="0",
    international_prefix="00",
    search_result_order=("ldap",),
    is_shared=True,
    bp_id="b1",
    ldap_id="l1",
)


class KeptBench(Bench):
    """A gateway that keeps; `reborn` is what another one would know if this one were killed now."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = VirtualClock()
        self.archive = Archive(directory)
        self.gateway = Gateway(Options(DOMAIN), self.clock, random.Random(5).randbytes, self.archive)
        self.system = self.gateway.create_system(PROFILE, pbx_id="PBX1", activation_code="4711")
        self.woken = 0
        self.lives = 0

    def reborn(self) -> Gateway:
        """The files as they are now, read by a new gateway."""
        self.lives += 1
        place = self.directory.with_name(f"life{self.lives}")
        shutil.copytree(self.directory, place)
        archive = Archive(place)
        try:
            return Gateway(Options(DOMAIN), self.clock, random.Random(self.lives).randbytes, archive)
        finally:
            archive.close()

    def check(self) -> System:
        """All that counts is known to the next life."""
        again = self.reborn().systems.get(self.system.id)
        assert again is not None
        assert picture(again) == picture(self.system)
        return again


def picture(system: System) -> dict[str, Any]:
    """What an agent or an administrator would notice, while no agent is connected."""
    names = ("id", "pbx_id", "agent_jid", "gateway_jid", "gateway_password", "status", "created_at")
    codes = ("public_code", "code_made_at", "private_code", "transaction", "status_updated_at")
    told = ("profile", "revision", "answers", "agent_version", "pbx_version")
    book = system.phone_book
    return {
        **{name: getattr(system, name) for name in (*names, *codes, *told)},
        "numbers": book.numbers(),
        "book": (book.revision, book.is_linked),
        "came": [entry for entry in system.history if entry.event == "connected"],
        "events": (system.events.stored, system.events.missing, system.events.upto(EPOCH)),
    }


@pytest.fixture
def bench(tmp_path: Path) -> Any:
    made = KeptBench(tmp_path / "kept")
    yield made
    made.archive.close()


def test_a_kill_after_any_step_forgets_nothing(bench: KeptBench) -> None:
    bench.check()
    bench.gateway.change(bench.system, CHANGED)
    assert bench.check().profile == CHANGED
    agent, session = bench.join("4711")
    again = bench.check()
    assert (again.status, again.revision, again.answers.settings) == (SystemStatus.ACTIVATED, 2, "in force")
    assert again.agent_version == "oxbridge/0.1.0"
    steps: list[Callable[[], object]] = [
        *(lambda page=page: agent.ask(page, bench.clock.seconds) for page in device_pages(DEVICES, 5)),
        lambda: link(bench, "3001", Link(is_monitored=True, user_id=USER, is_visible_by_others=False)),
        lambda: agent.ask(
            devices.devices_change(
                devices.DevicesChange(6, 5, DeviceDelta((Device("3003", "New"),), ("3002",)))
            ),
            bench.clock.seconds,
        ),
        lambda: agent.say(event_payload(1)),
        lambda: bench.gateway.change(bench.system, replace(CHANGED, country="DEU")),
    ]
    for step in steps:
        step()
        bench.run(agent, session)
        bench.check()
    again = bench.check()
    assert [entry.device.number for entry in again.phone_book.numbers()] == ["3001", "3003"]
    assert again.phone_book.numbers()[0].link.user_id == USER
    assert (again.revision, again.events.upto(EPOCH)) == (3, 1)


def link(bench: KeptBench, number: str, wanted: Link) -> None:
    """As the administrator does it."""
    entry = next(one for one in bench.system.phone_book.numbers() if one.device.number == number)
    bench.gateway.link(bench.system, entry, wanted, lambda _wrong: None)


def test_a_change_that_was_taken_back_stays_so(bench: KeptBench) -> None:
    agent, session = bench.join("4711")
    agent.ask(device_pages(DEVICES, 5)[0], bench.clock.seconds)
    bench.run(agent, session)
    entry = bench.system.phone_book.numbers()[0]
    bench.gateway.link(bench.system, entry, Link(user_id=USER), lambda _wrong: None)
    bench.gateway.take_back(bench.system, entry)
    assert bench.check().phone_book.numbers()[0].link == Link()


def test_what_an_agent_refused_is_known_and_monitors_are_sent_anew(bench: KeptBench) -> None:
    agent, session = bench.join("4711")
    agent.refuses = {"3001": MonitorRefusal.LIMIT}
    agent.ask(device_pages(DEVICES, 5)[0], bench.clock.seconds)
    bench.run(agent, session)
    link(bench, "3001", Link(is_monitored=True, user_id=USER))
    bench.run(agent, session)
    assert bench.check().answers.refused == {"3001": MonitorRefusal.LIMIT}
    bench.gateway = bench.reborn()
    after, _ = bench.join(bench.system.private_code)
    assert [(one.number, one.user) for page in after.monitors for one in page.monitors] == [("3001", USER)]


def test_a_connection_that_a_kill_ended_is_ended_in_the_history(bench: KeptBench) -> None:
    bench.join("4711")
    bench.clock.seconds += 60
    again = bench.check()
    assert [(entry.event, entry.at) for entry in again.history] == [
        ("connected", bench.system.history[0].at),
        ("disconnected", bench.clock.now()),
    ]
    assert again.channels_updated_at == bench.clock.now()
    assert not again.is_connected


def test_a_connection_that_ended_before_keeps_its_time(bench: KeptBench) -> None:
    _, session = bench.join("4711")
    session.receive_eof(bench.clock.seconds)
    gone = bench.clock.now()
    bench.clock.seconds += 60
    again = bench.check()
    assert again.history == bench.system.history
    assert again.channels_updated_at == gone


def test_a_deleted_system_stays_deleted_whatever_its_agent_still_says(bench: KeptBench) -> None:
    agent, session = bench.join("4711")
    agent.ask(device_pages(DEVICES, 5)[0], bench.clock.seconds)
    bench.run(agent, session)
    agent.ask(device_pages(DEVICES, 6)[0], bench.clock.seconds)
    bench.gateway.delete(bench.system)
    bench.run(agent, session)
    assert len(bench.reborn().systems) == 0
    assert [path for path in bench.directory.rglob("*.json*") if path.name != "events.jsonl"] == []


def test_a_kill_between_the_two_files_of_a_deletion_leaves_no_numbers(bench: KeptBench) -> None:
    agent, session = bench.join("4711")
    agent.ask(device_pages(DEVICES, 5)[0], bench.clock.seconds)
    bench.run(agent, session)
    (bench.directory / SYSTEMS / f"{bench.system.id}.json").unlink()
    assert len(bench.reborn().systems) == 0
    assert list((bench.directory.with_name("life1") / NUMBERS).iterdir()) == []


def test_a_file_half_written_at_a_kill_counts_for_nothing(bench: KeptBench) -> None:
    for part in (SYSTEMS, NUMBERS):
        (bench.directory / part / f"{bench.system.id}.new").write_text('{"version": 2, "id": "')
    bench.check()
    bench.gateway.reset(bench.system)
    bench.check()


def test_systems_come_back_in_the_order_of_their_making(bench: KeptBench) -> None:
    for number in range(2, 12):
        bench.clock.seconds += 1
        bench.gateway.create_system(PROFILE, pbx_id=f"PBX{number}")
    assert [system.pbx_id for system in bench.reborn().systems] == [f"PBX{one}" for one in range(1, 12)]


def test_a_file_of_another_version_is_refused_by_name(bench: KeptBench) -> None:
    path = bench.directory / SYSTEMS / f"{bench.system.id}.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": 99}))
    with pytest.raises(ValueError, match=r"\.json is of version 99"):
        bench.reborn()


def test_only_the_owner_can_read_codes(bench: KeptBench) -> None:
    for path in (bench.directory, *bench.directory.rglob("*")):
        assert path.stat().st_mode & 0o077 == 0, path


def test_a_code_that_was_reset_lives_its_day_over_a_restart(bench: KeptBench) -> None:
    bench.clock.seconds += CODE_LIFE.total_seconds()
    bench.gateway.reset(bench.system)
    restored, now = bench.check(), bench.clock.now()
    assert restored.status is SystemStatus.CREATED
    assert restored.codes(now + CODE_LIFE - timedelta(seconds=1)) == (bench.system.public_code,)
    assert restored.codes(now + CODE_LIFE) == ()
