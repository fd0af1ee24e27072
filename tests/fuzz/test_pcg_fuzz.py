"""Payloads with anything in them: every reader gives a value or `RemoteProtocolError`, and nothing else."""

import copy
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

import pytest

from connector.domain.errors import RemoteProtocolError
from connector.wire.xmpp.xml import parse
from tests.wire.pcg.test_vectors import CODECS

VECTORS = Path(__file__).parents[1] / "vectors" / "pcg"
ROUNDS = 60
MAX_SENTENCE_CHARS = 600
TEXTS = ("", " ", "0", "-1", "9" * 30, "x" * 300, "null", "true", "\u202e", "2026-11-20T09:00:00Z")

READERS = sorted({codec.read for codec in CODECS.values()}, key=lambda reader: reader.__qualname__)
SEEDS = [(path.stem, parse(path.read_text().strip())) for path in sorted(VECTORS.glob("*.xml"))]


def mutations(source: Element, seed: str) -> Iterator[Element]:
    """Copies of `source` with some elements, attributes and texts lost, moved, doubled or replaced."""
    chance = random.Random(seed)
    for _ in range(ROUNDS):
        root = copy.deepcopy(source)
        for _ in range(chance.randint(1, 4)):
            chance.choice(MUTATORS)(root, chance)
        yield root


def _anywhere(root: Element, chance: random.Random) -> Element:
    return chance.choice(list(root.iter()))


def _lose_child(root: Element, chance: random.Random) -> None:
    parent = _anywhere(root, chance)
    if len(parent):
        parent.remove(chance.choice(list(parent)))


def _double_child(root: Element, chance: random.Random) -> None:
    parent = _anywhere(root, chance)
    if 0 < len(parent) < 300:
        parent.extend([copy.deepcopy(chance.choice(list(parent)))] * chance.choice((1, 70, 250)))


def _move_child(root: Element, chance: random.Random) -> None:
    _anywhere(root, chance).append(copy.deepcopy(_anywhere(root, chance)))


def _shuffle(root: Element, chance: random.Random) -> None:
    parent = _anywhere(root, chance)
    order = list(parent)
    chance.shuffle(order)
    parent[:] = order


def _rename(root: Element, chance: random.Random) -> None:
    _anywhere(root, chance).tag = chance.choice([one.tag for one in root.iter()] + ["", "x", "{urn:y}x", "}"])


def _retext(root: Element, chance: random.Random) -> None:
    _anywhere(root, chance).text = chance.choice((None, *TEXTS))


def _reattribute(root: Element, chance: random.Random) -> None:
    element = _anywhere(root, chance)
    for name in list(element.attrib):
        if chance.random() < 0.5:
            element.set(name, chance.choice(TEXTS))
        elif chance.random() < 0.3:
            del element.attrib[name]


MUTATORS: tuple[Callable[[Element, random.Random], None], ...] = (
    _lose_child,
    _double_child,
    _move_child,
    _shuffle,
    _rename,
    _retext,
    _reattribute,
)


def outcome(reader: Callable[[Element], object], element: Element) -> str:
    try:
        reader(element)
    except RemoteProtocolError as error:
        return (
            "refused" if error.clause and len(str(error)) < MAX_SENTENCE_CHARS else f"badly refused: {error}"
        )
    return "read"


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.__qualname__)
def test_mutated_payloads(reader: Callable[[Element], object]) -> None:
    outcomes = [
        outcome(reader, element)
        for name, source in SEEDS
        for element in mutations(source, f"{reader.__qualname__} {name}")
    ]
    assert len(outcomes) == ROUNDS * len(SEEDS)
    assert set(outcomes) <= {"refused", "read"}


def test_every_codec_refuses_what_is_not_its_own() -> None:
    stranger = parse('<stranger xmlns="urn:nobody"/>')
    read = [name for name, codec in CODECS.items() if outcome(codec.read, stranger) == "read"]
    # A foreign event is no error: it is handed on as it is.
    assert read == ["ecma323.event"]
