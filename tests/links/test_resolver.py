"""The resolver: what it remembers, whom it makes wait, and how many threads a mute name server costs."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Sequence

import pytest

from connector.links.resolver import NameUnknown, Resolver, is_address, system_lookup

HOST = "gateway.example.net"


class NameServer:
    """A lookup function that answers, fails, or blocks until it is let go."""

    def __init__(self) -> None:
        self.answers: dict[str, list[str] | OSError] = {}
        self.is_mute = False
        self.asked: list[str] = []
        self._released = threading.Event()

    def __call__(self, host: str) -> Sequence[str]:
        self.asked.append(host)
        if self.is_mute:
            self._released.wait(10)
        answer = self.answers.get(host, socket.gaierror(socket.EAI_NONAME, "Name or service not known"))
        if isinstance(answer, OSError):
            raise answer
        return answer

    def release(self) -> None:
        self._released.set()


@pytest.fixture
async def server(no_task_left: None) -> AsyncIterator[NameServer]:
    server = NameServer()
    yield server
    server.release()
    for thread in threading.enumerate():
        if thread.name.startswith("dns-"):
            await asyncio.to_thread(thread.join, 5)


def dns_threads() -> int:
    return sum(thread.name.startswith("dns-") for thread in threading.enumerate())


async def test_a_literal_address_is_its_own_answer(server: NameServer) -> None:
    resolver = Resolver(server)
    assert await resolver.addresses("192.0.2.1") == ("192.0.2.1",)
    assert await resolver.addresses("2001:db8::1") == ("2001:db8::1",)
    assert server.asked == []


async def test_an_answer_keeps_its_order_and_is_bounded(server: NameServer) -> None:
    server.answers[HOST] = [f"192.0.2.{number}" for number in range(40)]
    found = await Resolver(server).addresses(HOST)
    assert found == tuple(f"192.0.2.{number}" for number in range(16))


async def test_each_dial_asks_again(server: NameServer) -> None:
    resolver = Resolver(server)
    server.answers[HOST] = ["192.0.2.1"]
    await resolver.addresses(HOST)
    server.answers[HOST] = ["192.0.2.2"]
    assert await resolver.addresses(HOST) == ("192.0.2.2",)


@pytest.mark.parametrize(
    "failure", [socket.gaierror(socket.EAI_AGAIN, "try again"), OSError(24, "Too many open files")]
)
async def test_a_name_never_resolved_is_unknown_when_resolving_fails(
    server: NameServer, failure: OSError
) -> None:
    server.answers[HOST] = failure
    with pytest.raises(NameUnknown):
        await Resolver(server).addresses(HOST)


async def test_an_empty_answer_is_no_answer(server: NameServer) -> None:
    server.answers[HOST] = []
    with pytest.raises(NameUnknown):
        await Resolver(server).addresses(HOST)


async def test_a_name_that_can_not_be_written_is_unknown(no_task_left: None) -> None:
    with pytest.raises(NameUnknown):
        await Resolver().addresses("a" * 64 + ".example.net")


async def test_the_last_good_addresses_stand_in_for_a_failure(server: NameServer) -> None:
    resolver = Resolver(server)
    server.answers[HOST] = ["192.0.2.1"]
    await resolver.addresses(HOST)
    server.answers[HOST] = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    assert await resolver.addresses(HOST) == ("192.0.2.1",)


async def test_the_last_good_addresses_stand_in_for_silence(server: NameServer) -> None:
    resolver = Resolver(server, patience_seconds=0.01)
    server.answers[HOST] = ["192.0.2.1"]
    await resolver.addresses(HOST)
    server.is_mute = True
    assert await resolver.addresses(HOST) == ("192.0.2.1",)


async def test_a_late_answer_is_kept_for_the_next_dial(server: NameServer) -> None:
    resolver = Resolver(server)
    server.answers[HOST] = ["192.0.2.9"]
    server.is_mute = True
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await resolver.addresses(HOST)
    server.release()
    assert await resolver.addresses(HOST) == ("192.0.2.9",)
    assert server.asked == [HOST]


async def test_a_mute_name_server_costs_two_threads_however_often_it_is_asked(server: NameServer) -> None:
    resolver = Resolver(server)
    server.is_mute = True
    for number in range(20):
        with pytest.raises((TimeoutError, NameUnknown)):
            async with asyncio.timeout(0.005):
                await resolver.addresses(f"host-{number % 4}.example.net")
    assert dns_threads() == 2
    assert sorted(server.asked) == ["host-0.example.net", "host-1.example.net"]


async def test_a_mute_name_server_takes_no_thread_from_others(server: NameServer) -> None:
    resolver = Resolver(server)
    server.is_mute = True
    waiting = [asyncio.create_task(resolver.addresses(f"host-{number}")) for number in range(2)]
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        assert await asyncio.to_thread(lambda: "done") == "done"
        assert await resolver.addresses("192.0.2.1") == ("192.0.2.1",)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_dials_of_one_name_share_a_lookup(server: NameServer) -> None:
    resolver = Resolver(server)
    server.answers[HOST] = ["192.0.2.1"]
    found = await asyncio.gather(*(resolver.addresses(HOST) for _ in range(5)))
    assert set(found) == {("192.0.2.1",)}
    assert server.asked == [HOST]


async def test_names_are_forgotten_in_the_order_of_their_use(server: NameServer) -> None:
    resolver = Resolver(server)
    for number in range(70):
        server.answers[f"host-{number}"] = ["192.0.2.1"]
        await resolver.addresses(f"host-{number}")
    server.answers.clear()
    assert await resolver.addresses("host-69") == ("192.0.2.1",)
    with pytest.raises(NameUnknown):
        await resolver.addresses("host-0")


def test_a_loop_that_is_gone_is_no_defect() -> None:
    server = NameServer()
    server.is_mute = True

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await Resolver(server).addresses(HOST)

    asyncio.run(give_up())
    (thread,) = (one for one in threading.enumerate() if one.name.startswith("dns-"))
    server.release()
    thread.join(5)
    assert not thread.is_alive()


def test_the_system_knows_this_machine() -> None:
    assert "127.0.0.1" in system_lookup("localhost")


@pytest.mark.parametrize(
    ("text", "expected"), [("127.0.0.1", True), ("::1", True), ("localhost", False), ("1.2.3", False)]
)
def test_addresses_are_told_from_names(text: str, expected: bool) -> None:
    assert is_address(text) is expected
