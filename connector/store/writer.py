"""One thread that owns the database: jobs queue up and are committed in groups.

Committing on the loop's thread would stop every link for the length of a disk flush; one commit an event
would cost one flush an event. Here a batch is whatever waited while the disk was busy.
"""

import asyncio
import contextlib
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from connector.domain.errors import StoreError
from connector.domain.faults import FaultId

Result = TypeVar("Result")
Job = Callable[[sqlite3.Connection], Any]
Done = Callable[[Any, BaseException | None], None]

# A larger group would only make the first of it wait longer; measured in `make bench`.
MAX_JOBS_PER_COMMIT = 500
# Jobs that wait for the disk; the bridge's own bounds are far below. Beyond it a job is refused.
MAX_WAITING_JOBS = 50_000

_log = logging.getLogger(__name__)


class Writer:
    """Runs jobs on the one connection; a job's result is delivered after its group is durable on disk.

    `migrations` are applied in order, once each, and counted in `user_version`.
    """

    def __init__(self, path: Path, migrations: Sequence[Callable[[sqlite3.Connection], None]]) -> None:
        self._path = path
        self._migrations = migrations
        self._jobs: queue.SimpleQueue[tuple[Job, Done] | None] = queue.SimpleQueue()
        self._waiting = 0
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self) -> None:
        """Open the database and start the thread. Raises `StoreError`."""
        self._loop = asyncio.get_running_loop()
        started: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(
            target=self._run, args=(self._loop, started), name="store", daemon=True
        )
        self._thread.start()
        try:
            await started
        except StoreError:
            await self._join()
            raise

    async def aclose(self) -> None:
        """Commit what waits, close the database, end the thread."""
        if self._thread is None:
            return
        self._jobs.put(None)
        await self._join()

    async def _join(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.to_thread(thread.join)

    def submit(self, job: Callable[[sqlite3.Connection], Result]) -> "asyncio.Future[Result]":
        """Run `job` in the writer thread; the future resolves after it is durable, or with `StoreError`."""
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()

        def done(result: Result, error: BaseException | None) -> None:
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)

        self.post(job, done)
        return future

    def post(self, job: Job, done: Done) -> None:
        """Like `submit`, with `done(result, error)` called on the loop instead of a future: for hot paths."""
        if self._thread is None or self._waiting >= MAX_WAITING_JOBS:
            reason = "the store is closed" if self._thread is None else "too many writes wait for the disk"
            raise StoreError(FaultId.STORE_UNUSABLE, reason)
        self._waiting += 1
        self._jobs.put((job, done))

    # The writer thread ------------------------------------------------------------------------------

    def _run(self, loop: asyncio.AbstractEventLoop, started: "asyncio.Future[None]") -> None:
        try:
            connection = self._open()
        except (sqlite3.Error, OSError, StoreError) as error:
            reason = (
                error if isinstance(error, StoreError) else StoreError(FaultId.STORE_UNUSABLE, str(error))
            )
            loop.call_soon_threadsafe(started.set_exception, reason)
            return
        loop.call_soon_threadsafe(started.set_result, None)
        with contextlib.closing(connection):
            while self._commit_next_group(connection, loop):
                pass

    def _open(self) -> sqlite3.Connection:
        self._path.touch(mode=0o600, exist_ok=True)
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            # FULL: a commit that was reported survives the loss of power, not only of the process.
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA journal_size_limit=16777216")
            self._migrate(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _migrate(self, connection: sqlite3.Connection) -> None:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > len(self._migrations):
            raise StoreError(FaultId.STORE_OTHER_VERSION, f"version {version}, known {len(self._migrations)}")
        for number, migration in enumerate(self._migrations[version:], start=version + 1):
            connection.execute("BEGIN IMMEDIATE")
            migration(connection)
            connection.execute(f"PRAGMA user_version={number}")
            connection.execute("COMMIT")

    def _commit_next_group(self, connection: sqlite3.Connection, loop: asyncio.AbstractEventLoop) -> bool:
        """Wait for a job, take those behind it, commit them together. False when the store is to close."""
        item = self._jobs.get()
        group: list[tuple[Job, Done]] = []
        while item is not None:
            group.append(item)
            if len(group) >= MAX_JOBS_PER_COMMIT:
                break
            try:
                item = self._jobs.get_nowait()
            except queue.Empty:
                break
        if group:
            results = _run_group(connection, group)
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(self._deliver, results)
        return item is not None

    def _deliver(self, results: list[tuple[Done, Any, BaseException | None]]) -> None:
        self._waiting -= len(results)
        for done, result, error in results:
            done(result, error)


def _run_group(
    connection: sqlite3.Connection, group: list[tuple[Job, Done]]
) -> list[tuple[Done, Any, BaseException | None]]:
    try:
        return _in_one_transaction(connection, group)
    except Exception as error:  # any failure of one job must not fail its neighbours
        if len(group) == 1:
            _log.warning("store write failed: %s", error)
            failure = (
                error if isinstance(error, StoreError) else StoreError(FaultId.STORE_UNUSABLE, str(error))
            )
            return [(group[0][1], None, failure)]
    return [result for job in group for result in _run_group(connection, [job])]


def _in_one_transaction(
    connection: sqlite3.Connection, group: list[tuple[Job, Done]]
) -> list[tuple[Done, Any, BaseException | None]]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        results: list[tuple[Done, Any, BaseException | None]] = [
            (done, job(connection), None) for job, done in group
        ]
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return results
