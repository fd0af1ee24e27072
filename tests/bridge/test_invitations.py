import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from connector.bridge.invitations import MAX_WAIT_SECONDS, MAX_WAITING, WORKERS, InvitationDesk
from connector.domain.call_model import CallUpdate
from connector.domain.calls import CallCleared, ConnectionId, LocalState, Party
from connector.domain.errors import StoreError
from connector.domain.faults import FaultId
from connector.domain.invitations import (
    HubOutcome,
    InvitationOutcome,
    InvitationStatus,
    Invite,
    Refusal,
    Refuse,
)

AT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
SENT = HubOutcome(InvitationStatus.SENT, "h-1")
EXPERT = Party("3001")


class FakeClock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return AT

    def monotonic(self) -> float:
        return self.seconds


class FakeHub:
    """Answers at once, or when the gate is opened."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer = SENT
        self.gate = asyncio.Event()
        self.gate.set()
        self.most_at_once = 0
        self._at_once = 0

    async def invite(self, invite: Invite) -> HubOutcome:
        self.asked.append(invite.call)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        await self.gate.wait()
        self._at_once -= 1
        return self.answer


class FakeLedger:
    """Keeps what it is asked in order; grants unless told otherwise."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, str]] = []
        self.refusal: Refusal | None = None
        self.broken: set[str] = set()
        self.left_open: list[InvitationOutcome] = []

    async def claim(self, invitation_id: str, invite: Invite, at: datetime) -> Refusal | None:
        self._step("claim", invitation_id)
        return self.refusal

    async def settle(self, invitation_id: str, outcome: HubOutcome) -> None:
        self._step("settle", invitation_id)

    async def recover(self, at: datetime) -> Sequence[InvitationOutcome]:
        self._step("recover", "")
        return self.left_open

    def _step(self, name: str, invitation_id: str) -> None:
        self.steps.append((name, invitation_id))
        if name in self.broken:
            raise StoreError(FaultId.STORE_UNUSABLE)


def invite_all(update: CallUpdate) -> Invite | Refuse | None:
    return Invite(update.call_id, update.device, "anna", "+33639980001")


def refuse_all(update: CallUpdate) -> Invite | Refuse | None:
    return Refuse(update.call_id, update.device, "anna", Refusal.COUNTRY, "+447700900123")


def ignore_all(update: CallUpdate) -> Invite | Refuse | None:
    return None


class Office:
    """A desk with everything around it in sight."""

    def __init__(self, policy: Callable[[CallUpdate], Invite | Refuse | None] = invite_all) -> None:
        self.clock = FakeClock()
        self.hub = FakeHub()
        self.ledger = FakeLedger()
        self.told: list[InvitationOutcome] = []
        numbers = itertools.count(1)
        self.desk = InvitationDesk(
            policy,
            self.hub,
            self.ledger,
            self.told.append,
            clock=self.clock,
            new_id=lambda: f"i-{next(numbers)}",
        )

    def call(self, call_id: str) -> None:
        event = CallCleared(
            device="3001", connection=ConnectionId("17", "3001"), state=LocalState.NULL, cause=None, at=AT
        )
        self.desk.call_update(CallUpdate(call_id, "3001", event, EXPERT, EXPERT))

    @property
    def endings(self) -> list[tuple[str, str, str]]:
        return [(outcome.call, str(outcome.status), outcome.reason) for outcome in self.told]


async def settled() -> None:
    """Let every task that can go on do so."""
    for _ in range(20):
        await asyncio.sleep(0)


@asynccontextmanager
async def running(office: Office) -> AsyncIterator[None]:
    task = asyncio.create_task(office.desk.run())
    try:
        await settled()
        yield
        await settled()
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_an_invitation_is_claimed_then_sent_then_settled_and_told() -> None:
    office = Office()
    async with running(office):
        office.call("c-1")
    assert office.ledger.steps == [("recover", ""), ("claim", "i-1"), ("settle", "i-1")]
    assert office.told == [
        InvitationOutcome(
            id="i-1",
            call="c-1",
            device="3001",
            agent="anna",
            status=InvitationStatus.SENT,
            reason="",
            to="+33639980001",
            at=AT,
        )
    ]


async def test_a_refusal_of_the_policy_is_told_at_once_and_never_claimed() -> None:
    office = Office(refuse_all)
    office.call("c-1")
    assert office.endings == [("c-1", "refused", "country")]
    assert office.ledger.steps == []


async def test_an_update_that_concerns_nobody_is_silent() -> None:
    office = Office(ignore_all)
    async with running(office):
        office.call("c-1")
    assert office.told == []


