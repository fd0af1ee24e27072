"""A throw-away certificate authority, and a server certificate of it, for simulators only."""

import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import load_pem_x509_certificate

# What a simulator on this machine is called, whatever the agent's setting says.
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
# What a kept certificate was made for.
_NAMES_FILE = "names.txt"


@dataclass(frozen=True, slots=True)
class Certificates:
    """Files of one authority and one server certificate, PEM. The authority's own key is never written."""

    ca_file: Path
    cert_file: Path
    key_file: Path

    @property
    def end_point(self) -> bytes | None:
        """What `tls-server-end-point` binds to: the hash of the server's certificate (RFC 5929, 4.1).

        None for a signature without a hash of its own (Ed25519): RFC 5929 leaves it undefined.
        """
        leaf = load_pem_x509_certificate(self.cert_file.read_bytes())
        signed_with = leaf.signature_hash_algorithm
        if signed_with is None:
            return None
        is_weak = isinstance(signed_with, (hashes.MD5, hashes.SHA1))
        return leaf.fingerprint(hashes.SHA256() if is_weak else signed_with)

    def server_context(self) -> ssl.SSLContext:
        """A context for servers: TLS 1.2 or newer, with the server certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.cert_file, self.key_file)
        return context


def issue(directory: Path, names: Sequence[str] = ()) -> Certificates:
    """Make an authority and a certificate for `names` (host names, addresses) and this machine's loopback.

    `directory` is created with mode 0700 and must not be another user's. Files of an earlier call are
    replaced: these certificates live as long as one simulator. ECDSA, since an RSA server certificate makes
    a handshake 2.5 times as dear.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    directory.chmod(0o700)
    authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
    leaf = authority.issue_cert(*dict.fromkeys((*names, *LOOPBACK_NAMES)), key_type=trustme.KeyType.ECDSA)
    made = Certificates(directory / "ca.pem", directory / "server.pem", directory / "server.key")
    _write(made.ca_file, authority.cert_pem.bytes())
    _write(made.cert_file, b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    _write(made.key_file, leaf.private_key_pem.bytes())
    return made


def kept(directory: Path, names: Sequence[str] = ()) -> Certificates:
    """Those of an earlier `issue` for the same names, else new ones: who trusts them need not start again."""
    known = Certificates(directory / "ca.pem", directory / "server.pem", directory / "server.key")
    note = directory / _NAMES_FILE
    wanted = "\n".join(names)
    files = (known.ca_file, known.cert_file, known.key_file)
    if all(file.exists() for file in files) and note.exists() and note.read_text() == wanted:
        return known
    made = issue(directory, names)
    _write(note, wanted.encode())
    return made


def _write(path: Path, content: bytes) -> None:
    """Replace `path` whole, readable by its owner only from the first byte on."""
    draft = path.with_name(f".{path.name}.draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    draft.replace(path)
