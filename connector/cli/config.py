"""`oxbridge config`: whether a file can be used, and what the running agent makes of it and of the cloud."""

from pathlib import Path

import click

from connector.agent.control_client import ControlClient
from connector.cli.output import (
    asks_agent,
    complain,
    file_option,
    json_option,
    show,
    show_json,
    show_table,
    socket_option,
)


@click.group(short_help="Check a configuration file, or show what is in force.")
def command() -> None:
    """Check a configuration file, or show what is in force."""


@command.command()
@json_option
@socket_option
@asks_agent
def effective(client: ControlClient, *, as_json: bool) -> None:
    """Show the values that the cloud can set, as the running agent uses them, and where each comes from.

    A source is "site" (the file or the environment), "default", or the cloud's revision.
    """
    answer = client.get("/configuration")
    if as_json:
        show_json(answer)
        return
    columns = ("setting", "value", "source")
    rows = [[str(value.get(column, "")) for column in columns] for value in answer["values"]]
    show_table([column.capitalize() for column in columns], rows)


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
