"""`oxbridge run`: the agent in the foreground, as systemd starts it."""

import sys
from pathlib import Path

import click

from connector.cli.output import complain, fail, file_option


@click.command(short_help="Run the agent in the foreground.")
@file_option
def command(path: Path) -> None:
    """Run the agent until SIGTERM or Ctrl-C.

    Exit code: 0 after an orderly stop, 2 for a wrong setting (nothing is started), 1 for anything else.
    """
    from connector.agent.problems import SettingsError
    from connector.agent.settings import load
    from connector.domain.errors import ConnectorError

    try:
        settings = load(path)
    except SettingsError as error:
        complain(error)
    from connector.agent.runtime import run

    try:
        sys.exit(run(settings))
    except ConnectorError as error:
        fail(error)
