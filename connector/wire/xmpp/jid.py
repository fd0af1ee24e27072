"""Addresses of XMPP (RFC 7622), for the ASCII subset that agents and gateways have.

PRECIS and IDNA are not done by halves: a local part or domain outside ASCII is refused. A resource is opaque.
"""

import re
from dataclasses import dataclass

from connector.wire.xmpp.xml import StreamViolation

# RFC 7622, 3.1: each part at most 1,023 bytes, the two separators between them.
MAX_PART_BYTES = 1_023
MAX_JID_BYTES = 3_071

# RFC 7622, 3.3.1: what the username class lets through in ASCII, less the characters set apart.
_LOCAL = re.compile(r"[!#-%(-.0-9;=?A-Z\[-~]+\Z")
_DOMAIN = re.compile(r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?|\[[0-9A-Fa-f:.]+\])\Z")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Jid:
    """`local@domain/resource`; local and domain are in lower case, so that equal addresses compare equal."""

    local: str
    domain: str
    resource: str = ""

    def __str__(self) -> str:
        return f"{self.bare}/{self.resource}" if self.resource else self.bare

    @property
    def bare(self) -> str:
        """The address without its resource."""
        return f"{self.local}@{self.domain}" if self.local else self.domain


def parse_jid(text: str) -> Jid:
    """The address in `text`. Raises `StreamViolation` (`improper-addressing`) for anything else."""
    address, slash, resource = text.partition("/")
    local, at, domain = address.rpartition("@")
    is_incomplete = (at and not local) or (slash and not resource)
    if is_incomplete or not (_is_local(local) and _is_domain(domain) and _is_resource(resource)):
        raise StreamViolation("improper-addressing", "an address that is none", clause="RFC 7622, 3")
    return Jid(local.lower(), domain.rstrip(".").lower(), resource)


def _is_local(text: str) -> bool:
    return not text or (len(text) <= MAX_PART_BYTES and _LOCAL.match(text) is not None)


def _is_domain(text: str) -> bool:
    return len(text) <= MAX_PART_BYTES and _DOMAIN.match(text.removesuffix(".")) is not None


def _is_resource(text: str) -> bool:
    return (
        len(text) <= MAX_PART_BYTES and _CONTROL.search(text) is None and len(text.encode()) <= MAX_PART_BYTES
    )


def is_same_address(left: str, right: str) -> bool:
    """Whether two addresses, each valid, name the same entity: the resource alone has case."""
    return left == right or _folded(left) == _folded(right)


def _folded(text: str) -> str:
    bare, slash, resource = text.partition("/")
    return f"{bare.lower()}{slash}{resource}"
