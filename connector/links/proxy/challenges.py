"""How a proxy asks for credentials, and the answers that need no library: Basic and Digest.

RFC 9110, 11 (challenges), RFC 7617 (Basic), RFC 7616 (Digest). Pure: nonces are passed in.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

# A proxy offers a handful of schemes; a longer list is not a proxy's.
_MAX_CHALLENGES = 16

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# Each pattern is linear in a hostile field's length: no two repetitions in a row can match the same.
# RFC 9110, 11.3 and 11.4: `scheme token68`, or `scheme name=value, …`; several may share one field.
_SCHEME = re.compile(rf"[\s,]*({_WORD})(?:\s+|\s*(?=,|\Z))")
_TOKEN68 = re.compile(r"([A-Za-z0-9._~+/-]+=*)\s*(?=,|\Z)")
_PARAMETER = re.compile(rf'[\s,]*({_WORD})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_WORD}))')

_HASHES: Mapping[str, Callable[[bytes], "hashlib._Hash"]] = {
    "sha-256": hashlib.sha256,
    # What squid and most appliances offer, and RFC 7616 keeps; it protects a password on a local network.
    "md5": lambda data: hashlib.md5(data, usedforsecurity=False),
}


@dataclass(frozen=True, slots=True)
class Challenge:
    """One offer: `scheme` in small letters, and either a token or parameters (names in small letters)."""

    scheme: str
    token: str = ""
    parameters: dict[str, str] = field(default_factory=dict)


def parse(fields: Iterable[str]) -> list[Challenge]:
    """The challenges in the values of Proxy-Authenticate fields; what can't be read ends its field."""
    found: list[Challenge] = []
    for text in fields:
        position = 0
        while len(found) < _MAX_CHALLENGES and (scheme := _SCHEME.match(text, position)):
            position = scheme.end()
            token = _TOKEN68.match(text, position)
            if token is not None and scheme.group().endswith((" ", "\t")):
                found.append(Challenge(scheme[1].lower(), token[1]))
                position = token.end()
                continue
            parameters = {}
            while pair := _PARAMETER.match(text, position):
                quoted = pair[2] if pair[2] is not None else pair[3]
                parameters[pair[1].lower()] = re.sub(r"\\(.)", r"\1", quoted)
                position = pair.end()
            found.append(Challenge(scheme[1].lower(), parameters=parameters))
    return found


def basic(user: str, password: str) -> str:
    """RFC 7617: the credentials in UTF-8."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def is_answerable(challenge: Challenge) -> bool:
    """Whether `digest` can answer: a known hash, and qop=auth or none."""
    parameters = challenge.parameters
    words = [word.strip() for word in parameters.get("qop", "auth").split(",")]
    algorithm = parameters.get("algorithm", "MD5").lower()
    return algorithm in _HASHES and "auth" in words and "nonce" in parameters


def strength(challenge: Challenge) -> int:
    """To choose among Digest challenges: the higher the better."""
    return int(challenge.parameters.get("algorithm", "").lower() == "sha-256")


def digest(challenge: Challenge, request: tuple[str, str], cnonce: str, *, user: str, password: str) -> str:
    """RFC 7616, 3.4, for a `request` (method, target), first use of the nonce."""
    method, target = request
    given = challenge.parameters
    algorithm = given.get("algorithm", "MD5")
    realm, nonce = given.get("realm", ""), given["nonce"]

    def hashed(text: str) -> str:
        return _HASHES[algorithm.lower()](text.encode()).hexdigest()

    secret = hashed(f"{user}:{realm}:{password}")
    asked = hashed(f"{method}:{target}")
    fields = [("username", user), ("realm", realm), ("nonce", nonce), ("uri", target)]
    bare = [("algorithm", algorithm)]
    if "qop" in given:
        response = hashed(f"{secret}:{nonce}:00000001:{cnonce}:auth:{asked}")
        fields.append(("cnonce", cnonce))
        bare += [("qop", "auth"), ("nc", "00000001")]
    else:
        response = hashed(f"{secret}:{nonce}:{asked}")  # RFC 2069, as 3.4.1 of RFC 7616 still reads
    fields.append(("response", response))
    if "opaque" in given:
        fields.append(("opaque", given["opaque"]))
    texts = [f"{name}={_quoted(value)}" for name, value in fields]
    return "Digest " + ", ".join(texts + [f"{name}={value}" for name, value in bare])


def _quoted(text: str) -> str:
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'
