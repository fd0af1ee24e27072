"""`oxbridge status`: the running agent in a dozen lines, or as JSON."""

import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import click

from connector.agent.control_client import ControlClient
from connector.agent.plain import plain
from connector.cli.output import EXIT_FAILED, asks_agent, json_option, show, show_json, socket_option

_LINK_NAMES: Final = {"pbx": "PBX", "cloud": "Cloud"}
# "at name resolution", but "at the proxy".
_ARTICLES: Final = dict.fromkeys(("proxy", "login", "gateway", "PBX"), "the ")
_COLORS: Final = {"connected": "green", "connecting": "yellow", "waiting": "red", "stopped": "red"}


@click.command(short_help="Show the links, channels and counts of the running agent.")
@json_option
@socket_option
@asks_agent
def command(client: ControlClient, *, as_json: bool) -> None:
    """Show the links, channels and counts of the running agent.

    Exit code: 0 if everything is up, 1 if the agent runs with something down, 3 if no agent answers.
    """
    status = client.get("/status")
    if as_json:
        show_json(status)
    else:
        for line in lines(status, datetime.now(UTC)):
            show(line)
    if not is_all_up(status):
        sys.exit(EXIT_FAILED)


def is_all_up(status: Mapping[str, Any]) -> bool:
    """Whether the agent is on and activated, both its links are connected and all four channels work."""
    links = status["links"].values()
    return (
        not status.get("disabled")
        and status["activation"] == "activated"
        and all(link["state"] == "connected" for link in links)
        and all(status["channels"].values())
    )


def lines(status: Mapping[str, Any], now: datetime) -> Iterator[str]:
    """`status` for a person, without what is of no use to them."""
    yield f"Oxbridge {plain(status['version'])}, running for {_age(status['started_at'], now)}"
    yield _row("PBX-ID", f"{plain(status['pbx_id'])} ({plain(status['activation'])})")
    if disabled := status.get("disabled"):
        by = "on site" if disabled["by"] == "site" else "by the cloud"
        state = click.style("off", fg="red")
        yield _row("Switch", f"{state} since {plain(disabled['since'])}, switched off {by}")
        yield _row("", "Remedy: Run `oxbridge enable`: nothing has to be typed again.")
    for alarm in status.get("alarms", ()):
        yield from _alarm(alarm, now)
    for name, link in status["links"].items():
        yield from _link(_LINK_NAMES.get(name, plain(name)), link, now)
    yield _row("Channels", "  ".join(_channel(name, is_up) for name, is_up in status["channels"].items()))
    devices = status["devices"]
    counts = f"{devices['in_service']} in service, {devices['out_of_service']} out of service"
    yield _row("Devices", f"{devices['total']}: {counts} (revision {devices['revision']})")
    yield _row("Calls", f"{status['calls']['live']} live")
    outbox = status["outbox"]
    yield _row("Outbox", f"{outbox['unacknowledged']} not acknowledged, last event {outbox['last_seq']}")
    yield _row("Invitations", ", ".join(f"{n} {name}" for name, n in status["invitations"].items()))


def _link(name: str, link: Mapping[str, Any], now: datetime) -> Iterator[str]:
    state = str(link["state"])
    text = f"{click.style(plain(state), fg=_COLORS.get(state))} for {_age(link['since'], now)}"
    if link.get("hop"):
        hop = plain(link["hop"])
        place = f"{_ARTICLES.get(hop, '')}{hop}"
        text += f", last failed at {place}" if state == "connecting" else f" at {place}"
        text += f", down for {_age(link['down_since'], now)}" if link.get("down_since") else ""
    if link.get("next_try_at"):
        text += f", next try in {_span((_instant(link['next_try_at']) - now).total_seconds())}"
    yield _row(name, text)
    if link.get("fault"):
        detail = f" ({plain(link['detail'], 400)})" if link.get("detail") else ""
        yield _row("", plain(link["sentence"]) + detail)
        yield _row("", f"Remedy: {plain(link['remedy'])}")


def _alarm(alarm: Mapping[str, Any], now: datetime) -> Iterator[str]:
    detail = f" ({plain(alarm['detail'], 400)})" if alarm.get("detail") else ""
    yield _row("Alarm", f"{click.style(plain(alarm['sentence']), fg='red')}{detail}")
    times = f", {alarm['count']} times" if alarm["count"] > 1 else ""
    yield _row("", f"for {_age(alarm['since'], now)}{times}. Remedy: {plain(alarm['remedy'])}")


def _row(name: str, text: str) -> str:
    return f"{name:<12}{text}"


def _channel(name: str, is_up: Any) -> str:
    return f"{plain(name)} {click.style('up', fg='green') if is_up else click.style('down', fg='red')}"


def _age(since: str, now: datetime) -> str:
    return _span((now - _instant(since)).total_seconds())


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _span(seconds: float) -> str:
    """A duration in its two largest units; a clock that was set back gives 0 s."""
    left = max(0, round(seconds))
    parts: list[str] = []
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])
