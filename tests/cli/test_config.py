"""`oxbridge config validate` and what `oxbridge run` does with a wrong file: exit 2, nothing started."""

import sys
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner

from connector.agent.settings import Settings
from connector.cli.main import main
from connector.domain.errors import ConfigError
from connector.domain.faults import FaultId
from tests.agent.test_settings import GOOD


class Runtime(ModuleType):
    """Stands for `connector.agent.runtime`."""

    def __init__(self) -> None:
        super().__init__("connector.agent.runtime")
        self.started: list[Settings] = []
        self.refusal: ConfigError | None = None

    def run(self, settings: Settings) -> int:
        self.started.append(settings)
        if self.refusal is not None:
            raise self.refusal
        return 7


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Runtime:
    module = Runtime()
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "oxbridge.toml"
    path.write_text(GOOD)
    return path


def test_a_good_file(file: Path) -> None:
    result = CliRunner().invoke(main, ["config", "validate", "--config", str(file)])
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{file}: no problem found.\n", "")


@pytest.mark.parametrize("command", [["config", "validate"], ["run"]])
def test_a_wrong_file_is_exit_code_2_and_starts_nothing(
    runtime: Runtime, file: Path, command: list[str]
) -> None:
    file.write_text(GOOD.replace('"PBX1"', '"PBX1"\nprot = 443').replace('"FR"', '"XX"'))
    result = CliRunner().invoke(main, [*command, "--config", str(file)])
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.splitlines()[:2] == [
        f"{file}:3: cloud.prot: unknown setting; did you mean port?",
        f"{file}:11: site.country: not the two-letter code of a country with a numbering plan",
    ]
    assert result.stderr.splitlines()[2].startswith("A setting is wrong. Correct the named line")
    assert runtime.started == []


@pytest.mark.parametrize("command", [["config", "validate"], ["run"]])
def test_a_missing_file_is_exit_code_2(tmp_path: Path, command: list[str]) -> None:
    result = CliRunner().invoke(main, [*command, "--config", str(tmp_path / "none.toml")])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "No such file or directory" in result.stderr
    assert "The configuration file can't be read." in result.stderr


def test_a_hostile_file_name_can_not_steer_the_terminal(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["config", "validate", "--config", str(tmp_path / "\x1b[2J")])
    assert "\x1b" not in result.output


def test_run_hands_the_settings_over_and_its_exit_code_back(runtime: Runtime, file: Path) -> None:
    result = CliRunner().invoke(main, ["run", "--config", str(file)])
    assert result.exit_code == 7
    assert [settings.cloud.pbx_id for settings in runtime.started] == ["PBX1"]


def test_run_explains_why_it_could_not_start(runtime: Runtime, file: Path) -> None:
    runtime.refusal = ConfigError(FaultId.AGENT_ALREADY_RUNNING, "/run/oxbridge/control.sock")
    result = CliRunner().invoke(main, ["run", "--config", str(file)])
    assert result.exit_code == 1
    assert result.stderr.startswith("Another agent answers on the control socket.")
