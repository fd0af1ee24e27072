"""TLS contexts and what a failed handshake means. Certificate and name are always verified: no switch."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from connector.domain.errors import ConfigError, TlsError
from connector.domain.faults import FaultId
from connector.links.certificates import PeerCertificate

# OpenSSL's verify results (x509_vfy.h) that a person can act on differently.
_NOT_YET_VALID_CODE = 9
_DATE_CODES = {_NOT_YET_VALID_CODE, 10}  # has expired
_NAME_CODES = {62, 64}  # host name mismatch, address mismatch
_WEAK_CODES = {66, 67, 68}  # key too small (leaf, authority), signature hash too weak

# No machine that runs this lived before it was written. Moved forward with each release.
RELEASED = datetime(2026, 11, 1, tzinfo=UTC)
# Time zones set wrong are no broken clock.
_TOLERANCE = timedelta(days=1)
# A public certificate lives at most 398 days (CA/Browser Forum, 6.3.2): a machine that last heard of the
# gateway before that has either slept longer than any certificate, or its clock has jumped.
_LONGEST_SLEEP = timedelta(days=398)


def client_context(ca_file: Path | None) -> ssl.SSLContext:
    """A verifying client context: TLS 1.2 or newer, the system's authorities, and those of `ca_file` too.

    Build one a process: reading the system's store takes tens of milliseconds. Raises `ConfigError`.
    """
    # Not `create_default_context`: it writes the session keys into the file that SSLKEYLOGFILE names, and
    # refuses since Python 3.13 private authorities that omit identifiers which RFC 5280 wants.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # RFC 9525, 2: a name in the subject's common name does not count.
    context.hostname_checks_common_name = False
    context.load_default_certs()
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=ca_file)
        except (OSError, ssl.SSLError) as error:
            raise ConfigError(FaultId.CONFIG_INVALID, f"ca_file {ca_file.name}: {error.strerror}") from error
    return context


def holds_certificates(ca_file: Path) -> bool:
    """Whether `ca_file` can be read as one or more certificates in PEM."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=ca_file)
    except (OSError, ssl.SSLError):
        return False
    return True


def is_clock_wrong(now: datetime, known_time: datetime | None) -> bool:
    """Whether `now` can't be: before this release, before the gateway's last word, or too long after it."""
    if now < RELEASED - _TOLERANCE:
        return True
    return known_time is not None and not known_time - _TOLERANCE <= now <= known_time + _LONGEST_SLEEP


def handshake_fault(
    error: ssl.SSLError, now: datetime, known_time: datetime | None, *, by_proxy: bool
) -> FaultId:
    """What a failed handshake with the far end means to a person.

    `known_time` is the last time that the far end told, if ever; `by_proxy`: a proxy is on the way.
    """
    if not isinstance(error, ssl.SSLCertVerificationError):
        return FaultId.CLOUD_TLS
    if error.verify_code in _DATE_CODES:
        # Nobody hands out certificates for later: without a better witness it is our clock.
        is_unproven = error.verify_code == _NOT_YET_VALID_CODE and known_time is None
        is_clock = is_unproven or is_clock_wrong(now, known_time)
        return FaultId.CLOCK_WRONG if is_clock else FaultId.CLOUD_CERTIFICATE_EXPIRED
    if error.verify_code in _NAME_CODES:
        return FaultId.CLOUD_CERTIFICATE_NAME
    if error.verify_code in _WEAK_CODES:
        return FaultId.CLOUD_CERTIFICATE_WEAK
    return FaultId.TLS_INTERCEPTED if by_proxy else FaultId.CLOUD_CERTIFICATE_UNTRUSTED


def handshake_detail(error: ssl.SSLError, now: datetime, seen: PeerCertificate | None) -> str:
    """The facts of a failed handshake: OpenSSL's reason, who signed, from when to when, our time."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        return error.reason or type(error).__name__
    facts = [error.verify_message]
    if seen is not None:
        facts.append(f"issuer {seen.issuer}")
        if error.verify_code in _DATE_CODES:
            facts.append(f"valid from {seen.not_before:%Y-%m-%d} to {seen.not_after:%Y-%m-%d}")
    if error.verify_code in _DATE_CODES:
        facts.append(f"our time {now:%Y-%m-%d %H:%M} UTC")
    return "; ".join(facts)


def check_pins(certificate: PeerCertificate, pins: tuple[str, ...], link: str) -> None:
    """Raises `TlsError` unless there are no pins or the far end's key is one of them."""
    if pins and certificate.spki_sha256 not in pins:
        detail = f"presented {certificate.spki_sha256}; issuer {certificate.issuer}"
        raise TlsError(FaultId.CLOUD_PIN_MISMATCH, detail, link=link)
