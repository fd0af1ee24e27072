"""SCRAM and PLAIN, against the vectors of the RFCs and against each other."""

import base64
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.domain.errors import AuthError, LocalProtocolError
from connector.domain.faults import FaultId
from connector.wire.xmpp import sasl
from connector.wire.xmpp.sasl import Decoy, SaslRefused, ScramClient, ScramKeys, ScramServer, derive_keys

# (hash, client nonce, server nonce, salt, client-first, server-first, client-final, server-final)
RFC_5802 = (
    "sha1",
    "fyko+d2lbbFgONRv9qkxdawL",
    "3rfcNHYJY1ZVvWVs7j",
    "QSXCR+Q6sek8bf92",
    "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
    "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
    "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
    "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
)
RFC_7677 = (
    "sha256",
    "rOprNGfwEbeRWgbNEkqO",
    "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
    "W22ZaJ0SNY7soEsUEjb6gQ==",
    "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
    "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
)
VECTORS = pytest.mark.parametrize("vector", [RFC_5802, RFC_7677], ids=["RFC 5802, 5", "RFC 7677, 3"])
DECOY = Decoy(b"secret")
SALT = bytes(16)
KEYS = derive_keys("pencil", SALT, 4096)


@VECTORS
def test_the_client_says_what_the_rfc_says(vector: tuple[str, ...]) -> None:
    hash_name, nonce, _, salt, client_first, server_first, client_final, server_final = vector
    client = ScramClient(hash_name, "user", nonce)
    assert client.first() == client_first
    wanted = client.challenged(server_first)
    assert wanted == sasl.Challenge(base64.b64decode(salt), 4096)
    assert (
        client.proof(sasl.salted_password("pencil", wanted.salt, wanted.iterations, hash_name))
        == client_final
    )
    client.verify(server_final)


@VECTORS
def test_the_server_says_what_the_rfc_says(vector: tuple[str, ...]) -> None:
    hash_name, _, nonce, salt, client_first, server_first, client_final, server_final = vector
    keys = derive_keys("pencil", base64.b64decode(salt), 4096, hash_name)
    server = ScramServer(hash_name, lambda user: [keys] if user == "user" else [], DECOY, nonce)
    assert server.challenge(client_first) == server_first
    assert server.verdict(client_final) == sasl.Verdict(0, server_final)
    assert server.user == "user"


@VECTORS
def test_each_changed_character_of_the_proof_is_refused(vector: tuple[str, ...]) -> None:
    hash_name, _, nonce, salt, client_first, _, client_final, _ = vector
    keys = derive_keys("pencil", base64.b64decode(salt), 4096, hash_name)
    for place in range(client_final.index(",p=") + 3, len(client_final) - 2):
        server = ScramServer(hash_name, lambda _: [keys], DECOY, nonce)
        server.challenge(client_first)
        other = "A" if client_final[place] != "A" else "B"
        forged = client_final[:place] + other + client_final[place + 1 :]
        assert server.verdict(forged) == sasl.Verdict(None, "")


def exchange(password: str, keys: Sequence[ScramKeys], user: str = "user") -> sasl.Verdict:
    client = ScramClient("sha256", user, "cnonce")
    server = ScramServer("sha256", lambda name: keys if name == user.lower() else [], DECOY, "snonce")
    wanted = client.challenged(server.challenge(client.first()))
    proof = client.proof(sasl.salted_password(password, wanted.salt, wanted.iterations, "sha256"))
    verdict = server.verdict(proof)
    if verdict.key_index is not None:
        client.verify(verdict.message)
    return verdict


def test_either_of_two_passwords_opens_and_is_named() -> None:
    keys = [KEYS, derive_keys("private", SALT, 4096), derive_keys("other", bytes(8), 4096, "sha1")]
    assert exchange("pencil", keys).key_index == 0
    assert exchange("private", keys).key_index == 1
    assert exchange("other", keys).key_index is None
    assert exchange("wrong", keys) == sasl.Verdict(None, "")


def test_the_index_counts_keys_of_other_hashes_too() -> None:
    keys = [derive_keys("other", bytes(8), 4096, "sha1"), KEYS]
    assert exchange("pencil", keys).key_index == 1


def test_a_user_without_keys_of_this_hash_is_refused_like_an_unknown_one() -> None:
    assert exchange("other", [derive_keys("other", SALT, 4096, "sha1")]).key_index is None
    assert exchange("other", []).key_index is None


