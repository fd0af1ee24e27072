"""The throw-away certificates: who accepts them, and for which names."""

import contextlib
import hashlib
import ssl
from pathlib import Path

import pytest

from simulators.certs import Certificates, issue

END = "-----END CERTIFICATE-----\n"


def _handshake(made: Certificates, name: str) -> str:
    """Shake hands in memory under `name`; the TLS version."""
    client_in, client_out, server_in, server_out = (ssl.MemoryBIO() for _ in range(4))
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trust.load_verify_locations(made.ca_file)
    client = trust.wrap_bio(client_in, client_out, server_hostname=name)
    server = made.server_context().wrap_bio(server_in, server_out, server_side=True)
    for _ in range(3):
        for side in (client, server):
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
            server_in.write(client_out.read())
            client_in.write(server_out.read())
    return client.version() or ""


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "agent.rainbow.test"])
def test_the_certificate_is_good_for_its_names(tmp_path: Path, name: str) -> None:
    assert _handshake(issue(tmp_path / "c", ["agent.rainbow.test"]), name) == "TLSv1.3"


def test_it_is_good_for_no_other_name(tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(issue(tmp_path / "c"), "agent.rainbow.test")


def test_issuing_again_replaces_the_files_and_leaves_no_draft(tmp_path: Path) -> None:
    old = issue(tmp_path / "c").ca_file.read_bytes()
    made = issue(tmp_path / "c")
    assert made.ca_file.read_bytes() != old
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == ["ca.pem", "server.key", "server.pem"]
    assert _handshake(made, "localhost")


def test_both_ends_bind_to_the_same_hash_of_the_certificate(tmp_path: Path) -> None:
    made = issue(tmp_path / "c")
    der = ssl.PEM_cert_to_DER_cert(made.cert_file.read_text().split("-----END CERTIFICATE-----")[0] + END)
    assert made.end_point == hashlib.sha256(der).digest()
