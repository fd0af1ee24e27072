"""The outbox on a real database: the same state after every restart."""

import asyncio
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connector.domain.errors import StoreError
from connector.domain.outbox import OutboxBatch, OutboxEntry, OutboxPage, OutboxState
from connector.store.outbox import OutboxTable, check_outbox, count_outbox, create_outbox
from connector.store.quarantine import create_quarantine
from connector.store.writer import Writer
from tests.store.tables import read_page, write

MIGRATIONS = (create_outbox, count_outbox, create_quarantine)
AT = datetime(2026, 11, 20, 9, 0, 0, 123000, tzinfo=UTC)


def entry(seq: int) -> OutboxEntry:
    return OutboxEntry(
        seq, durable=True, device="101", call=f"c-{seq}", at=AT, end="missed", body=f"<é {seq}/>"
    )


async def page(table: OutboxTable, after: int, limit: int) -> OutboxPage:
    found = await read_page(table, after, limit)
    assert found is not None
    return found


async def read(table: OutboxTable, after: int, limit: int) -> Sequence[OutboxEntry]:
    return (await page(table, after, limit)).entries


async def test_a_store_is_born_with_the_given_epoch_and_keeps_it(tmp_path: Path) -> None:
    for offered in ("first", "second"):
        writer = Writer(tmp_path / "store.db", MIGRATIONS)
        await writer.start()
        assert (await OutboxTable(writer).open(offered)).epoch == "first"
        await writer.aclose()


async def test_rows_come_back_as_they_were_and_acknowledged_ones_go(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "store.db", MIGRATIONS)
    await writer.start()
    table = OutboxTable(writer)
    await table.open("epoch")
    await write(table, OutboxBatch([entry(n) for n in range(1, 251)], 0, 1000, "epoch"))
    assert await page(table, 0, 3) == OutboxPage([entry(1), entry(2), entry(3)], [], is_last=False)
    assert table.entries == 250
    await write(table, OutboxBatch([entry(300)], 249, 1000, "epoch"))
    assert [one.seq for one in await read(table, 0, 10)] == [250, 300]
    await writer.aclose()

    writer = Writer(tmp_path / "store.db", MIGRATIONS)
    await writer.start()
    state = await OutboxTable(writer).open("other")
    await writer.aclose()
    assert state == OutboxState("epoch", 1000, 249, 2)


async def test_a_batch_for_another_epoch_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "store.db", MIGRATIONS)
    await writer.start()
    table = OutboxTable(writer)
    await table.open("epoch")
    await write(table, OutboxBatch([entry(1)], 0, 1000, "epoch"))
    with pytest.raises(StoreError):
        await write(table, OutboxBatch([entry(2)], 1, 2000, "other"))
    assert [one.seq for one in await read(table, 0, 10)] == [1]
    await writer.aclose()


async def test_a_long_backlog_is_deleted_in_groups_between_other_writes(tmp_path: Path) -> None:
    """One deletion of it all would hold up the events of that time for seconds."""
    writer = Writer(tmp_path / "store.db", MIGRATIONS)
    await writer.start()
    table = OutboxTable(writer)
    await table.open("epoch")
    await write(table, OutboxBatch([entry(n) for n in range(1, 4_501)], 0, 9_000, "epoch"))
    await write(table, OutboxBatch([], 4_400, 9_000, "epoch"))
    assert table.entries == 2_500
    while table.entries != 100:
        await writer.submit(lambda _: None)
    assert [one.seq for one in await read(table, 0, 1)] == [4_401]
    await writer.aclose()


async def test_rows_of_the_version_before_are_counted_once_and_come_back(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with sqlite3.connect(path) as old:
        create_outbox(old)
        old.execute("PRAGMA user_version=1")
        old.execute("INSERT INTO outbox_state VALUES (1, 'epoch', 10, 0)")
        rows = [(n, "101", f"c-{n}", AT.isoformat(), "missed", f"<é {n}/>") for n in (1, 2, 3)]
        old.executemany("INSERT INTO outbox VALUES (?, ?, ?, ?, ?, ?)", rows)
    old.close()
    writer = Writer(path, MIGRATIONS, check=check_outbox)
    await writer.start()
    table = OutboxTable(writer)
    assert await table.open("other") == OutboxState("epoch", 10, 0, 3)
    assert list(await read(table, 0, 10)) == [entry(1), entry(2), entry(3)]
    await writer.aclose()


@pytest.mark.parametrize("column", ["device", "call", "at", "ending", "body"])
async def test_a_row_that_the_disk_changed_is_told_apart(tmp_path: Path, column: str) -> None:
    """SQLite checks the structure of a page, not the text in it."""
    path = tmp_path / "store.db"
    writer = Writer(path, MIGRATIONS)
    await writer.start()
    table = OutboxTable(writer)
    await table.open("epoch")
    await write(table, OutboxBatch([entry(n) for n in (1, 2, 3)], 0, 1000, "epoch"))
    change = f"UPDATE outbox SET {column} = CAST(x'31ff32' AS TEXT) WHERE seq = 2"  # noqa: S608 - a name of ours
    await writer.submit(lambda db: db.execute(change).rowcount)
    found = await page(table, 0, 10)
    await writer.aclose()
    assert [one.seq for one in found.entries] == [1, 3]
    assert list(found.damaged) == [2]


async def test_a_store_without_a_disk_gives_an_epoch_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.mkdir()  # a file that is there and can't be opened
    writer = Writer(path, MIGRATIONS, check=check_outbox)
    await writer.start()
    table = OutboxTable(writer)
    troubles = [writer.trouble]
    assert await table.open("memory") == OutboxState("memory", 0, 0, 0, is_stored=False)
    replaced = asyncio.Event()
    writer.on_replaced = replaced.set
    path.rmdir()
    async with asyncio.timeout(5):
        await replaced.wait()
    done: asyncio.Future[OutboxState | None] = asyncio.get_running_loop().create_future()
    table.reopen("on-disk", done.set_result)
    assert await done == OutboxState("on-disk", 0, 0, 0)
    await writer.submit(lambda _: None)
    troubles.append(writer.trouble)
    assert [one is not None for one in troubles] == [True, False]
    await writer.aclose()
