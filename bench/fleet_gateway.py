"""What the fleet connects to, in a process of its own: the gateway simulator, or bare `websockets`.

`python -m bench.fleet_gateway gateway|bare DIRECTORY COUNT`: its first line of standard output tells where
it listens; `DIRECTORY` gets the authority and, of a gateway, the accounts of `COUNT` activated systems. Each
line of its standard input asks for something, each further line of its standard output answers it, as JSON.
"""

import asyncio
import gc
import json
import sys
from pathlib import Path

import uvloop
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from simulators.certs import issue
from simulators.gateway.gateway import Options
from simulators.gateway.server import GatewaySettings, GatewaySimulator
from simulators.gateway.systems import Profile, System, SystemType
from simulators.serving import collect_seldom

ACCOUNTS_FILE = "accounts.json"
PING_SECONDS = 20.0
# All of them come from this machine.
MAX_AGENTS = 10_000


async def _gateway(directory: Path, count: int) -> None:
    """One hash only: deriving keys takes 3 ms a code and hash, and a first login is not what is measured."""
    options = Options(
        mechanisms=("SCRAM-SHA-256",), ping_interval_seconds=PING_SECONDS, max_per_address=MAX_AGENTS
    )
    simulator = GatewaySimulator(GatewaySettings(directory, options=options))
    await simulator.start()
    systems = [activated(simulator) for _ in range(count)]
    accounts = [(options.domain, system.user, system.private_code) for system in systems]
    (directory / ACCOUNTS_FILE).write_text(json.dumps(accounts))
    collect_seldom()
    _answer([simulator.port, str(simulator.ca_file), "/websocket"])
    while request := await asyncio.to_thread(sys.stdin.readline):
        if request.strip() == "drop":
            simulator.gateway.shut_down()
        _answer(sum(system.is_connected for system in systems))
    await simulator.aclose()


def activated(simulator: GatewaySimulator) -> System:
    """A new system whose agent has stored its private code."""
    gateway = simulator.gateway
    system = gateway.create_system(Profile(name="Bench", type=SystemType.OXE, site_id="s1"))
    system.propose(gateway.wall(), gateway.random)
    system.acknowledge(gateway.wall())
    return system


async def _bare(directory: Path) -> None:
    certificates = issue(directory)
    (directory / ACCOUNTS_FILE).write_text("[]")

    async def attend(connection: ServerConnection) -> None:
        await connection.wait_closed()

    async with serve(
        attend,
        "127.0.0.1",
        0,
        ssl=certificates.server_context(),
        compression=None,
        subprotocols=[Subprotocol("xmpp")],
    ) as server:
        gc.collect()
        gc.freeze()
        _answer([next(iter(server.sockets)).getsockname()[1], str(certificates.ca_file), "/"])
        while await asyncio.to_thread(sys.stdin.readline):
            _answer(len(server.connections))


def _answer(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Serve until the standard input ends."""
    kind, directory, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    uvloop.run(_gateway(directory, count) if kind == "gateway" else _bare(directory))


if __name__ == "__main__":
    main()
