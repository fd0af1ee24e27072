"""The server's strictness."""

import pytest

from connector.domain.errors import LinkClosed, LinkTimeout, LocalProtocolError, RemoteProtocolError
from connector.wire.xmpp import rfc6120, rfc7395, sasl, stanzas, xep0198
from connector.wire.xmpp.client import StreamConfig
from connector.wire.xmpp.events import (
    Authenticated,
    AuthenticationFailed,
    BoundTo,
    PlainPasswordReceived,
)
from connector.wire.xmpp.server import MAX_LOGIN_TRIES, ServerConfig, StreamServer
from connector.wire.xmpp.xml import parse
from tests.wire.xmpp.pair import (
    CODE,
    DOMAIN,
    KEYS,
    PRIVATE_CODE,
    PRIVATE_KEYS,
    START,
    USER,
    Pair,
    failure,
    make_client,
    make_server,
    ready_pair,
)

OPEN = rfc7395.open_frame(rfc7395.Open(to=DOMAIN))
MESSAGE = stanzas.message("1", DOMAIN, "<x xmlns='urn:x'/>")


def auth(message: str, mechanism: str = "SCRAM-SHA-256") -> str:
    return rfc6120.sasl_frame("auth", sasl.encoded(message), mechanism)


def opened(config: ServerConfig | None = None) -> StreamServer:
    server = make_server(config)
    server.receive(OPEN, START)
    server.to_send()
    return server


def authenticated() -> StreamServer:
    """A server that waits for bind."""
    server = opened(ServerConfig(DOMAIN, b"s", mechanisms=("PLAIN",)))
    server.receive(auth(sasl.plain_message(USER, CODE), "PLAIN"), START)
    server.salted_password(sasl.salted_password(CODE, KEYS.salt, KEYS.iterations, "sha256"), START)
    server.receive(OPEN, START)
    server.events()
    server.to_send()
    return server


def test_either_code_opens_while_activating() -> None:
    for password, index in ((CODE, 0), (PRIVATE_CODE, 1)):
        pair = Pair(server=make_server(None, KEYS, PRIVATE_KEYS), password=password)
        pair.run()
        assert pair.at_server == [Authenticated(USER, index), BoundTo(f"{USER}@{DOMAIN}/pbxagent")]


def test_the_user_has_no_case() -> None:
    pair = Pair(make_client(StreamConfig(DOMAIN, USER.upper(), CODE)))
    pair.run()
    assert pair.at_server[0] == Authenticated(USER, 0)
    assert pair.client.is_ready


def test_an_unknown_user_looks_like_a_wrong_code() -> None:
    unknown = Pair(make_client(StreamConfig(DOMAIN, "nobody", CODE)))
    wrong = Pair(password="0000")
    for pair in (unknown, wrong):
        pair.run()
    shapes = [
        [(parse(frame).tag, len(frame)) for frame in pair.to_client if "<open" not in frame]
        for pair in (unknown, wrong)
    ]
    assert shapes[0] == shapes[1]
    assert unknown.at_server[0] == AuthenticationFailed("nobody")
    assert wrong.at_server[0] == AuthenticationFailed(USER)


def test_a_login_may_be_tried_three_times() -> None:
    server = opened()
    for tries in range(1, MAX_LOGIN_TRIES + 1):
        server.receive(auth("n,,n=user,r=c"), START)
        server.receive(rfc6120.sasl_frame("response", sasl.encoded(f"c=biws,r=csnonce{tries},p=AAAA")), START)
        assert server.is_closed is (tries == MAX_LOGIN_TRIES)
    assert [type(event) for event in server.events()[:3]] == [AuthenticationFailed] * 3
    assert "<policy-violation" in "".join(server.to_send())


def test_a_wrong_plain_password_fails_in_the_same_way() -> None:
    server = opened(ServerConfig(DOMAIN, b"s", mechanisms=("PLAIN",)))
    for _ in range(MAX_LOGIN_TRIES):
        server.receive(auth(sasl.plain_message(USER, "0000"), "PLAIN"), START)
        [event] = server.events()
        assert isinstance(event, PlainPasswordReceived)
        assert "0000" not in repr(event)
        server.salted_password(
            sasl.salted_password("0000", event.salt, event.iterations, event.hash_name), START
        )
        assert rfc6120.sasl_failure_frame("not-authorized") in server.to_send()
        assert AuthenticationFailed(USER) in server.events()
    assert server.is_closed


