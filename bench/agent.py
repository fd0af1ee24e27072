"""The real agent with one of two taps, for what can't be seen from outside. `python -m bench.agent CONFIG …`

--acknowledged FILE   at the end, write when each event was acknowledged (monotonic seconds, one a line)
--slow-commit         each commit takes 10 ms longer: where no C compiler is there to slow the flush itself
"""

import argparse
import sqlite3
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from connector.agent.runtime import run
from connector.agent.settings import load
from connector.bridge.outbox import Outbox

COMMIT_DELAY_SECONDS = 0.010


class _TappedOutbox:
    """Notes the moment of every acknowledgement."""

    def __init__(self) -> None:
        self.moments: list[float] = []

    def install(self) -> None:
        """Put the tap before `Outbox.acknowledged`."""
        original = Outbox.acknowledged

        def acknowledged(outbox: Outbox, epoch: str, seq: int, held: Sequence[tuple[int, int]] = ()) -> bool:
            now = time.monotonic()
            # Numbers have no holes: every event of this benchmark is sent and acknowledged once.
            self.moments += [now] * (seq - len(self.moments))
            return original(outbox, epoch, seq, held)

        Outbox.acknowledged = acknowledged  # type: ignore[method-assign, assignment]  # the tap


class _SlowConnection(sqlite3.Connection):
    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        if sql == "COMMIT":
            time.sleep(COMMIT_DELAY_SECONDS)
        return super().execute(sql, *parameters)


def _make_commits_slow() -> None:
    original = sqlite3.connect

    def connect(*args: Any, **more: Any) -> sqlite3.Connection:
        return original(*args, factory=_SlowConnection, **more)

    sqlite3.connect = connect  # type: ignore[assignment]  # the tap


def main() -> int:
    """Run the agent until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("config", type=Path)
    parser.add_argument("--acknowledged", type=Path)
    parser.add_argument("--slow-commit", action="store_true")
    options = parser.parse_args()
    tap = _TappedOutbox()
    tap.install()
    if options.slow_commit:
        _make_commits_slow()
    code = run(load(options.config))
    if options.acknowledged:
        options.acknowledged.write_text("\n".join(map(repr, tap.moments)))
    return code


if __name__ == "__main__":
    sys.exit(main())
