"""Sealed secrets: only this host, this PBX-ID and this key open them, and they say what is missing."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.domain.errors import StoreError
from connector.domain.faults import FaultId
from connector.store.sealing import CREDENTIAL_NAME, KEY_FILE_NAME, Host, Sealer
from tests.store.hosts import MACHINE, PBX_ID

SECRET = b"s3cret-access-code"


def sealer(
    directory: Path, machine: str = MACHINE, pbx_id: str = PBX_ID, systemd: Path | None = None
) -> Sealer:
    return Sealer(directory, pbx_id, Host(machine, systemd))


def fault_of(sealer: Sealer, record: dict[str, str]) -> FaultId:
    with pytest.raises(StoreError) as refused:
        sealer.unseal(record)
    assert "s3cret" not in str(refused.value)
    return refused.value.fault


@pytest.fixture
def credential(tmp_path: Path) -> Path:
    """A directory of systemd credentials with our key in it."""
    directory = tmp_path / "credentials"
    directory.mkdir()
    (directory / CREDENTIAL_NAME).write_bytes(b"k" * 48)
    return directory


def test_what_was_sealed_is_opened_and_never_looks_the_same(tmp_path: Path) -> None:
    one, two = (sealer(tmp_path).seal(SECRET) for _ in range(2))
    assert sealer(tmp_path).unseal(one) == sealer(tmp_path).unseal(two) == SECRET
    assert one["sealed"] != two["sealed"]
    assert (tmp_path / KEY_FILE_NAME).stat().st_mode & 0o777 == 0o600
    assert MACHINE not in json.dumps(one), "the machine's id is nobody's business"


def test_a_pbx_id_has_no_case(tmp_path: Path) -> None:
    assert sealer(tmp_path).unseal(sealer(tmp_path, pbx_id=PBX_ID.lower()).seal(SECRET)) == SECRET


def test_another_machine_and_another_pbx_id_are_named(tmp_path: Path) -> None:
    record = sealer(tmp_path).seal(SECRET)
    assert fault_of(sealer(tmp_path, machine="f" * 32), record) is FaultId.CREDENTIALS_FOREIGN
    assert fault_of(sealer(tmp_path, pbx_id="PBX-other"), record) is FaultId.CREDENTIALS_FOREIGN


def test_who_writes_his_own_machine_into_the_record_opens_it_no_better(tmp_path: Path) -> None:
    elsewhere = sealer(tmp_path, machine="f" * 32)
    record = sealer(tmp_path).seal(SECRET) | {"machine": elsewhere.seal(b"")["machine"]}
    assert fault_of(elsewhere, record) is FaultId.CREDENTIALS_DAMAGED


def test_a_missing_and_a_replaced_key_are_told_apart(tmp_path: Path) -> None:
    record = sealer(tmp_path).seal(SECRET)
    (tmp_path / KEY_FILE_NAME).unlink()
    assert fault_of(sealer(tmp_path), record) is FaultId.CREDENTIALS_KEY_MISSING
    (tmp_path / KEY_FILE_NAME).write_bytes(b"k" * 32)
    assert fault_of(sealer(tmp_path), record) is FaultId.CREDENTIALS_DAMAGED
    (tmp_path / KEY_FILE_NAME).write_bytes(b"short")
    assert fault_of(sealer(tmp_path), record) is FaultId.CREDENTIALS_DAMAGED
    assert sealer(tmp_path).unseal(sealer(tmp_path).seal(SECRET)) == SECRET, "sealing makes a new key"


def test_a_systemd_credential_leaves_no_key_on_disk(tmp_path: Path, credential: Path) -> None:
    record = sealer(tmp_path, systemd=credential).seal(SECRET)
    assert not (tmp_path / KEY_FILE_NAME).exists()
    assert sealer(tmp_path, systemd=credential).unseal(record) == SECRET
    assert fault_of(sealer(tmp_path), record) is FaultId.CREDENTIALS_KEY_MISSING


def test_a_file_sealed_before_the_credential_came_opens_and_is_not_current(
    tmp_path: Path, credential: Path
) -> None:
    record = sealer(tmp_path).seal(SECRET)
    later = sealer(tmp_path, systemd=credential)
    assert later.unseal(record) == SECRET
    assert not later.is_current(record)
    assert later.is_current(later.seal(SECRET))


def test_a_credential_that_is_no_key_is_refused(tmp_path: Path, credential: Path) -> None:
    (credential / CREDENTIAL_NAME).write_bytes(b"hunter2")
    with pytest.raises(StoreError) as refused:
        sealer(tmp_path, systemd=credential).seal(SECRET)
    assert refused.value.fault is FaultId.CREDENTIALS_KEY_MISSING
    assert "hunter2" not in str(refused.value)


def test_this_host_is_what_systemd_and_the_machine_say(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert Host.of_system().credentials_directory == tmp_path
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    assert Host.of_system().credentials_directory is None


@pytest.fixture(scope="module")
def key_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("key")


@settings(max_examples=100, deadline=None)
@given(
    name=st.sampled_from(["key", "nonce", "sealed", "pbx_id", "machine"]),
    at=st.integers(0, 60),
    change=st.integers(1, 127),
)
def test_no_changed_record_opens(key_directory: Path, name: str, at: int, change: int) -> None:
    ours = sealer(key_directory)
    record = ours.seal(SECRET)
    text = record[name].encode()
    at %= len(text)
    changed = text[:at] + bytes([text[at] ^ change]) + text[at + 1 :]
    record[name] = changed.decode(errors="replace")
    try:
        opened = ours.unseal(record)
    except StoreError:
        return
    assert opened == SECRET, "only the padding of base64 changed"
