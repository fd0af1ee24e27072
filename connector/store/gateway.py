"""What was learnt of the gateway and must outlive a restart: its clock, and how well it can log us in."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from connector.domain.errors import StoreError
from connector.domain.faults import FaultId
from connector.store.replacing import replace_file

# A time and a mechanism's name; more is not ours.
_MAX_FILE_BYTES: Final = 1_024


@dataclass(frozen=True, slots=True)
class GatewayMemory:
    """`time` is the newest that a gateway told (UTC); `mechanism` the best that ever logged us in."""

    time: datetime | None = None
    mechanism: str = ""


class GatewayFile:
    """Loads and saves the memory. Blocking: call it from a worker thread."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> GatewayMemory:
        """What is known; nothing if the file is not there or not readable: it only helps to warn."""
        try:
            with self._path.open("rb") as file:
                content = json.loads(file.read(_MAX_FILE_BYTES))
            time = content["time"] and datetime.fromisoformat(content["time"]).astimezone(UTC)
            return GatewayMemory(time, str(content["mechanism"]))
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return GatewayMemory()

    def save(self, memory: GatewayMemory) -> None:
        """Durable when it returns. Raises `StoreError`."""
        content = {"time": memory.time and memory.time.isoformat(), "mechanism": memory.mechanism}
        try:
            replace_file(self._path, json.dumps(content).encode())
        except OSError as error:
            raise StoreError(FaultId.STORE_UNUSABLE, f"{self._path.name}: {error.strerror}") from error
