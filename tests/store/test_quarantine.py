"""What is put aside stays, is no part of the outbox any more, and is bounded."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest_asyncio

from connector.domain.outbox import Condemned, OutboxBatch, OutboxEntry
from connector.store.outbox import OutboxTable, count_outbox, create_outbox
from connector.store.quarantine import MAX_ROWS, create_quarantine
from connector.store.writer import Writer
from tests.store.tables import read_page, write

AT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
MIGRATIONS = (create_outbox, count_outbox, create_quarantine)


def entry(seq: int) -> OutboxEntry:
    return OutboxEntry(seq, durable=True, device="101", call="c-1", at=AT, end=None, body=f"<é {seq}/>")


def condemned(*seqs: int) -> tuple[Condemned, ...]:
    return tuple(Condemned(entry(seq), "policy-violation") for seq in seqs)


@pytest_asyncio.fixture
async def writer(tmp_path: Path) -> AsyncIterator[Writer]:
    made = Writer(tmp_path / "store.db", MIGRATIONS)
    await made.start()
    yield made
    await made.aclose()


async def rows(writer: Writer) -> list[tuple[object, ...]]:
    query = "SELECT seq, epoch, body, at, reason FROM quarantine ORDER BY id"
    return await writer.submit(lambda connection: connection.execute(query).fetchall())


async def test_it_moves_from_one_table_to_the_other(writer: Writer) -> None:
    table = OutboxTable(writer)
    await table.open("epoch")
    await write(table, OutboxBatch([entry(n) for n in (1, 2, 3)], 0, 1000, "epoch"))
    await write(table, OutboxBatch([entry(4)], 0, 1000, "epoch", condemned(2)))
    page = await read_page(table, 0, 10)
    assert page is not None
    assert [one.seq for one in page.entries] == [1, 3, 4]
    assert await rows(writer) == [(2, "epoch", "<é 2/>", AT.isoformat(), "policy-violation")]
    assert table.entries == 3
    state = await OutboxTable(writer).open("other")
    assert (state.unacknowledged, state.quarantined) == (3, (2,))


async def test_what_the_gateway_knows_of_is_not_told_again(writer: Writer) -> None:
    table = OutboxTable(writer)
    await table.open("epoch")
    await write(table, OutboxBatch([entry(1), entry(2)], 0, 1000, "epoch", condemned(2)))
    await write(table, OutboxBatch([], 2, 1000, "epoch"))
    assert (await OutboxTable(writer).open("other")).quarantined == ()
    assert len(await rows(writer)) == 1, "a person may still look at it"


async def test_an_event_that_was_never_on_disk_is_kept_too(writer: Writer) -> None:
    table = OutboxTable(writer)
    await table.open("epoch")
    await write(table, OutboxBatch([], 0, 1000, "epoch", condemned(7)))
    assert table.entries == 0
    assert [row[0] for row in await rows(writer)] == [7]


async def test_the_oldest_go_and_are_counted(writer: Writer) -> None:
    table = OutboxTable(writer)
    await table.open("epoch")
    await write(table, OutboxBatch([], 0, 1000, "epoch", condemned(*range(1, MAX_ROWS + 1))))
    assert table.quarantine_dropped == 0
    await write(table, OutboxBatch([], 0, 1000, "epoch", condemned(501, 502)))
    assert table.quarantine_dropped == 2
    assert [row[0] for row in await rows(writer)] == [*range(3, MAX_ROWS + 1), 501, 502]
