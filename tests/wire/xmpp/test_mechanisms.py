"""The choice of a mechanism, channel binding, and what a weaker offer than before leads to."""

import pytest

from connector.domain.errors import AuthError
from connector.domain.faults import FaultId
from connector.wire.xmpp import mechanisms, rfc6120, sasl
from connector.wire.xmpp.channel_binding import UNBOUND, UNOFFERED, Binding, bound
from connector.wire.xmpp.client import StreamConfig
from connector.wire.xmpp.events import MechanismDowngraded, StreamReady
from connector.wire.xmpp.mechanisms import BindingPolicy, Choice, Wishes
from connector.wire.xmpp.rfc6120 import Features
from connector.wire.xmpp.sasl import Decoy, SaslRefused, ScramClient, ScramServer
from connector.wire.xmpp.server import ServerConfig
from connector.wire.xmpp.xml import parse
from tests.wire.xmpp.pair import CODE, DOMAIN, KEYS, USER, Pair, failure, make_client, make_server

HASH = bytes(range(32))
OTHER_HASH = bytes(32)
PLUS, SCRAM, OLD = "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1"
OURS = ("tls-server-end-point",)
BOUND = Wishes(channel_binding=HASH)


def pair_of(client_hash: bytes | None, server_hash: bytes | None, **settings: object) -> Pair:
    """A login where each side sees this certificate."""
    config = StreamConfig(DOMAIN, USER, CODE, channel_binding=client_hash, **settings)  # type: ignore[arg-type]
    pair = Pair(make_client(config), make_server(ServerConfig(DOMAIN, b"s", channel_binding=server_hash)))
    pair.run()
    return pair


@pytest.mark.parametrize(
    ("offered", "types", "wishes", "choice"),
    [
        ((OLD, SCRAM, PLUS), OURS, BOUND, Choice(PLUS, bound(HASH))),
        ((OLD, SCRAM, PLUS), OURS, Wishes(), Choice(SCRAM, UNBOUND)),
        ((SCRAM, PLUS), OURS, Wishes(False, BindingPolicy.OFF, HASH), Choice(SCRAM, UNBOUND)),
        ((SCRAM, OLD), (), BOUND, Choice(SCRAM, UNOFFERED)),
        ((SCRAM, PLUS), ("tls-unique",), BOUND, Choice(SCRAM, UNBOUND)),
        ((SCRAM, PLUS), (), BOUND, Choice(SCRAM, UNBOUND)),
        ((SCRAM, PLUS), (), Wishes(False, BindingPolicy.REQUIRE, HASH), Choice(PLUS, bound(HASH))),
        (("SCRAM-SHA-1-PLUS", SCRAM), OURS, BOUND, Choice("SCRAM-SHA-1-PLUS", bound(HASH))),
        (("PLAIN", OLD, SCRAM), (), Wishes(allow_plain=True), Choice(SCRAM, UNBOUND)),
        (("PLAIN",), (), Wishes(allow_plain=True), Choice("PLAIN", UNBOUND)),
    ],
)
def test_the_strongest_common_mechanism(
    offered: tuple[str, ...], types: tuple[str, ...], wishes: Wishes, choice: Choice
) -> None:
    assert mechanisms.choose(Features(offered, channel_bindings=types), wishes) == choice


@pytest.mark.parametrize(
    ("offered", "wishes", "fault"),
    [
        (("PLAIN", "EXTERNAL"), Wishes(), FaultId.CLOUD_NO_MECHANISM),
        ((), Wishes(allow_plain=True), FaultId.CLOUD_NO_MECHANISM),
        ((SCRAM,), Wishes(False, BindingPolicy.REQUIRE, HASH), FaultId.CLOUD_NOT_BOUND),
        ((SCRAM, PLUS), Wishes(False, BindingPolicy.REQUIRE, None), FaultId.CLOUD_NOT_BOUND),
    ],
)
def test_no_common_mechanism(offered: tuple[str, ...], wishes: Wishes, fault: FaultId) -> None:
    with pytest.raises(AuthError) as caught:
        mechanisms.choose(Features(offered), wishes)
    assert caught.value.fault is fault


def test_a_bound_login() -> None:
    pair = pair_of(HASH, HASH)
    assert pair.at_client[-1] == StreamReady(f"{USER}@{DOMAIN}/pbxagent", True, PLUS)
    first = sasl.decoded(parse(pair.to_server[1]).text)
    assert first.startswith("p=tls-server-end-point,,n=")


@pytest.mark.parametrize("policy", [BindingPolicy.PREFER, BindingPolicy.REQUIRE])
def test_another_certificate_on_the_way_fails_the_login(policy: BindingPolicy) -> None:
    """Each side sees the inspecting device's, or the server its own: the hashes differ."""
    pair = pair_of(OTHER_HASH, HASH, binding_policy=policy)
    error = failure(pair.at_client)
    assert isinstance(error, AuthError)
    assert error.fault is FaultId.CLOUD_NOT_AUTHORIZED
    assert "bound to the certificate" in error.detail, "the code need not be the wrong one"


