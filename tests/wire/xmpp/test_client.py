"""The client's way to a ready stream, and each way to fail on it."""

from base64 import b64encode
from collections.abc import Sequence

import pytest

from connector.domain.errors import (
    AuthError,
    LinkClosed,
    LinkTimeout,
    LocalProtocolError,
    Redirected,
    RemoteProtocolError,
    Replaced,
)
from connector.domain.faults import FaultId
from connector.wire.xmpp import rfc6120, rfc7395, sasl, stanzas, xep0198
from connector.wire.xmpp.client import StreamClient, StreamConfig
from connector.wire.xmpp.events import SaltedPasswordWanted, StreamReady
from connector.wire.xmpp.jid import Jid
from connector.wire.xmpp.server import ServerConfig
from tests.wire.xmpp.pair import (
    CODE,
    DOMAIN,
    KEYS,
    PRIVATE_CODE,
    START,
    USER,
    Pair,
    failure,
    make_client,
    make_server,
    numbered,
)

OPEN = rfc7395.open_frame(rfc7395.Open(from_=DOMAIN, stream_id="1"))
LOGIN = rfc6120.features_frame(rfc6120.Features(("SCRAM-SHA-256", "PLAIN")))
BIND = rfc6120.features_frame(rfc6120.Features(has_bind=True, has_stream_management=True))
BIND_ALONE = rfc6120.features_frame(rfc6120.Features(has_bind=True))
CHALLENGE = rfc6120.sasl_frame("challenge", sasl.encoded("r=cnonce1X,s=QUFB,i=4096"))
SALTED = bytes(32)
JID = Jid(USER, DOMAIN, "pbxagent")
BOUND = stanzas.iq("result", "c1", payload=rfc6120.bound_payload(JID))


def success() -> str:
    """What a server that knows the password behind `SALTED` says at the end."""
    scram = sasl.ScramClient("sha256", USER, "cnonce1")
    scram.challenged("r=cnonce1X,s=QUFB,i=4096")
    scram.proof(SALTED)
    signature = scram._server_signature
    return f"v={b64encode(signature).decode()}"


SUCCESS = rfc6120.sasl_frame("success", sasl.encoded(success()))
TO_SALT = (OPEN, LOGIN, CHALLENGE)
TO_BIND = (*TO_SALT, SUCCESS, OPEN)


def led(frames: Sequence[str], config: StreamConfig | None = None) -> StreamClient:
    """A client that has received `frames`, and was given a salted password when it asked."""
    client = make_client(config)
    for frame in frames:
        client.receive(frame, START)
        if any(isinstance(event, SaltedPasswordWanted) for event in client.events()):
            client.salted_password(SALTED, START)
    assert not client.is_closed
    client.to_send()
    return client


def test_the_whole_way() -> None:
    pair = Pair()
    pair.run()
    assert pair.at_client[-1] == StreamReady(f"{USER}@{DOMAIN}/pbxagent", True, "SCRAM-SHA-256")
    sent = [frame.partition(" ")[0] for frame in pair.to_server]
    assert sent == ["<open", "<auth", "<response", "<open", "<iq", "<enable"]
    assert not any(CODE in frame for frame in pair.to_server)
    assert pair.client.is_ready
    assert pair.client.has_stream_management


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-1", "SCRAM-SHA-256"])
def test_each_scram_mechanism(mechanism: str) -> None:
    keys = sasl.derive_keys(CODE, bytes(16), 4096, sasl.SCRAM_HASHES[mechanism])
    config = ServerConfig(DOMAIN, b"s", mechanisms=("PLAIN", mechanism))
    pair = Pair(server=make_server(config, keys))
    pair.run()
    assert f'mechanism="{mechanism}"' in pair.to_server[1]
    assert pair.client.is_ready


def test_plain_only_if_allowed() -> None:
    config = ServerConfig(DOMAIN, b"s", mechanisms=("PLAIN",))
    refused = Pair(server=make_server(config))
    refused.run()
    error = failure(refused.at_client)
    assert isinstance(error, AuthError)
    assert error.fault is FaultId.CLOUD_NO_MECHANISM
    assert not any("<auth" in frame for frame in refused.to_server)
    allowed = Pair(make_client(StreamConfig(DOMAIN, USER, CODE, allow_plain=True)), make_server(config))
    allowed.run()
    assert allowed.client.is_ready


def test_plain_is_never_taken_while_scram_is_offered() -> None:
    pair = Pair(
        make_client(StreamConfig(DOMAIN, USER, CODE, allow_plain=True)),
        make_server(ServerConfig(DOMAIN, b"s", mechanisms=("PLAIN", "SCRAM-SHA-256"))),
    )
    pair.run()
    assert 'mechanism="SCRAM-SHA-256"' in pair.to_server[1]


