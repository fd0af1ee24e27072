"""The outbox on a real database: the same state after every restart."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from connector.domain.outbox import OutboxBatch, OutboxEntry, OutboxState
from connector.store.outbox import OutboxTable, create_outbox
from connector.store.writer import Writer

AT = datetime(2026, 11, 20, 9, 0, 0, 123000, tzinfo=UTC)


def entry(seq: int) -> OutboxEntry:
    return OutboxEntry(
        seq, durable=True, device="101", call=f"c-{seq}", at=AT, end="missed", body=f"<é {seq}/>"
    )


async def write(table: OutboxTable, batch: OutboxBatch) -> None:
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    table.write(batch, lambda error: done.set_exception(error) if error else done.set_result(None))
    await done


async def read(table: OutboxTable, after: int, limit: int) -> Sequence[OutboxEntry]:
    done: asyncio.Future[Sequence[OutboxEntry]] = asyncio.get_running_loop().create_future()
    table.read(after, limit, done.set_result)
    return await done


async def test_a_store_is_born_with_the_given_epoch_and_keeps_it(tmp_path: Path) -> None:
    for offered in ("first", "second"):
        writer = Writer(tmp_path / "store.db", [create_outbox])
        await writer.start()
        assert (await OutboxTable(writer).open(offered)).epoch == "first"
        await writer.aclose()


async def test_rows_come_back_as_they_were_and_acknowledged_ones_go(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "store.db", [create_outbox])
    await writer.start()
    table = OutboxTable(writer)
    await table.open("epoch")
    await write(table, OutboxBatch([entry(n) for n in range(1, 251)], 0, 1000))
    assert list(await read(table, 0, 3)) == [entry(1), entry(2), entry(3)]
    await write(table, OutboxBatch([entry(300)], 249, 1000))
    assert [one.seq for one in await read(table, 0, 10)] == [250, 300]
    await writer.aclose()

    writer = Writer(tmp_path / "store.db", [create_outbox])
    await writer.start()
    state = await OutboxTable(writer).open("other")
    await writer.aclose()
    assert state == OutboxState("epoch", 1000, 249, 2)
