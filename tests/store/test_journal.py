"""What one process leaves for the next: whole records only, of this boot only."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.domain.errors import StoreError
from connector.store.journal import RecordJournal, boot_id

BOOT = b"this-boot"


def kept(path: Path, boot: bytes = BOOT) -> list[bytes]:
    return RecordJournal(path, boot).load()


def test_records_are_read_back_by_the_next_process(tmp_path: Path) -> None:
    journal = RecordJournal(tmp_path / "stream.journal", BOOT)
    journal.begin([b"first"])
    journal.append([b"second", b""])
    journal.append([b"third"])
    assert kept(tmp_path / "stream.journal") == [b"first", b"second", b"", b"third"]
    assert (tmp_path / "stream.journal").stat().st_mode & 0o777 == 0o600
    journal.close()


def test_another_boot_finds_nothing(tmp_path: Path) -> None:
    journal = RecordJournal(tmp_path / "j", BOOT)
    journal.begin([b"first"])
    journal.close()
    assert kept(tmp_path / "j", b"another-boot") == []
    assert kept(tmp_path / "j", b"") == []


def test_a_new_beginning_replaces_what_was_there(tmp_path: Path) -> None:
    journal = RecordJournal(tmp_path / "j", BOOT)
    journal.begin([b"old"])
    journal.begin([b"new"])
    journal.append([b"more"])
    journal.close()
    assert kept(tmp_path / "j") == [b"new", b"more"]
    assert [path.name for path in tmp_path.iterdir()] == ["j"]


def test_what_is_forgotten_is_gone_and_nothing_is_kept_until_the_next_beginning(tmp_path: Path) -> None:
    journal = RecordJournal(tmp_path / "j", BOOT)
    journal.begin([b"old"])
    journal.forget()
    journal.append([b"lost"])
    assert list(tmp_path.iterdir()) == []


@given(records=st.lists(st.binary(max_size=40), max_size=6), cut=st.integers(min_value=0, max_value=400))
def test_a_file_cut_anywhere_gives_a_beginning_of_what_was_written(
    tmp_path_factory: pytest.TempPathFactory, records: list[bytes], cut: int
) -> None:
    path = tmp_path_factory.mktemp("cut") / "j"
    journal = RecordJournal(path, BOOT)
    journal.begin(records)
    journal.close()
    os.truncate(path, min(cut, path.stat().st_size))
    found = kept(path)
    assert found == records[: len(found)]


def test_a_record_that_was_changed_ends_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "j"
    journal = RecordJournal(path, BOOT)
    journal.begin([b"first", b"second", b"third"])
    journal.close()
    content = bytearray(path.read_bytes())
    content[content.index(b"second")] ^= 1
    path.write_bytes(content)
    assert kept(path) == [b"first"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_full_disk_is_an_error_and_leaves_nothing_to_continue(tmp_path: Path) -> None:
    journal = RecordJournal(tmp_path / "j", BOOT)
    journal.begin([b"first"])
    full = os.open("/dev/full", os.O_WRONLY)
    assert journal._descriptor is not None
    os.dup2(full, journal._descriptor)
    os.close(full)
    with pytest.raises(StoreError):
        journal.append([b"second"])
    assert kept(tmp_path / "j") == []


def test_a_directory_that_is_gone_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        RecordJournal(tmp_path / "gone" / "j", BOOT).begin([])


def test_this_machine_says_which_boot_it_is() -> None:
    assert boot_id() == boot_id() != b""
