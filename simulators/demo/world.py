"""Starts and stops everything that the demo needs: PBX, gateway, RVA hub, agent."""

import asyncio
import ssl
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx2

from connector.domain.identifiers import PbxKind
from simulators.certs import Certificates, issue
from simulators.clock import SystemClock
from simulators.demo.agent import AgentPlace, AgentProcess
from simulators.gateway.gateway import Options
from simulators.gateway.server import GatewaySettings, GatewaySimulator
from simulators.pbx.server import PbxSimulator
from simulators.pbx.settings import PbxWorld, default_sets
from simulators.rva.server import RvaSimulator

# The expert's Rainbow user id: 24 hexadecimal digits, as the cloud makes them.
EXPERT_ID = "5f3c9a7be2d14c0012ab34cd"
# Of the range that France keeps for films: it rings nobody.
CALLER = "0639980001"
_ADMIN = "/api/rainbow/admin/v1.0"


class DemoWorld:
    """Everything on loopback ports that were free. `open`, use, `aclose`."""

    def __init__(self, kind: PbxKind, directory: Path) -> None:
        self.kind = kind
        self.directory = directory
        self.certificates: Certificates = issue(
            directory / "ca", ("agent.rainbow.test", "localhost", "127.0.0.1")
        )
        clock = SystemClock()
        self.pbx = PbxSimulator(PbxWorld(kind=kind, sets=default_sets(kind)), clock=clock)
        options = Options()
        self.gateway = GatewaySimulator(
            GatewaySettings(directory / "gateway", certificates=self.certificates, options=options), clock
        )
        self.rva = RvaSimulator(directory / "rva", certificates=self.certificates, clock=clock)
        self.agent = AgentProcess(AgentPlace(directory))
        self.domain = options.domain
        self._stack = AsyncExitStack()

    @property
    def expert(self) -> str:
        """The number of the expert's set: the first one of the PBX."""
        return sorted(self.pbx.sets)[0]

    async def start_far_ends(self) -> None:
        """Start PBX, gateway and hub."""
        for part in (self.pbx, self.gateway, self.rva):
            await part.start()
            self._stack.push_async_callback(part.aclose)

    async def create_system(self) -> dict[str, Any]:
        """Create the PBX in the cloud, as its administrator does; the answer has id, pbxId and code."""
        body = {
            "name": "Demo site",
            "siteId": "5f3c9a7be2d14c0012ab0001",
            "type": self.kind.value,
            "country": "FRA",
        }
        return self._object(await self._rest("POST", "/systems", json=body))

    async def system(self, system_id: str) -> dict[str, Any]:
        """The system as the administration shows it."""
        return self._object(await self._rest("GET", f"/systems/{system_id}"))

    async def channels(self, system_id: str) -> dict[str, Any]:
        """The state of the system's channels, all texts."""
        return self._object(await self._rest("GET", f"/systems/{system_id}/state?format=full"))

    async def device_count(self, system_id: str) -> int:
        """How many devices the cloud holds of the system."""
        return int((await self._rest("GET", f"/systems/{system_id}/phone-numbers?limit=1"))["total"])

    async def start_agent(self, pbx_id: str) -> None:
        """Write the agent's configuration and start it."""
        self.agent.configure(self.agent_tables(pbx_id))
        self._stack.push_async_callback(self.agent.stop)
        await self.agent.start()

    def agent_tables(self, pbx_id: str) -> dict[str, dict[str, Any]]:
        """The agent's configuration for this world, beside its own places."""
        ca_file = str(self.certificates.ca_file)
        return {
            "cloud": {
                "domain": self.domain,
                "host": "127.0.0.1",
                "port": self.gateway.port,
                "ca_file": ca_file,
                "pbx_id": pbx_id,
            },
            "pbx": {
                "kind": self.kind.value,
                "host": "127.0.0.1",
                "port": self.pbx.port,
                "devices": sorted(self.pbx.sets),
            },
            "site": {"country": "FR"},
            "rva": {
                "enabled": True,
                "hub_url": self.rva.url,
                "ca_file": ca_file,
                "rules": [{"device": self.expert, "agent_id": EXPERT_ID, "when": "established"}],
            },
        }

    async def aclose(self) -> None:
        """Stop everything, the agent first."""
        await self._stack.aclose()

    async def _rest(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        context = await asyncio.to_thread(ssl.create_default_context, cafile=str(self.certificates.ca_file))
        headers = {"Authorization": f"Bearer {self.gateway.admin_token}"}
        async with httpx2.AsyncClient(verify=context, headers=headers, trust_env=False) as client:
            response = await client.request(method, f"{self.gateway.url}{_ADMIN}{path}", **more)
            response.raise_for_status()
            envelope: dict[str, Any] = response.json()
            return envelope

    @staticmethod
    def _object(envelope: dict[str, Any]) -> dict[str, Any]:
        data: dict[str, Any] = envelope["data"]
        return data
