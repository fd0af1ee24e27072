"""Every failure of the connector, and what to do about each as data.

    ConnectorError(fault, detail, link)
      ConfigError            STOP
      LinkError
        DialError RETRY · ProxyError RETRY (ProxyAuthError HOLD) · TlsError HOLD
        LinkClosed RETRY · LinkTimeout RETRY · AuthError HOLD (AccountDisabled HOLD)
        PeerDirective: Throttled RETRY_AFTER (SentTooMuch), Redirected RETRY, Replaced HOLD
      ProtocolError
        LocalProtocolError   HOLD     our fault
        RemoteProtocolError  RETRY    theirs
      RequestRefused(code)   KEEP     the link lives
      TranslationError       DROP
      Overflow               DROP
      StoreError             RETRY

`fault` names the entry of `connector.domain.faults` that explains the error to a person. No decision is
taken on an error's text.
"""

from enum import StrEnum
from typing import ClassVar

from connector.domain.faults import FAULTS, FaultId

# An excerpt of a peer's bytes long enough to recognise them, short enough for one log line.
MAX_EXCERPT_CHARS = 120


class Disposition(StrEnum):
    """What the supervisor does after a failure."""

    STOP = "stop"  # the process ends: no retry can help
    HOLD = "hold"  # retry slowly: a person has to act
    RETRY = "retry"  # retry with the normal backoff
    RETRY_AFTER = "retry-after"  # retry when the peer said so
    KEEP = "keep"  # the link lives, only this request failed
    DROP = "drop"  # the unit of work is given up and counted


class ConnectorError(Exception):
    """Root of all errors that cross a module's border.

    `fault` is the stable id a user sees; `detail` adds bounded facts and never holds a secret;
    `link` names the link that failed ("pbx", "cloud", "rva").
    """

    disposition: ClassVar[Disposition] = Disposition.RETRY

    def __init__(self, fault: FaultId, detail: str = "", *, link: str = "") -> None:
        super().__init__(fault, detail, link)
        self.fault = fault
        self.detail = detail[:400]
        self.link = link

    def __str__(self) -> str:
        sentence = FAULTS[self.fault].sentence
        return f"{sentence} ({self.detail})" if self.detail else sentence


class ConfigError(ConnectorError):
    """A setting is missing or wrong. Names the setting and its place, never its value."""

    disposition = Disposition.STOP


class LinkError(ConnectorError):
    """A link could not be opened or was lost."""


class DialError(LinkError):
    """The far end could not be reached: name, route or port."""


class ProxyError(LinkError):
    """The proxy did not carry us to the far end."""


class ProxyAuthError(ProxyError):
    """The proxy wants other credentials."""

    disposition = Disposition.HOLD


class TlsError(LinkError):
    """The far end's certificate or TLS version is not acceptable."""

    disposition = Disposition.HOLD


class LinkClosed(LinkError):
    """The far end closed, or the connection broke.

    `announced`: the far end said so to everybody (a shutdown), so everybody will come back at once.
    """

    def __init__(self, fault: FaultId, detail: str = "", *, link: str = "", announced: bool = False) -> None:
        super().__init__(fault, detail, link=link)
        self.announced = announced


class LinkTimeout(LinkError):
    """The far end was silent for too long."""


class AuthError(LinkError):
    """The far end does not accept our credentials."""

    disposition = Disposition.HOLD


class AccountDisabled(AuthError):
    """The far end knows us and does not want us: somebody there has to act first."""


class PeerDirective(LinkError):
    """The far end told us what to do next."""


class Throttled(PeerDirective):
    """Come back after `retry_after_seconds`."""

    disposition = Disposition.RETRY_AFTER

    def __init__(
        self, fault: FaultId, retry_after_seconds: float, detail: str = "", *, link: str = ""
    ) -> None:
        super().__init__(fault, detail, link=link)
        self.retry_after_seconds = retry_after_seconds


class SentTooMuch(Throttled):
    """As `Throttled`, and send at half the rate from then on."""


class Redirected(PeerDirective):
    """Connect to `target` instead."""

    def __init__(self, fault: FaultId, target: str, detail: str = "", *, link: str = "") -> None:
        super().__init__(fault, detail, link=link)
        self.target = target


class Replaced(PeerDirective):
    """Another agent took over our identity."""

    disposition = Disposition.HOLD


class ProtocolError(ConnectorError):
    """A rule of a protocol was broken."""


class LocalProtocolError(ProtocolError):
    """We broke it: a defect of ours."""

    disposition = Disposition.HOLD


class RemoteProtocolError(ProtocolError):
    """The peer broke it. `excerpt` is bounded, `offset` counts bytes or characters, `clause` cites."""

    def __init__(
        self,
        fault: FaultId,
        detail: str = "",
        *,
        excerpt: bytes | str = b"",
        offset: int | None = None,
        clause: str = "",
        link: str = "",
    ) -> None:
        place = f" at {offset}" if offset is not None else ""
        rule = f" [{clause}]" if clause else ""
        super().__init__(fault, f"{detail}{place}{rule}", link=link)
        text = excerpt.hex(" ") if isinstance(excerpt, bytes) else repr(excerpt)
        self.excerpt = text[:MAX_EXCERPT_CHARS]
        self.offset = offset
        self.clause = clause


class RequestRefused(ConnectorError):
    """The peer refused one request with `code`; the link lives."""

    disposition = Disposition.KEEP

    def __init__(self, fault: FaultId, code: str, detail: str = "", *, link: str = "") -> None:
        super().__init__(fault, detail or code, link=link)
        self.code = code


class TranslationError(ConnectorError):
    """A unit of work has no equivalent on the other side; it is dropped and counted by `fault`."""

    disposition = Disposition.DROP


class Overflow(ConnectorError):
    """A bounded queue was full; the policy dropped something and counted it."""

    disposition = Disposition.DROP


class StoreError(ConnectorError):
    """The local store can't be read or written."""
