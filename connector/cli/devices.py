"""`oxbridge devices`: the PBX's devices as the agent knows them."""

import click

from connector.agent.control_client import ControlClient
from connector.cli.output import asks_agent, json_option, say, show_json, show_table, socket_option


@click.command(short_help="List the PBX's devices.")
@json_option
@socket_option
@asks_agent
def command(client: ControlClient, *, as_json: bool) -> None:
    """List the PBX's devices as the cloud is told of them."""
    answer = client.get("/devices")
    if as_json:
        show_json(answer)
        return
    devices = answer["devices"]
    if not devices:
        say("The PBX's devices are not known yet. Look at `oxbridge status`.")
        return
    columns = ("number", "state", "first_name", "name", "type", "source")
    rows = [[str(device.get(column, "")) for column in columns] for device in devices]
    show_table([column.replace("_", " ").capitalize() for column in columns], rows)
