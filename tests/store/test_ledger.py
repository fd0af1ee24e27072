import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from connector.domain.errors import StoreError
from connector.domain.invitations import HubOutcome, InvitationStatus, Invite, Refusal
from connector.store.ledger import KEEP_SECONDS, InvitationLedger, create_ledger
from connector.store.writer import Writer

Result = TypeVar("Result")

AT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
INTERVAL_SECONDS = 600
SENT = HubOutcome(InvitationStatus.SENT, "h-1")
FAILED = HubOutcome(InvitationStatus.FAILED, reason="unreachable")
UNKNOWN = HubOutcome(InvitationStatus.UNKNOWN, reason="timeout")


@pytest.fixture
async def writer(tmp_path: Path) -> AsyncIterator[Writer]:
    writer = Writer(tmp_path / "store.sqlite", [create_ledger])
    await writer.start()
    yield writer
    await writer.aclose()


@pytest.fixture
def ledger(writer: Writer) -> InvitationLedger:
    return InvitationLedger(writer, INTERVAL_SECONDS)


def invite(call: str, to: str = "+33639980001") -> Invite:
    return Invite(call, "3001", "anna", to)


def later(seconds: float) -> datetime:
    return AT + timedelta(seconds=seconds)


async def rows(writer: Writer) -> list[tuple[str, str, str, str]]:
    def job(connection: sqlite3.Connection) -> list[tuple[str, str, str, str]]:
        return connection.execute("SELECT id, status, hub_id, reason FROM invitations ORDER BY at").fetchall()

    return await writer.submit(job)


async def test_a_claim_is_on_disk_before_it_is_granted(writer: Writer, tmp_path: Path) -> None:
    assert await InvitationLedger(writer, INTERVAL_SECONDS).claim("i-1", invite("c-1"), AT) is None
    other = sqlite3.connect(tmp_path / "store.sqlite")
    try:
        assert other.execute("SELECT id, call, number, status FROM invitations").fetchall() == [
            ("i-1", "c-1", "+33639980001", "pending")
        ]
    finally:
        other.close()


async def test_a_call_is_invited_once_whatever_its_number(ledger: InvitationLedger) -> None:
    assert await ledger.claim("i-1", invite("c-1"), AT) is None
    again = await ledger.claim("i-2", invite("c-1", "+33639980002"), later(86_400))
    assert again is Refusal.DUPLICATE


@pytest.mark.parametrize(
    ("seconds", "refusal"),
    [
        (0, Refusal.RATE_NUMBER),
        (INTERVAL_SECONDS - 1, Refusal.RATE_NUMBER),
        (INTERVAL_SECONDS, None),
        # The clock was set back after the first claim: a little, or far.
        (1 - INTERVAL_SECONDS, Refusal.RATE_NUMBER),
        (-INTERVAL_SECONDS, None),
    ],
)
@pytest.mark.parametrize("outcome", [None, SENT, UNKNOWN])
async def test_a_number_has_peace_for_the_interval(
    ledger: InvitationLedger, outcome: HubOutcome | None, seconds: float, refusal: Refusal | None
) -> None:
    await ledger.claim("i-1", invite("c-1"), AT)
    if outcome is not None:
        await ledger.settle("i-1", outcome)
    assert await ledger.claim("i-2", invite("c-2"), later(seconds)) is refusal


async def test_what_was_not_sent_leaves_the_number_free_but_not_the_call(ledger: InvitationLedger) -> None:
    await ledger.claim("i-1", invite("c-1"), AT)
    await ledger.settle("i-1", FAILED)
    assert await ledger.claim("i-2", invite("c-1"), later(1)) is Refusal.DUPLICATE
    assert await ledger.claim("i-3", invite("c-2"), later(1)) is None


async def test_another_number_is_not_held_back(ledger: InvitationLedger) -> None:
    await ledger.claim("i-1", invite("c-1"), AT)
    assert await ledger.claim("i-2", invite("c-2", "+33639980002"), AT) is None


