"""Mutated frames at every step of a stream, both ends: events, never exceptions, never a stuck machine."""

import copy
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from xml.etree import ElementTree

import pytest

from connector.wire.xmpp import rfc6120, rfc7395, sasl, stanzas, xep0198
from connector.wire.xmpp.client import StreamClient, StreamConfig
from connector.wire.xmpp.events import StreamEvent, StreamFailed
from connector.wire.xmpp.server import ServerConfig, StreamServer
from connector.wire.xmpp.suspension import SuspendedStream
from connector.wire.xmpp.xep0199 import PING
from connector.wire.xmpp.xml import MAX_FRAME_BYTES, StreamViolation, parse
from tests.wire.xmpp.pair import CODE, DOMAIN, START, USER, Pair, make_client, make_server, ready_pair

SEED = 20_261_120
ROUNDS = 4_000

_STRANGE = [
    *"<>&'\"/=:\0\r é😀\ud800\uffff",
    "]]>",
    "<![CDATA[",
    "<!--",
    "<?",
    "&#0;",
    "&amp;",
    "&lt",
    "xmlns",
]
_STRANGE += ["=" * 70, "<a>" * 40, "9" * 30, "-1", "4294967295", "jabber:client"]


def recorded() -> tuple[list[str], list[str]]:
    """What both ends of a lively stream send, to the server and to the client."""
    pair = Pair()
    pair.run()
    pair.client.send(stanzas.message("e-1", f"g@{DOMAIN}", "<event xmlns='urn:x' seq='1'><a>é</a></event>"))
    pair.client.request("set", f"g@{DOMAIN}", "<devices xmlns='urn:x'/>", pair.now)
    pair.server.request("get", f"{USER}@{DOMAIN}/pbxagent", "<status xmlns='urn:x'/>", pair.now)
    pair.server.ping(pair.now)
    pair.advance(10)
    pair.to_client += [
        rfc6120.stream_error_frame("conflict", "text"),
        rfc6120.sasl_failure_frame("not-authorized"),
        xep0198.failed_frame("item-not-found", 3),
        xep0198.resume_frame("resumed", xep0198.Resume("session", 1)),
        xep0198.enabled_frame(xep0198.Enabled("session", 300)),
        rfc7395.close_frame("wss://other.example/"),
    ]
    pair.to_server += [
        rfc6120.sasl_frame("auth", sasl.encoded(sasl.plain_message(USER, CODE)), "PLAIN"),
        '<abort xmlns="urn:ietf:params:xml:ns:xmpp-sasl"/>',
        '<resume xmlns="urn:xmpp:sm:3" previd="x" h="0"/>',
        stanzas.iq("get", "p", DOMAIN, PING),
        stanzas.presence(),
        rfc7395.close_frame(),
    ]
    return pair.to_server, pair.to_client


TO_SERVER, TO_CLIENT = recorded()


def injured(frame: str, frames: Sequence[str], dice: random.Random) -> str:
    """`frame` with one to three injuries to its text: mostly no XML any more."""
    for _ in range(dice.randint(1, 3)):
        at = dice.randrange(len(frame) + 1)
        until = min(len(frame), at + dice.randint(1, 12))
        other = dice.choice(frames)
        cut = dice.randrange(len(other) + 1)
        frame = dice.choice(
            (
                frame[:at] + dice.choice(_STRANGE) + frame[at:],
                frame[:at] + frame[until:],
                frame[:at] + dice.choice(_STRANGE) + frame[until:],
                frame[:at],
                frame[:at] + frame[at:until] * 3 + frame[until:],
                frame[:at] + other[cut:],
                frame + other,
            )
        )
    return frame


def altered(frame: str, frames: Sequence[str], dice: random.Random) -> str:
    """`frame` with one to three changes to its tree: XML still, with another meaning."""
    root = parse(frame)
    for _ in range(dice.randint(1, 3)):
        element = dice.choice([*root.iter()])
        other = dice.choice([*parse(dice.choice(frames)).iter()])
        match dice.randrange(7):
            case 0:
                element.tag = other.tag
            case 1:
                element.text = other.text
            case 2:
                element.attrib.update(other.attrib)
            case 3 if element.attrib:
                del element.attrib[dice.choice([*element.attrib])]
            case 4 if element.attrib:
                value = dice.choice(("", "0", "4294967295", "error", "result", "get", "x" * 5_000))
                element.set(dice.choice([*element.attrib]), value)
            case 5:
                element.append(copy.deepcopy(other))
            case _:
                element[:] = []
    return ElementTree.tostring(root, encoding="unicode")


def mutated(frame: str, frames: Sequence[str], dice: random.Random) -> str:
    """`frame` changed in one of these ways, or another one in its place."""
    return dice.choice((injured, altered, altered, lambda *_: dice.choice(frames)))(frame, frames, dice)


def check(machine: StreamClient | StreamServer, now: float) -> None:
    """The promises that hold after anything at all."""
    events: Sequence[StreamEvent] = machine.events()
    failures = [event for event in events if isinstance(event, StreamFailed)]
    assert len(failures) <= 1
    assert not failures or (machine.is_closed and events[-1] is failures[0])
    for frame in machine.to_send():
        parse(frame)
    machine.tick(now)
    machine.events()
    machine.to_send()