def test_a_wrong_code_is_not_authorized() -> None:
    pair = Pair(password="0000")
    pair.run()
    error = failure(pair.at_client)
    assert isinstance(error, AuthError)
    assert error.fault is FaultId.CLOUD_NOT_AUTHORIZED
    assert pair.client.is_closed
    assert "0000" not in f"{error}{error!r}"


def test_a_server_that_does_not_know_the_code_is_an_impostor() -> None:
    for last in ("v=AAAA", ""):
        client = led(TO_SALT)
        client.receive(rfc6120.sasl_frame("success", sasl.encoded(last) if last else ""), START)
        error = failure(client.events())
        assert isinstance(error, AuthError)
        assert error.fault is FaultId.CLOUD_IMPOSTOR
        assert not any("<open" in frame for frame in client.to_send())


def test_the_signature_may_come_in_a_challenge() -> None:
    client = led(TO_SALT)
    client.receive(rfc6120.sasl_frame("challenge", sasl.encoded(success())), START)
    assert client.to_send() == [rfc6120.sasl_frame("response")]
    client.receive(rfc6120.sasl_frame("success"), START)
    assert client.to_send() == [rfc7395.open_frame(rfc7395.Open(to=DOMAIN))]


def test_without_stream_management_bind_is_the_last_step() -> None:
    client = led((*TO_BIND, BIND_ALONE))
    client.receive(BOUND, START)
    assert client.events() == [StreamReady(str(JID), False, "SCRAM-SHA-256")]
    assert client.to_send() == []
    with pytest.raises(LocalProtocolError):
        client.request_ack()


def test_a_refused_enable_leaves_a_stream_without_it() -> None:
    client = led((*TO_BIND, BIND, BOUND))
    client.receive(xep0198.failed_frame("internal-server-error"), START)
    assert client.events() == [StreamReady(str(JID), False, "SCRAM-SHA-256")]


def test_a_bind_conflict_means_another_agent() -> None:
    client = led((*TO_BIND, BIND))
    refusal = (
        '<iq xmlns="jabber:client" type="error" id="c1"><error type="cancel">'
        '<conflict xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/></error></iq>'
    )
    client.receive(refusal, START)
    assert isinstance(failure(client.events()), Replaced)


MESSAGE = stanzas.message("1", str(JID), "<x xmlns='urn:x'/>")
STEPS: dict[str, Sequence[str]] = {
    "open": (),
    "features": (OPEN,),
    "challenge": (OPEN, LOGIN),
    "success": TO_SALT,
    "second open": (*TO_SALT, SUCCESS),
    "second features": TO_BIND,
    "bound": (*TO_BIND, BIND),
    "enabled": (*TO_BIND, BIND, BOUND),
}
FRAMES = {
    "open": OPEN,
    "login features": LOGIN,
    "challenge": CHALLENGE,
    "success": SUCCESS,
    "bind features": BIND,
    "bound": BOUND,
    "enabled": xep0198.ENABLED,
    "message": MESSAGE,
    "ack": xep0198.ack_frame(0),
    "ack request": xep0198.REQUEST,
    "unknown": "<x xmlns='urn:x'/>",
    "other namespace": "<features/>",
}
DUE = {
    "open": {"open"},
    "features": {"login features"},
    "challenge": {"challenge"},
    "success": {"success"},
    "second open": {"open"},
    "second features": {"bind features"},
    "bound": {"bound"},
    "enabled": {"enabled"},
}


@pytest.mark.parametrize(
    ("step", "name"), [(step, name) for step in STEPS for name in FRAMES if name not in DUE[step]]
)
def test_what_is_out_of_place_ends_the_stream(step: str, name: str) -> None:
    client = led(STEPS[step])
    client.receive(FRAMES[name], START)
    error = failure(client.events())
    # The wrong features are read, but offer nothing of what is due.
    assert isinstance(error, RemoteProtocolError | AuthError)
    assert client.is_closed
    assert client.to_send()[-1] == rfc7395.close_frame()
    client.receive(OPEN, START)
    assert (client.events(), client.to_send()) == ([], [])


@pytest.mark.parametrize("step", STEPS)
def test_each_step_has_its_time(step: str) -> None:
    client = led(STEPS[step])
    assert client.deadline() == START + 10.0
    client.tick(START + 9.9)
    assert not client.is_closed
    client.tick(START + 10.0)
    error = failure(client.events())
    assert isinstance(error, LinkTimeout)
    assert error.fault is FaultId.CLOUD_SILENT
    assert client.deadline() is None


@pytest.mark.parametrize("step", STEPS)
def test_each_step_can_lose_its_transport(step: str) -> None:
    client = led(STEPS[step])
    client.receive_eof(START)
    error = failure(client.events())
    assert isinstance(error, LinkClosed)
    assert not error.announced
    assert client.to_send() == []


