"""`<open/>`, `<close/>`, features and stream errors, as other implementations write them."""

import pytest

from connector.wire.xmpp import rfc6120, rfc7395
from connector.wire.xmpp.jid import Jid
from connector.wire.xmpp.xml import StreamViolation, parse


def test_open_of_rfc_7395_section_3_4() -> None:
    theirs = (
        '<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" from="example.com"'
        ' id="++TR84Sm6A3hnt3Q065SnAbbk3Y=" xml:lang="en" version="1.0" />'
    )
    header = rfc7395.read_open(parse(theirs))
    assert header == rfc7395.Open(
        from_="example.com", stream_id="++TR84Sm6A3hnt3Q065SnAbbk3Y=", version="1.0", lang="en"
    )
    assert rfc7395.read_open(parse(rfc7395.open_frame(header))) == header


@pytest.mark.parametrize(
    ("frame", "condition"),
    [
        ('<open xmlns="jabber:client" version="1.0"/>', "invalid-namespace"),
        ('<stream:stream xmlns:stream="http://etherx.jabber.org/streams"/>', "invalid-namespace"),
        ('<open xmlns="urn:ietf:params:xml:ns:xmpp-framing"/>', "unsupported-version"),
        ('<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" version="2.0"/>', "unsupported-version"),
    ],
)
def test_another_opening_is_refused(frame: str, condition: str) -> None:
    with pytest.raises(StreamViolation) as caught:
        rfc7395.read_open(parse(frame))
    assert caught.value.condition == condition


def test_close_with_and_without_another_place() -> None:
    assert rfc7395.read_close(parse(rfc7395.close_frame())) == rfc7395.Close()
    uri = "wss://otherendpoint.example/xmpp-bind?a=1&b=2"
    assert rfc7395.read_close(parse(rfc7395.close_frame(uri))) == rfc7395.Close(uri)
    long = rfc7395.close_frame("wss://h/" + "x" * rfc7395.MAX_URI_CHARS)
    assert rfc7395.read_close(parse(long)) == rfc7395.Close()


def test_features_of_another_server() -> None:
    prosody = (
        '<stream:features xmlns:stream="http://etherx.jabber.org/streams" xmlns="jabber:client">'
        "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>SCRAM-SHA-1</mechanism>"
        "<mechanism>SCRAM-SHA-256</mechanism></mechanisms>"
        "<c xmlns='http://jabber.org/protocol/caps' node='x'/></stream:features>"
    )
    assert rfc6120.read_features(parse(prosody)) == rfc6120.Features(("SCRAM-SHA-1", "SCRAM-SHA-256"))


@pytest.mark.parametrize(
    "features",
    [rfc6120.Features(("PLAIN",)), rfc6120.Features(has_bind=True), rfc6120.Features((), True, True)],
)
def test_features_come_back(features: rfc6120.Features) -> None:
    frame = parse(rfc6120.features_frame(features))
    assert rfc6120.read_features(frame) == features
    assert frame.findtext("{*}limits/{*}max-bytes") == "65536"


def test_stream_errors() -> None:
    frame = (
        '<stream:error xmlns:stream="http://etherx.jabber.org/streams">'
        '<conflict xmlns="urn:ietf:params:xml:ns:xmpp-streams"/>'
        '<text xmlns="urn:ietf:params:xml:ns:xmpp-streams">Replaced by new connection</text></stream:error>'
    )
    assert rfc6120.read_stream_error(parse(frame)) == rfc6120.StreamError(
        "conflict", "Replaced by new connection"
    )
    ours = rfc6120.stream_error_frame("undefined-condition", "a<b", '<own xmlns="urn:x"/>')
    assert rfc6120.read_stream_error(parse(ours)) == rfc6120.StreamError("undefined-condition", "a<b", "own")
    empty = parse('<stream:error xmlns:stream="http://etherx.jabber.org/streams"/>')
    assert rfc6120.read_stream_error(empty) == rfc6120.StreamError("undefined-condition")


def test_another_host_is_the_text_of_its_condition() -> None:
    frame = parse(
        '<stream:error xmlns:stream="http://etherx.jabber.org/streams">'
        '<see-other-host xmlns="urn:ietf:params:xml:ns:xmpp-streams">[2001:db8::1]:9222</see-other-host>'
        "</stream:error>"
    )
    assert rfc6120.read_stream_error(frame) == rfc6120.StreamError("see-other-host", "[2001:db8::1]:9222")


def test_bind_comes_back() -> None:
    assert rfc6120.read_bind(parse(rfc6120.bind_payload("pbx<agent>"))) == "pbx<agent>"
    jid = Jid("a", "b", "c'd")
    assert rfc6120.read_bound(parse(rfc6120.bound_payload(jid))) == jid


@pytest.mark.parametrize("content", ["", "<jid>a@b</jid>", "<jid>a@b/</jid>", "<jid> </jid>"])
def test_a_bind_without_full_address_is_refused(content: str) -> None:
    with pytest.raises(StreamViolation):
        rfc6120.read_bound(parse(f'<bind xmlns="{rfc6120.BIND}">{content}</bind>'))


def test_sasl_failures() -> None:
    assert (
        rfc6120.read_sasl_failure(parse(rfc6120.sasl_failure_frame("account-disabled"))) == "account-disabled"
    )
    with_text = parse(f'<failure xmlns="{rfc6120.SASL}"><text>no</text><temporary-auth-failure/></failure>')
    assert rfc6120.read_sasl_failure(with_text) == "temporary-auth-failure"
    assert rfc6120.read_sasl_failure(parse(f'<failure xmlns="{rfc6120.SASL}"/>')) == "not-authorized"
