"""The command ledger: which commands were begun, on disk before the PBX is asked.

A row is `running` from before the PBX is asked until its outcome is written down. A process that finds such a
row when it starts can't know whether the PBX was asked: the outcome is unknown, and nothing is run again.
"""

import json
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from connector.domain.calls import ConnectionId
from connector.domain.commands import (
    CommandDone,
    CommandRefused,
    Outcome,
    Recovery,
    Refused,
    Remembered,
    Verb,
)
from connector.domain.errors import StoreError
from connector.domain.faults import FaultId

if TYPE_CHECKING:
    import asyncio

Result = TypeVar("Result")

# protocol.md section 3: a day, which is far longer than any deadline lives.
KEEP_SECONDS = 86_400
# One command a second for a day, and some. It bounds what a gateway can fill disk and memory with.
MAX_REMEMBERED = 100_000
# Old rows that go with each new one: more than come in, few enough not to be felt.
_DELETED_AT_A_TIME = 100

_RUNNING, _DONE, _REFUSED = "running", "done", "refused"
_UNKNOWN = CommandRefused(Refused.UNKNOWN_OUTCOME)


class JobRunner(Protocol):
    """The part of the store's writer that is needed here."""

    def submit(self, job: Callable[[sqlite3.Connection], Result]) -> "asyncio.Future[Result]":
        """Run `job` in the writer's thread; the future resolves after its transaction is durable."""


def create_commands(connection: sqlite3.Connection) -> None:
    """The ledger's table; called once by the store's migrations."""
    connection.execute(
        "CREATE TABLE commands ("
        " id TEXT PRIMARY KEY, verb TEXT NOT NULL, device TEXT NOT NULL, user TEXT NOT NULL,"
        " fingerprint TEXT NOT NULL, at REAL NOT NULL, deadline REAL NOT NULL, state TEXT NOT NULL,"
        " answer TEXT NOT NULL DEFAULT '')"
    )
    connection.execute("CREATE INDEX commands_by_time ON commands (at)")
    connection.execute("CREATE INDEX commands_running ON commands (id) WHERE state = 'running'")


class CommandTable:
    """Implements `connector.domain.commands.CommandLedger`."""

    def __init__(self, writer: JobRunner) -> None:
        self._writer = writer

    async def claim(self, begun: Remembered) -> None:
        """Make `begun` durable, and forget some that are older than a day. Raises `StoreError`."""
        at = begun.at.timestamp()

        def job(connection: sqlite3.Connection) -> None:
            oldest = at - KEEP_SECONDS
            connection.execute(
                "DELETE FROM commands WHERE id IN (SELECT id FROM commands WHERE at < ? ORDER BY at LIMIT ?)",
                (oldest, _DELETED_AT_A_TIME),
            )
            connection.execute("DELETE FROM commands WHERE id = ? AND at < ?", (begun.id, oldest))
            connection.execute(
                "INSERT INTO commands (id, verb, device, user, fingerprint, at, deadline, state)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    begun.id,
                    begun.verb.value,
                    begun.device,
                    begun.user,
                    begun.fingerprint,
                    at,
                    begun.deadline.timestamp(),
                    _RUNNING,
                ),
            )

        await self._writer.submit(job)

    async def settle(self, id_: str, outcome: Outcome) -> None:
        """Write down how a begun command ended. Raises `StoreError`, also when it is not there."""
        state, answer = _stored(outcome)

        def job(connection: sqlite3.Connection) -> None:
            changed = connection.execute(
                "UPDATE commands SET state = ?, answer = ? WHERE id = ? AND state = ?",
                (state, answer, id_, _RUNNING),
            )
            if changed.rowcount != 1:
                raise StoreError(FaultId.STORE_UNUSABLE, "a command that ended was not begun")

        await self._writer.submit(job)

    async def recover(self, now: datetime) -> Recovery:
        """Turn what a crash left running into an unknown outcome; all of the last day. Raises `StoreError`.

        Only before the first claim of a process: a running row is then nobody's work any more.
        """
        oldest = now.timestamp() - KEEP_SECONDS

        def job(connection: sqlite3.Connection) -> Recovery:
            rows = connection.execute("SELECT id FROM commands WHERE state = ?", (_RUNNING,)).fetchall()
            connection.execute(
                "UPDATE commands SET state = ?, answer = ? WHERE state = ?", (*_stored(_UNKNOWN), _RUNNING)
            )
            # The newest are the ones that can still be repeated.
            known = connection.execute(
                "SELECT id, verb, device, user, fingerprint, at, deadline, state, answer FROM commands"
                " WHERE at >= ? ORDER BY at DESC LIMIT ?",
                (oldest, MAX_REMEMBERED),
            ).fetchall()
            return Recovery(tuple(map(_remembered, reversed(known))), tuple(row[0] for row in rows))

        return await self._writer.submit(job)


def _stored(outcome: Outcome) -> tuple[str, str]:
    if isinstance(outcome, CommandDone):
        return _DONE, json.dumps([[one.call, one.device] for one in outcome.connections])
    return _REFUSED, json.dumps([outcome.reason.value, outcome.error])


def _outcome(state: str, answer: str) -> Outcome:
    """What was written; unknown for what no version of ours wrote."""
    try:
        content: Any = json.loads(answer)
        if state == _DONE:
            return CommandDone(tuple(ConnectionId(call, device) for call, device in content))
        reason, error = content
        return CommandRefused(Refused(reason), error)
    except (TypeError, ValueError):
        return _UNKNOWN


def _remembered(row: tuple[Any, ...]) -> Remembered:
    id_, verb, device, user, fingerprint, at, deadline, state, answer = row
    return Remembered(
        id=id_,
        verb=Verb(verb),
        device=device,
        user=user,
        fingerprint=fingerprint,
        at=datetime.fromtimestamp(at, UTC),
        deadline=datetime.fromtimestamp(deadline, UTC),
        outcome=_outcome(state, answer),
    )
