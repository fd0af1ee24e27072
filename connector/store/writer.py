"""One thread that owns the database: jobs queue up and are committed in groups.

Committing on the loop's thread would stop every link for the length of a disk flush; one commit an event
would cost one flush an event. Here a batch is whatever waited while the disk was busy.

A disk that fails does not end the thread: every job is answered with the trouble, which is over when a write
works again. A damaged file is put aside, never deleted, and a new one is born.
"""

import asyncio
import contextlib
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from connector.domain.errors import StoreError
from connector.domain.faults import FaultId
from connector.store.database import MAX_BYTES, Database, Migration, is_damage, is_disk_trouble

Result = TypeVar("Result")
Job = Callable[[sqlite3.Connection], Any]
Done = Callable[[Any, BaseException | None], None]

# A larger group would only make the first of it wait longer; measured in `make bench`.
MAX_JOBS_PER_COMMIT = 500
# Jobs that wait for the disk; the bridge's own bounds are far below. Beyond it a job is refused.
MAX_WAITING_JOBS = 50_000
# How often a disk in trouble is tried: a person who made room sees the alarm end at once.
PROBE_SECONDS = 1.0

_log = logging.getLogger(__name__)


class Writer:
    """Runs jobs on the one connection; a job's result is delivered after its group is durable on disk.

    `migrations` are applied in order, once each, and counted in `user_version`; `check` reads what has to be
    readable before the file is trusted; the file never grows beyond `max_bytes`.

    Both listeners are called on the loop: `on_trouble` with the present state of the disk whenever it
    changes, `on_replaced` when another file has taken the place of the one before: what was read from that
    one holds no more.
    """

    def __init__(
        self,
        path: Path,
        migrations: Sequence[Migration],
        *,
        check: Callable[[sqlite3.Connection], None] = lambda _: None,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._database = Database(path, migrations, check, max_bytes=max_bytes)
        self._jobs: queue.SimpleQueue[tuple[Job, Done] | None] = queue.SimpleQueue()
        self._waiting = 0
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_failing = False
        self._probe_at = 0.0
        self.trouble: StoreError | None = None
        self.on_trouble: Callable[[StoreError | None], None] = lambda _: None
        self.on_replaced: Callable[[], None] = lambda: None

    @property
    def put_aside(self) -> Path | None:
        """The damaged file that was replaced last, by this process."""
        return self._database.put_aside

    async def start(self) -> None:
        """Open the database and start the thread.

        A damaged file is replaced, and a disk that fails is waited for. Raises `StoreError` when there is no
        file and none can be made, and when the file was written by another version.
        """
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

    def call_soon(self, done: Done, result: Any, error: BaseException | None) -> None:
        """Call `done` on the loop, after whoever asks has returned."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon(done, result, error)

    # The writer thread ------------------------------------------------------------------------------

    def _run(self, loop: asyncio.AbstractEventLoop, started: "asyncio.Future[None]") -> None:
        try:
            self._database.open()
        except StoreError as error:
            if not self._database.may_come_back:
                loop.call_soon_threadsafe(started.set_exception, error)
                return
            self._tell_trouble(loop, error)
        loop.call_soon_threadsafe(started.set_result, None)
        with contextlib.closing(self._database):
            while self._commit_next_group(loop):
                if self._is_failing and time.monotonic() >= self._probe_at:
                    self._probe(loop)

    def _commit_next_group(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Wait for a job, take those behind it, commit them together. False when the store is to close."""
        try:
            item = self._jobs.get(timeout=PROBE_SECONDS if self._is_failing else None)
        except queue.Empty:
            return True
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
            results = self._run_group(loop, group)
            _tell(loop, self._deliver, results)
        return item is not None

    def _run_group(
        self, loop: asyncio.AbstractEventLoop, group: list[tuple[Job, Done]]
    ) -> list[tuple[Done, Any, BaseException | None]]:
        connection = self._database.connection
        if connection is None:
            return [(done, None, self._database.failure) for _, done in group]
        try:
            return _in_one_transaction(connection, group)
        except Exception as error:  # any failure of one job must not fail its neighbours
            if is_damage(error) or is_disk_trouble(error):
                return self._fail(loop, group, error)
            if len(group) == 1:
                _log.warning("store write failed: %s", error)
                failure = _store_error(error)
                return [(group[0][1], None, failure)]
        return [result for job in group for result in self._run_group(loop, [job])]

    def _fail(
        self, loop: asyncio.AbstractEventLoop, group: list[tuple[Job, Done]], error: Exception
    ) -> list[tuple[Done, Any, BaseException | None]]:
        """The disk or the file fails: nothing of `group` is kept."""
        failure = _store_error(error)
        if is_damage(error):
            self._replace(loop, error)
        elif len(group) > 1:
            # In a full store the small ones, and those that delete, may still go.
            return [result for job in group for result in self._run_group(loop, [job])]
        else:
            self._tell_trouble(loop, failure)
        return [(done, None, failure) for _, done in group]

    def _replace(self, loop: asyncio.AbstractEventLoop, error: Exception) -> None:
        try:
            self._database.replace(error)
        except StoreError as trouble:
            self._tell_trouble(loop, trouble)
        else:
            _tell(loop, self._replaced)

    def _probe(self, loop: asyncio.AbstractEventLoop) -> None:
        """Whether the disk works again; if the file could not be opened before, it is another one now."""
        had_none = self._database.connection is None
        self._probe_at = time.monotonic() + PROBE_SECONDS
        try:
            self._database.probe()
        except StoreError:
            return
        self._is_failing = False
        if had_none:
            _tell(loop, self._replaced)
        _tell(loop, self._set_trouble, None)

    def _tell_trouble(self, loop: asyncio.AbstractEventLoop, error: StoreError) -> None:
        if not self._is_failing:
            self._is_failing = True
            self._probe_at = time.monotonic() + PROBE_SECONDS
            _tell(loop, self._set_trouble, error)

    # On the loop --------------------------------------------------------------------------------------

    def _deliver(self, results: list[tuple[Done, Any, BaseException | None]]) -> None:
        self._waiting -= len(results)
        for done, result, error in results:
            done(result, error)

    def _set_trouble(self, error: StoreError | None) -> None:
        self.trouble = error
        self.on_trouble(error)

    def _replaced(self) -> None:
        self.on_replaced()


def _tell(loop: asyncio.AbstractEventLoop, call: Callable[..., None], *arguments: object) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
        loop.call_soon_threadsafe(call, *arguments)


def _store_error(error: Exception) -> StoreError:
    return error if isinstance(error, StoreError) else StoreError(FaultId.STORE_UNUSABLE, str(error))


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
