"""Certificates that are wrong in one way each, from a throw-away authority."""

import ipaddress
import ssl
import subprocess
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
NAMES = (x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Signed:
    """A certificate and its key."""

    certificate: x509.Certificate
    key: Key

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def signed(
    subject: str,
    issuer: Signed | None = None,
    *,
    key: Key | None = None,
    is_authority: bool = False,
    names: tuple[x509.GeneralName, ...] = NAMES,
    valid: tuple[datetime, datetime] | None = None,
    hash_algorithm: hashes.HashAlgorithm | None = None,
) -> Signed:
    """A certificate of `subject` by `issuer`, by itself without one; good unless told otherwise."""
    key = key or new_key()
    now = datetime.now(UTC)
    begin, end = valid or (now - _DAY, now + 30 * _DAY)
    signer = issuer.key if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(issuer.certificate.subject if issuer else name(subject))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    if names and not is_authority:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    algorithm = None if isinstance(signer, ed25519.Ed25519PrivateKey) else hash_algorithm or hashes.SHA256()
    return Signed(builder.sign(signer, algorithm), key)  # type: ignore[arg-type]


def signed_with_sha1(subject: str, issuer: Signed, directory: Path) -> Signed:
    """A certificate as authorities made them until 2016. `cryptography` makes none any more."""
    leaf = signed(subject)
    (directory / "leaf.key").write_bytes(_private(leaf))
    (directory / "ca.key").write_bytes(_private(issuer))
    (directory / "ca.pem").write_bytes(issuer.pem)
    (directory / "names").write_bytes(b"subjectAltName=DNS:localhost")
    request = ["openssl", "req", "-new", "-key", "leaf.key", "-subj", f"/CN={subject}", "-out", "leaf.csr"]
    subprocess.run(request, cwd=directory, check=True, capture_output=True)
    sign = ["openssl", "x509", "-req", "-sha1", "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key"]
    names = ["-CAcreateserial", "-extfile", "names"]
    made = subprocess.run([*sign, *names], cwd=directory, check=True, capture_output=True)
    return Signed(x509.load_pem_x509_certificate(made.stdout), leaf.key)


def _private(one: Signed) -> bytes:
    return one.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def server_context(
    directory: Path, leaf: Signed, *chain: Signed, oldest_only: bool = False
) -> ssl.SSLContext:
    """A server that presents `leaf`, and speaks nothing newer than TLS 1.1 with `oldest_only`."""
    chain_file, key_file = directory / "chain.pem", directory / "key.pem"
    chain_file.write_bytes(b"".join(one.pem for one in (leaf, *chain)))
    key_file.write_bytes(_private(leaf))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # The server must be able to present what the client has to refuse.
    context.set_ciphers("ALL:@SECLEVEL=0")
    if oldest_only:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.load_cert_chain(chain_file, key_file)
    return context
