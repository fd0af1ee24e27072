"""The durable half of the outbox: one table, written in batches."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from zlib import crc32

from connector.domain.errors import StoreError
from connector.domain.faults import FaultId
from connector.domain.outbox import OutboxBatch, OutboxEntry, OutboxPage, OutboxState
from connector.store.quarantine import put_aside, put_aside_after
from connector.store.writer import Writer

# Rows a statement; SQLite allows 32,766 bound values, and one statement a row would give up the
# interpreter lock once a row.
_ROWS_PER_INSERT = 100
# Rows deleted in one transaction, about 10 ms: an acknowledgement of a whole backlog must not hold up events.
_ROWS_PER_DELETE = 2_000
# Rows of each end that are read before a file is trusted; all of a million would take seconds.
_ROWS_CHECKED = 50

_COLUMNS = "seq, device, call, at, ending, body, crc"


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


def count_outbox(connection: sqlite3.Connection) -> None:
    """Migration: how many rows there are, too slow to count at a start, and a checksum of each new one."""
    connection.execute("ALTER TABLE outbox ADD COLUMN crc INTEGER")
    connection.execute("ALTER TABLE outbox_state ADD COLUMN entries INTEGER NOT NULL DEFAULT 0")
    connection.execute("UPDATE outbox_state SET entries = (SELECT count(*) FROM outbox)")


def check_outbox(connection: sqlite3.Connection) -> None:
    """Read what a start needs. Raises `sqlite3.Error` when the file is damaged where it matters first."""
    state = connection.execute("SELECT epoch, reserved, acknowledged, entries FROM outbox_state").fetchall()
    for epoch, reserved, acknowledged, entries in state:
        is_whole = isinstance(epoch, str) and epoch and 0 <= acknowledged <= reserved and entries >= 0
        if not is_whole:
            raise sqlite3.DatabaseError("the outbox's state is damaged")
    for order in ("ASC", "DESC"):
        # The two words above, never a value.
        query = f"SELECT {_COLUMNS} FROM outbox ORDER BY seq {order} LIMIT ?"  # noqa: S608 - see above
        with _damaged_text(connection):
            connection.execute(query, (_ROWS_CHECKED,)).fetchall()


class OutboxTable:
    """Implements `connector.domain.outbox.OutboxDisk` over the store's writer thread."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._entries = 0
        self._quarantine_dropped = 0

    @property
    def entries(self) -> int:
        """How many rows are kept."""
        return self._entries

    @property
    def quarantine_dropped(self) -> int:
        """How many rows of the quarantine were deleted for newer ones, since the start."""
        return self._quarantine_dropped

    async def open(self, new_epoch: str) -> OutboxState:
        """The state of the outbox; a store without one is born with `new_epoch`.

        With a disk that can't be used it lives in memory only. Raises `StoreError` when the store is closed.
        """
        for _ in range(2):  # a file found to be damaged has been replaced when it is asked again
            try:
                return self._opened(await self._writer.submit(lambda db: _state(db, new_epoch)))
            except StoreError:
                continue
        return OutboxState(new_epoch, 0, 0, 0, is_stored=False)

    def reopen(self, new_epoch: str, done: Callable[[OutboxState | None], None]) -> None:
        """The state of the file that is there now; None if none can be used."""

        def read(state: OutboxState, error: BaseException | None) -> None:
            done(None if error else self._opened(state))

        self._post(lambda connection: _state(connection, new_epoch), read)

    def write(self, batch: OutboxBatch, done: Callable[[BaseException | None], None]) -> None:
        """Make `batch` durable in one transaction."""

        def job(connection: sqlite3.Connection) -> tuple[int, int, int]:
            deleted = _free(connection, batch)  # first: in a full store it makes the room
            left, dropped = put_aside(connection, batch)
            _insert(connection, batch.entries)
            return len(batch.entries) - left, deleted, dropped

        def written(counts: tuple[int, int, int], error: BaseException | None) -> None:
            if error is None:
                added, deleted, dropped = counts
                self._entries += added - deleted
                self._quarantine_dropped += dropped
                if deleted == _ROWS_PER_DELETE:
                    self._trim(batch)
            done(error)

        self._post(job, written)

    def read(self, after_seq: int, limit: int, done: Callable[[OutboxPage | None], None]) -> None:
        """The first `limit` rows above `after_seq`; None when they can't be read."""
        self._post(
            lambda connection: _page(connection, after_seq, limit),
            lambda page, error: done(None if error else page),
        )

    def _opened(self, state: OutboxState) -> OutboxState:
        self._entries = state.unacknowledged
        self._trim(OutboxBatch((), state.acknowledged_seq, state.last_seq, state.epoch))
        return state

    def _trim(self, batch: OutboxBatch) -> None:
        """Delete what `batch` has acknowledged, one group of rows after the other, between other writes."""

        def trimmed(deleted: int, error: BaseException | None) -> None:
            if error is None:
                self._entries -= deleted
                if deleted == _ROWS_PER_DELETE:
                    self._trim(batch)

        self._post(lambda connection: _delete(connection, batch), trimmed)

    def _post(self, job: Callable[[sqlite3.Connection], Any], done: Callable[[Any, Any], None]) -> None:
        try:
            self._writer.post(job, done)
        except StoreError as error:
            # Not from here: whoever calls has not returned yet, and does not expect an answer before.
            self._writer.call_soon(done, None, error)