def test_after_an_abort_another_try_is_allowed() -> None:
    server = opened()
    server.receive(auth("n,,n=user,r=c"), START)
    server.to_send()
    server.receive('<abort xmlns="urn:ietf:params:xml:ns:xmpp-sasl"/>', START)
    assert server.to_send() == [rfc6120.sasl_failure_frame("aborted")]
    server.receive(auth("n,,n=user,r=c"), START)
    assert "<challenge" in server.to_send()[0]


@pytest.mark.parametrize(
    ("message", "failed"),
    [("c=biws,r=other,p=AAAA", "not-authorized"), ("nonsense", "malformed-request")],
)
def test_a_response_of_another_exchange_is_refused(message: str, failed: str) -> None:
    server = opened()
    server.receive(auth("n,,n=User,r=c"), START)
    server.to_send()
    server.receive(rfc6120.sasl_frame("response", sasl.encoded(message)), START)
    assert server.to_send() == [rfc6120.sasl_failure_frame(failed)]
    assert server.events() == [AuthenticationFailed("user")]


def test_only_a_response_follows_a_challenge() -> None:
    server = opened()
    server.receive(auth("n,,n=user,r=c"), START)
    server.receive(auth("n,,n=user,r=c"), START)
    assert isinstance(failure(server.events()), RemoteProtocolError)


def test_nothing_is_taken_while_the_password_is_checked() -> None:
    server = opened(ServerConfig(DOMAIN, b"s", mechanisms=("PLAIN",)))
    server.receive(auth(sasl.plain_message(USER, CODE), "PLAIN"), START)
    server.receive(OPEN, START)
    assert isinstance(failure(server.events()), RemoteProtocolError)


@pytest.mark.parametrize(
    ("frame", "failed"),
    [
        (auth("n,,n=user,r=c", "SCRAM-SHA-512"), "invalid-mechanism"),
        (auth("n,,n=user,r=c", ""), "invalid-mechanism"),
        (auth("nonsense"), "malformed-request"),
        (auth("n,a=other,n=user,r=c"), "invalid-authzid"),
        (rfc6120.sasl_frame("auth", "!", "SCRAM-SHA-256"), "incorrect-encoding"),
        (auth("\0u\0p", "PLAIN"), "invalid-mechanism"),
    ],
)
def test_a_bad_login_is_refused_by_its_name(frame: str, failed: str) -> None:
    server = opened()
    server.receive(frame, START)
    assert server.to_send() == [rfc6120.sasl_failure_frame(failed)]
    assert server.events() == [AuthenticationFailed("")]


def test_the_wrong_domain_is_told_after_our_open() -> None:
    server = make_server()
    server.receive(rfc7395.open_frame(rfc7395.Open(to="other.example")), START)
    frames = server.to_send()
    assert [parse(frame).tag.rpartition("}")[2] for frame in frames] == ["open", "error", "close"]
    assert "<host-unknown" in frames[1]


@pytest.mark.parametrize(
    "frame", ["<a>", "<!DOCTYPE a><a/>", MESSAGE, auth("n,,n=user,r=c"), xep0198.ENABLE, "x"]
)
def test_a_bad_first_frame_gets_open_error_close(frame: str) -> None:
    server = make_server()
    server.receive(frame, START)
    tags = [parse(sent).tag.rpartition("}")[2] for sent in server.to_send()]
    assert tags == ["open", "error", "close"]
    assert isinstance(failure(server.events()), RemoteProtocolError)


@pytest.mark.parametrize("frame", [MESSAGE, OPEN, xep0198.ENABLE, "<x xmlns='urn:x'/>", xep0198.REQUEST])
def test_nothing_but_a_login_is_taken_before_it(frame: str) -> None:
    server = opened()
    server.receive(frame, START)
    assert isinstance(failure(server.events()), RemoteProtocolError)


