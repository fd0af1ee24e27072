"""`oxbridge calls`: the live calls, or call events as they happen."""

import json
import sys
from collections.abc import Mapping
from typing import Any

import click

from connector.agent.control_client import ControlClient
from connector.agent.plain import plain
from connector.cli.output import (
    EXIT_NO_AGENT,
    asks_agent,
    json_option,
    say,
    show,
    show_json,
    show_table,
    socket_option,
)


@click.command(short_help="Show the live calls, or follow call events.")
@click.option("--follow", is_flag=True, help="Show call events as they happen, until Ctrl-C.")
@json_option
@socket_option
@asks_agent
def command(client: ControlClient, *, follow: bool, as_json: bool) -> None:
    """Show the live calls; with --follow call events as they happen (with --json one object a line)."""
    if follow:
        _follow(client, as_json=as_json)
        return
    answer = client.get("/calls")
    if as_json:
        show_json(answer)
        return
    columns = ("call", "device", "state", "caller", "called", "started_at")
    rows = [[str(call.get(column) or "") for column in columns] for call in answer["calls"]]
    if rows:
        show_table([column.replace("_", " ").capitalize() for column in columns], rows)
    else:
        say("No call is in progress.")


def _follow(client: ControlClient, *, as_json: bool) -> None:
    try:
        for event in client.follow("/calls/follow"):
            show(json.dumps(event) if as_json else event_line(event))
    except KeyboardInterrupt:
        return  # the way to end it
    say("The agent stopped.")
    sys.exit(EXIT_NO_AGENT)


def event_line(event: Mapping[str, Any]) -> str:
    """One call event for a person: time, device, what happened, who with whom, and how the call ended."""
    if "lost" in event:
        return f"({event['lost']} events were lost: this terminal was too slow)"
    known = {key: plain(str(value)) for key, value in event.items() if value is not None}
    parties = f"{known.get('caller') or '?'} → {known.get('called') or '?'}"
    end = f"  ended: {known['end']}" if known.get("end") else ""
    return (
        f"{known.get('time', ''):<25} {known.get('device', ''):<8} {known.get('event', ''):<18} "
        f"{parties}  [{known.get('call', '')}]{end}"
    )
