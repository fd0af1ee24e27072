"""A disk that is full, read-only or broken, for real: told at once, over by itself, nothing safe is lost."""

import asyncio
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connector.domain.errors import StoreError
from connector.domain.outbox import OutboxBatch, OutboxEntry
from connector.store import writer as module
from connector.store.outbox import OutboxTable, check_outbox, count_outbox, create_outbox
from connector.store.quarantine import create_quarantine
from connector.store.writer import Writer
from tests.store.tables import read_page, write

MIGRATIONS = (create_outbox, count_outbox, create_quarantine)
TOP = Path(__file__).parents[2]
SMALL_BYTES = 4 * 1024 * 1024


def entries(first: int, count: int) -> list[OutboxEntry]:
    at = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
    return [
        OutboxEntry(seq, True, "101", f"c-{seq}", at, None, "x" * 600) for seq in range(first, first + count)
    ]


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(4):
        while not is_so():  # noqa: ASYNC110 - the store's thread makes it so
            await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PROBE_SECONDS", 0.05)


async def fill(table: OutboxTable) -> int:
    """Write until the store takes no more; the newest number that it took."""
    newest = 0
    while True:
        try:
            await write(table, OutboxBatch(entries(newest + 1, 100), 0, newest + 1_000, "epoch"))
        except StoreError:
            return newest
        newest += 100


async def test_a_full_store_says_so_frees_what_is_acknowledged_and_goes_on(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "store.db", MIGRATIONS, max_bytes=SMALL_BYTES)
    told: list[bool] = []
    writer.on_trouble = lambda error: told.append(error is not None)
    await writer.start()
    table = OutboxTable(writer)
    await table.open("epoch")
    newest = await fill(table)
    await until(lambda: told == [True])
    assert writer.trouble is not None
    assert (tmp_path / "store.db").stat().st_size <= SMALL_BYTES
    await write(table, OutboxBatch([], newest // 2, newest + 1_000, "epoch"))
    await until(lambda: told == [True, False])
    await write(table, OutboxBatch(entries(newest + 1, 100), newest // 2, newest + 1_000, "epoch"))
    page = await read_page(table, newest, 200)
    assert page is not None
    assert len(page.entries) == 100
    assert table.entries == newest - newest // 2 + 100
    await writer.aclose()


class _BrokenDisk(sqlite3.Connection):
    """Every commit that writes fails as a broken disk makes it fail."""

    is_broken = False

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        if self.is_broken and sql == "COMMIT":
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
            raise error
        return super().execute(sql, *parameters)


async def test_a_broken_disk_is_trouble_until_a_write_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **more: connect(*a, factory=_BrokenDisk, **more))
    writer = Writer(tmp_path / "store.db", MIGRATIONS)
    await writer.start()
    table = OutboxTable(writer)
    await table.open("epoch")
    monkeypatch.setattr(_BrokenDisk, "is_broken", True)
    with pytest.raises(StoreError):
        await write(table, OutboxBatch(entries(1, 1), 0, 10, "epoch"))
    await until(lambda: writer.trouble is not None)
    monkeypatch.setattr(_BrokenDisk, "is_broken", False)
    await until(lambda: writer.trouble is None)
    await write(table, OutboxBatch(entries(1, 1), 0, 10, "epoch"))
    assert table.entries == 1
    await writer.aclose()


async def test_damage_found_while_running_brings_a_new_file(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    writer = Writer(path, MIGRATIONS, check=check_outbox)
    replaced = asyncio.Event()
    writer.on_replaced = replaced.set
    await writer.start()
    table = OutboxTable(writer)
    await table.open("epoch")
    await write(table, OutboxBatch(entries(1, 2_000), 0, 3_000, "epoch"))
    await writer.submit(lambda db: None)
    await writer.aclose()
    content = bytearray(path.read_bytes())
    content[200 * 4096 : 201 * 4096] = b"\xff" * 4096
    path.write_bytes(content)
    writer = Writer(path, MIGRATIONS, check=check_outbox)
    writer.on_replaced = replaced.set
    await writer.start()
    table = OutboxTable(writer)
    assert (await table.open("second")).epoch == "epoch", "a start reads the ends only"
    pages = [await read_page(table, after, 200) for after in range(0, 2_000, 200)]
    assert None in pages
    await replaced.wait()
    assert (await table.open("second")).epoch == "second"
    assert writer.put_aside is not None
    assert writer.put_aside.exists()
    await writer.aclose()


_STORY = """
import asyncio, json, subprocess, sys
from pathlib import Path
from connector.store.outbox import OutboxTable
from connector.store.writer import Writer
from connector.domain.errors import StoreError
from connector.domain.outbox import OutboxBatch
from tests.store import test_trouble as t
from tests.store.tables import read_page, write

async def main(place):
    t.module.PROBE_SECONDS = 0.05
    seen = []
    ballast = place / "ballast"
    ballast.write_bytes(bytes(5 << 20))
    writer = Writer(place / "store.db", t.MIGRATIONS)
    writer.on_trouble = lambda error: seen.append(error is not None)
    await writer.start()
    table = OutboxTable(writer)
    await table.open("epoch")
    full_at = await t.fill(table)
    await t.until(lambda: seen == [True])
    ballast.unlink()
    await t.until(lambda: seen == [True, False])
    await write(table, OutboxBatch(t.entries(full_at + 1, 100), 0, full_at + 1000, "epoch"))
    await writer.aclose()
    subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
    writer = Writer(place / "store.db", t.MIGRATIONS, check=t.check_outbox)
    await writer.start()
    replaced = asyncio.Event()
    writer.on_replaced = replaced.set
    table = OutboxTable(writer)
    in_memory = not (await table.open("memory")).is_stored
    subprocess.run(["mount", "-o", "remount,rw", str(place)], check=True)
    await replaced.wait()
    epoch = (await table.open("unused")).epoch
    count, after = 0, 0
    while (page := await read_page(table, after, 200)).entries:
        count, after = count + len(page.entries), page.entries[-1].seq
    await writer.aclose()
    print(json.dumps({"full_at": full_at, "in_memory": in_memory, "epoch": epoch, "rows": count}))

asyncio.run(main(Path(sys.argv[1])))
"""


def test_a_file_system_that_is_full_and_then_read_only(tmp_path: Path) -> None:
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        pytest.skip("needs root and unshare for a file system of its own")
    place = tmp_path / "small"
    place.mkdir()
    # Options of the mount namespace end with the process: nothing is left behind.
    command = 'mount -t tmpfs -o size=10m none "$1" && exec "$2" -c "$3" "$1"'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", command, "sh", str(place), sys.executable, _STORY],
        capture_output=True,
        text=True,
        cwd=TOP,
        timeout=30,
        check=False,
    )
    if "mount" in done.stderr and "permission" in done.stderr.lower():
        pytest.skip("this machine lets nobody mount")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["full_at"] > 0
    assert told["in_memory"], "a start without a disk is a start"
    assert told["epoch"] == "epoch"
    assert told["rows"] == told["full_at"] + 100, "what was reported as safe is there"
