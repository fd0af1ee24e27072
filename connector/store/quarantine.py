"""Events that the gateway can't take: put aside for a person to look at, never sent again."""

import sqlite3

from connector.domain.outbox import OutboxBatch

# 100 events of 540 bytes say all that can be learnt of them; each one has cost three streams.
MAX_ROWS = 100


def create_quarantine(connection: sqlite3.Connection) -> None:
    """Migration: the table of what is put aside."""
    connection.execute(
        "CREATE TABLE quarantine (id INTEGER PRIMARY KEY AUTOINCREMENT, seq INTEGER NOT NULL,"
        " epoch TEXT NOT NULL, body TEXT NOT NULL, at TEXT NOT NULL, reason TEXT NOT NULL)"
    )


def put_aside(connection: sqlite3.Connection, batch: OutboxBatch) -> tuple[int, int]:
    """Move what `batch` condemns out of the outbox: how many rows left it, how many old ones were dropped."""
    if not batch.condemned:
        return 0, 0
    left = 0
    for one in batch.condemned:
        entry = one.entry
        left += connection.execute("DELETE FROM outbox WHERE seq = ?", (entry.seq,)).rowcount
        connection.execute(
            "INSERT INTO quarantine (seq, epoch, body, at, reason) VALUES (?, ?, ?, ?, ?)",
            (entry.seq, batch.epoch, entry.body, entry.at.isoformat(), one.reason),
        )
    connection.execute("UPDATE outbox_state SET entries = entries - ?", (left,))
    dropped = connection.execute(
        "DELETE FROM quarantine WHERE id NOT IN (SELECT id FROM quarantine ORDER BY id DESC LIMIT ?)",
        (MAX_ROWS,),
    ).rowcount
    return left, dropped


def put_aside_after(connection: sqlite3.Connection, epoch: str, seq: int) -> tuple[int, ...]:
    """The numbers of `epoch` above `seq` that are put aside: the gateway may not know of it yet."""
    rows = connection.execute(
        "SELECT DISTINCT seq FROM quarantine WHERE epoch = ? AND seq > ? ORDER BY seq", (epoch, seq)
    )
    return tuple(number for (number,) in rows)