def test_a_server_that_can_not_bind_is_served_unless_it_must() -> None:
    pair = pair_of(HASH, None)
    assert pair.client.is_ready
    assert sasl.decoded(parse(pair.to_server[1]).text).startswith("y,,n=")
    error = failure(pair_of(HASH, None, binding_policy=BindingPolicy.REQUIRE).at_client)
    assert isinstance(error, AuthError)
    assert error.fault is FaultId.CLOUD_NOT_BOUND


def test_an_offer_that_somebody_removed_is_found_by_the_server() -> None:
    """The client was shown no bound mechanism and says so; the server knows that it offered one."""
    client = make_client(StreamConfig(DOMAIN, USER, CODE, channel_binding=HASH))
    server = make_server(ServerConfig(DOMAIN, b"s", channel_binding=HASH))
    for frame in client.to_send():
        server.receive(frame, 1_000.0)
    opened, features = server.to_send()
    assert PLUS in features
    client.receive(opened, 1_000.0)
    client.receive(rfc6120.features_frame(Features((SCRAM,))), 1_000.0)
    for frame in client.to_send():
        server.receive(frame, 1_000.0)
    assert "<not-authorized/>" in server.to_send()[0]


@pytest.mark.parametrize(
    ("header", "is_bound", "channel", "failure_"),
    [
        ("p=tls-server-end-point,,", False, HASH, "malformed-request"),
        ("p=tls-unique,,", True, HASH, "malformed-request"),
        ("n,,", True, HASH, "malformed-request"),
        ("y,,", False, HASH, "not-authorized"),
        ("p=tls-server-end-point,a=other,", True, HASH, "invalid-authzid"),
    ],
)
def test_headers_that_a_server_refuses(header: str, is_bound: bool, channel: bytes, failure_: str) -> None:
    server = ScramServer("sha256", lambda _: [KEYS], Decoy(b"s"), "n", channel=channel, is_bound=is_bound)
    with pytest.raises(SaslRefused) as caught:
        server.challenge(f"{header}n=user,r=c")
    assert caught.value.failure == failure_


@pytest.mark.parametrize("data", [OTHER_HASH, b"", HASH[:31], HASH + b"\0"])
def test_the_data_of_the_channel_is_compared(data: bytes) -> None:
    server = ScramServer("sha256", lambda _: [KEYS], Decoy(b"s"), "n", channel=HASH, is_bound=True)
    client = ScramClient("sha256", USER, "c", bound(data))
    wanted = client.challenged(server.challenge(client.first()))
    proof = client.proof(sasl.salted_password(CODE, wanted.salt, wanted.iterations, "sha256"))
    with pytest.raises(SaslRefused):
        server.verdict(proof)


def test_the_attribute_of_rfc_5802() -> None:
    assert UNBOUND.attribute == "biws"
    assert UNOFFERED.attribute == "eSws"
    assert Binding("p=tls-unique,,", b"x").attribute == "cD10bHMtdW5pcXVlLCx4"


# Downgrades ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offered", "types", "known", "weaker"),
    [
        ((PLUS, SCRAM), OURS, PLUS, None),
        ((SCRAM,), (), PLUS, SCRAM),
        ((PLUS, SCRAM), (), PLUS, SCRAM),
        ((OLD,), (), SCRAM, OLD),
        (("PLAIN",), (), SCRAM, "PLAIN"),
        ((), (), "PLAIN", ""),
        ((SCRAM,), (), OLD, None),
        ((SCRAM,), (), "", None),
        ((OLD,), (), "SCRAM-SHA-512", None),
    ],
)
def test_what_is_a_downgrade(
    offered: tuple[str, ...], types: tuple[str, ...], known: str, weaker: str | None
) -> None:
    assert mechanisms.downgrade(Features(offered, channel_bindings=types), known) == weaker


def test_a_lost_binding_is_told_and_the_login_goes_on() -> None:
    pair = pair_of(HASH, None, known_best=PLUS)
    assert MechanismDowngraded(PLUS, SCRAM) in pair.at_client
    assert pair.client.is_ready


def test_a_lost_binding_fails_the_login_where_it_is_required() -> None:
    pair = pair_of(HASH, None, known_best=PLUS, binding_policy=BindingPolicy.REQUIRE)
    assert MechanismDowngraded(PLUS, SCRAM) in pair.at_client
    assert failure(pair.at_client).args[0] is FaultId.CLOUD_NOT_BOUND


def test_plain_after_scram_is_refused_before_the_password_is_sent() -> None:
    config = StreamConfig(DOMAIN, USER, CODE, allow_plain=True, known_best=SCRAM)
    pair = Pair(make_client(config), make_server(ServerConfig(DOMAIN, b"s", mechanisms=("PLAIN",))))
    pair.run()
    assert MechanismDowngraded(SCRAM, "PLAIN") in pair.at_client
    error = failure(pair.at_client)
    assert isinstance(error, AuthError)
    assert error.fault is FaultId.CLOUD_DOWNGRADED
    assert not any("<auth" in frame for frame in pair.to_server)


def test_a_better_offer_than_before_is_no_news() -> None:
    pair = pair_of(HASH, HASH, known_best=SCRAM)
    assert not any(isinstance(event, MechanismDowngraded) for event in pair.at_client)
    assert pair.client.is_ready


def test_types_are_written_as_they_are_read() -> None:
    features = Features((PLUS, SCRAM), channel_bindings=OURS)
    assert rfc6120.read_features(parse(rfc6120.features_frame(features))) == features
