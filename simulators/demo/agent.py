"""The real agent as a process of its own: configured, started, activated and stopped as installers do it."""

import asyncio
import json
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

# A cold start on a slow machine takes a few seconds.
START_SECONDS = 30.0
STOP_SECONDS = 15.0
_POLL_SECONDS = 0.05


class AgentFailed(RuntimeError):
    """The agent's command ended with an error; the text is what it said."""


@dataclass(frozen=True, slots=True)
class AgentPlace:
    """Where one agent lives: its directory holds configuration, state, socket and log."""

    directory: Path

    @property
    def config_file(self) -> Path:
        """The configuration."""
        return self.directory / "oxbridge.toml"

    @property
    def socket(self) -> Path:
        """The control socket."""
        return self.directory / "control.sock"

    @property
    def log_file(self) -> Path:
        """What the agent logs: one JSON object a line."""
        return self.directory / "agent.log"


class AgentProcess:
    """One agent: `configure`, `start`, `activate`, `stop`."""

    def __init__(self, place: AgentPlace) -> None:
        self.place = place
        self._process: Process | None = None

    @property
    def pid(self) -> int:
        """The process id; 0 before the start."""
        return self._process.pid if self._process else 0

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.returncode is None

    def configure(self, tables: Mapping[str, object]) -> None:
        """Write the configuration file. `tables` are the tables beside [agent] and [http]."""
        agent = {
            "state_directory": str(self.place.directory / "state"),
            "control_socket": str(self.place.socket),
        }
        whole = {"agent": agent, "http": {"listen": ""}, "log": {"format": "json"}, **tables}
        self.place.config_file.write_text(to_toml(whole))

    async def start(self) -> None:
        """Start `oxbridge run` and wait until its control socket answers. Raises `AgentFailed`."""
        with self.place.log_file.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                _command(),
                "run",
                "--config",
                str(self.place.config_file),
                stdin=DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            async with asyncio.timeout(START_SECONDS):
                while not await self._answers():
                    if self._process.returncode is not None:
                        raise AgentFailed(self._last_words())
                    await asyncio.sleep(_POLL_SECONDS)
        except TimeoutError:
            raise AgentFailed(f"the agent did not start in {START_SECONDS:g} s") from None

    async def activate(self, code: str, tell: Callable[[str], None]) -> None:
        """Run `oxbridge activate` with `code` on its standard input. Raises `AgentFailed`."""
        process = await asyncio.create_subprocess_exec(
            _command(), "activate", "--socket", str(self.place.socket), stdin=PIPE, stdout=PIPE, stderr=PIPE
        )
        answer, talk = await process.communicate(f"{code}\n".encode())
        for line in (*talk.decode().splitlines(), *answer.decode().splitlines()):
            tell(line)
        if process.returncode != 0:
            raise AgentFailed(talk.decode().strip() or "activation failed")

    async def ask(self, *arguments: str) -> object:
        """The JSON that `oxbridge ARGUMENTS --json` prints. Raises `AgentFailed`."""
        process = await asyncio.create_subprocess_exec(
            _command(), *arguments, "--json", "--socket", str(self.place.socket), stdout=PIPE, stderr=PIPE
        )
        answer, talk = await process.communicate()
        try:
            return json.loads(answer)
        except ValueError:
            raise AgentFailed(talk.decode().strip() or answer.decode().strip()) from None

    async def stop(self) -> int | None:
        """SIGTERM, then wait; its exit code. A process that does not end is killed."""
        process = self._process
        if process is None:
            return None
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()
        return process.returncode

    async def kill(self) -> None:
        """End it as a crash would: nothing is written any more, the socket's file stays."""
        if self._process is not None and self.is_running:
            self._process.kill()
            await self._process.wait()

    async def _answers(self) -> bool:
        """Whether somebody listens on the socket; its file alone may be what a crash left."""
        try:
            _, writer = await asyncio.open_unix_connection(self.place.socket)
        except OSError:
            return False
        writer.close()
        await writer.wait_closed()
        return True

    def _last_words(self) -> str:
        lines = self.place.log_file.read_text(errors="replace").splitlines()
        return "\n".join(lines[-10:]) or "the agent ended without a word"


def _command() -> str:
    """`oxbridge` as installed beside this interpreter."""
    return str(Path(sys.executable).with_name("oxbridge"))


def to_toml(tables: Mapping[str, object]) -> str:
    """TOML of plain tables: text, numbers, booleans, lists of text, and lists of tables."""
    return "\n".join(_table(name, value) for name, value in tables.items() if isinstance(value, Mapping))


def _table(name: str, table: Mapping[str, object], brackets: str = "[{}]") -> str:
    lines = [brackets.format(name)]
    below = []
    for key, value in table.items():
        if isinstance(value, list) and value and isinstance(value[0], Mapping):
            below += [_table(f"{name}.{key}", one, "[[{}]]") for one in value]
        else:
            # A JSON text, number, boolean or list of them is TOML too.
            lines.append(f"{key} = {json.dumps(value, ensure_ascii=False)}")
    return "\n".join([*lines, *below]) + "\n"
