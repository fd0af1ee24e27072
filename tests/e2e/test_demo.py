"""`oxbridge-sim demo --once --json`: the whole path on real sockets, told truly."""

import json

import pytest

from tests.e2e.sites import oxbridge


@pytest.mark.parametrize(("kind", "devices"), [("oxo", 8), ("oxe", 12)])
async def test_the_demo_says_what_really_happened(kind: str, devices: int) -> None:
    ran = await oxbridge("demo", "--once", "--json", "--pbx", kind, command="oxbridge-sim")
    assert (ran.code, ran.talk) == (0, "")
    result = json.loads(ran.output)
    assert 0 < result.pop("seconds") < 30
    assert result == {
        "activated": True,
        "devices": devices,
        "events": ["delivered", "established", "connectionCleared"],
        "invitation": {"status": "sent", "to": "+33639980001"},
    }


async def test_the_narrated_demo_tells_each_step() -> None:
    ran = await oxbridge("demo", "--once", "--pbx", "oxo", command="oxbridge-sim")
    assert (ran.code, ran.talk) == (0, "")
    said = [line.split(maxsplit=1) for line in ran.output.splitlines()]
    assert {who for who, _ in said} == {"pbx", "gateway", "hub", "console", "agent", "result"}
    (result,) = [what for who, what in said if who == "result"]
    assert json.loads(result)["invitation"]["status"] == "sent"
