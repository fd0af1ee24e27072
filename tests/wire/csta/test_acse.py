"""Associations: what is told apart, what is missing, what is broken."""

import pytest

from connector.domain.errors import RemoteProtocolError
from connector.wire.csta import acse


def test_an_oxo_is_offered_phase_one() -> None:
    request = acse.AssociateRequest(acse.UserInformation(frozenset((acse.Version.ECMA_180,))))
    encoded = acse.encode(request)
    assert bytes.fromhex("03 02 03 80 30 00 30 00") in encoded
    assert acse.decode(encoded) == request


def test_versions_of_later_editions_fit() -> None:
    request = acse.AssociateRequest(acse.UserInformation(frozenset((0, 1, 2, 9))))
    assert acse.decode(acse.encode(request)) == request


@pytest.mark.parametrize(
    "message", [acse.AssociateRequest(None), acse.AssociateResponse(2, 1), acse.Abort(1)]
)
def test_without_user_information(message: acse.Association) -> None:
    assert acse.decode(acse.encode(message)) == message


def test_pdus_with_nothing_in_them() -> None:
    assert acse.decode(b"\x62\x00") == acse.ReleaseRequest()
    assert acse.decode(b"\x63\x00") == acse.ReleaseResponse()
    assert acse.decode(b"\x64\x00") == acse.Abort(0)
    assert acse.decode(b"\x60\x00") == acse.AssociateRequest(None)


@pytest.mark.parametrize("wrapping", ["be 00", "be 02 28 00", "be 04 28 02 a0 00", "be 02 05 00"])
def test_user_information_of_another_form_is_none(wrapping: str) -> None:
    content = bytes.fromhex("a2 03 02 01 00" + wrapping)
    message = acse.decode(bytes((0x61, len(content))) + content)
    assert message == acse.AssociateResponse(0, 0, None)


@pytest.mark.parametrize(
    "octets", ["61 00", "61 02 a2 00", "61 05 a2 03 02 01", "65 00", "60 02 be 01", "64 02 80 00"]
)
def test_broken(octets: str) -> None:
    with pytest.raises(RemoteProtocolError):
        acse.decode(bytes.fromhex(octets))
