"""`oxbridge version`: the same as --version, for those who look for a command."""

import click

from connector import __version__
from connector.cli.output import show


@click.command(short_help="Show the version.")
def command() -> None:
    """Show the version."""
    show(f"oxbridge {__version__}")
