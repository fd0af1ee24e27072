"""Certificates that are wrong in one way each, over real handshakes: refused, by the right name."""

import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from connector.domain.errors import Disposition, LinkError, TlsError
from connector.domain.faults import FaultId
from connector.links.certificates import CertificateViewer, PeerCertificate
from connector.links.dialer import Dialer, peer_certificate
from connector.links.stream import ByteStream
from connector.links.tls import RELEASED, client_context, is_clock_wrong
from tests.links.certificates import NAMES, Signed, server_context, signed, signed_with_sha1
from tests.links.scripted import listening, silence

pytestmark = pytest.mark.usefixtures("no_task_left")

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def authority() -> Signed:
    return signed("Oxbridge Test Authority", is_authority=True)


@pytest.fixture
def trusting(authority: Signed, tmp_path: Path) -> ssl.SSLContext:
    file = tmp_path / "ca.pem"
    file.write_bytes(authority.pem)
    return client_context(file)


async def opened(
    server: ssl.SSLContext,
    client: ssl.SSLContext,
    *,
    host: str = "localhost",
    pins: tuple[str, ...] = (),
    known_time: datetime | None = None,
) -> PeerCertificate:
    async with listening(silence, server) as port:
        stream: ByteStream = await Dialer().open(
            host, port, link="cloud", timeout_seconds=5, tls=client, pins=pins, known_time=known_time
        )
        certificate = peer_certificate(stream)
        await stream.aclose()
        return certificate


def weak_key(authority: Signed) -> Signed:
    key = rsa.generate_private_key(65537, 1024)  # noqa: S505 - it is to be refused
    return signed("localhost", authority, key=key)


def by_a_leaf(authority: Signed) -> Signed:
    return signed("localhost", signed("no authority", authority))


BAD: dict[str, tuple[Callable[[Signed], Signed], FaultId]] = {
    "expired": (
        lambda ca: signed("localhost", ca, valid=(NOW - 60 * DAY, NOW - 30 * DAY)),
        FaultId.CLOUD_CERTIFICATE_EXPIRED,
    ),
    "from-the-future": (
        lambda ca: signed("localhost", ca, valid=(NOW + 30 * DAY, NOW + 60 * DAY)),
        FaultId.CLOCK_WRONG,
    ),
    "self-signed": (lambda ca: signed("localhost"), FaultId.CLOUD_CERTIFICATE_UNTRUSTED),
    "self-signed-authority": (
        lambda ca: signed("localhost", is_authority=True),
        FaultId.CLOUD_CERTIFICATE_UNTRUSTED,
    ),
    "unknown-authority": (
        lambda ca: signed("localhost", signed("Somebody Else", is_authority=True)),
        FaultId.CLOUD_CERTIFICATE_UNTRUSTED,
    ),
    "authority-of-the-same-name": (
        lambda ca: signed("localhost", signed("Oxbridge Test Authority", is_authority=True)),
        FaultId.CLOUD_CERTIFICATE_UNTRUSTED,
    ),
    "other-name": (
        lambda ca: signed("localhost", ca, names=(x509.DNSName("gw.example.net"),)),
        FaultId.CLOUD_CERTIFICATE_NAME,
    ),
    "name-of-another-label": (
        lambda ca: signed("localhost", ca, names=(x509.DNSName("*.localhost"),)),
        FaultId.CLOUD_CERTIFICATE_NAME,
    ),
    "address-only": (lambda ca: signed("localhost", ca, names=NAMES[1:]), FaultId.CLOUD_CERTIFICATE_NAME),
    "common-name-only": (lambda ca: signed("localhost", ca, names=()), FaultId.CLOUD_CERTIFICATE_NAME),
    "key-of-1024-bits": (weak_key, FaultId.CLOUD_CERTIFICATE_WEAK),
}