def client_at(step: int) -> StreamClient:
    """A client that took the first `step` frames of the recording."""
    client = make_client()
    for frame in TO_CLIENT[:step]:
        client.receive(frame, START)
        for event in client.events():
            if hasattr(event, "salt"):
                client.salted_password(SALTED, START)
    client.to_send()
    return client


def server_at(step: int) -> StreamServer:
    """A server that took the first `step` frames of the recording."""
    mechanisms = ("SCRAM-SHA-256", "PLAIN")
    server = make_server(ServerConfig(DOMAIN, b"s", mechanisms=mechanisms, resume_seconds=300))
    for frame in TO_SERVER[:step]:
        server.receive(frame, START)
    server.events()
    server.to_send()
    return server


SALTED = sasl.salted_password(CODE, bytes(range(16)), sasl.MIN_ITERATIONS, "sha256")
# Open, features, challenge, success, open, features, bound, enabled; and what a client sends against it.
CLIENT_STEPS, SERVER_STEPS = 9, 7


def storm(
    make: Callable[[int], StreamClient] | Callable[[int], StreamServer],
    steps: int,
    frames: Sequence[str],
    rounds: int = ROUNDS,
) -> int:
    """Three mutated frames at a random step, `rounds` times; how many machines outlived them."""
    dice = random.Random(SEED)
    survivors = 0
    for _ in range(rounds):
        step = dice.randrange(steps)
        machine = make(step)
        for number in range(3):
            due = frames[step + number] if dice.random() < 0.8 else dice.choice(frames)
            frame = mutated(due, frames, dice)
            machine.receive(frame, START + number / 10)
            check(machine, START + number / 10)
        survivors += not machine.is_closed
        machine.receive_eof(START + 1)
        assert machine.is_closed
        assert machine.deadline() is None
    return survivors


def resuming_client_at(_step: int) -> StreamClient:
    """A client that has asked to go on with a session."""
    unacked = tuple(stanzas.message(f"m{number}", f"g@{DOMAIN}") for number in range(3))
    session = SuspendedStream("session", f"{USER}@{DOMAIN}/pbxagent", 300, 4, 0, unacked)
    client = make_client(resume=session)
    for frame in TO_CLIENT[:6]:
        client.receive(frame, START)
        for event in client.events():
            if hasattr(event, "salt"):
                client.salted_password(SALTED, START)
    assert "<resume" in client.to_send()[-1]
    return client


def test_mutated_answers_to_a_resumption_make_events_only() -> None:
    [verdict] = [frame for frame in TO_CLIENT if "<resumed" in frame]
    assert storm(resuming_client_at, 1, [verdict, *TO_CLIENT[8:]], ROUNDS // 2) > ROUNDS / 100


@pytest.mark.parametrize("role", ["client", "server"])
def test_mutated_frames_make_events_only(role: str) -> None:
    if role == "client":
        survivors = storm(client_at, CLIENT_STEPS, TO_CLIENT)
    else:
        survivors = storm(server_at, SERVER_STEPS, TO_SERVER)
    # Were none left, only the first frame of each round would have been tried.
    assert survivors > ROUNDS / 50


def test_the_recording_leads_to_every_step() -> None:
    assert [client_at(step).is_ready for step in range(CLIENT_STEPS)] == [False] * 8 + [True]
    assert [server_at(step).is_ready for step in range(SERVER_STEPS)] == [False] * 5 + [True] * 2


def test_random_text_is_refused_or_parsed() -> None:
    dice = random.Random(SEED)
    alphabet = [
        *"<>/&;='\"! ?[]-ab:x\t\n\0é",
        "\ud800",
        "<a>",
        "</a>",
        "<a/>",
        "<![CDATA[",
        "]]>",
        "&amp;",
        " xmlns='u'",
    ]
    parsed = 0
    for _ in range(20_000):
        frame = "<" * dice.randint(0, 1) + "".join(dice.choices(alphabet, k=dice.randint(0, 12)))
        with suppress(StreamViolation):
            parse(frame)
            parsed += 1
    assert parsed > 0


@pytest.mark.parametrize(
    "unit",
    [
        "<a>",
        "<a/>",
        "<![CDATA[",
        "<!",
        "xmlns:",
        ' xmlns:a="',
        "&amp;",
        "&#1114111;",
        "<a b='",
        "]]>",
        "=",
        "</",
        "x",
    ],
)
def test_the_largest_hostile_frames_are_decided(unit: str) -> None:
    """Each would be slow or large if the guard or the parser were quadratic."""
    client = ready_pair().client
    for frame in (unit, f"<a>{unit}", f"<a {unit}", f"<message xmlns='jabber:client'><a>{unit}"):
        times = (MAX_FRAME_BYTES - len(frame)) // len(unit)
        with pytest.raises(StreamViolation):
            parse(frame + unit * times)
    client.receive(unit * (MAX_FRAME_BYTES // len(unit)), START)
    assert client.is_closed


def test_a_client_of_another_config_is_as_robust() -> None:
    dice = random.Random(SEED + 1)
    for _ in range(300):
        client = make_client(StreamConfig(DOMAIN, USER, CODE, allow_plain=True))
        for frame in TO_CLIENT:
            client.receive(mutated(frame, TO_CLIENT, dice) if dice.random() < 0.1 else frame, START)
            check(client, START)
