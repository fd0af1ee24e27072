"""The file that says that the agent is off. On is its absence: a new or emptied state directory is on."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from connector.domain.errors import StoreError
from connector.domain.faults import FaultId
from connector.domain.switch import Disabled, SwitchedBy
from connector.store.replacing import replace_file, sync_directory

# Two short words; more is not ours.
_MAX_FILE_BYTES: Final = 1_024


class DisabledFile:
    """Loads and saves the switch. Blocking: call it from a worker thread."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> Disabled | None:
        """None if the agent is on.

        A file that can't be read still says off: an agent that comes on by itself would be the worse mistake.
        """
        try:
            with self._path.open("rb") as file:
                content = json.loads(file.read(_MAX_FILE_BYTES))
            since = datetime.fromisoformat(content["since"])
            return Disabled(since.astimezone(UTC), SwitchedBy(content["by"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return Disabled(datetime.fromtimestamp(0, UTC), SwitchedBy.SITE)

    def save(self, disabled: Disabled | None) -> None:
        """Durable when it returns. Raises `StoreError`."""
        try:
            if disabled is None:
                self._path.unlink(missing_ok=True)
                sync_directory(self._path.parent)
            else:
                content = {"since": disabled.since.isoformat(), "by": disabled.by.value}
                replace_file(self._path, json.dumps(content).encode())
        except OSError as error:
            raise StoreError(FaultId.STORE_UNUSABLE, f"{self._path.name}: {error.strerror}") from error