def _state(connection: sqlite3.Connection, new_epoch: str) -> OutboxState:
    connection.execute(
        "INSERT OR IGNORE INTO outbox_state (one, epoch, reserved, acknowledged, entries)"
        " VALUES (1, ?, 0, 0, 0)",
        (new_epoch,),
    )
    epoch, reserved, acknowledged, entries = connection.execute(
        "SELECT epoch, reserved, acknowledged, entries FROM outbox_state"
    ).fetchone()
    (newest,) = connection.execute("SELECT max(seq) FROM outbox").fetchone()
    aside = put_aside_after(connection, epoch, acknowledged)
    return OutboxState(epoch, max(reserved, newest or 0), acknowledged, entries, quarantined=aside)


def _free(connection: sqlite3.Connection, batch: OutboxBatch) -> int:
    """Write down how far `batch` goes and delete some of what is acknowledged: how many rows."""
    updated = connection.execute(
        "UPDATE outbox_state SET reserved = ?, acknowledged = ?, entries = entries + ? WHERE epoch = ?",
        (batch.reserved_seq, batch.acknowledged_seq, len(batch.entries), batch.epoch),
    )
    if updated.rowcount != 1:
        raise StoreError(FaultId.STORE_UNUSABLE, "another store stands where this outbox was")
    return _delete(connection, batch)


def _delete(connection: sqlite3.Connection, batch: OutboxBatch) -> int:
    deleted = connection.execute(
        "DELETE FROM outbox WHERE seq IN (SELECT seq FROM outbox WHERE seq <= ? ORDER BY seq LIMIT ?)"
        " AND EXISTS (SELECT 1 FROM outbox_state WHERE epoch = ?)",
        (batch.acknowledged_seq, _ROWS_PER_DELETE, batch.epoch),
    ).rowcount
    if deleted:
        connection.execute("UPDATE outbox_state SET entries = entries - ?", (deleted,))
    return deleted


def _insert(connection: sqlite3.Connection, entries: Sequence[OutboxEntry]) -> None:
    for start in range(0, len(entries), _ROWS_PER_INSERT):
        rows = entries[start : start + _ROWS_PER_INSERT]
        values: list[Any] = []
        for entry in rows:
            fields = (entry.device, entry.call, entry.at.isoformat(), entry.end, entry.body)
            values += (entry.seq, *fields, _checksum(entry.seq, fields))
        placeholders = ",".join(["(?,?,?,?,?,?,?)"] * len(rows))
        # Only names and question marks are composed, never a value.
        connection.execute(
            f"INSERT INTO outbox ({_COLUMNS}) VALUES {placeholders}",  # noqa: S608 - see above
            values,
        )


def _page(connection: sqlite3.Connection, after_seq: int, limit: int) -> OutboxPage:
    query = f"SELECT {_COLUMNS} FROM outbox WHERE seq > ? ORDER BY seq LIMIT ?"  # noqa: S608 - names only
    with _damaged_text(connection):
        rows = connection.execute(query, (after_seq, limit)).fetchall()
    entries: list[OutboxEntry] = []
    damaged: list[int] = []
    for row in rows:
        entry = _entry(row)
        if entry is None:
            damaged.append(row[0])
        else:
            entries.append(entry)
    return OutboxPage(entries, damaged, is_last=len(rows) < limit)


def _entry(row: tuple[int, str, str, str, str | None, str, int | None]) -> OutboxEntry | None:
    """What `row` holds; None when the disk changed it."""
    seq, device, call, at, ending, body, crc = row
    fields = (device, call, at, ending, body)
    try:
        if crc not in (None, _checksum(seq, fields)):
            return None
        "".join(map(str, fields)).encode()  # rows from before there were checksums
        time = datetime.fromisoformat(at)
    except (TypeError, ValueError):
        return None
    return OutboxEntry(seq, device=device, call=call, at=time, end=ending, body=body, durable=True)


def _checksum(seq: int, fields: Sequence[str | None]) -> int:
    """Notices a bit that the disk changed: SQLite itself looks only at the structure of its pages.

    With the number: one bit of a page's index can put a row in the place of another.
    """
    return crc32(f"{seq}\0{chr(0).join(map(str, fields))}".encode(errors="surrogateescape"))


@contextmanager
def _damaged_text(connection: sqlite3.Connection) -> Iterator[None]:
    """Read text that is no UTF-8 any more, instead of failing for the whole page."""
    connection.text_factory = _lenient
    try:
        yield
    finally:
        connection.text_factory = str


def _lenient(text: bytes) -> str:
    return text.decode(errors="surrogateescape")
