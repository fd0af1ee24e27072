"""The light agents log in, come back, and count what is acknowledged, at a real gateway on loopback."""

import asyncio
from pathlib import Path

import pytest
from websockets.uri import parse_uri

from bench.fleet_agents import Fleet, hold_bare
from bench.fleet_gateway import activated
from bench.handshakes import pairs_per_second
from bench.light_agent import Account
from simulators.certs import issue
from simulators.gateway.gateway import Options
from simulators.gateway.server import GatewaySettings, GatewaySimulator

COUNT = 5


async def test_a_fleet_logs_in_sends_and_comes_back(tmp_path: Path) -> None:
    options = Options(mechanisms=("SCRAM-SHA-256",))
    simulator = GatewaySimulator(GatewaySettings(tmp_path, options=options))
    await simulator.start()
    systems = [activated(simulator) for _ in range(COUNT)]
    accounts = [Account(options.domain, system.user, system.private_code) for system in systems]
    fleet = Fleet(parse_uri(f"wss://127.0.0.1:{simulator.port}/websocket"), simulator.ca_file, accounts)
    try:
        assert await fleet.connect() > 0
        assert all(system.is_connected for system in systems)
        assert await fleet.burst(200) > 0
        assert sum(system.events.stored for system in systems) == 200
        fleet.expect_loss()
        simulator.gateway.shut_down()
        assert await fleet.come_back() > 0
        assert all(system.is_connected for system in systems)
        bare = await hold_bare(fleet.uri, simulator.ca_file, 2)
        assert all(client.is_connected for client in bare)
        for client in bare:
            client.abort()
    finally:
        await fleet.aclose()
        await simulator.aclose()
        await asyncio.sleep(0)


async def test_a_fleet_that_nobody_wants_gives_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.fleet_agents.MAX_FAILURES", 3)
    simulator = GatewaySimulator(GatewaySettings(tmp_path))
    await simulator.start()
    url = parse_uri(f"wss://127.0.0.1:{simulator.port}/elsewhere")
    fleet = Fleet(url, simulator.ca_file, [Account("rainbow.test", "nobody", "4711")])
    try:
        with pytest.raises(RuntimeError, match="0 of 1 agents are up"):
            await fleet.connect()
    finally:
        await fleet.aclose()
        await simulator.aclose()


def test_handshakes_in_memory_end(tmp_path: Path) -> None:
    assert pairs_per_second(issue(tmp_path), 3) > 0
