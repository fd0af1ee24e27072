"""`oxbridge`: the commands of the agent on site. Each loads only what it needs, when it is called."""

import importlib
from typing import Final

import click

from connector import __version__

# name → (module of this package, its command there, one line for --help). The line stands here so that --help
# imports nothing.
COMMANDS: Final = {
    "run": ("run", "command", "Run the agent in the foreground."),
    "activate": ("activate", "command", "Make the agent known to the cloud with an activation code."),
    "enable": ("switching", "enable", "Switch the agent on again."),
    "disable": ("switching", "disable", "Close every connection and stay off."),
    "reset": ("switching", "reset", "Forget the codes; every setting is kept."),
    "status": ("status", "command", "Show the links, channels and counts of the running agent."),
    "devices": ("devices", "command", "List the PBX's devices."),
    "calls": ("calls", "command", "Show the live calls, or follow call events."),
    "config": ("config", "command", "Check a configuration file, or show what is in force."),
    "version": ("version", "command", "Show the version."),
}


class LazyGroup(click.Group):
    """A group whose commands are modules, imported when one is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of a site's life."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, None if there is none."""
        if cmd_name not in COMMANDS:
            return None
        module_name, attribute, _ = COMMANDS[cmd_name]
        module = importlib.import_module(f"connector.cli.{module_name}")
        command: click.Command = getattr(module, attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of --help, from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in COMMANDS.items()])


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="oxbridge", message="%(prog)s %(version)s")
def main() -> None:
    """Joins an Alcatel-Lucent Enterprise PBX to the Rainbow cloud.

    Data goes to standard output, everything else to standard error.
    """
