"""How commands speak: data on standard output, talk on standard error, and nothing unsafe on a terminal."""

import functools
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn, ParamSpec

import click

from connector.agent.control_client import DEFAULT_SOCKET, ControlClient
from connector.agent.plain import plain
from connector.domain.errors import ConnectorError
from connector.domain.faults import FAULTS, FaultId

if TYPE_CHECKING:
    from connector.agent.problems import SettingsError

EXIT_FAILED: Final = 1
EXIT_USAGE: Final = 2  # click's own, for a wrong option; also for a wrong setting
EXIT_NO_AGENT: Final = 3

# Not a terminal: a pipe must not cut columns, whatever $COLUMNS says.
_PIPE_WIDTH: Final = 240

P = ParamSpec("P")

socket_option = click.option(
    "--socket",
    "client",
    envvar="OXBRIDGE_SOCKET",
    default=DEFAULT_SOCKET,
    show_default=True,
    show_envvar=True,
    metavar="PATH",
    callback=lambda _context, _parameter, path: ControlClient(path),
    help="Control socket of the agent.",
)
file_option = click.option(
    "--config",
    "path",
    required=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The agent's TOML file.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")


def asks_agent(command: Callable[P, None]) -> Callable[P, None]:
    """Turn the agent's errors into sentences and exit codes."""

    @functools.wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except ConnectorError as error:
            fail(error)

    return guarded


def fail(error: ConnectorError) -> NoReturn:
    """Say what happened, why, and what to do; exit 3 if there is no agent, else 1."""
    explain(error.fault, error.detail)
    sys.exit(EXIT_NO_AGENT if error.fault is FaultId.AGENT_NOT_RUNNING else EXIT_FAILED)


def explain(fault: FaultId, detail: str = "") -> None:
    """The catalogue's words on standard error."""
    words = FAULTS[fault]
    say(f"{words.sentence} ({plain(detail, 400)})" if detail else words.sentence)
    say(f"  Cause:  {words.cause}")
    say(f"  Remedy: {words.remedy}")


def complain(error: "SettingsError") -> NoReturn:
    """Each problem as `file:line: setting: message`, then what to do; exit 2."""
    for problem in error.problems:
        say(plain(problem.shown(error.path), 1_000))
    words = FAULTS[error.fault]
    say(f"{words.sentence} {words.remedy}")
    sys.exit(EXIT_USAGE)


def say(text: str) -> None:
    """Talk."""
    click.echo(text, err=True)


def show(text: str) -> None:
    """Data; coloured only on a terminal that wants it (no-color.org)."""
    click.echo(text, color=False if os.environ.get("NO_COLOR") else None)


def show_json(document: Mapping[str, Any]) -> None:
    """Data for programs, on one line when it goes to one."""
    show(json.dumps(document, indent=2 if sys.stdout.isatty() else None))


def show_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Data for people. Every cell is made safe; a terminal gets a drawn table, a pipe plain columns."""
    from rich import box  # 40 ms: only a table pays for it
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    is_terminal = sys.stdout.isatty()
    console = Console(width=None if is_terminal else _PIPE_WIDTH, highlight=False)
    table = Table(box=box.SIMPLE_HEAD if is_terminal else None, pad_edge=False)
    for column in columns:
        table.add_column(column)
    for row in rows:
        table.add_row(*(Text(plain(cell)) for cell in row))
    console.print(table)
