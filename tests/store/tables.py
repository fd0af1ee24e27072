"""The outbox's table, awaited."""

import asyncio

from connector.domain.outbox import OutboxBatch, OutboxPage
from connector.store.outbox import OutboxTable


async def write(table: OutboxTable, batch: OutboxBatch) -> None:
    """Raises what the store answers."""
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    table.write(batch, lambda error: done.set_exception(error) if error else done.set_result(None))
    await done


async def read_page(table: OutboxTable, after: int, limit: int) -> OutboxPage | None:
    """None when it can't be read."""
    done: asyncio.Future[OutboxPage | None] = asyncio.get_running_loop().create_future()
    table.read(after, limit, done.set_result)
    return await done