async def test_what_the_ledger_refuses_is_not_sent() -> None:
    office = Office()
    office.ledger.refusal = Refusal.RATE_NUMBER
    async with running(office):
        office.call("c-1")
    assert office.hub.asked == []
    assert office.endings == [("c-1", "refused", "rate-number")]


async def test_without_a_ledger_nothing_is_sent() -> None:
    office = Office()
    office.ledger.broken = {"claim"}
    async with running(office):
        office.call("c-1")
    assert office.hub.asked == []
    assert office.endings == [("c-1", "failed", "store")]


async def test_an_outcome_that_can_not_be_written_is_told_all_the_same() -> None:
    office = Office()
    office.ledger.broken = {"settle"}
    async with running(office):
        office.call("c-1")
        office.call("c-2")
    assert office.endings == [("c-1", "sent", ""), ("c-2", "sent", "")]


async def test_the_hubs_failure_is_told_and_not_tried_again() -> None:
    office = Office()
    office.hub.answer = HubOutcome(InvitationStatus.UNKNOWN, reason="timeout")
    async with running(office):
        office.call("c-1")
    assert office.hub.asked == ["c-1"]
    assert office.endings == [("c-1", "unknown", "timeout")]


async def test_the_hub_is_asked_by_few_at_a_time_and_each_once() -> None:
    office = Office()
    office.hub.gate.clear()
    calls = [f"c-{number}" for number in range(10)]
    async with running(office):
        for call in calls:
            office.call(call)
        await settled()
        assert len(office.hub.asked) == WORKERS
        office.hub.gate.set()
    assert office.hub.most_at_once == WORKERS
    assert sorted(office.hub.asked) == calls
    assert sorted(call for call, _, _ in office.endings) == calls


async def test_a_caller_too_many_is_counted_and_told() -> None:
    office = Office()
    for number in range(MAX_WAITING + 1):
        office.call(f"c-{number}")
    assert office.desk.overflowed == 1
    assert office.endings == [(f"c-{MAX_WAITING}", "failed", "overflow")]


async def test_who_waited_too_long_is_not_invited_any_more() -> None:
    office = Office()
    office.call("c-1")
    office.clock.seconds = MAX_WAIT_SECONDS + 1
    office.call("c-2")
    async with running(office):
        pass
    assert office.endings == [("c-1", "refused", "expired"), ("c-2", "sent", "")]
    assert office.hub.asked == ["c-2"]


async def test_what_an_earlier_process_left_open_is_told_first() -> None:
    office = Office()
    lost = InvitationOutcome(
        "i-0", "c-0", "3001", "anna", InvitationStatus.UNKNOWN, "interrupted", "+33639980001", AT
    )
    office.ledger.left_open = [lost]
    office.call("c-1")
    async with running(office):
        pass
    assert office.endings == [("c-0", "unknown", "interrupted"), ("c-1", "sent", "")]


async def test_at_the_end_those_who_wait_are_told_and_the_one_under_way_is_the_ledgers() -> None:
    office = Office()
    office.hub.gate.clear()
    async with running(office):
        for number in range(WORKERS + 1):
            office.call(f"c-{number}")
    assert office.endings == [(f"c-{WORKERS}", "failed", "stopped")]
    assert ("settle", "i-1") not in office.ledger.steps


def test_no_number_is_in_a_representation() -> None:
    outcome = InvitationOutcome("i", "c", "3001", "anna", InvitationStatus.SENT, "", "+33639980001", AT)
    for thing in (outcome, Invite("c", "3001", "anna", "+33639980001")):
        assert "639980001" not in repr(thing)


async def test_switched_off_cuts_what_is_asked_and_asks_nothing_more() -> None:
    office = Office()
    office.hub.gate.clear()
    async with running(office):
        for number in range(WORKERS + 1):
            office.call(f"c-{number}")
        await settled()
        office.desk.pause()
        await settled()
        assert len(office.hub.asked) == WORKERS
        # A message may have gone out for those that were asked; certainly not for the one that waited.
        assert sorted(office.endings) == [
            ("c-0", "unknown", "disabled"),
            ("c-1", "unknown", "disabled"),
            ("c-2", "failed", "disabled"),
        ]
        office.hub.gate.set()
        office.desk.resume()
        office.call("c-9")
        await settled()
        assert office.endings[-1] == ("c-9", "sent", "")


@pytest.mark.usefixtures("no_task_left")
async def test_the_end_of_the_desk_cuts_what_is_asked_too() -> None:
    office = Office()
    office.hub.gate.clear()
    async with running(office):
        office.call("c-1")
        await settled()
    assert office.endings == [], "the ledger returns it at the next start"