@pytest.mark.parametrize("flaw", BAD)
async def test_a_bad_certificate_is_refused_by_its_name(
    flaw: str, authority: Signed, trusting: ssl.SSLContext, tmp_path: Path
) -> None:
    make, fault = BAD[flaw]
    with pytest.raises(TlsError) as refused:
        await opened(server_context(tmp_path, make(authority)), trusting)
    assert refused.value.fault is fault
    assert refused.value.disposition is Disposition.HOLD
    assert "issuer CN=" in refused.value.detail


async def test_a_sha_1_signature_is_refused(
    authority: Signed, trusting: ssl.SSLContext, tmp_path: Path
) -> None:
    with pytest.raises(TlsError) as refused:
        await opened(server_context(tmp_path, signed_with_sha1("localhost", authority, tmp_path)), trusting)
    assert refused.value.fault is FaultId.CLOUD_CERTIFICATE_WEAK


async def test_a_leaf_is_no_authority(authority: Signed, trusting: ssl.SSLContext, tmp_path: Path) -> None:
    middle = signed("no authority", authority)
    leaf = signed("localhost", middle)
    with pytest.raises(TlsError) as refused:
        await opened(server_context(tmp_path, leaf, middle), trusting)
    assert refused.value.fault is FaultId.CLOUD_CERTIFICATE_UNTRUSTED


async def test_tls_1_1_is_refused(authority: Signed, trusting: ssl.SSLContext, tmp_path: Path) -> None:
    context = server_context(tmp_path, signed("localhost", authority), oldest_only=True)
    with pytest.raises(LinkError) as refused:
        await opened(context, trusting)
    assert refused.value.fault is FaultId.CLOUD_TLS


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_a_good_certificate_is_described(
    host: str, authority: Signed, trusting: ssl.SSLContext, tmp_path: Path
) -> None:
    leaf = signed("localhost", authority)
    found = await opened(server_context(tmp_path, leaf), trusting, host=host)
    assert found.issuer == "CN=Oxbridge Test Authority"
    assert found.not_after == leaf.certificate.not_valid_after_utc
    assert found.end_point == leaf.certificate.fingerprint(hashes.SHA256())


# Pins ----------------------------------------------------------------------------------------------------

OTHER_PIN = "sha256/" + "A" * 43 + "="


async def test_a_pinned_key_is_let_in(authority: Signed, trusting: ssl.SSLContext, tmp_path: Path) -> None:
    context = server_context(tmp_path, signed("localhost", authority))
    pin = (await opened(context, trusting)).spki_sha256
    assert (await opened(context, trusting, pins=(OTHER_PIN, pin))).spki_sha256 == pin


async def test_another_key_is_refused_and_shown(
    authority: Signed, trusting: ssl.SSLContext, tmp_path: Path
) -> None:
    context = server_context(tmp_path, signed("localhost", authority))
    pin = (await opened(context, trusting)).spki_sha256
    with pytest.raises(TlsError) as refused:
        await opened(context, trusting, pins=(OTHER_PIN, OTHER_PIN.replace("A", "B", 1)))
    assert refused.value.fault is FaultId.CLOUD_PIN_MISMATCH
    assert pin in refused.value.detail
    assert "Oxbridge Test Authority" in refused.value.detail


async def test_a_pin_does_not_stand_in_for_trust(
    authority: Signed, trusting: ssl.SSLContext, tmp_path: Path
) -> None:
    leaf = signed("localhost")
    context = server_context(tmp_path, leaf)
    mine = tmp_path / "own.pem"
    mine.write_bytes(leaf.pem)
    pin = (await opened(context, client_context(mine))).spki_sha256
    with pytest.raises(TlsError) as refused:
        await opened(context, trusting, pins=(pin, OTHER_PIN))
    assert refused.value.fault is FaultId.CLOUD_CERTIFICATE_UNTRUSTED


