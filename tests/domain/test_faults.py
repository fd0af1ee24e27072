"""The catalogue is complete, and errors speak with its words."""

import pytest

from connector.domain.errors import ConfigError, Disposition, RemoteProtocolError
from connector.domain.faults import FAULTS, FaultId


@pytest.mark.parametrize("fault", FaultId)
def test_every_fault_says_what_why_and_what_now(fault: FaultId) -> None:
    entry = FAULTS[fault]
    for text in (entry.sentence, entry.cause, entry.remedy):
        assert text[0] == text[0].upper()
        assert text.endswith(".")


def test_an_error_is_its_sentence_and_its_facts() -> None:
    error = ConfigError(FaultId.CONFIG_INVALID, "cloud.port, line 3")
    assert str(error) == f"{FAULTS[FaultId.CONFIG_INVALID].sentence} (cloud.port, line 3)"
    assert error.disposition is Disposition.STOP


def test_what_a_peer_sent_is_quoted_within_bounds() -> None:
    error = RemoteProtocolError(
        FaultId.PBX_PROTOCOL, "bad tag", excerpt=b"\x00" * 9000, offset=7, clause="X.690, 8.1"
    )
    assert len(error.excerpt) <= 120
    assert "bad tag at 7 [X.690, 8.1]" in str(error)
