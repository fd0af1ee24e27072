"""Encoding and decoding alone, in one process: no sockets, no disk."""

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.parsers import expat

import asn1tools

from bench.cores import top
from bench.figures import Figure, at_least
from bench.rounds import Rounds, calls_per_second, tell
from bench.slixmpp_stanza import slixmpp_stanza
from bench.traffic import DEVICES, mixed, ringing
from connector.domain.calls import CallEvent, Delivered
from connector.pbx.csta import mapping
from connector.wire.csta import codec
from connector.wire.csta.devices import MAX_REMEMBERED
from connector.wire.csta.messages import EventReport
from connector.wire.pcg import csta
from connector.wire.xmpp import stanzas
from connector.wire.xmpp.xml import parse

_GATEWAY = "pbxpcg_0a1b2c3d4e5f60718293a4b5c6d7e8f9@rainbow.test/pbxpcg"
_EPOCH = "9f3c0d1e2b4a5968"
_CALL = "c-0123456789abcdef"
# Twice as many whole calls, of three events each, as the decoder remembers: none comes back before it
# is forgotten.
_DISTINCT_EVENTS = 6 * MAX_REMEMBERED
# Frames of a real OXE, which our own encoder did not make.
_CAPTURES = top() / "tests" / "vectors" / "csta_captured.json"
_AT = datetime(2026, 11, 20, 9, 0, 0, 123_000, UTC)


async def run(rounds: Rounds) -> list[Figure]:
    """Measure; the figures."""
    return [*_decoding(rounds), *_building(rounds), *_parsing(rounds)]


def _decoding(rounds: Rounds) -> Iterator[Figure]:
    schema = asn1tools.compile_files(str(Path(__file__).with_name("csta_event.asn")), "ber")
    for what, traffic in (
        ("captured", [_captured("delivered")]),
        ("whole_calls", mixed(_DISTINCT_EVENTS, 0)),
        ("new_calls", ringing(_DISTINCT_EVENTS)),
    ):
        tell(f"codecs: CSTA events, {what}")
        frames = [frame[2:] for frame in traffic]
        _check_decoders(frames[0], schema)
        yield from _decoders(rounds, what, frames, schema)


def _captured(name: str) -> bytes:
    """One captured frame, with the length before it."""
    frames = {entry["name"]: entry["frame"] for entry in json.loads(_CAPTURES.read_text())}
    return bytes.fromhex(frames[name])


def _decoders(rounds: Rounds, what: str, frames: Sequence[bytes], schema: Any) -> Iterator[Figure]:
    ours, tree, theirs = (itertools.cycle(frames).__next__ for _ in range(3))

    def bare_tree() -> object:
        frame = tree()
        return tlv_tree(frame, 0, len(frame))

    found = calls_per_second(
        rounds,
        {
            "ours": lambda: codec.decode(ours()),
            "tree": bare_tree,
            "asn1tools": lambda: schema.decode("Invoke", theirs()),
        },
    )
    name, unit = f"codec.csta_event.{what}", "events/s"
    yield Figure(name, unit, found["ours"], "bare TLV tree", found["tree"], at_least(0.55))
    yield Figure(name, unit, found["ours"], "asn1tools", found["asn1tools"], at_least(2.5))


def tlv_tree(data: bytes, position: int, stop: int) -> list[tuple[int, Any]]:
    """All elements of data[position:stop] as (tag, content), the constructed ones opened: nothing is checked,
    and nothing is understood. What any decoder in Python has to do at least.
    """
    found: list[tuple[int, Any]] = []
    while position < stop:
        tag, length = data[position], data[position + 1]
        position += 2
        if length & 0x80:
            octets = length & 0x7F
            length = int.from_bytes(data[position : position + octets], "big")
            position += octets
        end = position + length
        found.append((tag, tlv_tree(data, position, end) if tag & 0x20 else data[position:end]))
        position = end
    return found


def _check_decoders(frame: bytes, schema: Any) -> None:
    """A benchmark of decoders that read different things would say nothing."""
    ours = codec.decode(frame)
    theirs = schema.decode("Invoke", frame)["argument"]
    calling = theirs["event"][1]["calling"][1]
    is_same = (
        isinstance(ours, EventReport)
        and theirs["crossRef"] == ours.cross_ref
        and calling == ours.event.calling.number  # type: ignore[union-attr]  # the sample is a Delivered
        and tlv_tree(frame, 0, len(frame))[0][0] == 0xA1
    )
    if not is_same:
        raise AssertionError("the decoders do not agree")


def _event() -> CallEvent:
    report = codec.decode(next(ringing(1))[2:])
    if not isinstance(report, EventReport):
        raise TypeError("the sample is no event report")
    return mapping.call_event(report, DEVICES[0], _AT)


def _building(rounds: Rounds) -> list[Figure]:
    tell("codecs: stanza")
    event = _event()
    if not isinstance(event, Delivered):
        raise TypeError("the sample is no ringing call")
    ours = _our_builder(event)
    fields, template = _bare_template(event, ours())
    if template.format_map(fields) != ours():
        raise AssertionError("the bare template gives another text")
    found = calls_per_second(
        rounds,
        {
            "ours": ours,
            "bare": lambda: template.format_map(fields),
            "slixmpp": lambda: str(slixmpp_stanza(event)),
        },
    )
    unit = "stanzas/s"
    return [
        Figure("codec.stanza_build", unit, found["ours"], "bare format_map", found["bare"], at_least(0.35)),
        Figure("codec.stanza_build", unit, found["ours"], "slixmpp", found["slixmpp"], at_least(15)),
    ]


def _our_builder(event: CallEvent) -> Callable[[], str]:
    seq = 4_711

    def build() -> str:
        head = csta.EventHead(_EPOCH, seq, False, DEVICES[0], _CALL, _AT)  # noqa: FBT003 - its third field
        return stanzas.message(f"e-{seq}", _GATEWAY, csta.event_payload(head, csta.event_body(event)))

    return build


def _bare_template(event: Delivered, text: str) -> tuple[dict[str, object], str]:
    """The finished stanza with its fields taken out again: formatting with no escape and no decision."""
    fields: dict[str, object] = {}
    names = (f"f{number}" for number in itertools.count())
    values = (
        *("e-4711", _GATEWAY, _EPOCH, "4711", _CALL, "2026-11-20T09:00:00.123Z"),
        *(event.connection.call, event.connection.device, event.calling.number, event.calling.name),
        *(event.correlation, event.device),
    )
    template = text.replace("{", "{{").replace("}", "}}")
    for value in values:
        # Each occurrence is a field of its own, as it is for us.
        for quoted in (f'"{value}"', f">{value}<"):
            while quoted in template:
                name = next(names)
                fields[name] = value
                template = template.replace(quoted, quoted.replace(value, f"{{{name}}}"), 1)
    return fields, template


def _parsing(rounds: Rounds) -> list[Figure]:
    tell("codecs: parse")
    text = _our_builder(_event())()

    def bare() -> None:
        expat.ParserCreate().Parse(text, True)  # noqa: FBT003 - the signature of pyexpat

    found = calls_per_second(rounds, {"ours": lambda: parse(text), "expat": bare})
    return [
        Figure(
            "codec.stanza_parse",
            "stanzas/s",
            found["ours"],
            "bare expat, no handlers",
            found["expat"],
            at_least(0.30),
        )
    ]
