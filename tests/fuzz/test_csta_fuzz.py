"""Whatever bytes come, CSTA reports a failure or goes on: no other exception, no growth, no hang."""

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connector.domain.errors import RemoteProtocolError
from connector.wire import ber
from connector.wire.csta import messages as m
from connector.wire.csta.session import CstaClient, CstaServer
from connector.wire.csta.session_events import (
    AssociationMode,
    ClientOptions,
    Released,
    ServerOptions,
    SessionFailed,
)
from connector.wire.framing import MAX_FRAME_BYTES
from tests.wire.csta.plain import decoded

VECTORS = Path(__file__).parents[1] / "vectors"
FRAMES = [
    bytes.fromhex(case["frame"])
    for name in ("captured", "synthetic")
    for case in json.loads((VECTORS / f"csta_{name}.json").read_text())
]
CASES = 3_000

Machine = CstaClient | CstaServer


def client() -> Machine:
    machine = CstaClient(ClientOptions(association=AssociationMode.NONE), 0.0)
    machine.receive(b"P", 0.0)
    return machine


def server() -> Machine:
    machine = CstaServer(ServerOptions(), 0.0)
    machine.receive(b"B", 0.0)
    return machine


def flipped(chance: random.Random) -> bytes:
    """A frame with some bits turned; its length prefix is corrected, so that the content is reached."""
    frame = bytearray(chance.choice(FRAMES)[2:])
    for _ in range(chance.randint(1, 8)):
        frame[chance.randrange(len(frame))] ^= 1 << chance.randrange(8)
    return bytes(frame)


def truncated(chance: random.Random) -> bytes:
    frame = chance.choice(FRAMES)[2:]
    return frame[: chance.randrange(len(frame))]


def spliced(chance: random.Random) -> bytes:
    """The head of one frame, the tail of another."""
    first, second = chance.choice(FRAMES)[2:], chance.choice(FRAMES)[2:]
    return first[: chance.randrange(len(first))] + second[chance.randrange(len(second)) :]


def noise(chance: random.Random) -> bytes:
    return chance.randbytes(chance.randint(0, 300))


def lengths(chance: random.Random) -> bytes:
    """Octets that BER reads as lengths and nested elements more often than noise."""
    octets = (0x30, 0x80, 0xA0, 0xA1, 0x00, 0x1F, 0x81, 0x82, 0xFF, 0x02, 0x01, 0x55)
    return bytes(chance.choice(octets) for _ in range(chance.randint(1, 200)))


MAKERS: list[Callable[[random.Random], bytes]] = [flipped, truncated, spliced, noise, lengths]


def payloads(maker: Callable[[random.Random], bytes]) -> Iterator[bytes]:
    chance = random.Random(f"csta {maker.__name__}")
    for _ in range(CASES):
        yield maker(chance)


def refusal_of(payload: bytes) -> RemoteProtocolError | None:
    try:
        decoded(payload)
    except RemoteProtocolError as error:
        return error
    return None


@pytest.mark.parametrize("maker", MAKERS)
def test_a_frame_decodes_or_is_refused(maker: Callable[[random.Random], bytes]) -> None:
    refused = 0
    for payload in payloads(maker):
        error = refusal_of(payload)
        if error is not None:
            refused += 1
            assert error.link == "pbx"
            assert error.offset in range(len(payload) + 1)
    assert refused > CASES // 10


@pytest.mark.parametrize("role", [client, server])
@pytest.mark.parametrize("maker", MAKERS)
def test_a_machine_survives(maker: Callable[[random.Random], bytes], role: Callable[[], Machine]) -> None:
    machine = role()
    for payload in payloads(maker):
        machine.receive(len(payload).to_bytes(2, "big") + payload, 1.0)
        machine.tick(2.0)
        events = list(machine.events())
        assert len(events) <= 2
        assert machine.is_closed == any(isinstance(event, (SessionFailed, Released)) for event in events)
        machine.to_send()
        if machine.is_closed:
            machine = role()


@pytest.mark.parametrize("role", [client, server])
@pytest.mark.parametrize("maker", MAKERS)
def test_whole_and_byte_by_byte_end_alike(
    maker: Callable[[random.Random], bytes], role: Callable[[], Machine]
) -> None:
    chance = random.Random(f"stream {maker.__name__}")
    for _ in range(200):
        stream = b"".join(
            len(payload).to_bytes(2, "big") + payload for payload in (maker(chance) for _ in range(3))
        )
        whole, single = role(), role()
        whole.receive(stream, 1.0)
        for octet in stream:
            single.receive(bytes((octet,)), 1.0)
        assert [str(event) for event in single.events()] == [str(event) for event in whole.events()]
        assert b"".join(single.to_send()) == b"".join(whole.to_send())


@pytest.mark.parametrize("role", [client, server])
def test_a_raw_stream_of_noise(role: Callable[[], Machine]) -> None:
    chance = random.Random("noise")
    for _ in range(300):
        machine = role()
        for _ in range(20):
            machine.receive(chance.randbytes(chance.randint(1, 2000)), 1.0)
        assert machine.is_closed or len(list(machine.events())) < 20


def test_work_is_bounded_by_the_size_of_a_frame(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nested indefinite lengths are the only elements that are read twice: once a level that we look into."""
    steps = 0
    length_of = ber._length

    def counted(data: bytes, position: int, stop: int) -> tuple[int | None, int]:
        nonlocal steps
        steps += 1
        return length_of(data, position, stop)

    monkeypatch.setattr(ber, "_length", counted)
    depth = ber.MAX_DEPTH - 8
    filler = b"\x05\x00" * ((MAX_FRAME_BYTES - 4 * depth - 100) // 2)
    nested = b"\x30\x80" * depth + filler + b"\x00\x00" * depth
    event = bytes.fromhex("a180 020101 020115 3080 550101 a080 a380 3080") + nested + bytes(10)
    report = decoded(event)
    assert report == m.EventReport(b"\x01", m.Delivered())
    assert len(event) <= MAX_FRAME_BYTES
    assert steps < 8 * len(event) // 2