@pytest.mark.parametrize(
    "frame",
    [
        MESSAGE,
        OPEN,
        auth("n,,n=user,r=c"),
        xep0198.ENABLE,
        stanzas.iq("get", "1", payload=rfc6120.bind_payload("r")),
        stanzas.iq("set", "1", payload="<x xmlns='urn:x'/>"),
        stanzas.iq("set", "1"),
        stanzas.message("1", payload=rfc6120.bind_payload("r")),
        stanzas.iq("set", "1", payload=rfc6120.bind_payload("r" * 1_024)),
        stanzas.iq("set", "1", payload=rfc6120.bind_payload("a\x7fb")),
    ],
)
def test_nothing_but_a_bind_is_taken_after_it(frame: str) -> None:
    server = authenticated()
    server.receive(frame, START)
    assert isinstance(failure(server.events()), RemoteProtocolError)


def test_a_resume_is_refused_and_bind_goes_on() -> None:
    server = authenticated()
    server.receive('<resume xmlns="urn:xmpp:sm:3" previd="x" h="0"/>', START)
    assert server.to_send() == [xep0198.failed_frame("feature-not-implemented")]
    server.receive(stanzas.iq("set", "1", payload=f'<bind xmlns="{rfc6120.BIND}"/>'), START)
    [event] = server.events()
    assert isinstance(event, BoundTo)
    assert event.jid.startswith(f"{USER}@{DOMAIN}/s")


@pytest.mark.parametrize(
    "frame",
    [
        OPEN,
        auth("n,,n=u,r=c"),
        xep0198.ENABLE,
        xep0198.ENABLED,
        stanzas.iq("set", "9", payload=rfc6120.bind_payload("other")),
        "<x xmlns='urn:x'/>",
    ],
)
def test_a_ready_stream_takes_no_second_negotiation(frame: str) -> None:
    pair = ready_pair()
    pair.server.receive(frame, START)
    assert isinstance(failure(pair.server.events()), RemoteProtocolError)
    assert "<stream:error" in pair.server.to_send()[0]


def test_acknowledgements_before_enable_are_out_of_place() -> None:
    for frame in (xep0198.REQUEST, xep0198.ack_frame(0)):
        server = authenticated()
        server.receive(stanzas.iq("set", "1", payload=rfc6120.bind_payload("r")), START)
        server.receive(frame, START)
        assert isinstance(failure(server.events()[1:]), RemoteProtocolError)


def test_a_silent_client_is_cut_before_it_logged_in() -> None:
    server = make_server()
    assert server.deadline() == START + 30
    server.receive(OPEN, START + 29)
    server.to_send()
    server.tick(START + 30)
    assert isinstance(failure(server.events()), LinkTimeout)
    assert "<connection-timeout" in server.to_send()[0]


@pytest.mark.parametrize("condition", ["conflict", "policy-violation", "system-shutdown", "reset"])
def test_a_stream_can_be_failed_on_purpose(condition: str) -> None:
    pair = ready_pair()
    pair.server.fail(condition, "because")
    assert pair.server.is_closed
    pair.run()
    assert condition in str(failure(pair.at_client))
    assert pair.at_server == []
    pair.server.fail(condition)
    assert pair.server.to_send() == []


def test_a_lost_transport_is_a_loss() -> None:
    pair = ready_pair()
    pair.server.receive_eof(START)
    assert isinstance(failure(pair.server.events()), LinkClosed)


def test_commands_need_their_state() -> None:
    server = opened()
    with pytest.raises(LocalProtocolError):
        server.start(START)
    with pytest.raises(LocalProtocolError):
        server.salted_password(bytes(32), START)
    with pytest.raises(LocalProtocolError):
        server.send(MESSAGE)


def test_a_late_password_for_a_dead_stream_is_illegal() -> None:
    server = opened(ServerConfig(DOMAIN, b"s", mechanisms=("PLAIN",)))
    server.receive(auth(sasl.plain_message(USER, CODE), "PLAIN"), START)
    server.receive_eof(START)
    with pytest.raises(LocalProtocolError):
        server.salted_password(bytes(32), START)
