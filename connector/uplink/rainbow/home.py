"""What the link needs from the process that it lives in."""

from collections.abc import Awaitable
from datetime import datetime
from typing import Protocol

from connector.domain.credentials import Code
from connector.links.certificates import PeerCertificate
from connector.wire.pcg import conf, http
from connector.wire.pcg.conf import DisconnectReason


class Home(Protocol):
    """Who we are, what we hold, and what the process wants to know of its link."""

    def hello(self) -> conf.HelloResponse:
        """Who we are and what the outbox holds, at this moment."""

    def known_time(self) -> datetime | None:
        """The last time that a gateway told us, None if none ever did: a clock before it is wrong."""

    def known_mechanism(self) -> str:
        """The best SASL mechanism that ever logged us in, empty for none."""

    def logged_in(self, code: Code, mechanism: str) -> Awaitable[None]:
        """A login with `code` succeeded, by `mechanism`."""

    def login_weakened(self, known: str, offered: str) -> None:
        """The gateway once offered `known`, and now no better than `offered`."""

    def certificate_seen(self, certificate: PeerCertificate) -> None:
        """What the gateway's verified certificate says."""

    def keep_access_code(self, code: str) -> Awaitable[None]:
        """Store the proposed access code durably. Raises `StoreError`."""

    def disconnected(self, reason: DisconnectReason) -> Awaitable[None]:
        """The gateway ended the link for `reason`."""

    def serve(self, request: http.HttpRequest) -> http.HttpResponse:
        """Answer a read of one of our resources."""

    def gateway_time(self, time: datetime) -> None:
        """The gateway's clock, now."""

    def security_event(self) -> None:
        """Somebody who is not the gateway spoke to us."""
