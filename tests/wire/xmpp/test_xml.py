"""The guard, escaping and limits of one frame."""

import tracemalloc
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.wire.xmpp.xml import (
    MAX_ATTRIBUTES,
    MAX_CHILDREN,
    MAX_DEPTH,
    MAX_FRAME_BYTES,
    MAX_NAMESPACE_CHARS,
    StreamViolation,
    attributes,
    escaped,
    is_too_large,
    parse,
)


def condition_of(frame: str) -> str:
    with pytest.raises(StreamViolation) as caught:
        parse(frame)
    return caught.value.condition


@pytest.mark.parametrize(
    "frame",
    [
        "<!DOCTYPE a><a/>",
        '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        "<a><!-- hidden --></a>",
        "<a/><!-- hidden -->",
        "<?xml version='1.0'?><a/>",
        "<a><?php echo 1 ?></a>",
        "<a><![CDATA[x]]><!-- after a section --></a>",
        "<a><![cdata[x]]></a>",
    ],
)
def test_restricted_xml_is_refused(frame: str) -> None:
    assert condition_of(frame) == "restricted-xml"


@pytest.mark.parametrize(
    "frame",
    [
        "",
        " <a/>",
        "\ufeff<a/>",
        "text",
        "<a>",
        "</a>",
        "<a/><b/>",
        "<a/>text",
        "<a b='1' b='2'/>",
        "<a>&unknown;</a>",
        "<p:a/>",
        "<a>\x01</a>",
        "<a>\ud800</a>",
        "<a><![CDATA[never closed</a>",
        "<a b=1/>",
    ],
)
def test_what_is_not_well_formed_is_refused(frame: str) -> None:
    assert condition_of(frame) == "not-well-formed"


def test_markup_in_a_cdata_section_is_text() -> None:
    assert parse("<a><![CDATA[<!-- no comment -->]]></a>").text == "<!-- no comment -->"


def test_every_cut_of_a_frame_is_refused() -> None:
    frame = '<message xmlns="jabber:client" id="1"><body>é &amp; <![CDATA[x]]></body></message>'
    assert parse(frame).tag == "{jabber:client}message"
    for end in range(len(frame)):
        with pytest.raises(StreamViolation):
            parse(frame[:end])


@pytest.mark.parametrize("character", ["a", "é", "€", "😀"])
def test_size_is_counted_in_bytes(character: str) -> None:
    room = MAX_FRAME_BYTES - len("<a></a>")
    width = len(character.encode())
    fitting = f"<a>{character * (room // width)}</a>"
    fitting += " " * (MAX_FRAME_BYTES - len(fitting.encode()))
    assert len(fitting.encode()) == MAX_FRAME_BYTES
    assert parse(fitting).tag == "a"
    assert not is_too_large(fitting)
    assert is_too_large(f"{fitting} ")
    assert condition_of(f"{fitting} ") == "policy-violation"


def nested(levels: int) -> str:
    return "<a>" * (levels - 1) + "<a/>" + "</a>" * (levels - 1)


def test_depth_has_a_limit() -> None:
    assert parse(nested(MAX_DEPTH)).tag == "a"
    assert condition_of(nested(MAX_DEPTH + 1)) == "policy-violation"
    assert condition_of(nested(9_000)) == "policy-violation"


def test_children_have_a_limit() -> None:
    assert len(parse(f"<a>{'<b/>' * MAX_CHILDREN}</a>")) == MAX_CHILDREN
    assert condition_of(f"<a><b>{'<c/>' * (MAX_CHILDREN + 1)}</b></a>") == "policy-violation"


def test_attributes_have_a_limit() -> None:
    fields = " ".join(f'a{number}="1"' for number in range(MAX_ATTRIBUTES))
    assert len(parse(f"<a {fields}/>").attrib) == MAX_ATTRIBUTES
    assert condition_of(f'<x><a {fields} more="1"/></x>') == "policy-violation"


@pytest.mark.parametrize("declaration", ['xmlns="{0}"', "xmlns = '{0}'", 'xmlns:p="{0}"', 'xmlns:{1}="{0}"'])
def test_a_long_namespace_can_not_be_multiplied_by_many_names(declaration: str) -> None:
    written = declaration.format("n" * 20_000, "p" * 100)
    frame = f"<a {written}>{''.join(f'<b{number}/>' for number in range(900))}</a>"
    tracemalloc.start()
    assert condition_of(frame) == "policy-violation"
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def test_a_namespace_may_have_its_full_length() -> None:
    frame = f'<a xmlns="{"n" * MAX_NAMESPACE_CHARS}">{"<b/>" * 500}</a>'
    assert len(parse(frame)) == 500


def test_a_refusal_shows_names_and_no_values() -> None:
    frame = '<iq id="i1"><access code="9f0c2ab1" to="+33123456789">4711<unclosed>'
    with pytest.raises(StreamViolation) as caught:
        parse(frame)
    shown = f"{caught.value} {caught.value.excerpt} {caught.value!r}"
    assert "<iq <access" in caught.value.excerpt
    assert not any(secret in shown for secret in ("9f0c2ab1", "33123456789", "4711", "i1"))


@settings(deadline=None, max_examples=300)
@given(st.text())
def test_escaped_text_comes_back(value: str) -> None:
    carried = "".join("\ufffd" if is_no_xml(character) else character for character in value)
    frame = f"<a b=\"{escaped(value)}\" c='{escaped(value)}'>{escaped(value)}</a>"
    element = ElementTree.fromstring(frame)  # noqa: S314 - our own text, and a reader that is not ours
    assert element.attrib == {"b": carried, "c": carried}
    assert (element.text or "") == carried


def is_no_xml(character: str) -> bool:
    """XML 1.0, production 2, turned round."""
    code = ord(character)
    return not (code in (9, 10, 13) or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or code >= 0x10000)


def test_attributes_keep_order_and_leave_none_out() -> None:
    assert attributes(from_="a", see_other_uri='"', empty="", gone=None) == (
        ' from="a" see-other-uri="&quot;" empty=""'
    )
