"""`oxbridge config`: what can be said of a configuration file without starting anything."""

from pathlib import Path

import click

from connector.cli.output import complain, file_option, show


@click.group(short_help="Check a configuration file.")
def command() -> None:
    """Check a configuration file."""


@command.command()
@file_option
def validate(path: Path) -> None:
    """Check every setting of the file and of the environment (OXBRIDGE__SECTION__NAME).

    Exit code: 0 if the agent would start with it, 2 with every problem named by file and line.
    """
    from connector.agent.problems import SettingsError
    from connector.agent.settings import load

    try:
        load(path)
    except SettingsError as error:
        complain(error)
    show(f"{path}: no problem found.")
