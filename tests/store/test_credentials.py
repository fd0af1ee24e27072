"""The credentials file: sealed, replaced whole, put aside when damaged, and silent about its content."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connector.domain.credentials import Credentials, Voided
from connector.domain.errors import StoreError
from connector.domain.faults import FaultId
from connector.store.credentials import CredentialsFile, Loaded
from connector.store.sealing import CREDENTIAL_NAME, KEY_FILE_NAME
from tests.store.hosts import MACHINE, PBX_ID, credentials_file

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SAVED = Credentials("1234", "s3cret-access-code", is_proven=False)


def fault_of(loaded: Loaded) -> FaultId | None:
    assert "s3cret" not in str(loaded.trouble)
    return loaded.trouble.fault if loaded.trouble else None


@pytest.mark.parametrize(
    "saved", [SAVED, Credentials.none(Voided.RESET), Credentials(None, "x", is_proven=True)]
)
def test_what_was_saved_is_loaded_and_only_ours_to_read(tmp_path: Path, saved: Credentials) -> None:
    file = credentials_file(tmp_path)
    assert file.load(NOON) == Loaded(Credentials.none())
    file.save(saved)
    assert file.load(NOON) == Loaded(saved)
    assert {path.name for path in tmp_path.iterdir()} == {"credentials.json", KEY_FILE_NAME}
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in tmp_path.iterdir())


def test_no_code_stands_in_any_file(tmp_path: Path) -> None:
    credentials_file(tmp_path).save(SAVED)
    everything = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"s3cret" not in everything
    assert b"1234" not in everything.replace(MACHINE.encode(), b"")


def test_a_loose_leftover_does_not_loosen_the_next_file(tmp_path: Path) -> None:
    leftover = tmp_path / "credentials.json.new"
    leftover.write_text("x")
    leftover.chmod(0o666)
    credentials_file(tmp_path).save(SAVED)
    assert (tmp_path / "credentials.json").stat().st_mode & 0o777 == 0o600


# Trouble ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"version": 2}',
        '{"version": 1}',
        '{"version":1,"access_code":"s3cret"',
        '{"version":1,"activation_code":1,"access_code":"s3cret","is_proven":true}',
        '{"version":1,"activation_code":null,"access_code":"s3cret","is_proven":"yes"}',
        '{"version":2,"key":"file","machine":[],"pbx_id":null}',
        "x" * 9_999,
        "[" * 4_000,
    ],
)
def test_a_damaged_file_is_put_aside_and_the_agent_starts(tmp_path: Path, content: str) -> None:
    (tmp_path / "credentials.json").write_text(content)
    file = credentials_file(tmp_path)
    loaded = file.load(NOON)
    assert loaded.credentials == Credentials.none()
    assert fault_of(loaded) in (FaultId.CREDENTIALS_DAMAGED, FaultId.CREDENTIALS_FOREIGN)
    if fault_of(loaded) is FaultId.CREDENTIALS_DAMAGED:
        (aside,) = tmp_path.iterdir()
        assert (aside.name, aside.read_text()) == ("credentials.json.damaged-20261120T120000Z", content)
    file.save(SAVED)
    assert file.load(NOON) == Loaded(SAVED), "the next activation needs no hand"


def test_a_flipped_bit_anywhere_costs_the_codes_and_nothing_else(tmp_path: Path) -> None:
    credentials_file(tmp_path).save(SAVED)
    path = tmp_path / "credentials.json"
    whole = path.read_bytes()
    for offset in range(len(whole)):
        path.write_bytes(whole[:offset] + bytes([whole[offset] ^ 0x10]) + whole[offset + 1 :])
        loaded = credentials_file(tmp_path).load(NOON)
        assert loaded.credentials in (SAVED, Credentials.none())
        assert (loaded.credentials == Credentials.none()) is (loaded.trouble is not None)
    for offset in range(len(whole)):
        path.write_bytes(whole[:offset])
        assert credentials_file(tmp_path).load(NOON).credentials == Credentials.none()


def test_a_clone_is_not_activated_and_leaves_the_file_to_its_owner(tmp_path: Path) -> None:
    credentials_file(tmp_path).save(SAVED)
    clone = credentials_file(tmp_path, machine="f" * 32)
    loaded = clone.load(NOON)
    assert (loaded.credentials, fault_of(loaded)) == (Credentials.none(), FaultId.CREDENTIALS_FOREIGN)
    assert credentials_file(tmp_path).load(NOON) == Loaded(SAVED), "back on its machine it opens"


def test_another_pbx_id_is_not_activated(tmp_path: Path) -> None:
    credentials_file(tmp_path).save(SAVED)
    assert fault_of(credentials_file(tmp_path, pbx_id="other").load(NOON)) is FaultId.CREDENTIALS_FOREIGN


def test_a_key_that_comes_back_opens_the_file_again(tmp_path: Path) -> None:
    credentials_file(tmp_path).save(SAVED)
    key = (tmp_path / KEY_FILE_NAME).rename(tmp_path / "elsewhere")
    assert fault_of(credentials_file(tmp_path).load(NOON)) is FaultId.CREDENTIALS_KEY_MISSING
    key.rename(tmp_path / KEY_FILE_NAME)
    assert credentials_file(tmp_path).load(NOON) == Loaded(SAVED)


def test_a_newer_agents_file_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "credentials.json").write_text('{"version": 3}')
    assert fault_of(credentials_file(tmp_path).load(NOON)) is FaultId.STORE_OTHER_VERSION
    assert (tmp_path / "credentials.json").exists()


def test_a_file_that_can_not_be_read_is_told_and_left(tmp_path: Path) -> None:
    (tmp_path / "credentials.json").mkdir()
    loaded = credentials_file(tmp_path).load(NOON)
    assert (loaded.credentials, fault_of(loaded)) == (Credentials.none(), FaultId.STORE_UNUSABLE)


def test_an_unwritable_directory_is_a_store_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        credentials_file(tmp_path / "missing").save(SAVED)


# Other keys ------------------------------------------------------------------------------------------------


def test_the_first_releases_plain_file_is_sealed_when_it_is_read(tmp_path: Path) -> None:
    plain = {"version": 1, "activation_code": None, "access_code": "s3cret", "is_proven": True}
    (tmp_path / "credentials.json").write_text(json.dumps(plain))
    ours = Credentials(None, "s3cret", is_proven=True)
    assert credentials_file(tmp_path).load(NOON) == Loaded(ours)
    assert b"s3cret" not in (tmp_path / "credentials.json").read_bytes()
    assert credentials_file(tmp_path).load(NOON) == Loaded(ours)


def test_a_new_systemd_credential_takes_over(tmp_path: Path) -> None:
    credentials_file(tmp_path).save(SAVED)
    systemd = tmp_path / "systemd"
    systemd.mkdir()
    (systemd / CREDENTIAL_NAME).write_bytes(b"k" * 32)
    assert credentials_file(tmp_path, systemd=systemd).load(NOON) == Loaded(SAVED)
    assert json.loads((tmp_path / "credentials.json").read_text())["key"] == "systemd"
    assert credentials_file(tmp_path, systemd=systemd).load(NOON) == Loaded(SAVED)


# Kills -----------------------------------------------------------------------------------------------------

# The life of an activation: typed, proposed, proven. The first save makes the key as well.
LIFE = (
    Credentials("1234"),
    Credentials("1234", "s3cret-access-code"),
    Credentials(None, "s3cret-access-code", is_proven=True),
)
STEPS = ("opened", "written", "synced", "renamed", "done")
POINTS = [
    *((0, f"key-{step}") for step in STEPS),
    *((number, step) for number in range(len(LIFE)) for step in STEPS),
]
CHILD = """
import os, signal, sys
from pathlib import Path
from connector.store.credentials import CredentialsFile
from connector.store.sealing import Host, Sealer
from tests.store.hosts import MACHINE, PBX_ID
from tests.store.test_credentials import LIFE
directory, last, point = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
saving = 0
def reached(step):
    if (saving, step) == (last, point):
        os.kill(os.getpid(), signal.SIGKILL)
