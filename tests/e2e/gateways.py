"""The gateway simulator as a process of its own, which can be killed and keeps what it acknowledged."""

import asyncio
import re
import signal
import ssl
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2

from simulators.gateway.archive import KeptEvent, read_events

START_SECONDS = 30.0
_ADMIN = "/api/rainbow/admin/v1.0"


class GatewayProcess:
    """`start`, then `kill` and `start` again at the same port and directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = 0
        self._token = ""
        self._process: Process | None = None

    @property
    def ca_file(self) -> Path:
        """Whom the agent has to trust."""
        return self.directory / "ca.pem"

    async def start(self) -> None:
        """Start it and wait until it listens."""
        command = str(Path(sys.executable).with_name("oxbridge-sim"))
        arguments = ("gateway", "--port", str(self.port), "--directory", str(self.directory), "--keep")
        self._process = await asyncio.create_subprocess_exec(
            command, *arguments, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL
        )
        assert self._process.stdout is not None
        async with asyncio.timeout(START_SECONDS):
            while not self._token or not self.port:
                line = (await self._process.stdout.readline()).decode()
                assert line, "the gateway ended at its start"
                if found := re.search(r"console https://[^:]+:(\d+)/", line):
                    self.port = int(found[1])
                if found := re.search(r"admin token (\S+)", line):
                    self._token = found[1]

    async def kill(self) -> None:
        """`kill -9`."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        self._token = ""

    async def stop(self) -> None:
        """SIGTERM: the agents are told."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
            await self._process.wait()

    async def create_system(self, kind: str, code: str) -> dict[str, Any]:
        """A system with this activation code, as its administrator creates it."""
        body = {"name": "Lyon", "siteId": "5f3c9a7be2d14c0012ab0001", "type": kind, "activationCode": code}
        made: dict[str, Any] = await self.ask("POST", "/systems", body)
        return made

    async def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """The data that a call of the administration answers with."""
        context = await asyncio.to_thread(ssl.create_default_context, cafile=str(self.ca_file))
        headers = {"Authorization": f"Bearer {self._token}"}
        url = f"https://127.0.0.1:{self.port}{_ADMIN}{path}"
        async with httpx2.AsyncClient(verify=context, headers=headers, trust_env=False) as client:
            response = await client.request(method, url, json=body)
            response.raise_for_status()
            return response.json()["data"]

    def events(self) -> Iterator[KeptEvent]:
        """What it has acknowledged or was about to, after its de-duplication, as it came."""
        return read_events(self.directory)
