"""The nearest peer by architecture: the `ocpp` package's agent, which dials out over wss and calls.

Its central system runs in this process, its charge point on the other core; `ChargePoint.call` waits for each
answer before the next call, so its rate is one over its round trip. `python -m bench.peer URL CA_FILE` is the
charge point.
"""

import asyncio
import json
import logging
import ssl
import sys
import time
from asyncio.subprocess import PIPE, Process
from contextlib import AsyncExitStack, suppress
from datetime import UTC, datetime
from typing import Any

from ocpp.routing import on
from ocpp.v16 import ChargePoint, call, call_result
from ocpp.v16.enums import Action
from websockets.asyncio.client import connect
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from bench import traffic
from bench.cores import near_end, top
from bench.figures import Figure, at_least
from bench.rounds import Rounds, tell
from bench.world import World
from simulators.certs import Certificates

_SUBPROTOCOL = Subprotocol("ocpp1.6")


async def run(rounds: Rounds) -> list[Figure]:
    """Measure; the figures."""
    ours: list[float] = []
    theirs: list[float] = []
    async with World() as world, AsyncExitStack() as stack:
        server, port = await _central_system(world.certificates)
        stack.callback(server.close)
        peer = await _start_charge_point(port, str(world.certificates.ca_file))
        stack.push_async_callback(peer.communicate, b"")
        site = await world.site()
        calls = iter(range(0, 10**9, 100_000))
        await site.saturated(list(traffic.mixed(5_000, next(calls))))
        for number in rounds:
            tell(f"peer: round {number} of {rounds.count}")
            await world.settle()
            theirs.append(await _ask(peer, rounds.scaled(1_000)))
            frames = list(traffic.durable(rounds.scaled(20_000), next(calls)))
            await world.settle()
            ours.append(await site.saturated(frames))
    return [Figure("peer.events", "events/s", ours, "ocpp, serial calls", theirs, at_least(10))]


class _Connection:
    """What the package expects of a connection."""

    def __init__(self, connection: Any) -> None:
        self.recv = connection.recv
        self.send = connection.send


class _CentralSystem(ChargePoint):  # type: ignore[misc]  # ocpp has no types
    @on(Action.meter_values)  # type: ignore[untyped-decorator]
    def on_meter_values(self, **_: Any) -> call_result.MeterValues:
        """Accept and forget: nothing is written, in the peer's favour."""
        return call_result.MeterValues()


async def _central_system(certificates: Certificates) -> tuple[Server, int]:
    logging.getLogger("ocpp").setLevel(logging.WARNING)

    async def attend(connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            await _CentralSystem("bench", _Connection(connection)).start()

    server = await serve(
        attend,
        "127.0.0.1",
        0,
        ssl=certificates.server_context(),
        subprotocols=[_SUBPROTOCOL],
        compression=None,
    )
    return server, next(iter(server.sockets)).getsockname()[1]


async def _start_charge_point(port: int, ca_file: str) -> Process:
    command = near_end(sys.executable, "-m", "bench.peer", f"wss://127.0.0.1:{port}", ca_file)
    return await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, cwd=top())


async def _ask(peer: Process, count: int) -> float:
    if peer.stdin is None or peer.stdout is None:
        raise RuntimeError("the charge point has no pipes")
    peer.stdin.write(f"{count}\n".encode())
    return float(json.loads(await peer.stdout.readline()))


def _meter_values() -> call.MeterValues:
    now = datetime.now(UTC).isoformat()
    sampled = [{"value": "230.1", "measurand": "Voltage", "unit": "V", "context": "Sample.Periodic"}]
    return call.MeterValues(connector_id=1, meter_value=[{"timestamp": now, "sampled_value": sampled}])


async def _call_serially(url: str, ca_file: str) -> None:
    logging.getLogger("ocpp").setLevel(logging.WARNING)
    context = ssl.create_default_context(cafile=ca_file)
    async with connect(
        url, ssl=context, subprotocols=[_SUBPROTOCOL], compression=None, proxy=None, ping_interval=None
    ) as connection:
        point = ChargePoint("bench", _Connection(connection))
        listening = asyncio.create_task(point.start())
        while request := await asyncio.to_thread(sys.stdin.readline):
            began = time.perf_counter()
            for _ in range(int(request)):
                await point.call(_meter_values())
            sys.stdout.write(json.dumps(int(request) / (time.perf_counter() - began)) + "\n")
            sys.stdout.flush()
        listening.cancel()


if __name__ == "__main__":
    asyncio.run(_call_serially(*sys.argv[1:]))