file = CredentialsFile(directory / "credentials.json", Sealer(directory, PBX_ID, Host(MACHINE)), reached)
for saving, credentials in enumerate(LIFE):
    file.save(credentials)
"""


@pytest.mark.parametrize(("saving", "step"), POINTS)
def test_a_kill_at_any_step_leaves_the_old_or_the_new(tmp_path: Path, saving: int, step: str) -> None:
    child = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path), str(saving), step],
        cwd=Path(__file__).parents[2],
        check=False,
        timeout=30,
    )
    assert child.returncode == -9, "the child was to die at this step"
    before = LIFE[saving - 1] if saving else Credentials.none()
    is_new = step in ("renamed", "done")
    file = credentials_file(tmp_path)
    assert file.load(NOON) == Loaded(LIFE[saving] if is_new else before)
    file.save(SAVED)
    assert file.load(NOON) == Loaded(SAVED), "what the kill left behind is in nobody's way"


def test_twenty_points_are_passed(tmp_path: Path) -> None:
    passed: list[str] = []
    file = credentials_file(tmp_path)
    told = CredentialsFile(tmp_path / "credentials.json", file._sealer, passed.append)
    for credentials in LIFE:
        told.save(credentials)
    assert len(passed) == len(POINTS) == 20
    assert PBX_ID not in "".join(passed)
