"""Groups are committed together, a bad job harms nobody else, and what was reported is durable."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from connector.domain.errors import StoreError
from connector.domain.faults import FaultId
from connector.store.writer import Writer


def create(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE numbers (n INTEGER PRIMARY KEY)")


def insert(number: int) -> Callable[[sqlite3.Connection], int]:
    def job(connection: sqlite3.Connection) -> int:
        connection.execute("INSERT INTO numbers VALUES (?)", (number,))
        return number

    return job


@pytest_asyncio.fixture
async def writer(tmp_path: Path) -> AsyncIterator[Writer]:
    writer = Writer(tmp_path / "store.db", [create])
    await writer.start()
    yield writer
    await writer.aclose()


async def test_results_come_back_in_order(writer: Writer) -> None:
    assert await asyncio.gather(*(writer.submit(insert(n)) for n in range(1000))) == list(range(1000))
    count = await writer.submit(
        lambda connection: connection.execute("SELECT count(*) FROM numbers").fetchone()
    )
    assert count == (1000,)


async def test_a_bad_job_fails_alone(writer: Writer) -> None:
    jobs = [writer.submit(insert(n)) for n in (1, 2, 2, 3)]
    results = await asyncio.gather(*jobs, return_exceptions=True)
    assert results[:2] == [1, 2]
    assert isinstance(results[2], StoreError)
    assert results[3] == 3


async def test_the_file_is_ours_alone_and_fully_synchronous(writer: Writer, tmp_path: Path) -> None:
    assert (tmp_path / "store.db").stat().st_mode & 0o777 == 0o600
    (level,) = await writer.submit(lambda connection: connection.execute("PRAGMA synchronous").fetchone())
    assert level == 2


async def test_a_newer_store_is_refused_by_name(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "store.db") as connection:
        connection.execute("PRAGMA user_version=9")
    connection.close()
    with pytest.raises(StoreError) as refused:
        await Writer(tmp_path / "store.db", [create]).start()
    assert refused.value.fault is FaultId.STORE_OTHER_VERSION


async def test_a_file_that_is_no_database_is_put_aside_and_kept(tmp_path: Path) -> None:
    words = b"not a database, but long enough to look at" * 100
    (tmp_path / "store.db").write_bytes(words)
    writer = Writer(tmp_path / "store.db", [create])
    await writer.start()
    assert await writer.submit(insert(1)) == 1
    await writer.aclose()
    assert writer.put_aside is not None
    assert writer.put_aside.name.startswith("store.db.damaged-2")
    assert writer.put_aside.read_bytes() == words
    assert writer.trouble is None


async def test_a_first_start_that_can_make_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as refused:
        await Writer(tmp_path / "nowhere" / "store.db", [create]).start()
    assert refused.value.fault is FaultId.STORE_UNUSABLE


async def test_a_closed_store_takes_nothing(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "store.db", [create])
    await writer.start()
    await writer.aclose()
    with pytest.raises(StoreError):
        writer.post(insert(1), lambda *_: None)


async def test_migrations_are_applied_once_each(tmp_path: Path) -> None:
    def add_names(connection: sqlite3.Connection) -> None:
        connection.execute("CREATE TABLE names (t TEXT)")

    for migrations in ([create], [create, add_names], [create, add_names]):
        writer = Writer(tmp_path / "store.db", migrations)
        await writer.start()
        await writer.aclose()
    with sqlite3.connect(tmp_path / "store.db") as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)
    connection.close()


_VICTIM = """
import asyncio, sys
from pathlib import Path
from connector.store.writer import Writer
from tests.store.test_writer import create, insert

async def main():
    writer = Writer(Path(sys.argv[1]), [create])
    await writer.start()
    def report(number, error):
        print(number, flush=True)
    for number in range(1_000_000):
        writer.post(insert(number), report)
        if number % 20 == 0:
            await asyncio.sleep(0)
            while writer._waiting > 200:
                await asyncio.sleep(0.001)

asyncio.run(main())
"""


def test_what_was_reported_survives_kill_9(tmp_path: Path) -> None:
    lost = 0
    for round_number in range(3):
        path = tmp_path / f"{round_number}.db"
        victim = subprocess.Popen(
            [sys.executable, "-c", _VICTIM, str(path)], stdout=subprocess.PIPE, text=True
        )
        assert victim.stdout is not None
        reported = [int(victim.stdout.readline()) for _ in range(500)]
        os.kill(victim.pid, signal.SIGKILL)
        rest = victim.communicate()[0].splitlines()
        reported += [int(line) for line in rest[:-1]]  # the last line may be torn
        with sqlite3.connect(path) as connection:
            kept = {number for (number,) in connection.execute("SELECT n FROM numbers")}
        connection.close()
        lost += len(set(reported) - kept)
    assert lost == 0
