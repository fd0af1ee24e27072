"""`oxbridge activate`: hands the activation code to the running agent, never by the command line itself."""

import sys
from typing import IO, Final

import click

from connector.agent.control_client import ControlClient
from connector.agent.plain import plain
from connector.cli.output import asks_agent, say, show, socket_option

# The first line of the file is the code; whatever else is in there, it is not read.
MAX_CODE_LINE_CHARS: Final = 200


@click.command(short_help="Make the agent known to the cloud with an activation code.")
@click.option(
    "--code-file",
    type=click.File("r", errors="replace"),
    metavar="FILE",
    help="Read the code from the first line of FILE, - for standard input.",
)
@socket_option
@asks_agent
def command(client: ControlClient, code_file: IO[str] | None) -> None:
    """Make the agent known to the cloud with the code from the Connection tab of the Rainbow console.

    The code is asked for without echo, or read from standard input if that is no terminal. It is never an
    argument: arguments can be read by everybody on the machine.
    """
    sentence = ""
    for line in client.activate(_read_code(code_file)):
        if "progress" in line:
            say(plain(str(line["progress"])))
        else:
            sentence = str(line.get("result", ""))
    if not sentence:
        say("The agent stopped before the activation ended. Look at `oxbridge status`.")
        sys.exit(1)
    show(plain(sentence))


def _read_code(code_file: IO[str] | None) -> str:
    if code_file is None and sys.stdin.isatty():
        code: str = click.prompt("Activation code", hide_input=True, err=True)
    else:
        source = code_file or click.open_file("-", errors="replace")
        code = source.readline(MAX_CODE_LINE_CHARS)
    code = code.strip()
    if not code:
        raise click.UsageError("no activation code was given")
    return code
