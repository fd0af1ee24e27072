"""A store that was damaged anywhere: the start works, what can be read comes back, the file is put aside."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connector.domain.errors import StoreError
from connector.domain.outbox import OutboxBatch, OutboxEntry
from connector.store.outbox import OutboxTable, check_outbox, count_outbox, create_outbox
from connector.store.quarantine import create_quarantine
from connector.store.writer import Writer
from tests.store.tables import read_page, write

MIGRATIONS = (create_outbox, count_outbox, create_quarantine)
ROWS = 200
# 200 places in all, in parts so that each test is short.
PARTS, OFFSETS = 4, 50


def entry(seq: int) -> OutboxEntry:
    at = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
    return OutboxEntry(seq, True, "101", f"c-{seq}", at, "missed", f"<event number='{seq}'/>" * 5)


async def filled(path: Path) -> None:
    writer = Writer(path, MIGRATIONS)
    await writer.start()
    table = OutboxTable(writer)
    await table.open("epoch")
    await write(table, OutboxBatch([entry(n) for n in range(1, ROWS + 1)], 0, 1_000, "epoch"))
    await writer.aclose()


def damages(part: int, size: int) -> Iterator[tuple[str, int]]:
    chance = random.Random(20261120 + part)
    for _ in range(OFFSETS):
        yield chance.choice(("flip", "flip", "cut")), chance.randrange(size)


async def survives(path: Path) -> tuple[list[OutboxEntry], int]:
    """Start, read all, write and read again; what was read first, and how many files are aside."""
    writer = Writer(path, MIGRATIONS, check=check_outbox)
    await writer.start()
    table = OutboxTable(writer)
    await table.open("reborn")
    found = await read_page(table, 0, 1_000)
    for _ in range(2):
        state = await table.open("reborn")
        fresh = entry(state.last_seq + 1)
        try:
            await write(table, OutboxBatch([fresh], state.acknowledged_seq, fresh.seq, state.epoch))
        except StoreError:
            continue  # found to be damaged while it was written: the next one is a new file
        break
    page = await read_page(table, state.last_seq, 10)
    await writer.aclose()
    assert page is not None
    assert list(page.entries) == [fresh]
    return list(found.entries) if found else [], len(list(path.parent.glob("store.db.damaged-*Z")))


@pytest.mark.parametrize("part", range(PARTS))
async def test_a_start_survives_damage_anywhere_and_invents_nothing(tmp_path: Path, part: int) -> None:
    await filled(tmp_path / "store.db")
    sound = (tmp_path / "store.db").read_bytes()
    whole = {n: entry(n) for n in range(1, ROWS + 1)}
    replaced = 0
    for number, (kind, offset) in enumerate(damages(part, len(sound))):
        path = tmp_path / str(number) / "store.db"
        path.parent.mkdir()
        broken = bytearray(sound)
        broken[offset] ^= 1 << (offset % 8)
        path.write_bytes(sound[:offset] if kind == "cut" else broken)
        found, aside = await survives(path)
        assert aside <= 1
        replaced += aside
        for one in found:
            assert whole.get(one.seq) == one, f"{kind} at {offset} made up an event"
    assert OFFSETS // 10 < replaced < OFFSETS, "some are beyond use, some lose a row or nothing"