def test_keys_that_differ_in_salt_are_our_fault() -> None:
    with pytest.raises(LocalProtocolError):
        exchange("pencil", [KEYS, derive_keys("pencil", bytes(15) + b"x", 4096)])


def test_unknown_users_have_a_salt_that_stays_and_tells_nothing() -> None:
    def challenge(user: str, secret: bytes = b"secret") -> str:
        server = ScramServer("sha256", lambda _: [], Decoy(secret), "n")
        return server.challenge(f"n,,n={user},r=c")

    assert challenge("a") == challenge("a") == challenge("A")
    assert len({challenge("a"), challenge("b"), challenge("a", b"another")}) == 3
    salt = base64.b64decode(challenge("a").split(",")[1][2:])
    assert len(salt) == 16
    assert challenge("a").endswith(",i=4096")


@settings(deadline=None, max_examples=50)
@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=40))
def test_any_printable_name_and_password_goes_through(text: str) -> None:
    assert exchange(text, [derive_keys(text, SALT, 4096)], user=text).key_index == 0


@pytest.mark.parametrize("text", ["", "é", "a\n", "\x7f", "a\0b", "x" * 1_024])
def test_what_saslprep_would_have_to_prepare_is_refused(text: str) -> None:
    with pytest.raises(LocalProtocolError):
        sasl.salted_password(text, SALT, 4096, "sha256")
    with pytest.raises(LocalProtocolError):
        ScramClient("sha256", text, "nonce")


@pytest.mark.parametrize(
    "message",
    [
        "",
        "r=cnonce",
        "r=cnonceX,s=QUFB",
        "s=QUFB,r=cnonceX,i=4096",
        "m=ext,r=cnonceX,s=QUFB,i=4096",
        "r=other,s=QUFB,i=4096",
        "r=cnonce,s=QUFB,i=4096",
        "r=cnonceé,s=QUFB,i=4096",
        "r=cnonce" + "x" * 600 + ",s=QUFB,i=4096",
        "r=cnonceX,s=,i=4096",
        "r=cnonceX,s=!,i=4096",
        "r=cnonceX,s=QUF,i=4096",
        "r=cnonceX,s=" + "QUFB" * 100 + ",i=4096",
        "r=cnonceX,s=QUFB,i=0",
        "r=cnonceX,s=QUFB,i=4095",
        "r=cnonceX,s=QUFB,i=-4096",
        "r=cnonceX,s=QUFB,i=4096.0",
        "r=cnonceX,s=QUFB,i=1000001",
        "r=cnonceX,s=QUFB,i=2147483648",
        "r=cnonceX,s=QUFB,i=" + "9" * 1_000,
        "r=cnonceX,s=QUFB,i=٤٠٩٦",
    ],
)
def test_a_bad_challenge_is_refused_before_anything_is_computed(message: str) -> None:
    with pytest.raises(SaslRefused):
        ScramClient("sha256", "user", "cnonce").challenged(message)


def test_both_bounds_of_the_iterations_are_taken() -> None:
    for count in (sasl.MIN_ITERATIONS, sasl.MAX_ITERATIONS):
        challenge = ScramClient("sha256", "user", "cnonce").challenged(f"r=cnonceX,s=QUFB,i={count}")
        assert challenge.iterations == count


def test_extensions_behind_the_known_attributes_are_ignored() -> None:
    assert ScramClient("sha1", "u", "c").challenged("r=cX,s=QUFB,i=4096,x=1").salt == b"AAA"


@pytest.mark.parametrize("message", ["", "v=", "v=AAAA", "e=invalid-proof", "v=6rriTRBi23WpRR"])
def test_a_server_that_can_not_sign_is_an_impostor(message: str) -> None:
    client = ScramClient("sha256", "user", "cnonce")
    client.challenged("r=cnonceX,s=QUFB,i=4096")
    client.proof(bytes(32))
    with pytest.raises(AuthError) as caught:
        client.verify(message)
    assert caught.value.fault is FaultId.CLOUD_IMPOSTOR


def test_a_signature_before_any_proof_is_an_impostor() -> None:
    with pytest.raises(AuthError):
        ScramClient("sha256", "user", "cnonce").verify("v=")


def test_a_salted_password_of_another_hash_is_our_fault() -> None:
    client = ScramClient("sha256", "user", "cnonce")
    client.challenged("r=cnonceX,s=QUFB,i=4096")
    with pytest.raises(LocalProtocolError):
        client.proof(bytes(20))


