"""`oxbridge-sim`: the simulators by hand and in CI."""

import asyncio
import json
import signal
import sys
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import click

_KINDS = click.Choice(["oxo", "oxe"])
_WHO_WIDTH = 8


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="oxbridge")
def main() -> None:
    """Simulated PBXs, cloud gateway and RVA hub, on loopback unless told otherwise. Not for production."""


@main.command()
@click.option("--pbx", "kind", type=_KINDS, default="oxe", show_default=True, help="The kind of PBX.")
@click.option("--once", is_flag=True, help="Play the story once and end.")
@click.option("--json", "as_json", is_flag=True, help="With --once: print one JSON object and nothing else.")
def demo(kind: str, *, once: bool, as_json: bool) -> None:
    """Everything at once: a call rings an expert, the gateway hears of it, the caller gets an SMS."""
    if as_json and not once:
        raise click.UsageError("--json goes with --once")
    from simulators.demo.agent import AgentFailed

    try:
        _run(lambda: _demo(kind, once=once, as_json=as_json))
    except (AgentFailed, TimeoutError) as error:
        raise click.ClickException(str(error) or "a step of the story did not happen in time") from None


@main.command()
@click.option("--kind", type=_KINDS, default="oxe", show_default=True)
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=2555, show_default=True, help="0: any free one."
)
@click.option(
    "--devices", type=click.IntRange(1, 15_000), help="How many sets; the kind's own few if not given."
)
@click.option("--calls-per-second", type=click.FloatRange(0, 100), default=0.0, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="Of the random calls.")
@click.option(
    "--switching",
    type=click.Choice(["prompt", "late", "never"]),
    default="prompt",
    show_default=True,
    help="When it answers switching requests, which it obeys in any case; late is after five seconds.",
)
def pbx(
    *,
    kind: str,
    host: str,
    port: int,
    devices: int | None,
    calls_per_second: float,
    seed: int,
    switching: str,
) -> None:
    """A PBX with its CSTA port."""
    _run(
        lambda: _pbx(kind, host, port, devices=devices, rate=calls_per_second, seed=seed, switching=switching)
    )


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8443, show_default=True, help="0: any free one."
)
@click.option("--directory", type=click.Path(path_type=Path, file_okay=False), help="For the certificates.")
@click.option(
    "--keep",
    is_flag=True,
    help="Keep systems, events and certificates in --directory, and go on with them at the next start.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="NAME[=VALUE]",
    help="Misbehave so from the start; several may be given. --fault list shows them all.",
)
def gateway(host: str, port: int, directory: Path | None, *, keep: bool, faults: tuple[str, ...]) -> None:
    """The PBX Cloud Gateway with its administration."""
    if keep and directory is None:
        raise click.UsageError("--keep needs --directory")
    if "list" in faults:
        _list_faults()
        return
    switched = [_read_fault(text) for text in faults]
    _run(lambda: _gateway(host, port, directory, keep=keep, faults=switched))


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8444, show_default=True, help="0: any free one."
)
@click.option("--directory", type=click.Path(path_type=Path, file_okay=False), help="For the certificates.")
def rva(host: str, port: int, directory: Path | None) -> None:
    """The RVA hub with its SMS inbox."""
    _run(lambda: _rva(host, port, directory))


async def _demo(kind: str, *, once: bool, as_json: bool) -> None:
    from connector.domain.identifiers import PbxKind
    from simulators.demo.story import Story
    from simulators.demo.world import DemoWorld

    with tempfile.TemporaryDirectory(prefix="oxbridge-demo-") as directory:
        world = DemoWorld(PbxKind(kind), Path(directory))
        try:
            result = await Story(world, (lambda _who, _what: None) if as_json else _narrate).play()
            if as_json:
                click.echo(json.dumps(result.as_json()))
                return
            _narrate("result", json.dumps(result.as_json()))
            if not once:
                _narrate("demo", f"open {world.gateway.url}/ and {world.rva.url}/ in a browser")
                _narrate("demo", f"try: oxbridge status --socket {world.agent.place.socket}")
                _narrate(
                    "demo",
                    f"the browser asks about the certificate: its authority is {world.certificates.ca_file}",
                )
                _narrate("demo", "Ctrl-C ends everything")
                await _until_interrupted()
        finally:
            await world.aclose()


def _narrate(who: str, what: str) -> None:
    click.echo(f"{click.style(f'{who:>{_WHO_WIDTH}}', bold=True)}  {what}")