@pytest.mark.parametrize("step", STEPS)
def test_each_step_can_be_closed_by_the_peer(step: str) -> None:
    client = led(STEPS[step])
    client.receive(rfc7395.close_frame(), START)
    error = failure(client.events())
    assert isinstance(error, LinkClosed)
    assert error.announced
    assert client.to_send() == [rfc7395.close_frame()]


@pytest.mark.parametrize("step", STEPS)
def test_an_error_while_we_close_is_an_end_like_any(step: str) -> None:
    client = led(STEPS[step])
    client.close()
    client.receive(rfc6120.stream_error_frame("system-shutdown"), START)
    assert client.is_closed
    assert client.events() == []


@pytest.mark.parametrize("step", STEPS)
def test_each_step_can_be_closed_by_us(step: str) -> None:
    client = led(STEPS[step])
    client.close()
    assert client.to_send() == [rfc7395.close_frame()]
    client.receive(rfc7395.close_frame(), START)
    assert client.is_closed
    assert client.events() == []


def test_our_own_time_for_the_password_is_not_the_peers() -> None:
    client = make_client()
    for frame in TO_SALT:
        client.receive(frame, START)
    assert client.events() == [SaltedPasswordWanted("sha256", b"AAA", 4096)]
    assert client.deadline() is None
    client.salted_password(SALTED, START + 60)
    assert client.deadline() == START + 70
    with pytest.raises(LocalProtocolError):
        client.salted_password(SALTED, START + 60)


@pytest.mark.parametrize(
    ("frame", "kind"),
    [(SUCCESS, RemoteProtocolError), (rfc6120.sasl_failure_frame("not-authorized"), AuthError)],
)
def test_the_server_may_only_give_up_while_we_compute(frame: str, kind: type[Exception]) -> None:
    client = make_client()
    for step in TO_SALT:
        client.receive(step, START)
    client.receive(frame, START)
    assert isinstance(failure(client.events()), kind)


def test_a_challenge_out_of_bounds_asks_for_no_password() -> None:
    client = led((OPEN, LOGIN))
    client.receive(rfc6120.sasl_frame("challenge", sasl.encoded("r=cnonce1X,s=QUFB,i=2147483648")), START)
    assert isinstance(failure(client.events()), RemoteProtocolError)
    assert len(client.events()) == 0


def test_another_domain_is_refused() -> None:
    client = led(())
    client.receive(rfc7395.open_frame(rfc7395.Open(from_="evil.example")), START)
    assert isinstance(failure(client.events()), RemoteProtocolError)


@pytest.mark.parametrize(
    ("uri", "kind"),
    [
        ("wss://other.example/ws", Redirected),
        ("ws://other.example/ws", LinkClosed),
        ("https://other.example/", LinkClosed),
        ("", LinkClosed),
    ],
)
def test_only_a_secure_place_is_gone_to(uri: str, kind: type[Exception]) -> None:
    client = led(())
    client.receive(rfc7395.close_frame(uri), START)
    error = failure(client.events())
    assert type(error) is kind
    assert not isinstance(error, Redirected) or error.target == uri


@pytest.mark.parametrize(
    ("user", "password"), [("", "x"), ("u", ""), ("usér", "x"), ("u", "né"), ("u\n", "x")]
)
def test_credentials_outside_ascii_are_refused_at_once(user: str, password: str) -> None:
    with pytest.raises(LocalProtocolError):
        StreamClient(StreamConfig(DOMAIN, user, password), numbered("c"), numbered("n"))


def test_the_password_is_not_shown() -> None:
    assert PRIVATE_CODE not in repr(StreamConfig(DOMAIN, USER, PRIVATE_CODE))


def test_commands_before_ready_are_illegal() -> None:
    for step in STEPS.values():
        client = led(step)
        with pytest.raises(LocalProtocolError):
            client.send(MESSAGE)
        with pytest.raises(LocalProtocolError):
            client.request("get", "", "<x/>", START)
        with pytest.raises(LocalProtocolError):
            client.ping(START)
        with pytest.raises(LocalProtocolError):
            client.request_ack()
        with pytest.raises(LocalProtocolError):
            client.start(START)


def test_nothing_is_taken_before_the_start() -> None:
    client = StreamClient(StreamConfig(DOMAIN, USER, CODE), numbered("c"), numbered("n"))
    client.receive(OPEN, START)
    assert isinstance(failure(client.events()), LocalProtocolError)
    unused = StreamClient(StreamConfig(DOMAIN, USER, CODE), numbered("c"), numbered("n"))
    unused.close()
    assert unused.is_closed
    assert unused.to_send() == []


def test_keys_of_another_password_do_not_open() -> None:
    pair = Pair(server=make_server(None, KEYS), password=PRIVATE_CODE)
    pair.run()
    assert isinstance(failure(pair.at_client), AuthError)
