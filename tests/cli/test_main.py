"""The command line as a whole: its commands, what they import, and the installed script."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

import connector
from connector.cli.main import COMMANDS, main

ROOT = Path(__file__).parents[2]


def test_the_version_is_that_of_the_distribution() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert connector.__version__ == project["version"]


@pytest.mark.parametrize("arguments", [["--version"], ["version"]])
def test_says_its_version(arguments: list[str]) -> None:
    result = CliRunner().invoke(main, arguments)
    assert (result.exit_code, result.stdout) == (0, f"oxbridge {connector.__version__}\n")


def test_help_lists_every_command_with_its_own_sentence() -> None:
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0
    for name, (_, _, sentence) in COMMANDS.items():
        assert f"{name} " in result.stdout
        assert sentence in result.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help_of_its_own(name: str) -> None:
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0
    assert f"Usage: main {name}" in result.stdout


@pytest.mark.parametrize("arguments", [["statsu"], ["status", "--colour"], ["run"], ["config", "validate"]])
def test_a_wrong_command_line_is_exit_code_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(main, arguments).exit_code == 2


def imported(arguments: str) -> set[str]:
    """The modules that `oxbridge` with `arguments` imports."""
    program = (
        "import sys\nfrom connector.cli.main import main\n"
        f"try: main({arguments})\nexcept SystemExit: pass\n"
        "print(*sorted(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("arguments", ['["--help"]', '["--version"]'])
def test_help_and_version_import_no_command(arguments: str) -> None:
    ours = {name for name in imported(arguments) if name.startswith("connector")}
    assert ours == {"connector", "connector.cli", "connector.cli.main"}


def test_status_imports_nothing_heavy(tmp_path: Path) -> None:
    modules = imported(f'["status", "--socket", "{tmp_path}/none"]')
    assert "connector.agent.control_client" in modules
    assert not modules & {
        "asyncio",
        "pydantic",
        "rich",
        "starlette",
        "structlog",
        "uvicorn",
        "websockets",
        "sqlite3",
    }


def test_the_installed_script_finds_no_agent(tmp_path: Path) -> None:
    script = Path(sys.executable).parent / "oxbridge"
    done = subprocess.run(
        [script, "status", "--json"],
        env={"OXBRIDGE_SOCKET": str(tmp_path / "none")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("No agent answers on the control socket.")
    assert "Remedy: Start it" in done.stderr


def test_a_reader_that_has_enough_is_no_traceback() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb") as closed_pipe:
        done = subprocess.run(
            [Path(sys.executable).parent / "oxbridge", "version"],
            stdout=closed_pipe,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.stderr == b""