async def test_of_many_claims_at_once_one_is_granted(ledger: InvitationLedger) -> None:
    answers = await asyncio.gather(*(ledger.claim(f"i-{n}", invite(f"c-{n}"), AT) for n in range(50)))
    assert answers.count(None) == 1
    assert answers.count(Refusal.RATE_NUMBER) == 49


async def test_an_invitation_is_settled_once(ledger: InvitationLedger, writer: Writer) -> None:
    await ledger.claim("i-1", invite("c-1"), AT)
    await ledger.settle("i-1", SENT)
    await ledger.settle("i-1", UNKNOWN)
    assert await rows(writer) == [("i-1", "sent", "h-1", "")]


async def test_after_a_crash_open_invitations_are_unknown_and_told_once(
    writer: Writer, tmp_path: Path
) -> None:
    ledger = InvitationLedger(writer, INTERVAL_SECONDS)
    await ledger.claim("i-1", invite("c-1"), AT)
    await ledger.settle("i-1", SENT)
    await ledger.claim("i-2", invite("c-2", "+33639980002"), later(1))
    await writer.aclose()

    reopened = Writer(tmp_path / "store.sqlite", [create_ledger])
    await reopened.start()
    try:
        ledger = InvitationLedger(reopened, INTERVAL_SECONDS)
        (lost,) = await ledger.recover(later(5))
        assert (lost.id, lost.call, lost.device, lost.agent) == ("i-2", "c-2", "3001", "anna")
        assert (lost.status, lost.reason, lost.to) == (
            InvitationStatus.UNKNOWN,
            "interrupted",
            "+33639980002",
        )
        assert lost.at == later(5)
        assert await ledger.recover(later(6)) == []
        assert await ledger.claim("i-3", invite("c-3", "+33639980002"), later(6)) is Refusal.RATE_NUMBER
        assert await ledger.claim("i-4", invite("c-2", "+33639980003"), later(6)) is Refusal.DUPLICATE
    finally:
        await reopened.aclose()


async def test_numbers_are_forgotten_after_a_week(ledger: InvitationLedger, writer: Writer) -> None:
    await ledger.claim("i-1", invite("c-1"), AT)
    await ledger.claim("i-2", invite("c-2", "+33639980002"), later(KEEP_SECONDS))
    assert [row[0] for row in await rows(writer)] == ["i-1", "i-2"]
    await ledger.claim("i-3", invite("c-3", "+33639980003"), later(KEEP_SECONDS + 1))
    assert [row[0] for row in await rows(writer)] == ["i-2", "i-3"]


async def test_each_question_uses_an_index(writer: Writer) -> None:
    questions = [
        "SELECT 1 FROM invitations WHERE call = ''",
        "SELECT 1 FROM invitations WHERE number = '' AND at > 0 AND at < 9 AND status <> 'failed'",
        "DELETE FROM invitations WHERE at < 0",
    ]

    def job(connection: sqlite3.Connection) -> list[str]:
        return [
            str(connection.execute(f"EXPLAIN QUERY PLAN {question}").fetchone()[3]) for question in questions
        ]

    assert all("INDEX" in plan for plan in await writer.submit(job))


async def test_without_a_store_nothing_is_granted(writer: Writer, ledger: InvitationLedger) -> None:
    await writer.aclose()
    with pytest.raises(StoreError):
        await ledger.claim("i-1", invite("c-1"), AT)


class Immediate:
    """A runner of the caller's thread, to see each job's transaction alone."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def submit(self, job: Callable[[sqlite3.Connection], Result]) -> "asyncio.Future[Result]":
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        future.set_result(job(self._connection))
        return future


async def test_a_claim_that_fails_half_way_leaves_nothing() -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    create_ledger(connection)
    ledger = InvitationLedger(Immediate(connection), INTERVAL_SECONDS)
    await ledger.claim("i-1", invite("c-1"), AT)
    with pytest.raises(sqlite3.IntegrityError):
        await ledger.claim("i-1", invite("c-2", "+33639980002"), AT)
    assert connection.execute("SELECT count(*) FROM invitations").fetchone() == (1,)
    connection.close()
