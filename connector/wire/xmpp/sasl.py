"""SASL exchanges, both ends: SCRAM (RFC 5802, RFC 7677) and PLAIN (RFC 4616).

The slow part, PBKDF2, is never run in here: `ScramClient` says what has to be computed and is given the
result; `salted_password` and `derive_keys` are for the caller to run outside its event loop.

User names and passwords are printable ASCII, for which SASLprep is the identity; others are refused rather
than prepared by halves. Which mechanism is used is decided in `connector.wire.xmpp.mechanisms`.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from connector.domain.errors import AuthError, LocalProtocolError
from connector.domain.faults import FaultId
from connector.wire.xmpp.channel_binding import END_POINT, UNBOUND, Binding
from connector.wire.xmpp.xml import StreamViolation

PLAIN = "PLAIN"
# Best first. The value is the name of the hash in hashlib.
SCRAM_HASHES: Mapping[str, str] = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-1": "sha1"}

# RFC 7677, 4 asks for at least 4,096; 1,000,000 costs 0.7 s, more would be an attack on our processor.
MIN_ITERATIONS = 4_096
MAX_ITERATIONS = 1_000_000
# Nonce, salt and name of a normal exchange have under 200 bytes together.
MAX_MESSAGE_BYTES = 2_048
MAX_SALT_BYTES = 256
MAX_USER_CHARS = 1_023  # a local part of RFC 7622

_PRINTABLE = re.compile(r"[\x20-\x7e]+\Z")
# RFC 5802, 7: printable, but no comma.
_NONCE = re.compile(r"[\x21-\x2b\x2d-\x7e]{1,512}\Z")
_ITERATIONS = re.compile(r"[1-9][0-9]{0,9}\Z")
_CLIENT_FIRST = re.compile(
    r"(?P<gs2>(?:[ny]|p=[A-Za-z0-9.-]+),(?P<authzid>a=[^,]+)?,)(?P<bare>.*)\Z", re.DOTALL
)


class SaslRefused(StreamViolation):
    """A message of an exchange can't be taken; `failure` is the SASL condition (RFC 6120, 6.5) for it."""

    def __init__(self, failure: str, detail: str, clause: str = "RFC 5802, 7") -> None:
        super().__init__("not-authorized", detail, clause=clause)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class ScramKeys:
    """What a server keeps of a password (RFC 5802, 3). `hash_name` is hashlib's."""

    salt: bytes
    iterations: int
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)
    hash_name: str = "sha256"


Lookup = Callable[[str], Sequence[ScramKeys]]


def salted_password(password: str, salt: bytes, iterations: int, hash_name: str) -> bytes:
    """SaltedPassword of RFC 5802, 3. Slow on purpose (3 ms for 4,096 iterations): not for an event loop."""
    if not is_plain_text(password):
        raise _own_fault("a password outside printable ASCII")
    return hashlib.pbkdf2_hmac(hash_name, password.encode(), salt, iterations)


def derive_keys(password: str, salt: bytes, iterations: int, hash_name: str = "sha256") -> ScramKeys:
    """What to keep of `password`. As slow as `salted_password`."""
    salted = salted_password(password, salt, iterations, hash_name)
    server_key = _hmac(salted, b"Server Key", hash_name)
    return ScramKeys(salt, iterations, _stored_key(salted, hash_name), server_key, hash_name)


def is_plain_text(text: str) -> bool:
    """Whether `text` can be a user name or a password here: printable ASCII, not empty, bounded."""
    return len(text) <= MAX_USER_CHARS and _PRINTABLE.match(text) is not None


def encoded(message: str) -> str:
    """`message` as the content of a SASL element."""
    return base64.b64encode(message.encode()).decode() or "="


