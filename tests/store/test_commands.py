"""The command ledger on a real disk, and the desk on top of it across kills."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connector.domain.calls import ConnectionId
from connector.domain.commands import (
    CommandDone,
    CommandRefused,
    Outcome,
    Refused,
    Remembered,
    Verb,
)
from connector.domain.errors import StoreError
from connector.store import commands as table
from connector.store.commands import KEEP_SECONDS, CommandTable, create_commands
from connector.store.writer import Writer

AT = datetime(2026, 11, 20, 9, 0, 0, 250_000, UTC)
UNKNOWN = CommandRefused(Refused.UNKNOWN_OUTCOME)


@pytest.fixture
async def writer(tmp_path: Path) -> AsyncIterator[Writer]:
    writer = Writer(tmp_path / "store.sqlite", [create_commands])
    await writer.start()
    yield writer
    await writer.aclose()


@pytest.fixture
def ledger(writer: Writer) -> CommandTable:
    return CommandTable(writer)


def begun(id_: str = "cmd-1", *, at: datetime = AT) -> Remembered:
    return Remembered(
        id=id_,
        verb=Verb.MAKE_CALL,
        device="3001",
        user="anna",
        fingerprint="f00d",
        at=at,
        deadline=at + timedelta(seconds=30),
    )


def ids_on_disk(path: Path) -> list[str]:
    other = sqlite3.connect(path)
    try:
        return [row[0] for row in other.execute("SELECT id FROM commands ORDER BY at")]
    finally:
        other.close()


async def test_a_claim_is_on_disk_when_it_is_granted(ledger: CommandTable, tmp_path: Path) -> None:
    await ledger.claim(begun())
    assert ids_on_disk(tmp_path / "store.sqlite") == ["cmd-1"]


async def test_an_id_is_claimed_once(ledger: CommandTable) -> None:
    await ledger.claim(begun())
    with pytest.raises(StoreError):
        await ledger.claim(begun(at=AT + timedelta(seconds=KEEP_SECONDS)))
    assert (await ledger.recover(AT)).interrupted == ("cmd-1",)


@pytest.mark.parametrize(
    "outcome",
    [
        CommandDone(),
        CommandDone((ConnectionId("2AD8", "3001"), ConnectionId('"é', ""))),
        *(CommandRefused(reason) for reason in Refused),
        CommandRefused(Refused.PBX, "noCallToAnswer"),
    ],
)
async def test_an_outcome_is_read_as_it_was_written(ledger: CommandTable, outcome: Outcome) -> None:
    await ledger.claim(begun())
    await ledger.settle("cmd-1", outcome)
    recovery = await ledger.recover(AT)
    assert recovery.interrupted == ()
    (known,) = recovery.commands
    assert known.outcome == outcome
    assert (known.id, known.verb, known.device, known.user) == ("cmd-1", Verb.MAKE_CALL, "3001", "anna")
    assert (known.fingerprint, known.at, known.deadline) == ("f00d", AT, AT + timedelta(seconds=30))


async def test_what_ran_when_the_process_ended_is_unknown_for_good(ledger: CommandTable) -> None:
    await ledger.claim(begun("1"))
    await ledger.settle("1", CommandDone())
    await ledger.claim(begun("2", at=AT + timedelta(seconds=1)))
    recovery = await ledger.recover(AT)
    assert recovery.interrupted == ("2",)
    assert [(one.id, one.outcome) for one in recovery.commands] == [("1", CommandDone()), ("2", UNKNOWN)]
    with pytest.raises(StoreError):
        await ledger.settle("2", CommandDone())
    again = await ledger.recover(AT)
    assert again.interrupted == ()
    assert again.commands == recovery.commands


async def test_a_command_that_was_never_begun_can_not_end(ledger: CommandTable) -> None:
    with pytest.raises(StoreError):
        await ledger.settle("never", CommandDone())


async def test_a_day_is_kept_and_the_rest_goes_in_small_batches(
    ledger: CommandTable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "_DELETED_AT_A_TIME", 2)
    for number in range(5):
        await ledger.claim(begun(str(number), at=AT + timedelta(seconds=number)))
    a_day_later = AT + timedelta(seconds=KEEP_SECONDS + 4)
    assert [one.id for one in (await ledger.recover(a_day_later)).commands] == ["4"]
    await ledger.claim(begun("5", at=a_day_later))
    assert ids_on_disk(tmp_path / "store.sqlite") == ["2", "3", "4", "5"]
    await ledger.claim(begun("6", at=a_day_later))
    assert ids_on_disk(tmp_path / "store.sqlite") == ["4", "5", "6"]


async def test_an_id_older_than_a_day_may_be_used_again_whatever_waits_before_it(
    ledger: CommandTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "_DELETED_AT_A_TIME", 0)
    await ledger.claim(begun())
    await ledger.claim(begun(at=AT + timedelta(seconds=KEEP_SECONDS + 1)))


async def test_the_newest_are_read_when_there_are_too_many(
    ledger: CommandTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "MAX_REMEMBERED", 2)
    for number in range(4):
        await ledger.claim(begun(str(number), at=AT + timedelta(seconds=number)))
    assert [one.id for one in (await ledger.recover(AT)).commands] == ["2", "3"]


@pytest.mark.parametrize("answer", ["", "{", "[]", '["maybe", ""]', "7"])
async def test_an_answer_that_nobody_wrote_is_unknown(
    ledger: CommandTable, writer: Writer, answer: str
) -> None:
    await ledger.claim(begun())

    def spoil(connection: sqlite3.Connection) -> None:
        connection.execute("UPDATE commands SET state = 'refused', answer = ?", (answer,))

    await writer.submit(spoil)
    assert [one.outcome for one in (await ledger.recover(AT)).commands] == [UNKNOWN]


async def test_a_closed_store_is_an_error(tmp_path: Path) -> None:
    ledger = CommandTable(Writer(tmp_path / "store.sqlite", [create_commands]))
    with pytest.raises(StoreError):
        await ledger.claim(begun())
    with pytest.raises(StoreError):
        await ledger.settle("cmd-1", CommandDone())
    with pytest.raises(StoreError):
        await ledger.recover(AT)


async def test_many_at_once_are_all_kept(ledger: CommandTable, tmp_path: Path) -> None:
    async def one(number: int) -> None:
        await ledger.claim(begun(str(number)))
        await ledger.settle(str(number), CommandDone())

    await asyncio.gather(*(one(number) for number in range(300)))
    assert len(ids_on_disk(tmp_path / "store.sqlite")) == 300
    recovery = await ledger.recover(AT)
    assert recovery.interrupted == ()
    assert {known.outcome for known in recovery.commands} == {CommandDone()}
