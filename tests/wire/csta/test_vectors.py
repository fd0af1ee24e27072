"""Frames that our encoder did not make decode to the values written beside them, in every form BER allows."""

import json
from pathlib import Path
from typing import Any

import pytest

from connector.wire.csta import messages as m
from connector.wire.framing import FrameReader
from tests.wire.csta.plain import decoded, encoded_again, plain
from tests.wire.tlv_tree import indefinite_form, long_form, parse, with_strangers

VECTORS = Path(__file__).parents[2] / "vectors"


def frames(name: str) -> list[Any]:
    """Each frame of a file as a parameter with its name."""
    cases = json.loads((VECTORS / f"csta_{name}.json").read_text())
    return [pytest.param(case, id=f"{name}-{case['name']}") for case in cases]


ALL = frames("captured") + frames("synthetic") + frames("switching")


def payload_of(case: dict[str, Any]) -> bytes:
    reader = FrameReader()
    reader.feed(bytes.fromhex(case["frame"]))
    payload = reader.next_frame()
    assert payload is not None
    assert reader.pending_bytes == 0
    return payload


@pytest.mark.parametrize("case", ALL)
def test_decodes_to_the_values_given(case: dict[str, Any]) -> None:
    assert plain(decoded(payload_of(case))) == case["decoded"]


@pytest.mark.parametrize("case", ALL)
def test_encodes_to_the_same_octets(case: dict[str, Any]) -> None:
    payload = payload_of(case)
    phase = m.Phase(case.get("phase", 2))
    assert encoded_again(payload, phase).hex(" ") == payload.hex(" ")


@pytest.mark.parametrize("octets", [1, 2, 3])
@pytest.mark.parametrize("case", ALL)
def test_long_lengths_say_the_same(case: dict[str, Any], octets: int) -> None:
    assert plain(decoded(long_form(parse(payload_of(case)), octets))) == case["decoded"]


@pytest.mark.parametrize("case", ALL)
def test_indefinite_lengths_say_the_same(case: dict[str, Any]) -> None:
    assert plain(decoded(indefinite_form(parse(payload_of(case))))) == case["decoded"]


@pytest.mark.parametrize("case", ALL)
def test_unknown_elements_lose_nothing(case: dict[str, Any]) -> None:
    assert plain(decoded(with_strangers(parse(payload_of(case))))) == case["decoded"]


def test_no_frame_is_missing() -> None:
    assert len(frames("captured")) == 16
    assert len(frames("synthetic")) == 17
    assert len(frames("switching")) == 22