def decoded(content: str | None) -> str:
    """The message in a SASL element. Raises `SaslRefused` if it is no base64, no UTF-8 or too long."""
    text = (content or "").strip()
    if text in ("", "="):  # RFC 6120, 6.4.2: "=" is a message of no bytes
        return ""
    if len(text) > MAX_MESSAGE_BYTES * 4 // 3 + 4:
        raise SaslRefused("malformed-request", f"a message over {MAX_MESSAGE_BYTES} bytes")
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        raise SaslRefused("incorrect-encoding", "no base64 of UTF-8", "RFC 6120, 6.5.5") from None


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a client has to salt its password with."""

    salt: bytes
    iterations: int


class ScramClient:
    """One authentication: `first`, `challenged`, `proof`, `verify`, in this order, each once."""

    def __init__(self, hash_name: str, user: str, nonce: str, binding: Binding = UNBOUND) -> None:
        if not is_plain_text(user) or _NONCE.match(nonce) is None:
            raise _own_fault("a user or nonce outside printable ASCII")
        self.hash_name = hash_name
        self._binding = binding
        self._nonce = nonce
        self._first_bare = f"n={_saslname(user)},r={nonce}"
        self._server_first = ""
        self._server_nonce = ""
        self._server_signature = b""

    def first(self) -> str:
        """The client's first message."""
        return self._binding.header + self._first_bare

    def challenged(self, message: str) -> Challenge:
        """Take the server's first message.

        Raises `SaslRefused` when its nonce does not go on ours or its salt or iterations are out of bounds:
        nothing is computed then.
        """
        fields = _fields(message, "rsi")
        if not fields["r"].startswith(self._nonce) or len(fields["r"]) <= len(self._nonce):
            raise SaslRefused("not-authorized", "the server's nonce does not go on ours", "RFC 5802, 5.1")
        if _NONCE.match(fields["r"]) is None:
            raise SaslRefused("malformed-request", "a nonce that is none")
        self._server_nonce, self._server_first = fields["r"], message
        return Challenge(_salt(fields["s"]), _iterations(fields["i"]))

    def proof(self, salted: bytes) -> str:
        """The client's final message, from what `salted_password` made of the challenge."""
        if len(salted) != hashlib.new(self.hash_name).digest_size:
            raise _own_fault("a salted password of another hash")
        without_proof = f"c={self._binding.attribute},r={self._server_nonce}"
        auth_message = f"{self._first_bare},{self._server_first},{without_proof}".encode()
        client_key = _hmac(salted, b"Client Key", self.hash_name)
        stored_key = hashlib.new(self.hash_name, client_key).digest()
        proof = _xor(client_key, _hmac(stored_key, auth_message, self.hash_name))
        server_key = _hmac(salted, b"Server Key", self.hash_name)
        self._server_signature = _hmac(server_key, auth_message, self.hash_name)
        return f"{without_proof},p={base64.b64encode(proof).decode()}"

    def verify(self, message: str) -> None:
        """Take the server's final message. Raises `AuthError` unless it proves that it knows our password."""
        claimed = message.removeprefix("v=").partition(",")[0] if message.startswith("v=") else ""
        expected = base64.b64encode(self._server_signature).decode()
        if not self._server_signature or not hmac.compare_digest(claimed.encode(), expected.encode()):
            raise AuthError(FaultId.CLOUD_IMPOSTOR, "its signature is wrong", link="cloud")


@dataclass(frozen=True, slots=True)
class Decoy:
    """Keys for users that do not exist, the same at every try, so that nobody learns who does.

    Real users must have salts of 16 bytes and the same `iterations`, or they stand out.
    """

    secret: bytes = field(repr=False)
    iterations: int = MIN_ITERATIONS

    def keys(self, user: str, hash_name: str) -> ScramKeys:
        """Keys that no password opens, with the salt that `user` has whenever it is asked for."""
        salt, unreachable = (
            hmac.digest(self.secret, f"{purpose}:{user}".encode(), hash_name) for purpose in ("salt", "key")
        )
        return ScramKeys(salt[:16], self.iterations, unreachable, unreachable, hash_name)


