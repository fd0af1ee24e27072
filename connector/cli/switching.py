"""`oxbridge enable`, `disable` and `reset`: the life of the agent's connection, decided on site."""

import click

from connector.agent.control_client import ControlClient
from connector.agent.plain import plain
from connector.cli.output import asks_agent, show, socket_option


@click.command(short_help="Switch the agent on again.")
@socket_option
@asks_agent
def enable(client: ControlClient) -> None:
    """Switch the agent on again: it connects at once, and nothing has to be typed.

    Exit code: 0 also if it was on already, 3 if no agent answers.
    """
    show(plain(client.post("/enable")))


@click.command(short_help="Close every connection and stay off.")
@socket_option
@asks_agent
def disable(client: ControlClient) -> None:
    """Close every connection at once and stay off, also over restarts, until `oxbridge enable`.

    No setting and no code is lost. Exit code: 0 also if it was off already, 3 if no agent answers: then no
    connection is open, and `systemctl disable oxbridge` keeps it so.
    """
    show(plain(client.post("/disable")))


@click.command(short_help="Forget the codes; every setting is kept.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@socket_option
@asks_agent
def reset(client: ControlClient, *, yes: bool) -> None:
    """Forget the activation and access codes and drop the cloud link. Every setting is kept.

    The cloud is not told: reset the connection in the Rainbow console too, which shows the next code.
    """
    if not yes:
        question = "The agent will be cut off until it is activated with a new code. Go on?"
        click.confirm(question, abort=True, err=True)
    show(plain(client.post("/reset")))
