"""One login at an HTTP proxy: the strongest scheme that it offers and we have, each tried once."""

import base64
import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING

from connector.domain.errors import ProxyAuthError, ProxyError
from connector.domain.faults import FaultId
from connector.links.proxy import challenges
from connector.links.proxy.challenges import Challenge
from connector.links.proxy.choice import ProxyServer

if TYPE_CHECKING:
    import spnego

# An NTLM challenge is a few hundred bytes.
_MAX_TOKEN_CHARS = 8_192
# What schemes a refusal may list in its detail.
_MAX_LISTED = 5


class Login:
    """Answers the challenges of one dial; a new dial is a new login."""

    def __init__(self, proxy: ProxyServer, target: str, *, link: str) -> None:
        self._proxy = proxy
        self._target = target
        self._link = link
        self._answered = ""
        self._was_stale = False
        self._ntlm: spnego.ContextProxy | None = None
        self._ntlm_steps = 0

    def must_not_be_begun(self) -> None:
        """The next request needs a new connection. Raises EOFError in the middle of NTLM.

        NTLM logs a connection in, not a request; only its first message may move to a new one.
        """
        if self._ntlm is not None and self._ntlm_steps > 1:
            raise EOFError("closed in the middle of NTLM")

    def answer(self, offered: Sequence[str]) -> str:
        """The Proxy-Authorization for these Proxy-Authenticate fields.

        Raises `ProxyAuthError` when there is none, or when the last one was not taken.
        """
        offers = challenges.parse(offered)
        if not self._proxy.user:
            raise self._refused(f"{self._proxy.place} wants a user and a password")
        if self._answered:
            return self._next(offers)
        digests = [one for one in offers if one.scheme == "digest" and challenges.is_answerable(one)]
        schemes = {one.scheme for one in offers}
        if digests:
            return self._digest(max(digests, key=challenges.strength))
        if "ntlm" in schemes and (self._has_ntlm() or "basic" not in schemes):
            return self._begin_ntlm()
        if "basic" in schemes:
            self._answered = "basic"
            return challenges.basic(self._proxy.user, self._proxy.password)
        names = ", ".join(sorted(schemes)[:_MAX_LISTED])[:100] or "nothing"
        raise self._unsupported(f"{self._proxy.place} offers {names}")

    def _next(self, offers: Sequence[Challenge]) -> str:
        """After our first answer: NTLM's second, a fresh nonce for Digest, or the end."""
        for offer in offers:
            if offer.scheme == "ntlm" and offer.token and self._ntlm is not None:
                return self._step_ntlm(self._ntlm, offer.token)
            is_stale = offer.parameters.get("stale", "").lower() == "true"
            if offer.scheme == "digest" == self._answered and is_stale and not self._was_stale:
                self._was_stale = True
                return self._digest(offer)
        raise self._refused(f"{self._proxy.place} did not take user and password ({self._answered})")

    def _digest(self, challenge: Challenge) -> str:
        self._answered = "digest"
        proxy = self._proxy
        request = ("CONNECT", self._target)
        nonce = secrets.token_hex(16)
        return challenges.digest(challenge, request, nonce, user=proxy.user, password=proxy.password)

    # NTLM ------------------------------------------------------------------------------------------------

    @staticmethod
    def _has_ntlm() -> bool:
        try:
            import spnego  # noqa: F401 - only asked for
        except ImportError:
            return False
        return True

    def _begin_ntlm(self) -> str:
        try:
            import spnego
        except ImportError as error:
            raise self._unsupported(f"{self._proxy.place} wants NTLM; pyspnego is not installed") from error
        self._answered = "ntlm"
        self._ntlm = spnego.client(
            self._proxy.user,
            self._proxy.password,
            hostname=self._proxy.host,
            service="HTTP",
            protocol="ntlm",
            # Its own code, whatever GSSAPI this machine has: one behaviour everywhere.
            options=spnego.NegotiateOptions.use_ntlm,
        )
        return self._spoken(self._ntlm, None)

    def _step_ntlm(self, ntlm: "spnego.ContextProxy", token: str) -> str:
        try:
            return self._spoken(ntlm, base64.b64decode(token[:_MAX_TOKEN_CHARS], validate=True))
        except Exception as error:  # the library raises whatever it stumbles over in a peer's bytes
            detail = f"{self._proxy.place}: its NTLM challenge was not understood"
            raise ProxyError(FaultId.PROXY_PROTOCOL, detail, link=self._link) from error

    def _spoken(self, ntlm: "spnego.ContextProxy", token: bytes | None) -> str:
        self._ntlm_steps += 1
        out = ntlm.step(token) or b""
        return "NTLM " + base64.b64encode(out).decode()

    # Faults ----------------------------------------------------------------------------------------------

    def _refused(self, detail: str) -> ProxyAuthError:
        return ProxyAuthError(FaultId.PROXY_AUTH, detail, link=self._link)

    def _unsupported(self, detail: str) -> ProxyAuthError:
        return ProxyAuthError(FaultId.PROXY_AUTH_UNSUPPORTED, detail, link=self._link)
