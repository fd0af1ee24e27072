"""What a certificate says of itself: for warnings, for pins, and to name who signed it."""

import base64
import hashlib
import ssl
from dataclasses import dataclass
from datetime import datetime

# A chain's first certificate; the largest in use are a few kilobytes (hundreds of names).
_MAX_CERTIFICATE_BYTES = 65_536
_MAX_NAME_CHARS = 120
# RFC 8446, 4: message type of Certificate; in TLS 1.3 a context (empty here) stands before the list.
_CERTIFICATE_MESSAGE = 11


@dataclass(frozen=True, slots=True)
class PeerCertificate:
    """The far end's certificate.

    `issuer` is readable text, bounded. `spki_sha256` is "sha256/" and the Base64 of the key's hash, the form
    of RFC 7469, 2.4. `end_point` is tls-server-end-point of RFC 5929, 4.1; b"" where that is not defined.
    """

    not_before: datetime
    not_after: datetime
    issuer: str
    spki_sha256: str
    end_point: bytes

    @classmethod
    def of(cls, der: bytes) -> "PeerCertificate":
        """Read a certificate in DER. Raises ValueError."""
        # 30 ms to load, which only a dial has to spend.
        from cryptography import x509
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        if len(der) > _MAX_CERTIFICATE_BYTES:
            raise ValueError("the certificate is too large")
        certificate = x509.load_der_x509_certificate(der)
        key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        algorithm = certificate.signature_hash_algorithm
        return cls(
            certificate.not_valid_before_utc,
            certificate.not_valid_after_utc,
            _printable(certificate.issuer.rfc4514_string()),
            "sha256/" + base64.b64encode(hashlib.sha256(key).digest()).decode(),
            _end_point(der, algorithm.name if algorithm is not None else ""),
        )


def _end_point(der: bytes, hash_name: str) -> bytes:
    """RFC 5929, 4.1: the hash of the signature, but SHA-256 instead of MD5 and SHA-1."""
    if not hash_name or hash_name not in hashlib.algorithms_available:
        return b""
    name = "sha256" if hash_name in ("md5", "sha1") else hash_name
    return hashlib.new(name, der).digest()


def _printable(text: str) -> str:
    """A stranger's name for a log line: no control or direction characters, bounded."""
    return "".join(char if char.isprintable() else "?" for char in text)[:_MAX_NAME_CHARS]


class CertificateViewer:
    """A TLS client that trusts nobody: its handshake always fails, and shows the certificate on the way.

    So that an untrusted issuer can be named without a context that verifies less. It sends a ClientHello
    and nothing of ours. Feed it what the server sends until `certificate` is there or it is over.
    """

    def __init__(self, server_hostname: str) -> None:
        self._seen: bytes | None = None
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifying, with no authority loaded
        # CPython's hook for its own test suite (3.8 to 3.14); without it the issuer stays unnamed.
        if hasattr(context, "_msg_callback"):
            context._msg_callback = self._see
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_hostname)
        self.is_over = False

    def step(self, data: bytes) -> bytes:
        """Take what the server sent (b"" at the start), and give what has to be sent to it."""
        self._incoming.write(data)
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return self._outgoing.read()
        except ssl.SSLError:
            pass
        self.is_over = True
        return b""

    @property
    def certificate(self) -> PeerCertificate | None:
        """What was shown, if it can be read."""
        try:
            return PeerCertificate.of(self._seen) if self._seen is not None else None
        except ValueError:
            return None

    def _see(self, _tls: object, direction: str, version: int, _kind: int, message: int, data: bytes) -> None:
        if direction == "read" and message == _CERTIFICATE_MESSAGE and self._seen is None:
            body = data[4:]  # type and length
            if version >= ssl.TLSVersion.TLSv1_3:
                body = body[1 + int.from_bytes(body[:1]) :]
            self._seen = body[6 : 6 + int.from_bytes(body[3:6])]
