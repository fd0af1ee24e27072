"""The unit file: hardened as promised, and in step with the program."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from connector.agent.control_client import DEFAULT_SOCKET
from connector.cli.output import EXIT_USAGE
from connector.store.sealing import CREDENTIAL_NAME

UNIT = Path(__file__).parents[2] / "deploy" / "systemd" / "oxbridge.service"
MAX_EXPOSURE = 1.5


class Repeated(dict[str, str]):
    """Keeps every value of a key that a unit may repeat."""

    def __setitem__(self, key: str, value: object) -> None:
        if key in self and isinstance(value, list):
            value = [*self[key], *value]
        super().__setitem__(key, value)  # type: ignore[assignment]


def service(path: Path = UNIT) -> configparser.SectionProxy:
    unit = configparser.RawConfigParser(strict=False, dict_type=Repeated)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(path.read_text())
    return unit["Service"]


def test_agrees_with_the_program() -> None:
    unit = service()
    assert unit["Type"] == "notify"
    assert unit["RestartPreventExitStatus"] == str(EXIT_USAGE)
    assert f"/run/{unit['RuntimeDirectory']}/control.sock" == DEFAULT_SOCKET
    assert "oxbridge run --config" in unit["ExecStart"]
    assert int(unit["WatchdogSec"]) >= 10


def test_the_key_that_seals_the_code_can_come_from_systemd() -> None:
    drop_in = UNIT.parent / "oxbridge.service.d" / "sealed-key.conf"
    name, _, path = service(drop_in)["LoadCredentialEncrypted"].partition(":")
    assert name == CREDENTIAL_NAME
    assert f"--name={name} - {path}" in drop_in.read_text(), "the file that the comment says how to make"


@pytest.mark.tools
def test_exposure_is_at_most_1_5() -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed (Debian package systemd)")
    report = subprocess.run(
        [analyze, "security", "--offline=true", "--no-pager", UNIT],
        capture_output=True,
        text=True,
        check=False,
    )
    overall = re.search(r"Overall exposure level for oxbridge\.service: ([0-9.]+)", report.stdout)
    assert overall is not None, report.stderr
    assert float(overall[1]) <= MAX_EXPOSURE


@pytest.mark.tools
def test_systemd_knows_every_line() -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed (Debian package systemd)")
    report = subprocess.run(
        [analyze, "verify", "--man=no", UNIT], capture_output=True, text=True, check=False
    )
    about_us = [line for line in report.stderr.splitlines() if str(UNIT) in line]
    assert not about_us
