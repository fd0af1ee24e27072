"""The credentials file: private, replaced whole, and silent about its content."""

from pathlib import Path

import pytest

from connector.domain.credentials import Credentials
from connector.domain.errors import StoreError
from connector.store.credentials import CredentialsFile

SAVED = Credentials("1234", "s3cret-access-code", is_proven=False)


def test_what_was_saved_is_loaded_and_only_ours_to_read(tmp_path: Path) -> None:
    file = CredentialsFile(tmp_path / "credentials")
    assert file.load() == Credentials.none()
    file.save(SAVED)
    assert file.load() == SAVED
    assert (tmp_path / "credentials").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["credentials"]


def test_a_loose_leftover_does_not_loosen_the_next_file(tmp_path: Path) -> None:
    leftover = tmp_path / "credentials.new"
    leftover.write_text("x")
    leftover.chmod(0o666)
    CredentialsFile(tmp_path / "credentials").save(SAVED)
    assert (tmp_path / "credentials").stat().st_mode & 0o777 == 0o600


def test_a_kill_before_the_rename_leaves_the_old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = CredentialsFile(tmp_path / "credentials")
    file.save(SAVED)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        file.save(Credentials.none())
    assert file.load() == SAVED


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"version": 2}', '{"version": 1}', '{"version":1,"access_code":"s3cret"', "x" * 9999],
)
def test_a_damaged_file_is_named_without_its_content(tmp_path: Path, content: str) -> None:
    (tmp_path / "credentials").write_text(content)
    with pytest.raises(StoreError) as refused:
        CredentialsFile(tmp_path / "credentials").load()
    assert "credentials" in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_an_unwritable_directory_is_a_store_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        CredentialsFile(tmp_path / "missing" / "credentials").save(SAVED)