async def _pbx(
    kind: str, host: str, port: int, *, devices: int | None, rate: float, seed: int, switching: str
) -> None:
    from random import Random

    from connector.domain.identifiers import PbxKind
    from simulators.clock import SystemClock
    from simulators.pbx.load import run_load
    from simulators.pbx.server import PbxSimulator
    from simulators.pbx.settings import CstaBehaviour, PbxWorld, SwitchingAnswer, default_sets

    sets = default_sets(PbxKind(kind), devices)
    csta = CstaBehaviour(switching=SwitchingAnswer(switching))
    simulator = PbxSimulator(
        PbxWorld(kind=PbxKind(kind), host=host, port=port, sets=sets, csta=csta), clock=SystemClock()
    )
    await _started(simulator.start)
    numbers = sorted(simulator.sets)
    served = f"{len(numbers)} sets ({numbers[0]} to {numbers[-1]})"
    _narrate("pbx", f"{kind.upper()} with {served}, CSTA on {host}:{simulator.port}")
    random = Random(seed)  # noqa: S311 - the same calls for the same seed
    load = asyncio.create_task(run_load(simulator, rate, None, random=random)) if rate else None
    try:
        await _until_interrupted()
    finally:
        if load is not None:
            load.cancel()
            await asyncio.wait([load])
        await simulator.aclose()


def _list_faults() -> None:
    from simulators.gateway.faults import FAULTS

    for fault in FAULTS.values():
        value = f" [{fault.value:g} {fault.unit}]" if fault.unit else ""
        click.echo(f"{fault.name:18} {fault.what}{value}")


def _read_fault(text: str) -> tuple[str, float]:
    """A switch's name and value; 0 takes its own. Raises click.BadParameter."""
    from simulators.gateway.faults import MAX_VALUE, is_fault

    name, _, value = text.partition("=")
    if not is_fault(name):
        raise click.BadParameter(
            f"no fault is called {name!r}; --fault list shows them", param_hint="--fault"
        )
    try:
        number = float(value or 0)
    except ValueError:
        number = -1
    if not 0 <= number <= MAX_VALUE:
        raise click.BadParameter(f"{value!r} is no number from 0 to {MAX_VALUE}", param_hint="--fault")
    return name, number


async def _gateway(
    host: str, port: int, directory: Path | None, *, keep: bool, faults: Sequence[tuple[str, float]]
) -> None:
    from simulators.gateway.faults import FaultName
    from simulators.gateway.server import GatewaySettings, GatewaySimulator

    with tempfile.TemporaryDirectory(prefix="oxbridge-gateway-") as temporary:
        settings = GatewaySettings(directory or Path(temporary), host=host, port=port, keeps=keep)
        simulator = GatewaySimulator(settings)
        for name, value in faults:
            simulator.gateway.faults.switch_on(FaultName(name), value)
            _narrate("gateway", f"fault {name} is on")
        await _started(simulator.start)
        _narrate(
            "gateway", f"console {simulator.url}/, agents {simulator.url.replace('https', 'wss')}/websocket"
        )
        _narrate("gateway", f"authority {simulator.ca_file}")
        _narrate("gateway", f"admin token {simulator.admin_token}")
        try:
            await _until_interrupted()
        finally:
            await simulator.aclose()


async def _rva(host: str, port: int, directory: Path | None) -> None:
    from simulators.rva.server import RvaSimulator

    with tempfile.TemporaryDirectory(prefix="oxbridge-rva-") as temporary:
        simulator = RvaSimulator(directory or Path(temporary), host=host, port=port)
        await _started(simulator.start)
        _narrate("hub", f"hub and SMS inbox {simulator.url}/; no real SMS is sent")
        _narrate("hub", f"authority {simulator.ca_file}")
        try:
            await _until_interrupted()
        finally:
            await simulator.aclose()


async def _started(start: Callable[[], Awaitable[None]]) -> None:
    from simulators.serving import collect_seldom

    try:
        await start()
    except OSError as error:
        raise click.ClickException(f"can't listen: {error.strerror}; give another --port, or 0") from None
    collect_seldom()


async def _until_interrupted() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()


def _run(work: Callable[[], Any]) -> None:
    """On uvloop: a gateway of many agents needs a fifth of the memory that asyncio's TLS takes."""
    import uvloop

    try:
        uvloop.run(work())
    except KeyboardInterrupt:
        sys.exit(130)
