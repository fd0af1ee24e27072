"""An agent without links, for its control API, its health pages and the command line."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from connector.agent.control import control_app
from connector.agent.followers import Follower, Followers, Record
from connector.agent.serving import HttpServer, unix_listener
from connector.agent.status import Status
from connector.domain.alarms import Alarm
from connector.domain.configuration import Effective
from connector.domain.credentials import Activation
from connector.domain.devices import Device, DeviceState
from connector.domain.errors import AuthError, ConnectorError, DialError
from connector.domain.faults import FaultId
from connector.domain.identifiers import Channel
from connector.domain.links import LinkState, LinkStatus
from connector.domain.switch import Disabled

NINE = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
RIGHT_CODE = "4711"


class FakeAgent:
    """Implements `Controlled` with settable facts."""

    def __init__(self) -> None:
        self.is_up = True
        self.device_list: list[Device] = [
            Device("101", "Müller\x1b[2J", "Amélie", "station", DeviceState.IN_SERVICE, "csta"),
            Device("102", state=DeviceState.OUT_OF_SERVICE, source="csta"),
        ]
        self.call_list: list[Record] = []
        self.followers = Followers()
        self.codes: list[str] = []
        self.hangs = asyncio.Event()  # set while an activation waits for ever
        self.was_cancelled = asyncio.Event()
        self.health: tuple[bool, list[str]] = (True, [])
        self.breaks: Exception | None = None
        self.orders: list[str] = []
        self.refuses: ConnectorError | None = None
        self.disabled: Disabled | None = None
        self.alarms: list[Alarm] = []

    def status(self) -> Status:
        lost = DialError(FaultId.CLOUD_UNREACHABLE, "agent.example:443", link="cloud")
        cloud = (
            LinkStatus("cloud", LinkState.CONNECTED, NINE)
            if self.is_up
            else LinkStatus("cloud", LinkState.WAITING, NINE, lost, NINE, 2, down_since=NINE)
        )
        return Status(
            version="0.1.0",
            pbx_id="PBX1",
            started_at=NINE,
            activation=Activation.ACTIVATED if self.is_up else Activation.NOT_ACTIVATED,
            links={"pbx": LinkStatus("pbx", LinkState.CONNECTED, NINE), "cloud": cloud},
            channels=dict.fromkeys(Channel, self.is_up),
            devices={DeviceState.IN_SERVICE: 1, DeviceState.OUT_OF_SERVICE: 1},
            devices_revision=5,
            calls_live=len(self.call_list),
            outbox_epoch="9f3c",
            outbox_last_seq=812,
            outbox_unacknowledged=0,
            invitations={"sent": 1},
            disabled=self.disabled,
            alarms=self.alarms,
        )

    def devices(self) -> tuple[int, Sequence[Device]]:
        return 5, self.device_list

    def calls(self) -> Sequence[Record]:
        return self.call_list

    def follow_calls(self) -> Follower:
        return self.followers.follow()

    async def activate(self, code: str, progress: Callable[[str], None]) -> str:
        self.codes.append(code)
        progress("Connecting to the gateway.")
        if self.breaks is not None:
            raise self.breaks
        if code == "wait":
            self.hangs.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.was_cancelled.set()
                raise
        if code != RIGHT_CODE:
            raise AuthError(FaultId.CLOUD_NOT_AUTHORIZED, "not-authorized", link="cloud")
        progress("The private code is stored.")
        return "This agent is activated."

    def configuration(self) -> Sequence[Effective]:
        return [Effective("site.country", "FR", "cloud revision 17")]

    async def enable(self) -> str:
        return self._obey("enable")

    async def disable(self) -> str:
        return self._obey("disable")

    async def reset(self) -> str:
        return self._obey("reset")

    def _obey(self, order: str) -> str:
        if self.refuses is not None:
            raise self.refuses
        self.orders.append(order)
        return f"Done: {order}."

    def is_ready(self) -> tuple[bool, list[str]]:
        return (True, []) if self.is_up else (False, ["The gateway can't be reached."])

    async def is_healthy(self) -> tuple[bool, list[str]]:
        await asyncio.sleep(0)
        return self.health


@asynccontextmanager
async def controlled(agent: FakeAgent, path: Path) -> AsyncIterator[FakeAgent]:
    """`agent` behind a real control socket at `path`."""
    server = HttpServer(control_app(agent), unix_listener(path))
    server.start()
    try:
        yield agent
    finally:
        agent.followers.end()
        await server.aclose()
