"""A gateway that is killed and started again: neither its administrator nor its agent has to do anything."""

import pytest

from tests.e2e.test_endurance import Endurance, endurance

__all__ = ["endurance"]

USER = "5f3c9a7be2d14c0012ab0002"


@pytest.mark.slow
async def test_numbers_links_and_settings_outlive_a_kill(endurance: Endurance) -> None:
    await endurance.begin_all()
    gateway = endurance.far
    (system,) = await gateway.ask("GET", "/systems?format=full")
    path = f"/systems/{system['id']}"
    numbers = await gateway.ask("GET", f"{path}/phone-numbers?format=full")
    linked = f"{path}/phone-numbers/{numbers[0]['id']}"
    await gateway.ask("PUT", path, {"country": "FRA", "serverPingTimeout": 60})
    before = await gateway.ask("PUT", linked, {"userId": USER, "isMonitored": True})
    await endurance.agent.kill()
    await gateway.kill()
    await gateway.start()
    assert await gateway.ask("GET", linked) == before
    kept = await gateway.ask("GET", path)
    assert (kept["status"], kept["country"], kept["serverPingTimeout"]) == ("activated", "FRA", 60)
    assert [one["id"] for one in await gateway.ask("GET", f"{path}/phone-numbers")] == [
        one["id"] for one in numbers
    ]
    await endurance.agent.start()
    await endurance.up()
    again = await gateway.ask("GET", f"{path}/phone-numbers?format=full")
    assert [one["id"] for one in again] == [one["id"] for one in numbers]
    assert await gateway.ask("GET", linked) == before
