"""TLS contexts. Certificate and name are always verified; there is no switch."""

import ssl
from pathlib import Path

from connector.domain.errors import ConfigError, TlsError
from connector.domain.faults import FaultId

# OpenSSL's verify results (x509_vfy.h) that a person can act on differently.
_EXPIRED_CODES = {9, 10}  # not yet valid, has expired
_NAME_CODES = {62, 64}  # host name mismatch, address mismatch


def client_context(ca_file: Path | None) -> ssl.SSLContext:
    """A verifying client context: the system's authorities, and those of `ca_file` too.

    Build one a process: reading the system's store takes tens of milliseconds. Raises `ConfigError`.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
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


def tls_error(error: ssl.SSLError, link: str) -> TlsError:
    """The catalogue's error for a failed handshake."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        return TlsError(FaultId.CLOUD_TLS, error.reason or type(error).__name__, link=link)
    if error.verify_code in _EXPIRED_CODES:
        fault = FaultId.CLOUD_CERTIFICATE_EXPIRED
    elif error.verify_code in _NAME_CODES:
        fault = FaultId.CLOUD_CERTIFICATE_NAME
    else:
        fault = FaultId.CLOUD_CERTIFICATE_UNTRUSTED
    return TlsError(fault, error.verify_message, link=link)
