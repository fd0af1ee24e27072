"""Addresses."""

import pytest

from connector.wire.xmpp.jid import MAX_JID_BYTES, MAX_PART_BYTES, Jid, is_same_address, parse_jid
from connector.wire.xmpp.xml import StreamViolation


def test_parts_and_case() -> None:
    jid = parse_jid("PBX834e-41DA@Cloud.Example./PbxAgent")
    assert jid == Jid("pbx834e-41da", "cloud.example", "PbxAgent")
    assert str(jid) == "pbx834e-41da@cloud.example/PbxAgent"
    assert jid.bare == "pbx834e-41da@cloud.example"


@pytest.mark.parametrize("text", ["cloud.example", "[::1]", "a@b", "a@b/c d/é@x", "cloud.example/r"])
def test_an_address_comes_back(text: str) -> None:
    assert str(parse_jid(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "@b",
        "a@",
        "a@b/",
        "/r",
        "a b@c",
        "a'@b",
        "a<@b",
        "é@b",
        "a@bücher.example",
        "a@b@c",
        "a@-b",
        "a@b..",
        "a@b/\n",
        "a@b/\ud800",
        "a@b c",
        "a" * (MAX_PART_BYTES + 1) + "@b",
        "a@" + "b" * (MAX_PART_BYTES + 1),
        "a@b/" + "é" * 512,
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(StreamViolation) as caught:
        parse_jid(text)
    assert caught.value.condition == "improper-addressing"


def test_the_longest_address_is_taken() -> None:
    text = f"{'a' * MAX_PART_BYTES}@{'b' * MAX_PART_BYTES}/{'c' * MAX_PART_BYTES}"
    assert len(text) == MAX_JID_BYTES
    assert str(parse_jid(text)) == text


def test_only_the_resource_has_case() -> None:
    assert is_same_address("A@B/c", "a@b/c")
    assert not is_same_address("a@b/C", "a@b/c")
    assert not is_same_address("a@b", "a@b/c")
