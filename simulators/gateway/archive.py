"""What a gateway keeps over a restart, if asked to: its systems, and every event that it acknowledged.

Both are written before the agent is told: a kill at any moment leaves each acknowledged event in the file.
The loss of power is not survived: this is a simulator, and a flush an event would cost its rate.
"""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from simulators.gateway.sequence import Gap, TooScattered
from simulators.gateway.system_files import SystemFiles
from simulators.gateway.systems import System, Systems

EVENTS_FILE = "events.jsonl"
# Some million events of 700 bytes; who needs more wants a database, and the disk is not ours to fill.
MAX_EVENTS_BYTES = 4 * 1024**3


@dataclass(frozen=True, slots=True)
class KeptEvent:
    """One line of the events' file: an event's frame, or a gap, which has none."""

    system: str
    epoch: str
    seq: int
    frame: str = ""
    gap: Gap | None = None


class Archive:
    """One directory of one gateway. Blocking, a few microseconds an event: simulators may."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lines: list[str] = []
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._systems = SystemFiles(directory)
        self._end_whole()
        path = directory / EVENTS_FILE
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._size = os.fstat(self._descriptor).st_size

    def close(self) -> None:
        """Write what waits and close the file."""
        self.flush()
        os.close(self._descriptor)

    # Systems

    def restore(self, systems: Systems, now: datetime) -> None:
        """Put everything kept into `systems`, which is empty. Raises ValueError for another version."""
        self._systems.restore(systems, now)
        for event in self.events():
            system = systems.get(event.system)
            if system is not None:
                _count(system, event)

    def keep_system(self, system: System) -> None:
        """Something of `system` has changed."""
        self._systems.keep(system)

    def keep_numbers(self, system: System) -> None:
        """The device list of `system`, or what is said of its numbers, has changed."""
        self._systems.keep_numbers(system)

    def forget(self, system: System) -> None:
        """The system is deleted; its events stay where they are and count for nobody."""
        self._systems.forget(system)

    # Events

    def keep_event(self, system: str, epoch: str, seq: int, frame: str) -> None:
        """An event that was not here before; written by the next `flush`."""
        self._lines.append(_line(s=system, e=epoch, n=seq, f=frame))

    def keep_gap(self, system: str, epoch: str, gap: Gap) -> None:
        """A gap that was not known before; written by the next `flush`."""
        self._lines.append(_line(s=system, e=epoch, n=gap.first, g=[gap.last, gap.count, gap.is_durable]))

    def flush(self) -> None:
        """Write what waits, in one call; before an acknowledgement goes out. Raises OSError."""
        if not self._lines:
            return
        data = "".join(self._lines).encode()
        if self._size + len(data) > MAX_EVENTS_BYTES:
            raise OSError(f"{EVENTS_FILE} is full: stop the gateway and move it away")
        self._lines.clear()
        if os.write(self._descriptor, data) != len(data):
            raise OSError(f"{EVENTS_FILE} took a part only: the disk is full")
        self._size += len(data)

    def events(self) -> Iterator[KeptEvent]:
        """Every event and gap kept, as they came."""
        return read_events(self._directory)

    def _end_whole(self) -> None:
        """Cut a last line that a kill left half written: it was acknowledged to nobody."""
        path = self._directory / EVENTS_FILE
        with suppress(FileNotFoundError), path.open("rb+") as file:
            size = file.seek(0, os.SEEK_END)
            end = size
            while end:
                start = max(0, end - 65_536)
                file.seek(start)
                found = file.read(end - start).rfind(b"\n")
                if found >= 0:
                    end = start + found + 1
                    break
                end = start
            file.truncate(end)


class NoArchive:
    """Keeps nothing."""

    def keep_system(self, system: System) -> None:
        """Not kept."""

    def keep_numbers(self, system: System) -> None:
        """Not kept."""

    def forget(self, system: System) -> None:
        """Nothing was kept."""

    def keep_event(self, system: str, epoch: str, seq: int, frame: str) -> None:
        """Not kept."""

    def keep_gap(self, system: str, epoch: str, gap: Gap) -> None:
        """Not kept."""

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing is open."""


def read_events(directory: Path) -> Iterator[KeptEvent]:
    """The events of a gateway's directory, also of one that was killed: a half-written last line is none."""
    path = directory / EVENTS_FILE
    if not path.exists():
        return
    with path.open() as file:
        for line in file:
            if line.endswith("\n"):
                yield _read(json.loads(line))


def _line(**fields: object) -> str:
    return json.dumps(fields, separators=(",", ":")) + "\n"


def _read(fields: dict[str, Any]) -> KeptEvent:
    gap = None
    if "g" in fields:
        last, count, is_durable = fields["g"]
        gap = Gap(fields["n"], last, count, is_durable)
    return KeptEvent(fields["s"], fields["e"], fields["n"], fields.get("f", ""), gap)


def _count(system: System, event: KeptEvent) -> None:
    with suppress(TooScattered):  # the agent was put out for it then, and would be now
        if event.gap is None:
            system.events.add(event.epoch, event.seq)
        else:
            system.events.skip(event.epoch, event.gap)