@dataclass(frozen=True, slots=True)
class Credentials:
    """All passwords that open one account, as (index in the lookup's answer, keys) of one hash."""

    user: str
    hash_name: str
    candidates: Sequence[tuple[int | None, ScramKeys]]

    @property
    def challenge(self) -> Challenge:
        """The salt and iterations that all candidates share."""
        keys = self.candidates[0][1]
        return Challenge(keys.salt, keys.iterations)

    def match(self, has_key: Callable[[ScramKeys], bool]) -> tuple[int | None, ScramKeys]:
        """The first candidate that fits, its index None if none does. All are tried, for equal timing."""
        fitting = [(index, keys) for index, keys in self.candidates if has_key(keys)]
        return fitting[0] if fitting else (None, self.candidates[0][1])


def credentials(user: str, hash_name: str, lookup: Lookup, decoy: Decoy) -> Credentials:
    """What can open the account of `user`; a decoy if it has nothing for this hash."""
    found = [(index, keys) for index, keys in enumerate(lookup(user)) if keys.hash_name == hash_name]
    if len({(keys.salt, keys.iterations) for _, keys in found}) > 1:
        raise _own_fault("one user's keys differ in salt or iterations")
    return Credentials(user, hash_name, found or [(None, decoy.keys(user, hash_name))])


@dataclass(frozen=True, slots=True)
class Verdict:
    """`key_index` tells which of the lookup's keys was proved, None if none; `message` is the final one."""

    key_index: int | None
    message: str


class ScramServer:
    """One authentication: `challenge`, then `verdict`, each once. User names are compared in lower case.

    `channel` is the channel's data if the server offers to bind to it; `is_bound`, if the mechanism does.
    """

    def __init__(
        self,
        hash_name: str,
        lookup: Lookup,
        decoy: Decoy,
        nonce: str,
        *,
        channel: bytes | None = None,
        is_bound: bool = False,
    ) -> None:
        self.hash_name = hash_name
        self._channel = channel
        self._is_bound = is_bound
        self.user = ""
        self._lookup = lookup
        self._decoy = decoy
        self._nonce = nonce
        self._credentials: Credentials | None = None
        self._so_far = ""
        self._binding = UNBOUND

    def challenge(self, message: str) -> str:
        """Take the client's first message; the server's first. Raises `SaslRefused`."""
        match = _CLIENT_FIRST.match(message)
        if match is None:
            raise SaslRefused("malformed-request", "no GS2 header")
        if match["authzid"]:
            raise SaslRefused("invalid-authzid", "acting for another user")
        self._binding = self._binding_of(match["gs2"])
        fields = _fields(match["bare"], "nr")
        if _NONCE.match(fields["r"]) is None:
            raise SaslRefused("malformed-request", "a nonce that is none")
        self.user = _user(fields["n"])
        self._credentials = credentials(self.user, self.hash_name, self._lookup, self._decoy)
        self._nonce = fields["r"] + self._nonce
        wanted = self._credentials.challenge
        first = f"r={self._nonce},s={base64.b64encode(wanted.salt).decode()},i={wanted.iterations}"
        self._so_far = f"{match['bare']},{first}"
        return first

    def _binding_of(self, header: str) -> Binding:
        """What the client says about the channel. RFC 5802, 6 has the three cases."""
        if header.startswith("p=") is not self._is_bound:
            raise SaslRefused("malformed-request", "binding and mechanism do not fit", "RFC 5802, 6")
        if self._is_bound and header != f"p={END_POINT},,":
            raise SaslRefused("malformed-request", "an unknown type of channel binding", "RFC 5802, 6")
        if header.startswith("y") and self._channel is not None:
            raise SaslRefused("not-authorized", "somebody removed our offer to bind", "RFC 5802, 6")
        return Binding(header, self._channel or b"" if self._is_bound else b"")

    def verdict(self, message: str) -> Verdict:
        """Take the client's final message. Raises `SaslRefused` if it is malformed or of another exchange."""
        if self._credentials is None:
            raise _own_fault("a verdict before the challenge")
        fields = _fields(message, "cr")
        without_proof, _, proof = message.rpartition(",p=")
        if fields["c"] != self._binding.attribute or fields["r"] != self._nonce:
            raise SaslRefused("not-authorized", "another exchange's nonce or binding", "RFC 5802, 5.1")
        auth_message = f"{self._so_far},{without_proof}".encode()
        claimed = _unbase64(proof)

        def has_key(keys: ScramKeys) -> bool:
            signature = _hmac(keys.stored_key, auth_message, keys.hash_name)
            client_key = _xor(claimed, signature) if len(claimed) == len(signature) else b""
            return hmac.compare_digest(hashlib.new(keys.hash_name, client_key).digest(), keys.stored_key)

        index, keys = self._credentials.match(has_key)
        signature = _hmac(keys.server_key, auth_message, self.hash_name)
        return Verdict(index, f"v={base64.b64encode(signature).decode()}" if index is not None else "")


