"""Which SASL mechanism is used: the strongest that both ends have, never quietly a weaker one than before."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from connector.domain.errors import AuthError
from connector.domain.faults import FaultId
from connector.wire.xmpp.channel_binding import END_POINT, UNBOUND, UNOFFERED, Binding, bound
from connector.wire.xmpp.rfc6120 import Features
from connector.wire.xmpp.sasl import PLAIN, SCRAM_HASHES

PLUS = "-PLUS"
# Best first. A bound exchange shows a man in the middle even if his certificate is valid; the known weakness
# of SHA-1, collisions, does not touch its use here: so binding counts for more than the hash.
_BOUND = tuple(f"{name}{PLUS}" for name in SCRAM_HASHES)
RANKING = (*_BOUND, *SCRAM_HASHES, PLAIN)


class BindingPolicy(StrEnum):
    """Whether a login has to be bound to the server's certificate (RFC 5802, 6; RFC 5929, 4)."""

    REQUIRE = "require"
    PREFER = "prefer"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Choice:
    """What to log in with."""

    mechanism: str
    binding: Binding = UNBOUND


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the client accepts; `channel_binding` is the hash of the server's certificate, if it is known."""

    allow_plain: bool = False
    policy: BindingPolicy = BindingPolicy.PREFER
    channel_binding: bytes | None = None

    @property
    def can_bind(self) -> bool:
        """Whether we could bind, were it offered."""
        return self.channel_binding is not None and self.policy is not BindingPolicy.OFF


def choose(features: Features, wishes: Wishes) -> Choice:
    """The strongest offered mechanism that is wished for. Raises `AuthError` if there is none."""
    bound_name = _strongest(features.mechanisms, _BOUND)
    # A server that names no type may have tls-unique alone, RFC 5802's default: only who must, tries.
    is_silent = not features.channel_bindings and wishes.policy is BindingPolicy.REQUIRE
    has_our_type = END_POINT in features.channel_bindings or is_silent
    if wishes.can_bind and wishes.channel_binding is not None and bound_name and has_our_type:
        return Choice(bound_name, bound(wishes.channel_binding))
    if wishes.policy is BindingPolicy.REQUIRE:
        raise AuthError(FaultId.CLOUD_NOT_BOUND, "no common channel binding", link="cloud")
    accepted = (*SCRAM_HASHES, PLAIN) if wishes.allow_plain else tuple(SCRAM_HASHES)
    name = _strongest(features.mechanisms, accepted)
    if not name:
        raise AuthError(FaultId.CLOUD_NO_MECHANISM, link="cloud")
    return Choice(name, UNOFFERED if wishes.can_bind and not bound_name else UNBOUND)


def downgrade(features: Features, known: str) -> str | None:
    """The best that is offered, "" for nothing, if it is weaker than `known`; else None.

    A bound mechanism without our type of binding in the offer (XEP-0440) can't be used, hence does not count:
    otherwise it would be enough to take the type out of it.
    """
    if known not in RANKING:
        return None
    usable = RANKING if END_POINT in features.channel_bindings else (*SCRAM_HASHES, PLAIN)
    best = _strongest(features.mechanisms, usable)
    return best if not best or RANKING.index(best) > RANKING.index(known) else None


def is_betrayal(chosen: str, known: str) -> bool:
    """Whether `chosen` would show the password to who was only shown a proof of it before."""
    return chosen == PLAIN and known in RANKING and known != PLAIN


def with_binding(mechanisms: Sequence[str]) -> Sequence[str]:
    """`mechanisms` of a server that can bind: the bound form of each before them all."""
    return (*(f"{name}{PLUS}" for name in mechanisms if name in SCRAM_HASHES), *mechanisms)


def hash_of(mechanism: str) -> str:
    """The hash of a mechanism of SCRAM, bound or not."""
    return SCRAM_HASHES[mechanism.removesuffix(PLUS)]


def _strongest(offered: Sequence[str], accepted: Sequence[str]) -> str:
    return next((name for name in accepted if name in offered), "")