# Clocks --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("valid", "known_time", "fault"),
    [
        ((NOW + 30 * DAY, NOW + 60 * DAY), NOW - DAY, FaultId.CLOUD_CERTIFICATE_EXPIRED),
        ((NOW + 30 * DAY, NOW + 60 * DAY), NOW + 40 * DAY, FaultId.CLOCK_WRONG),
        ((NOW - 60 * DAY, NOW - 30 * DAY), NOW - DAY, FaultId.CLOUD_CERTIFICATE_EXPIRED),
        ((NOW - 60 * DAY, NOW - 30 * DAY), NOW - 4_000 * DAY, FaultId.CLOCK_WRONG),
    ],
    ids=["their-future", "our-past", "their-past", "our-future"],
)
async def test_a_wrong_clock_is_told_from_a_wrong_certificate(
    valid: tuple[datetime, datetime],
    known_time: datetime,
    fault: FaultId,
    authority: Signed,
    trusting: ssl.SSLContext,
    tmp_path: Path,
) -> None:
    context = server_context(tmp_path, signed("localhost", authority, valid=valid))
    with pytest.raises(TlsError) as refused:
        await opened(context, trusting, known_time=known_time)
    assert refused.value.fault is fault
    for date in valid:
        assert f"{date:%Y-%m-%d}" in refused.value.detail
    assert "our time" in refused.value.detail


@pytest.mark.parametrize(
    ("now", "known_time", "expected"),
    [
        (RELEASED + DAY, None, False),
        (RELEASED - 2 * DAY, None, True),
        (datetime(1970, 1, 1, tzinfo=UTC), None, True),
        (RELEASED + 100 * DAY, RELEASED + 90 * DAY, False),
        (RELEASED + 80 * DAY, RELEASED + 90 * DAY, True),
        (RELEASED + 500 * DAY, RELEASED + 90 * DAY, True),
    ],
)
def test_a_clock_is_judged_by_what_is_known(
    now: datetime, known_time: datetime | None, expected: bool
) -> None:
    assert is_clock_wrong(now, known_time) is expected


# Reading certificates ------------------------------------------------------------------------------------


def test_the_end_point_of_a_sha_1_certificate_is_sha_256(authority: Signed, tmp_path: Path) -> None:
    """RFC 5929, 4.1."""
    old = signed_with_sha1("localhost", authority, tmp_path).certificate
    der = old.public_bytes(Encoding.DER)
    assert PeerCertificate.of(der).end_point == old.fingerprint(hashes.SHA256())


def test_the_end_point_is_the_signatures_hash(authority: Signed) -> None:
    strong = signed("localhost", authority, hash_algorithm=hashes.SHA384()).certificate
    found = PeerCertificate.of(strong.public_bytes(Encoding.DER))
    assert found.end_point == strong.fingerprint(hashes.SHA384())


def test_a_signature_without_one_hash_has_no_end_point() -> None:
    made = signed("localhost", key=ed25519.Ed25519PrivateKey.generate()).certificate
    assert PeerCertificate.of(made.public_bytes(Encoding.DER)).end_point == b""


def test_an_issuers_name_can_not_forge_a_log_line() -> None:
    made = signed("evil\n\x1b[31mOK\N{RIGHT-TO-LEFT OVERRIDE}" + "x" * 40, names=()).certificate
    issuer = PeerCertificate.of(made.public_bytes(Encoding.DER)).issuer
    assert issuer.isprintable()


def test_what_is_no_certificate_is_a_value_error() -> None:
    for der in (b"", b"\x30\x00", b"\x00" * 70_000):
        with pytest.raises(ValueError, match=r"."):
            PeerCertificate.of(der)


def test_a_viewer_survives_what_is_no_tls() -> None:
    for data in (b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x16\x03\x03\xff\xff" + b"\x0b" * 70_000):
        viewer = CertificateViewer("localhost")
        assert viewer.step(b"")[:1] == b"\x16"
        viewer.step(data)
        assert viewer.certificate is None


def test_session_keys_are_written_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    assert client_context(None).keylog_filename is None
    assert not (tmp_path / "keys").exists()


def test_a_context_always_verifies() -> None:
    context = client_context(None)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