@pytest.mark.parametrize(
    ("message", "failure"),
    [
        ("", "malformed-request"),
        ("n=user,r=c", "malformed-request"),
        ("p=tls-server-end-point,,n=user,r=c", "malformed-request"),
        ("n,a=other,n=user,r=c", "invalid-authzid"),
        ("n,,r=c,n=user", "malformed-request"),
        ("n,,n=,r=c", "malformed-request"),
        ("n,,n=us=er,r=c", "malformed-request"),
        ("n,,n=usér,r=c", "malformed-request"),
        ("n,,n=user,r=", "malformed-request"),
        ("n,,n=user,r=é", "malformed-request"),
        ("n,,m=x,n=user,r=c", "malformed-request"),
        (f"n,,n={'u' * 1_100},r=c", "malformed-request"),
    ],
)
def test_a_bad_first_message_is_refused(message: str, failure: str) -> None:
    with pytest.raises(SaslRefused) as caught:
        ScramServer("sha256", lambda _: [KEYS], DECOY, "n").challenge(message)
    assert caught.value.failure == failure


@pytest.mark.parametrize(
    ("message", "failure"),
    [
        ("", "malformed-request"),
        ("c=biws,r=cn", "malformed-request"),
        ("c=biws,r=cn,p=!", "malformed-request"),
        ("c=eSws,r=cn,p=AAAA", "not-authorized"),
        ("c=biws,r=other,p=AAAA", "not-authorized"),
    ],
)
def test_a_bad_final_message_is_refused(message: str, failure: str) -> None:
    server = ScramServer("sha256", lambda _: [KEYS], DECOY, "n")
    server.challenge("n,,n=user,r=c")
    with pytest.raises(SaslRefused) as caught:
        server.verdict(message)
    assert caught.value.failure == failure


def test_a_proof_of_another_length_is_a_wrong_one() -> None:
    server = ScramServer("sha256", lambda _: [KEYS], DECOY, "n")
    server.challenge("n,,n=user,r=c")
    assert server.verdict("c=biws,r=cn,p=AAAA").key_index is None


def test_a_verdict_before_the_challenge_is_our_fault() -> None:
    with pytest.raises(LocalProtocolError):
        ScramServer("sha256", lambda _: [], DECOY, "n").verdict("c=biws,r=n,p=AAAA")


def test_plain() -> None:
    assert sasl.read_plain(sasl.plain_message("PBX-1", "47 11")) == ("pbx-1", "47 11")
    account = sasl.plain_credentials("user", lambda _: [derive_keys("x", SALT, 4096, "sha1"), KEYS], DECOY)
    assert account.hash_name == "sha256"
    assert sasl.plain_verdict(account, sasl.salted_password("pencil", SALT, 4096, "sha256")) == 1
    assert sasl.plain_verdict(account, sasl.salted_password("pencil2", SALT, 4096, "sha256")) is None


def test_plain_for_an_unknown_user_costs_the_same_and_fails() -> None:
    account = sasl.plain_credentials("user", lambda _: [], DECOY)
    assert account.challenge == sasl.Challenge(DECOY.keys("user", "sha256").salt, DECOY.iterations)
    assert sasl.plain_verdict(account, bytes(32)) is None


@pytest.mark.parametrize(
    "message",
    ["", "\0user", "\0\0", "user\0pw", "\0user\0", "\0\0pw", "\0u\0p\0x", "\0usér\0p", "other\0u\0p"],
)
def test_a_bad_plain_message_is_refused(message: str) -> None:
    with pytest.raises(SaslRefused):
        sasl.read_plain(message)


@pytest.mark.parametrize("content", ["!", "QUF", "gICA", "QQ==\n=", "A" * 2_800])
def test_content_that_is_no_message_is_refused(content: str) -> None:
    with pytest.raises(SaslRefused):
        sasl.decoded(content)


def test_content_comes_back() -> None:
    assert sasl.decoded(sasl.encoded("r=é")) == "r=é"
    assert sasl.encoded("") == "="
    assert sasl.decoded("=") == sasl.decoded(None) == sasl.decoded("") == ""


def test_no_secret_is_shown() -> None:
    assert "stored_key" not in repr(KEYS)
    assert "secret" not in repr(DECOY).replace("Decoy", "")
