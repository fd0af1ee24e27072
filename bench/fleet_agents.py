"""The load generator: thousands of light agents, or bare WebSockets, in a process of their own.

`python -m bench.fleet_agents URI CA_FILE ACCOUNTS_FILE`: each line of its standard input asks for something,
each line of its standard output answers it, as JSON. The accounts file has one [domain, user, code] each.
"""

import asyncio
import functools
import gc
import json
import sys
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

import uvloop
from websockets.uri import WebSocketURI, parse_uri

from bench.burst import events, rate_at_gateway, rate_between
from bench.light_agent import Account, LightAgent, SaltedPasswords
from bench.websocket_client import WebSocketClient, trusting

# Connections that are set up together: enough to keep both ends busy, few enough for a backlog of 2,048.
CONNECTING = 64
# Logins that may fail: a far end that refuses everybody must not be asked for ever.
MAX_FAILURES = 1_000
# How often the timers of all agents are looked at; what they wait for takes seconds.
_SWEEP_SECONDS = 0.5
_STEP_SECONDS = 120.0


class Fleet:
    """All agents of this process. One that is lost comes back at once, behind those that were lost before."""

    def __init__(self, uri: WebSocketURI, ca_file: Path, accounts: Sequence[Account]) -> None:
        self.uri = uri
        self._context = trusting(ca_file)
        self._passwords = SaltedPasswords()
        self._waiting: deque[Account] = deque(accounts)
        self._dialing: set[asyncio.Task[None]] = set()
        self._agents: dict[str, LightAgent] = {}
        self._wanted = len(accounts)
        self._up = 0
        self._all_up = asyncio.Event()
        self._first_lost_at = 0.0
        self._next_event = 1
        self._failures = 0

    async def connect(self) -> float:
        """Every agent logs in; the seconds until all are up."""
        began = monotonic()
        self._dial_next()
        await self._until_all_are_up()
        return monotonic() - began

    async def come_back(self) -> float:
        """Wait until every agent was lost and is up again; the seconds from the first loss."""
        await self._until_all_are_up()
        return monotonic() - self._first_lost_at

    def expect_loss(self) -> None:
        """The gateway is about to drop everybody."""
        self._first_lost_at = 0.0
        self._all_up.clear()

    async def aclose(self) -> None:
        """Drop every connection, and dial no more."""
        self._waiting.clear()
        dialing = list(self._dialing)
        for task in dialing:
            task.remove_done_callback(self._dialed)
            task.cancel()
        await asyncio.gather(*dialing, return_exceptions=True)
        agents, self._agents = self._agents, {}
        for agent in agents.values():
            agent.abort()

    async def sweep(self) -> None:
        """Let the agents' time pass, for ever."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            now = monotonic()
            for agent in self._agents.values():
                agent.let_time_pass(now)

    async def burst(self, count: int) -> float:
        """One agent sends events as fast as they are acknowledged, both ways; how many a second."""
        first, self._next_event = self._next_event, self._next_event + count
        payloads, last = events(count, first), first + count - 1
        return await rate_at_gateway(next(iter(self._agents.values())), payloads, last)

    async def _until_all_are_up(self) -> None:
        await asyncio.wait_for(self._all_up.wait(), _STEP_SECONDS)
        if self._up < self._wanted:
            raise RuntimeError(f"{self._failures} logins failed, {self._up} of {self._wanted} agents are up")

    def _dial_next(self) -> None:
        while self._waiting and len(self._dialing) < CONNECTING:
            task = asyncio.ensure_future(self._dial(self._waiting.popleft()))
            self._dialing.add(task)
            task.add_done_callback(self._dialed)

    def _dialed(self, task: "asyncio.Task[None]") -> None:
        self._dialing.discard(task)
        self._dial_next()

    async def _dial(self, account: Account) -> None:
        """One whole login; the place among those that are set up together is free afterwards."""
        loop = asyncio.get_running_loop()
        settled = loop.create_future()
        agent = LightAgent(
            self.uri,
            account,
            self._passwords,
            on_up=lambda _: settled.set_result(True),
            on_lost=lambda _: self._lost(account, settled),
        )
        try:
            await loop.create_connection(
                lambda: agent, self.uri.host, self.uri.port, ssl=self._context, server_hostname="localhost"
            )
            is_up = await settled
        except OSError:
            is_up = False
        if not is_up:
            self._failures += 1
            self._waiting.append(account)
            if self._failures > MAX_FAILURES:
                self._all_up.set()  # there is nothing to wait for
            return
        self._agents[account.user] = agent
        self._up += 1
        if self._up == self._wanted:
            self._all_up.set()

    def _lost(self, account: Account, settled: "asyncio.Future[bool]") -> None:
        if not settled.done():
            settled.set_result(False)
        elif account.user in self._agents:
            self._first_lost_at = self._first_lost_at or monotonic()
            self._up -= 1
            self._waiting.append(account)
            self._dial_next()


async def hold_bare(uri: WebSocketURI, ca_file: Path, count: int) -> list[WebSocketClient]:
    """Connections on which nothing is ever said."""
    context = trusting(ca_file)
    loop = asyncio.get_running_loop()
    room = asyncio.Semaphore(CONNECTING)

    async def open_one() -> WebSocketClient:
        async with room:
            client = _Bare(uri)
            await loop.create_connection(
                lambda: client, uri.host, uri.port, ssl=context, server_hostname="localhost"
            )
            await asyncio.wait_for(client.is_open.wait(), _STEP_SECONDS)
            return client

    return await asyncio.gather(*(open_one() for _ in range(count)))


class _Bare(WebSocketClient):
    def __init__(self, uri: WebSocketURI) -> None:
        super().__init__(uri)
        self.is_open = asyncio.Event()

    def opened(self) -> None:
        self.is_open.set()


class Relay:
    """Two agents of another server, which passes the messages of the first on to the second."""

    def __init__(self, sender: LightAgent, receiver: LightAgent) -> None:
        self._sender = sender
        self._receiver = receiver

    @classmethod
    async def connect(cls, uri: WebSocketURI, ca_file: Path, accounts: Sequence[Account]) -> "Relay":
        """Both log in."""
        context, passwords = trusting(ca_file), SaltedPasswords()
        loop = asyncio.get_running_loop()
        agents: list[LightAgent] = []
        for account in accounts:
            up = loop.create_future()
            agent = LightAgent(
                uri,
                account,
                passwords,
                on_up=up.set_result,
                on_lost=lambda _: None,
                is_greeted=False,
            )
            await loop.create_connection(
                functools.partial(_itself, agent),
                uri.host,
                uri.port,
                ssl=context,
                server_hostname="localhost",
            )
            agents.append(await asyncio.wait_for(up, _STEP_SECONDS))
        return cls(*agents)

    async def burst(self, count: int) -> float:
        """Messages a second, from one agent to the other."""
        return await rate_between(self._sender, self._receiver, events(count))


async def _serve(uri: WebSocketURI, ca_file: Path, accounts: Sequence[Account]) -> None:
    gc.disable()  # no pauses of its own: this process lives for minutes
    fleet = Fleet(uri, ca_file, accounts)
    held: list[WebSocketClient] = []
    relay: Relay | None = None
    sweeping = asyncio.create_task(fleet.sweep())
    while request := await asyncio.to_thread(sys.stdin.readline):
        what, _, amount = request.strip().partition(" ")
        answer: float | int | None = None
        match what:
            case "connect":
                answer = await fleet.connect()
            case "expect_loss":
                fleet.expect_loss()
            case "come_back":
                answer = await fleet.come_back()
            case "burst":
                answer = await fleet.burst(int(amount))
            case "bare":
                held += await hold_bare(uri, ca_file, int(amount))
                answer = len(held)
            case "relay":
                relay = relay or await Relay.connect(uri, ca_file, accounts)
                answer = await relay.burst(int(amount))
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()
    sweeping.cancel()


def _itself(agent: LightAgent) -> LightAgent:
    return agent


def _accounts(path: Path) -> list[Account]:
    return [Account(*one) for one in json.loads(path.read_text())]


if __name__ == "__main__":
    uvloop.run(_serve(parse_uri(sys.argv[1]), Path(sys.argv[2]), _accounts(Path(sys.argv[3]))))
