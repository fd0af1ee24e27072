"""What each condition of a stream error or a SASL failure means for us: the one table."""

from collections.abc import Callable, Mapping

from connector.domain.errors import (
    AccountDisabled,
    AuthError,
    ConnectorError,
    LinkClosed,
    LocalProtocolError,
    Redirected,
    Replaced,
    SentTooMuch,
    Throttled,
)
from connector.domain.faults import FaultId
from connector.wire.xmpp.rfc6120 import StreamError

# A setting of ours or a version of theirs has to change first: a person's pace, not a machine's.
_MISCONFIGURED_RETRY_SECONDS = 900.0
# We sent too much or too often: one calm minute lets the gateway's window pass.
_TOO_MUCH_RETRY_SECONDS = 60.0


def _closed(detail: str) -> ConnectorError:
    return LinkClosed(FaultId.CLOUD_CLOSED, detail, link="cloud")


def _closed_for_all(detail: str) -> ConnectorError:
    return LinkClosed(FaultId.CLOUD_CLOSED, detail, link="cloud", announced=True)


def _not_authorized(detail: str) -> ConnectorError:
    return AuthError(FaultId.CLOUD_NOT_AUTHORIZED, detail, link="cloud")


def _disabled(detail: str) -> ConnectorError:
    return AccountDisabled(FaultId.CLOUD_ACCOUNT_DISABLED, detail, link="cloud")


def _no_mechanism(detail: str) -> ConnectorError:
    return AuthError(FaultId.CLOUD_NO_MECHANISM, detail, link="cloud")


def _replaced(detail: str) -> ConnectorError:
    return Replaced(FaultId.CLOUD_REPLACED, detail, link="cloud")


def _misconfigured(detail: str) -> ConnectorError:
    return Throttled(FaultId.CLOUD_MISCONFIGURED, _MISCONFIGURED_RETRY_SECONDS, detail, link="cloud")


def _too_much(detail: str) -> ConnectorError:
    return SentTooMuch(FaultId.CLOUD_TOO_MUCH, _TOO_MUCH_RETRY_SECONDS, detail, link="cloud")


def _our_defect(detail: str) -> ConnectorError:
    return LocalProtocolError(FaultId.OWN_PROTOCOL, detail, link="cloud")


_Meaning = Callable[[str], ConnectorError]

# RFC 6120, 4.9.3. What is not here ends the link as `undefined-condition` does.
_STREAM_CONDITIONS: Mapping[str, _Meaning] = {
    "bad-format": _our_defect,
    "bad-namespace-prefix": _our_defect,
    "conflict": _replaced,
    "connection-timeout": _closed,
    "host-gone": _misconfigured,
    "host-unknown": _misconfigured,
    "improper-addressing": _our_defect,
    "internal-server-error": _closed_for_all,
    "invalid-from": _our_defect,
    "invalid-namespace": _misconfigured,
    "invalid-xml": _our_defect,
    "not-authorized": _not_authorized,
    "not-well-formed": _our_defect,
    "policy-violation": _too_much,
    "remote-connection-failed": _closed,
    "reset": _closed_for_all,
    "resource-constraint": _closed_for_all,
    "restricted-xml": _our_defect,
    "system-shutdown": _closed_for_all,
    "undefined-condition": _closed,
    "unsupported-encoding": _misconfigured,
    "unsupported-feature": _misconfigured,
    "unsupported-stanza-type": _our_defect,
    "unsupported-version": _misconfigured,
}

# RFC 6120, 6.5.
_SASL_CONDITIONS: Mapping[str, _Meaning] = {
    "aborted": _our_defect,
    "account-disabled": _disabled,
    "credentials-expired": _disabled,
    "encryption-required": _no_mechanism,
    "incorrect-encoding": _our_defect,
    "invalid-authzid": _our_defect,
    "invalid-mechanism": _no_mechanism,
    "malformed-request": _our_defect,
    "mechanism-too-weak": _no_mechanism,
    "not-authorized": _not_authorized,
    "temporary-auth-failure": _closed_for_all,
}


# The peer ended the stream because of something that we sent.
BLAMING_CONDITIONS = frozenset(
    {
        "bad-format",
        "bad-namespace-prefix",
        "improper-addressing",
        "invalid-from",
        "invalid-xml",
        "not-well-formed",
        "policy-violation",
        "restricted-xml",
        "unsupported-stanza-type",
    }
)


def stream_failure(error: StreamError, more: str = "") -> ConnectorError:
    """What a received stream error means; `more` is added to its detail."""
    detail = f"{error.condition}: {error.text!r}" if error.text else error.condition
    if error.application == "handled-count-too-high":  # XEP-0198, 6
        return _our_defect("handled-count-too-high")
    if error.condition == "see-other-host" and error.text:
        return Redirected(FaultId.CLOUD_CLOSED, error.text, detail, link="cloud")
    return _STREAM_CONDITIONS.get(error.condition, _closed)(detail + more)


def sasl_failure(condition: str, more: str = "") -> ConnectorError:
    """What a received SASL failure means; `more` is added to its detail.

    Its text is not kept: it could repeat what we sent.
    """
    return _SASL_CONDITIONS.get(condition, _not_authorized)(condition + more)


def bind_failure(condition: str) -> ConnectorError:
    """What the refusal of our resource means (RFC 6120, 7.6.2)."""
    if condition == "conflict":
        return _replaced(condition)
    return _closed_for_all(f"bind refused: {condition}")
