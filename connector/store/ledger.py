"""The invitation ledger: who was invited, kept on disk before anything is sent.

A claim is one transaction, so two calls of one number at the same moment can't both pass; and it is durable
before the request, so a crash between the two loses an invitation but never doubles one.
"""

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, TypeVar

from connector.domain.invitations import HubOutcome, InvitationOutcome, InvitationStatus, Invite, Refusal

if TYPE_CHECKING:
    import asyncio

Result = TypeVar("Result")

# Numbers of callers are personal data: kept as long as a complaint about a message is likely, no longer.
# Call ids are never used twice, so forgetting an old call allows nothing.
KEEP_SECONDS = 7 * 86_400
# Entries a crash can leave open: at most one a worker; a larger number is read in the next start.
MAX_RECOVERED = 1_000

_PENDING = "pending"


class JobRunner(Protocol):
    """The part of the store's writer that is needed here."""

    def submit(self, job: Callable[[sqlite3.Connection], Result]) -> "asyncio.Future[Result]":
        """Run `job` in the writer's thread; the future resolves after its transaction is durable."""


def create_ledger(connection: sqlite3.Connection) -> None:
    """The ledger's table; called once by the store's migrations."""
    connection.execute(
        "CREATE TABLE invitations ("
        " id TEXT PRIMARY KEY, call TEXT NOT NULL UNIQUE, number TEXT NOT NULL, device TEXT NOT NULL,"
        " agent TEXT NOT NULL, at REAL NOT NULL, status TEXT NOT NULL, hub_id TEXT NOT NULL DEFAULT '',"
        " reason TEXT NOT NULL DEFAULT '')"
    )
    connection.execute("CREATE INDEX invitations_by_number ON invitations (number, at)")
    connection.execute("CREATE INDEX invitations_by_time ON invitations (at)")
    connection.execute("CREATE INDEX invitations_pending ON invitations (id) WHERE status = 'pending'")


class InvitationLedger:
    """Implements the port of the same name. `interval_seconds` is the peace a number has between two."""

    def __init__(self, writer: JobRunner, interval_seconds: float) -> None:
        self._writer = writer
        self._interval_seconds = interval_seconds

    async def claim(self, invitation_id: str, invite: Invite, at: datetime) -> Refusal | None:
        """Take the call, for ever, and the number, for the interval; None is the right to send once.

        An invitation that certainly was not sent leaves its number free. Raises `StoreError`.
        """

        def job(connection: sqlite3.Connection) -> Refusal | None:
            connection.execute("DELETE FROM invitations WHERE at < ?", (at.timestamp() - KEEP_SECONDS,))
            refusal = _refusal(connection, invite, at.timestamp(), self._interval_seconds)
            if refusal is None:
                _insert(connection, invitation_id, invite, at.timestamp())
            return refusal

        return await self._writer.submit(job)

    async def settle(self, invitation_id: str, outcome: HubOutcome) -> None:
        """Write down how a claimed invitation ended. Raises `StoreError`."""

        def job(connection: sqlite3.Connection) -> None:
            connection.execute(
                "UPDATE invitations SET status = ?, hub_id = ?, reason = ? WHERE id = ? AND status = ?",
                (outcome.status, outcome.hub_id, outcome.reason, invitation_id, _PENDING),
            )

        await self._writer.submit(job)

    async def recover(self, at: datetime) -> Sequence[InvitationOutcome]:
        """Turn what a crash left open into UNKNOWN, and return it, oldest first. Raises `StoreError`.

        Only before the first claim of a process: an open entry is then nobody's work any more.
        """

        def job(connection: sqlite3.Connection) -> list[InvitationOutcome]:
            rows = connection.execute(
                "SELECT id, call, device, agent, number FROM invitations"
                " WHERE status = ? ORDER BY at LIMIT ?",
                (_PENDING, MAX_RECOVERED),
            ).fetchall()
            lost = HubOutcome(InvitationStatus.UNKNOWN, reason="interrupted")
            connection.executemany(
                "UPDATE invitations SET status = ?, reason = ? WHERE id = ?",
                [(lost.status, lost.reason, row[0]) for row in rows],
            )
            return [
                InvitationOutcome(
                    id=row[0],
                    call=row[1],
                    device=row[2],
                    agent=row[3],
                    status=lost.status,
                    reason=lost.reason,
                    to=row[4],
                    at=at,
                )
                for row in rows
            ]

        return await self._writer.submit(job)


def _refusal(connection: sqlite3.Connection, invite: Invite, at: float, interval: float) -> Refusal | None:
    known_call = connection.execute("SELECT 1 FROM invitations WHERE call = ?", (invite.call,)).fetchone()
    if known_call is not None:
        return Refusal.DUPLICATE
    # Both sides of `at`: the wall clock may have been set back since.
    recent = connection.execute(
        "SELECT 1 FROM invitations WHERE number = ? AND at > ? AND at < ? AND status <> ? LIMIT 1",
        (invite.to, at - interval, at + interval, InvitationStatus.FAILED),
    ).fetchone()
    return None if recent is None else Refusal.RATE_NUMBER


def _insert(connection: sqlite3.Connection, invitation_id: str, invite: Invite, at: float) -> None:
    connection.execute(
        "INSERT INTO invitations (id, call, number, device, agent, at, status) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (invitation_id, invite.call, invite.to, invite.device, invite.agent_id, at, _PENDING),
    )
