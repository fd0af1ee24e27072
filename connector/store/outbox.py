"""The durable half of the outbox: one table, written in batches."""

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from connector.domain.outbox import OutboxBatch, OutboxEntry, OutboxState
from connector.store.writer import Writer

# Rows a statement; SQLite allows 32,766 bound values, and one statement a row would give up the
# interpreter lock once a row.
_ROWS_PER_INSERT = 100


def create_outbox(connection: sqlite3.Connection) -> None:
    """Migration: the tables of the outbox."""
    connection.execute(
        "CREATE TABLE outbox (seq INTEGER PRIMARY KEY, device TEXT NOT NULL, call TEXT NOT NULL,"
        " at TEXT NOT NULL, ending TEXT, body TEXT NOT NULL)"
    )
    connection.execute(
        "CREATE TABLE outbox_state (one INTEGER PRIMARY KEY CHECK (one = 1), epoch TEXT NOT NULL,"
        " reserved INTEGER NOT NULL, acknowledged INTEGER NOT NULL)"
    )


class OutboxTable:
    """Implements `connector.domain.outbox.OutboxDisk` over the store's writer thread."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        # Acknowledged and reserved, as the disk has them: most batches change neither.
        self._on_disk = (0, 0)

    async def open(self, new_epoch: str) -> OutboxState:
        """The state of the outbox; a store without one is born with `new_epoch`."""

        def job(connection: sqlite3.Connection) -> OutboxState:
            connection.execute("INSERT OR IGNORE INTO outbox_state VALUES (1, ?, 0, 0)", (new_epoch,))
            epoch, reserved, acknowledged = connection.execute(
                "SELECT epoch, reserved, acknowledged FROM outbox_state"
            ).fetchone()
            count, newest = connection.execute("SELECT count(*), max(seq) FROM outbox").fetchone()
            return OutboxState(epoch, max(reserved, newest or 0), acknowledged, count)

        return await self._writer.submit(job)

    def write(self, batch: OutboxBatch, done: Callable[[BaseException | None], None]) -> None:
        """Make `batch` durable in one transaction."""

        state = (batch.acknowledged_seq, batch.reserved_seq)
        is_changed = state != self._on_disk

        def job(connection: sqlite3.Connection) -> None:
            _insert(connection, batch.entries)
            if is_changed:
                connection.execute("DELETE FROM outbox WHERE seq <= ?", state[:1])
                connection.execute("UPDATE outbox_state SET acknowledged = ?, reserved = ?", state)

        def written(_: None, error: BaseException | None) -> None:
            if error is None:
                self._on_disk = state
            done(error)

        self._writer.post(job, written)

    def read(self, after_seq: int, limit: int, done: Callable[[Sequence[OutboxEntry]], None]) -> None:
        """The first `limit` entries above `after_seq`."""

        def job(connection: sqlite3.Connection) -> list[OutboxEntry]:
            rows = connection.execute(
                "SELECT seq, device, call, at, ending, body FROM outbox WHERE seq > ? ORDER BY seq LIMIT ?",
                (after_seq, limit),
            )
            return [_entry(row) for row in rows]

        self._writer.post(job, lambda entries, error: done([] if error else entries))


def _insert(connection: sqlite3.Connection, entries: Sequence[OutboxEntry]) -> None:
    for start in range(0, len(entries), _ROWS_PER_INSERT):
        rows = entries[start : start + _ROWS_PER_INSERT]
        values: list[Any] = []
        for entry in rows:
            values += (entry.seq, entry.device, entry.call, entry.at.isoformat(), entry.end, entry.body)
        placeholders = ",".join(["(?,?,?,?,?,?)"] * len(rows))
        # Only question marks are composed, never a value.
        connection.execute(f"INSERT INTO outbox VALUES {placeholders}", values)  # noqa: S608 - see above


def _entry(row: tuple[int, str, str, str, str | None, str]) -> OutboxEntry:
    seq, device, call, at, ending, body = row
    return OutboxEntry(
        seq, device=device, call=call, at=datetime.fromisoformat(at), end=ending, body=body, durable=True
    )
