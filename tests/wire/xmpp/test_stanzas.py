"""Stanzas in and out."""

from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.domain.errors import LocalProtocolError
from connector.wire.xmpp import stanzas
from connector.wire.xmpp.jid import MAX_JID_BYTES
from connector.wire.xmpp.stanzas import MAX_ID_CHARS, Stanza, read_stanza
from connector.wire.xmpp.xep0199 import PING, is_ping
from connector.wire.xmpp.xml import StreamViolation, parse

FIELD = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn")), max_size=40)


def read(frame: str) -> Stanza:
    return read_stanza(parse(frame))


@settings(deadline=None)
@given(st.sampled_from(["get", "set", "result", "error"]), FIELD, FIELD, FIELD)
def test_an_iq_comes_back(
    kind: Literal["get", "set", "result", "error"], id_: str, to: str, from_: str
) -> None:
    stanza = read(stanzas.iq(kind, id_ or "1", to, '<x xmlns="urn:x"/>', from_=from_))
    assert (stanza.name, stanza.type, stanza.id) == ("iq", kind, id_ or "1")
    assert (stanza.to, stanza.from_) == (to, from_)
    assert stanza.payload is not None
    assert stanza.payload.tag == "{urn:x}x"
    assert stanza.is_request == (kind in ("get", "set"))


def test_messages_and_presences() -> None:
    sent = read(
        stanzas.message("e-1", "a@b/c", "<x xmlns='urn:x'/><y xmlns='urn:x'/>", from_="d@e", kind="chat")
    )
    assert (sent.name, sent.id, sent.type, sent.to, sent.from_) == ("message", "e-1", "chat", "a@b/c", "d@e")
    assert [child.tag for child in sent.children] == ["{urn:x}x", "{urn:x}y"]
    assert sent.payload is sent.children[0]
    bare = read(stanzas.presence())
    assert (bare.name, bare.id, bare.type, bare.to, bare.payload) == ("presence", "", "", "", None)
    assert read(stanzas.presence(kind="unavailable")).type == "unavailable"


@pytest.mark.parametrize(
    "frame",
    [
        '<message xmlns="jabber:server"/>',
        "<message/>",
        '<query xmlns="jabber:client"/>',
        '<iq xmlns="jabber:client" type="get"/>',
        '<iq xmlns="jabber:client" id="1"/>',
        '<iq xmlns="jabber:client" id="1" type="subscribe"/>',
        f'<message xmlns="jabber:client" id="{"i" * (MAX_ID_CHARS + 1)}"/>',
        f'<message xmlns="jabber:client" to="{"i" * (MAX_JID_BYTES + 1)}"/>',
        f'<message xmlns="jabber:client" from="{"i" * (MAX_JID_BYTES + 1)}"/>',
    ],
)
def test_what_is_no_stanza_is_refused(frame: str) -> None:
    with pytest.raises(StreamViolation):
        read(frame)


def test_a_result_goes_back_to_the_asker() -> None:
    request = read(stanzas.iq("set", "7&", "g@d", "<x xmlns='urn:x'/>", from_="a@d/r"))
    reply = read(stanzas.result_reply(request, "<y xmlns='urn:x'/>", from_="g@d"))
    assert (reply.type, reply.id, reply.to, reply.from_) == ("result", "7&", "a@d/r", "g@d")


def test_an_error_says_why() -> None:
    request = read(stanzas.iq("get", "7", "g@d", "<x xmlns='urn:x'/>", from_="a@d/r"))
    reply = read(stanzas.error_reply(request, "item-not-found", "a<b", "<own xmlns='urn:x'/>", from_="g@d"))
    assert (reply.type, reply.id, reply.to) == ("error", "7", "a@d/r")
    error = stanzas.error_of(reply)
    assert error is not None
    assert (error.condition, error.type, error.text) == ("item-not-found", "cancel", "a<b")
    assert error.application is not None
    assert error.application.tag == "{urn:x}own"


def test_the_type_of_an_error_can_be_chosen() -> None:
    request = read(stanzas.message("1", "g@d", from_="a@d"))
    error = stanzas.error_of(read(stanzas.error_reply(request, "service-unavailable", type_="wait")))
    assert error is not None
    assert error.type == "wait"


def test_errors_without_a_known_condition_are_undefined() -> None:
    assert stanzas.error_of(read(stanzas.message("1"))) is None
    for content in (
        "",
        "<error type='cancel'/>",
        "<error><new-one xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>",
    ):
        error = stanzas.error_of(read(f'<message xmlns="jabber:client" type="error">{content}</message>'))
        assert error is not None
        assert error.condition == "undefined-condition"


@pytest.mark.parametrize("kind", ["result", "error"])
def test_no_answer_is_answered(kind: Literal["result", "error"]) -> None:
    answer = read(stanzas.iq(kind, "1", "a@b"))
    with pytest.raises(LocalProtocolError):
        stanzas.error_reply(answer, "bad-request")
    with pytest.raises(LocalProtocolError):
        stanzas.result_reply(answer)


def test_a_ping_is_known() -> None:
    assert is_ping(read(stanzas.iq("get", "1", payload=PING)))
    assert not is_ping(read(stanzas.iq("set", "1", payload=PING)))
    assert not is_ping(read(stanzas.iq("get", "1", payload='<ping xmlns="urn:other"/>')))
    assert not is_ping(read('<iq xmlns="jabber:client" type="get" id="1"/>'))
