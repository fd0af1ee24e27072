"""The database file: opened, checked, put aside when it is damaged. Used by the writer's thread alone."""

import logging
import os
import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from connector.domain.errors import StoreError
from connector.domain.faults import FaultId

# A million durable events of 540 bytes, with room: more than a week of one a second, or a day of ten.
MAX_BYTES = 640 * 1024 * 1024
# A checkpoint shortens the log to this, so that both files together keep within their bound.
_MAX_LOG_BYTES = 16 * 1024 * 1024
# Room that a disk or a full file must have again before it is called healthy: some hundred events.
_ROOM_BYTES = 1024 * 1024
# No release will ever have so many migrations: a higher count is damage, not another version.
_MAX_VERSION = 10_000

Migration = Callable[[sqlite3.Connection], None]

_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_TROUBLE = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_NOLFS,
}

_log = logging.getLogger(__name__)


def is_damage(error: BaseException) -> bool:
    """Whether `error` says that the file is no whole database."""
    return _primary_code(error) in _DAMAGE


def is_disk_trouble(error: BaseException) -> bool:
    """Whether `error` comes from the disk, not from what was asked."""
    return _primary_code(error) in _TROUBLE or isinstance(error, OSError)


class Database:
    """`connection` is None while the file can't be used; `failure` says why."""

    def __init__(
        self,
        path: Path,
        migrations: Sequence[Migration],
        check: Callable[[sqlite3.Connection], None],
        *,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._path = path
        self._migrations = migrations
        self._check = check
        self._max_bytes = max_bytes
        self._existed = False
        self.connection: sqlite3.Connection | None = None
        self.failure: StoreError | None = None
        self.put_aside: Path | None = None

    @property
    def may_come_back(self) -> bool:
        """Whether a file that can't be opened now is worth waiting for: it is there, and of our version."""
        return self._existed and (self.failure is None or self.failure.fault is FaultId.STORE_UNUSABLE)

    def open(self) -> None:
        """Open the file, putting aside a damaged one. Raises `StoreError`."""
        try:
            self._existed = self._existed or self._path.exists()
            self.connection = self._opened()
        except StoreError as error:
            self.failure = error
            raise
        except (sqlite3.Error, OSError) as error:
            if is_disk_trouble(error) or not self._existed:
                raise self._failed(error) from error
            self.replace(error)

    def replace(self, error: Exception) -> None:
        """Put the damaged file aside, for a person to look at, and make a new one. Raises `StoreError`."""
        _log.error("the store is damaged and is put aside: %s", error)
        self.close()
        try:
            self.put_aside = self._move_away()
            self.connection = self._opened()
        except (sqlite3.Error, OSError) as trouble:
            raise self._failed(trouble) from trouble

    def probe(self) -> None:
        """Write something, if only a page, and see that there is room. Raises `StoreError`."""
        if self.connection is None:
            self.open()
        connection = self.connection
        if connection is None:
            raise self.failure or StoreError(FaultId.STORE_UNUSABLE)
        try:
            connection.execute("BEGIN IMMEDIATE")
            try:
                connection.execute(f"PRAGMA user_version={len(self._migrations)}")
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
            has_room = _has_room(connection, self._path)
        except (sqlite3.Error, OSError) as error:
            raise self._failed(error) from error
        if not has_room:
            raise StoreError(FaultId.STORE_UNUSABLE, "the store is full")

    def close(self) -> None:
        """Close the file, if it is open."""
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()

    def _failed(self, error: Exception) -> StoreError:
        self.failure = StoreError(FaultId.STORE_UNUSABLE, str(error))
        return self.failure

    def _opened(self) -> sqlite3.Connection:
        self._path.touch(mode=0o600, exist_ok=True)
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
            connection.execute(f"PRAGMA max_page_count={self._max_bytes // page_bytes}")
            connection.execute("PRAGMA journal_mode=WAL")
            # FULL: a commit that was reported survives the loss of power, not only of the process.
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(f"PRAGMA journal_size_limit={_MAX_LOG_BYTES}")
            self._migrate(connection)
            self._check(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _migrate(self, connection: sqlite3.Connection) -> None:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if not 0 <= version <= _MAX_VERSION:
            raise sqlite3.DatabaseError(f"version {version} can't be")
        if version > len(self._migrations):
            raise StoreError(FaultId.STORE_OTHER_VERSION, f"version {version}, known {len(self._migrations)}")
        for number, migration in enumerate(self._migrations[version:], start=version + 1):
            connection.execute("BEGIN IMMEDIATE")
            migration(connection)
            connection.execute(f"PRAGMA user_version={number}")
            connection.execute("COMMIT")

    def _move_away(self) -> Path:
        """Rename the file and what SQLite keeps beside it; no name is ever used twice."""
        stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
        aside = self._path.with_name(f"{self._path.name}.damaged-{stamp}")
        for suffix in ("", "-wal", "-shm"):
            source = self._path.with_name(self._path.name + suffix)
            if source.exists():
                source.rename(aside.with_name(aside.name + suffix))
        return aside


def _has_room(connection: sqlite3.Connection, path: Path) -> bool:
    figures = [
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_size", "max_page_count", "page_count", "freelist_count")
    ]
    page_bytes, most_pages, pages, free_pages = figures
    disk = os.statvfs(path)
    in_file = (most_pages - pages + free_pages) * page_bytes
    return in_file >= _ROOM_BYTES and disk.f_bavail * disk.f_frsize >= _ROOM_BYTES


def _primary_code(error: BaseException) -> int | None:
    """SQLite's result code without its extension (sqlite.org/rescode.html)."""
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
