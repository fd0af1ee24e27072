"""Prosody, the XMPP server of Debian, on loopback: WebSocket over TLS, stream management, two accounts."""

import asyncio
import shutil
import socket
from asyncio.subprocess import DEVNULL, Process
from pathlib import Path

from bench.cores import near_end
from bench.light_agent import Account
from simulators.certs import Certificates

HOST = "localhost"
CODE = "471147114711"
USERS = ("sender", "receiver")
_START_SECONDS = 15.0

# Nothing that costs time but what is measured: no limits, no other server, no archive. `run_as_root`, since a
# benchmark in a container runs so.
_CONFIGURATION = """
pidfile = "{directory}/prosody.pid"
data_path = "{directory}/data"
certificates = "{directory}"
run_as_root = true
plugin_paths = {{}}
network_backend = "epoll"
modules_enabled = {{ "saslauth"; "websocket"; "smacks"; "ping"; "message"; "presence" }}
modules_disabled = {{ "s2s"; "tls"; "offline"; "posix"; "limits" }}
authentication = "internal_hashed"
password_hash = "SHA-256"
c2s_ports = {{}}
s2s_ports = {{}}
http_ports = {{}}
https_ports = {{ {port} }}
https_interfaces = {{ "127.0.0.1" }}
https_ssl = {{ key = "{key_file}", certificate = "{cert_file}" }}
consider_websocket_secure = true
log = {{ warn = "{directory}/prosody.log" }}
VirtualHost "{host}"
"""


def is_installed() -> bool:
    """Whether there is a Prosody to measure."""
    return shutil.which("prosody") is not None


class Prosody:
    """One life of a server on the last core, like everything that is measured."""

    def __init__(self, process: Process, port: int) -> None:
        self._process = process
        self.url = f"wss://{HOST}:{port}/xmpp-websocket"
        self.accounts = [Account(HOST, user, CODE) for user in USERS]

    @classmethod
    async def start(cls, directory: Path, certificates: Certificates) -> "Prosody":
        """Start it with its accounts; it listens."""
        (directory / "data").mkdir(parents=True)
        port = _free_port()
        configuration = directory / "prosody.cfg.lua"
        configuration.write_text(
            _CONFIGURATION.format(
                directory=directory,
                port=port,
                host=HOST,
                key_file=certificates.key_file,
                cert_file=certificates.cert_file,
            )
        )
        for user in USERS:
            await _register(configuration, user)
        process = await asyncio.create_subprocess_exec(
            *near_end(str(shutil.which("prosody")), "--config", str(configuration), "-F"),
            stdout=DEVNULL,
            stderr=DEVNULL,
        )
        await _listening(port)
        return cls(process, port)

    async def aclose(self) -> None:
        """Stop it."""
        if self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()


async def _register(configuration: Path, user: str) -> None:
    command = ("prosodyctl", "--config", str(configuration), "register", user, HOST, CODE)
    process = await asyncio.create_subprocess_exec(*command, stdout=DEVNULL, stderr=DEVNULL)
    if await process.wait() != 0:
        raise RuntimeError("prosodyctl could not make an account")


async def _listening(port: int) -> None:
    async with asyncio.timeout(_START_SECONDS):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
