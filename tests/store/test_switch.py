"""The switch outlasts a restart, and a file nobody can read is off, not on."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from connector.domain.errors import StoreError
from connector.domain.switch import Disabled, SwitchedBy
from connector.store.switch import DisabledFile

OFF = Disabled(datetime(2026, 11, 20, 12, 0, 0, 123_000, tzinfo=UTC), SwitchedBy.CLOUD)


def test_off_and_on_again(tmp_path: Path) -> None:
    file = DisabledFile(tmp_path / "disabled.json")
    assert file.load() is None
    file.save(OFF)
    assert DisabledFile(tmp_path / "disabled.json").load() == OFF
    file.save(None)
    file.save(None)
    assert file.load() is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"since": "now", "by": "site"}', "[" * 1_000, "x" * 9_999]
)
def test_a_damaged_file_still_says_off(tmp_path: Path, content: str) -> None:
    (tmp_path / "disabled.json").write_text(content)
    assert DisabledFile(tmp_path / "disabled.json").load() is not None


def test_a_disk_that_can_not_be_written_is_an_error(tmp_path: Path) -> None:
    file = DisabledFile(tmp_path / "missing" / "disabled.json")
    for state in (OFF, None):
        with pytest.raises(StoreError):
            file.save(state)
