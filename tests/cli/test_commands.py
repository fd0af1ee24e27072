"""The commands that ask the agent, against one behind a real socket."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from connector.cli.calls import event_line
from connector.cli.main import main
from connector.cli.status import lines
from connector.domain.alarms import Alarm
from connector.domain.devices import Device
from connector.domain.errors import StoreError
from connector.domain.faults import FaultId
from connector.domain.hops import Hop
from connector.domain.switch import Disabled, SwitchedBy
from tests.agent.fake_agent import NINE, RIGHT_CODE, FakeAgent, controlled


@pytest.fixture
async def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeAgent]:
    path = tmp_path / "control.sock"
    monkeypatch.setenv("OXBRIDGE_SOCKET", str(path))
    async with controlled(FakeAgent(), path) as running:
        yield running


async def oxbridge(*arguments: str, typed: str | None = None) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, main, arguments, input=typed)


@pytest.mark.usefixtures("agent")
async def test_status_of_an_agent_with_everything_up() -> None:
    result = await oxbridge("status")
    assert result.exit_code == 0
    assert "PBX-ID      PBX1 (activated)" in result.stdout
    assert "Cloud       connected for" in result.stdout
    assert "Channels    xmpp up  conf up  csta up  http up\n" in result.stdout
    assert "Devices     2: 1 in service, 1 out of service (revision 5)" in result.stdout
    assert result.stderr == ""


async def test_status_of_an_agent_without_the_cloud(agent: FakeAgent) -> None:
    agent.is_up = False
    result = await oxbridge("status")
    assert result.exit_code == 1
    assert re.search(r"Cloud {7}waiting for .* at TCP, down for .*, next try in 0 s", result.stdout)
    assert "The gateway can't be reached. (agent.example:443)" in result.stdout
    assert "Remedy: Let this machine open TCP 443 to the gateway." in result.stdout
    assert "xmpp down" in result.stdout


@pytest.mark.usefixtures("agent")
async def test_colour_only_where_it_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    colourful = await asyncio.to_thread(CliRunner().invoke, main, ["status"], color=True)
    monkeypatch.setenv("NO_COLOR", "1")
    plain = await asyncio.to_thread(CliRunner().invoke, main, ["status"], color=True)
    assert "\x1b[32mconnected" in colourful.stdout
    assert "\x1b" not in plain.stdout


@pytest.mark.parametrize("is_up", [True, False])
async def test_status_as_json_is_the_agents_own(agent: FakeAgent, is_up: bool) -> None:
    agent.is_up = is_up
    result = await oxbridge("status", "--json")
    assert result.exit_code == (0 if is_up else 1)
    assert json.loads(result.stdout) == agent.status().as_json()


async def test_durations_are_short_and_never_negative() -> None:
    agent = FakeAgent()
    status = agent.status().as_json()
    after = {
        NINE: "0 s",
        datetime(2026, 11, 20, 9, 0, 42, tzinfo=UTC): "42 s",
        datetime(2026, 11, 20, 9, 59, 59, tzinfo=UTC): "59 min 59 s",
        datetime(2026, 11, 22, 10, 1, 1, tzinfo=UTC): "2 d 1 h",
        datetime(2026, 11, 20, 8, 0, tzinfo=UTC): "0 s",
    }
    assert {now: next(lines(status, now)).split("for ")[1] for now in after} == after


@pytest.mark.usefixtures("agent")
async def test_devices_are_a_table_with_safe_names() -> None:
    result = await oxbridge("devices")
    assert result.exit_code == 0
    first, second, third = result.stdout.splitlines()
    assert first.split() == ["Number", "State", "First", "name", "Name", "Type", "Source"]
    assert second.split() == ["101", "in-service", "Amélie", "Müller\\x1b[2J", "station", "csta"]
    assert third.split() == ["102", "out-of-service", "csta"]
    assert "\x1b" not in result.stdout


async def test_a_name_is_not_markup(agent: FakeAgent) -> None:
    agent.device_list = [Device("101", "[bold]x[/bold]"), Device("102", ":smile:")]
    result = await oxbridge("devices")
    assert "[bold]x[/bold]" in result.stdout
    assert ":smile:" in result.stdout


async def test_devices_as_json(agent: FakeAgent) -> None:
    result = await oxbridge("devices", "--json")
    document = json.loads(result.stdout)
    assert (document["schema_version"], document["revision"], len(document["devices"])) == (1, 5, 2)
    agent.device_list = []
    result = await oxbridge("devices")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "not known yet" in result.stderr


async def test_calls(agent: FakeAgent) -> None:
    result = await oxbridge("calls")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "No call is in progress.\n")
    agent.call_list = [
        {"call": "c-1", "device": "101", "state": "alerting", "caller": "0199001234", "called": "101"}
    ]
    result = await oxbridge("calls")
    assert result.stdout.splitlines()[1].split() == ["c-1", "101", "alerting", "0199001234", "101"]
    assert json.loads((await oxbridge("calls", "--json")).stdout)["calls"] == agent.call_list


async def test_following_calls_ends_with_the_agent(agent: FakeAgent) -> None:
    following = asyncio.create_task(oxbridge("calls", "--follow"))
    await _until_followed(agent)
    agent.followers.publish(
        {
            "time": "2026-11-20T09:00:00.000Z",
            "device": "101",
            "event": "delivered",
            "call": "c-1",
            "caller": "a\x1b",
        }
    )
    agent.followers.end()
    result = await following
    assert result.exit_code == 3
    assert result.stdout.split() == [
        "2026-11-20T09:00:00.000Z",
        "101",
        "delivered",
        "a\\x1b",
        "→",
        "?",
        "[c-1]",
    ]
    assert result.stderr == "The agent stopped.\n"


async def test_following_calls_as_json_is_one_object_a_line(agent: FakeAgent) -> None:
    following = asyncio.create_task(oxbridge("calls", "--follow", "--json"))
    await _until_followed(agent)
    records = [{"event": "delivered"}, {"event": "cleared", "end": "missed"}]
    for record in records:
        agent.followers.publish(record)
    agent.followers.end()
    assert [json.loads(line) for line in (await following).stdout.splitlines()] == records


def test_an_ended_call_says_how_and_lost_events_are_named() -> None:
    assert event_line({"event": "cleared", "end": "missed", "call": "c"}).endswith("[c]  ended: missed")
    assert "ended" not in event_line({"event": "cleared", "end": None, "call": "c"})
    assert event_line({"lost": 7}) == "(7 events were lost: this terminal was too slow)"


async def test_activation_reads_the_code_from_standard_input(agent: FakeAgent) -> None:
    result = await oxbridge("activate", typed=f" {RIGHT_CODE} \r\nrest")
    assert (result.exit_code, result.stdout) == (0, "This agent is activated.\n")
    assert result.stderr == "Connecting to the gateway.\nThe private code is stored.\n"
    assert agent.codes == [RIGHT_CODE]


async def test_activation_reads_the_code_from_a_file(agent: FakeAgent, tmp_path: Path) -> None:
    file = tmp_path / "code"
    file.write_text(RIGHT_CODE + "\n")
    assert (await oxbridge("activate", "--code-file", str(file))).exit_code == 0
    assert (await oxbridge("activate", "--code-file", "-", typed=RIGHT_CODE)).exit_code == 0
    assert agent.codes == [RIGHT_CODE, RIGHT_CODE]


@pytest.mark.usefixtures("agent")
async def test_a_wrong_code_gets_a_sentence_with_cause_and_remedy() -> None:
    result = await oxbridge("activate", typed="1234")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "The gateway did not accept this PBX-ID with this code. (not-authorized)" in result.stderr
    assert "Cause:  The activation code is wrong" in result.stderr
    assert "Remedy: Compare" in result.stderr
    assert "1234" not in result.output


async def test_the_code_is_never_an_argument(agent: FakeAgent) -> None:
    result = await oxbridge("activate", RIGHT_CODE)
    assert result.exit_code == 2
    assert agent.codes == []


@pytest.mark.parametrize("typed", ["", "\n", "  \n4711\n"])
async def test_no_code_is_a_usage_error(agent: FakeAgent, typed: str) -> None:
    result = await oxbridge("activate", typed=typed)
    assert result.exit_code == 2
    assert "no activation code was given" in result.stderr
    assert agent.codes == []


async def test_a_file_that_is_no_text_is_refused_without_showing_it(agent: FakeAgent, tmp_path: Path) -> None:
    file = tmp_path / "code"
    file.write_bytes(b"\xff\xfe\x00secret")
    result = await oxbridge("activate", "--code-file", str(file))
    assert result.exit_code == 1
    assert "secret" not in result.output
    assert agent.codes == []


async def test_status_of_an_agent_that_is_switched_off(agent: FakeAgent) -> None:
    agent.disabled = Disabled(NINE, SwitchedBy.CLOUD)
    result = await oxbridge("status")
    assert result.exit_code == 1
    assert "Switch      off since 2026-11-20T09:00:00.000Z, switched off by the cloud" in result.stdout
    assert "Run `oxbridge enable`" in result.stdout


async def test_status_shows_alarms_with_their_remedy(agent: FakeAgent) -> None:
    agent.alarms = [Alarm(FaultId.SECOND_AGENT, NINE, 3, "a\x1b[2J")]
    result = await oxbridge("status")
    assert "Alarm       Two agents use this PBX-ID. (a\\x1b[2J)" in result.stdout
    assert ", 3 times. Remedy: Stop one of them." in result.stdout


def test_the_hop_is_named_as_a_person_would() -> None:
    status = FakeAgent().status().as_json()
    cloud = status["links"]["cloud"]
    seen = []
    for hop in Hop:
        cloud |= {"state": "waiting", "hop": hop.value, "down_since": None, "fault": None}
        seen.append(
            next(line for line in lines(status, NINE) if line.startswith("Cloud")).partition("0 s")[2]
        )
    assert {" at the proxy", " at name resolution", " at TLS", " at the PBX", " at this agent"} <= set(seen)


def test_a_try_under_way_names_where_the_last_one_failed() -> None:
    agent = FakeAgent()
    agent.is_up = False
    status = agent.status().as_json()
    status["links"]["cloud"] |= {"state": "connecting", "hop": "proxy"}
    (cloud,) = [click.unstyle(line) for line in lines(status, NINE) if line.startswith("Cloud")]
    assert "connecting for 0 s, last failed at the proxy, down for 0 s" in cloud


@pytest.mark.parametrize("order", ["enable", "disable"])
async def test_switching_needs_nothing_typed(agent: FakeAgent, order: str) -> None:
    result = await oxbridge(order)
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"Done: {order}.\n", "")
    assert agent.orders == [order]


@pytest.mark.parametrize(
    ("arguments", "typed", "orders"),
    [(["--yes"], "", ["reset"]), ([], "y\n", ["reset"]), ([], "n\n", []), ([], "", [])],
)
async def test_a_reset_asks_before(
    agent: FakeAgent, arguments: list[str], typed: str, orders: list[str]
) -> None:
    result = await oxbridge("reset", *arguments, typed=typed)
    assert agent.orders == orders
    assert result.exit_code == (0 if orders else 1)
    assert result.stdout == ("Done: reset.\n" if orders else "")


@pytest.mark.parametrize("order", [["enable"], ["disable"], ["reset", "--yes"]])
async def test_an_order_that_fails_says_what_to_do(agent: FakeAgent, order: list[str]) -> None:
    agent.refuses = StoreError(FaultId.STORE_UNUSABLE, "no space")
    result = await oxbridge(*order)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "Remedy: Check [agent] state_directory" in result.stderr


@pytest.mark.usefixtures("agent")
async def test_the_configuration_in_force_and_its_sources() -> None:
    table = (await oxbridge("config", "effective")).stdout.splitlines()
    assert [line.split() for line in table] == [
        ["Setting", "Value", "Source"],
        ["site.country", "FR", "cloud", "revision", "17"],
    ]
    document = json.loads((await oxbridge("config", "effective", "--json")).stdout)
    assert document["values"] == [{"setting": "site.country", "value": "FR", "source": "cloud revision 17"}]


@pytest.mark.parametrize(
    "command",
    [
        ["status"],
        ["devices"],
        ["calls"],
        ["calls", "--follow"],
        ["activate"],
        ["enable"],
        ["disable"],
        ["reset", "--yes"],
        ["config", "effective"],
    ],
)
def test_without_an_agent_every_command_is_exit_code_3(tmp_path: Path, command: list[str]) -> None:
    result = CliRunner().invoke(main, [*command, "--socket", str(tmp_path / "none")], input="4711")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "No agent answers on the control socket." in result.stderr


async def _until_followed(agent: FakeAgent) -> None:
    async with asyncio.timeout(5):
        while not len(agent.followers):  # noqa: ASYNC110 - the follower is a thread behind a real socket
            await asyncio.sleep(0.001)
