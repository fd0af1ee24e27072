"""What is remembered of the gateway only helps to warn: it is never in the way of a start."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from connector.domain.errors import StoreError
from connector.store.gateway import GatewayFile, GatewayMemory

KNOWN = GatewayMemory(datetime(2026, 11, 20, 12, 0, tzinfo=UTC), "SCRAM-SHA-256")


@pytest.mark.parametrize("memory", [KNOWN, GatewayMemory(), GatewayMemory(None, "PLAIN")])
def test_what_was_saved_is_loaded(tmp_path: Path, memory: GatewayMemory) -> None:
    file = GatewayFile(tmp_path / "gateway.json")
    file.save(memory)
    assert file.load() == memory


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"time": 7, "mechanism": ""}', "x" * 9_999])
def test_what_can_not_be_read_is_nothing(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "gateway.json").write_text(content)
    assert GatewayFile(tmp_path / "gateway.json").load() == GatewayMemory()


def test_a_disk_that_can_not_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        GatewayFile(tmp_path / "missing" / "gateway.json").save(KNOWN)