def plain_message(user: str, password: str) -> str:
    """The only message of PLAIN."""
    return f"\0{user}\0{password}"


def read_plain(message: str) -> tuple[str, str]:
    """User, in lower case, and password in a message of PLAIN. Raises `SaslRefused`."""
    authzid, user, password = message.split("\0") if message.count("\0") == 2 else ("", "", "")
    if not is_plain_text(user) or not is_plain_text(password):
        raise SaslRefused("malformed-request", "no user or password in printable ASCII", "RFC 4616, 2")
    if authzid:
        raise SaslRefused("invalid-authzid", "acting for another user")
    return user.lower(), password


def plain_credentials(user: str, lookup: Lookup, decoy: Decoy) -> Credentials:
    """What can open the account of `user` by a plain password: its keys of the best hash that it has."""
    known = {keys.hash_name for keys in lookup(user)}
    hashes = list(SCRAM_HASHES.values())
    hash_name = next((name for name in hashes if name in known), hashes[0])
    return credentials(user, hash_name, lookup, decoy)


def plain_verdict(account: Credentials, salted: bytes) -> int | None:
    """Which of the account's keys the salted password opens, or None."""
    claimed = _stored_key(salted, account.hash_name)
    return account.match(lambda keys: hmac.compare_digest(claimed, keys.stored_key))[0]


def _fields(message: str, names: str) -> dict[str, str]:
    """The first attributes of `message`, which must have these names in this order; what follows is ignored.

    RFC 5802, 5.1: an `m=` in front asks for an extension that we do not know, and is refused by that.
    """
    parts = message.split(",")
    fields = {part[:1]: part[2:] for part in parts[: len(names)] if part[1:2] == "="}
    if "".join(fields) != names:
        raise SaslRefused("malformed-request", f"attributes {','.join(names)} were due")
    return fields


def _saslname(user: str) -> str:
    return user.replace("=", "=3D").replace(",", "=2C")


def _user(saslname: str) -> str:
    """The name in `n=`. RFC 5802, 5.1: a '=' that is no escape fails the authentication."""
    if saslname.count("=") != saslname.count("=2C") + saslname.count("=3D") or not is_plain_text(saslname):
        raise SaslRefused("malformed-request", "a user name that is none")
    return saslname.replace("=2C", ",").replace("=3D", "=").lower()


def _salt(text: str) -> bytes:
    salt = _unbase64(text)
    if not 0 < len(salt) <= MAX_SALT_BYTES:
        raise SaslRefused("malformed-request", f"a salt of none or over {MAX_SALT_BYTES} bytes")
    return salt


def _iterations(text: str) -> int:
    if _ITERATIONS.match(text) is None or not MIN_ITERATIONS <= int(text) <= MAX_ITERATIONS:
        detail = f"an iteration count outside {MIN_ITERATIONS} to {MAX_ITERATIONS}"
        raise SaslRefused("not-authorized", detail, "RFC 7677, 4")
    return int(text)


def _unbase64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise SaslRefused("malformed-request", "no base64") from None


def _own_fault(detail: str) -> LocalProtocolError:
    return LocalProtocolError(FaultId.OWN_PROTOCOL, detail, link="cloud")


def _stored_key(salted: bytes, hash_name: str) -> bytes:
    return hashlib.new(hash_name, _hmac(salted, b"Client Key", hash_name)).digest()


def _hmac(key: bytes, message: bytes, hash_name: str) -> bytes:
    return hmac.digest(key, message, hash_name)


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))
