"""The baseline: plain `websockets` over wss, an echo in the far end's process and its client in another.

`python -m bench.echo URL CA_FILE` is the client: each line of its standard input asks for one measurement,
each line of its standard output answers it.
"""

import asyncio
import json
import ssl
import sys
import time
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Server, ServerConnection, serve

from bench.cores import near_end, top
from simulators.certs import Certificates

# An event of ours as a stanza has 500 to 1,000 characters.
PAYLOAD = "x" * 700
IN_FLIGHT = 64
# The seconds of some thousand round trips, 25 characters each.
_MAX_ANSWER_BYTES = 1_048_576


async def serve_echo(certificates: Certificates) -> tuple[Server, int]:
    """An echo on a free loopback port, with the gateway's own certificate; the server and its port."""
    server = await serve(_echo, "127.0.0.1", 0, ssl=certificates.server_context(), compression=None)
    port: int = next(iter(server.sockets)).getsockname()[1]
    return server, port


async def _echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


class EchoClient:
    """The client's process."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, port: int, ca_file: Path) -> "EchoClient":
        """Start the process; it connects before its first measurement."""
        command = near_end(sys.executable, "-m", "bench.echo", f"wss://127.0.0.1:{port}", str(ca_file))
        process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, cwd=top(), limit=_MAX_ANSWER_BYTES
        )
        return cls(process)

    async def rate(self, count: int) -> float:
        """Echoes a second, with `IN_FLIGHT` on their way."""
        return float(await self._ask("rate", count))

    async def round_trips(self, count: int) -> list[float]:
        """Seconds of each of `count` echoes, one after the other."""
        return list(await self._ask("round_trips", count))

    async def aclose(self) -> None:
        """End the process."""
        await self._process.communicate(b"")  # closes its standard input: it ends

    async def _ask(self, what: str, count: int) -> Any:
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("the echo client has no pipes")
        self._process.stdin.write(f"{what} {count}\n".encode())
        return json.loads(await self._process.stdout.readline())


async def _rate(connection: ClientConnection, count: int) -> float:
    began = time.perf_counter()
    for _ in range(IN_FLIGHT):
        await connection.send(PAYLOAD)
    for _ in range(count - IN_FLIGHT):
        await connection.recv()
        await connection.send(PAYLOAD)
    for _ in range(IN_FLIGHT):
        await connection.recv()
    return count / (time.perf_counter() - began)


async def _round_trips(connection: ClientConnection, count: int) -> list[float]:
    seconds = []
    for _ in range(count):
        began = time.perf_counter()
        await connection.send(PAYLOAD)
        await connection.recv()
        seconds.append(time.perf_counter() - began)
    return seconds


_MEASUREMENTS = {"rate": _rate, "round_trips": _round_trips}


async def _serve_measurements(url: str, ca_file: str) -> None:
    context = ssl.create_default_context(cafile=ca_file)
    # Between two measurements nobody reads: no keepalive may end the connection then.
    async with connect(url, ssl=context, compression=None, proxy=None, ping_interval=None) as connection:
        while request := await asyncio.to_thread(sys.stdin.readline):
            what, count = request.split()
            result = await _MEASUREMENTS[what](connection, int(count))
            sys.stdout.write(json.dumps(result) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_serve_measurements(*sys.argv[1:]))
