"""From call updates to invitations: decided at once, sent by a few workers, each outcome told once."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from connector.domain.call_model import CallUpdate
from connector.domain.errors import StoreError
from connector.domain.invitations import (
    HubOutcome,
    InvitationHub,
    InvitationLedger,
    InvitationOutcome,
    InvitationStatus,
    Invite,
    Refusal,
    Refuse,
)
from connector.domain.ports import Clock

# Requests to the hub at a time: enough for a site's experts, too few to pump messages (the vendor's hub
# states no limit of its own).
WORKERS = 2
# Callers waiting for a worker. With a hub that hangs, two workers pass 12 a minute at the default timeout:
# more than this would be late anyway.
MAX_WAITING = 100
# An invitation that comes later than this surprises a caller who has hung up.
MAX_WAIT_SECONDS = 60.0

Policy = Callable[[CallUpdate], Invite | Refuse | None]
Report = Callable[[InvitationOutcome], None]


@dataclass(frozen=True, slots=True)
class _Waiting:
    id: str
    invite: Invite
    since_monotonic: float


class InvitationDesk:
    """Takes call updates, invites whom `policy` says, and calls `report` exactly once for each decision.

    `new_id` makes ids that are never used twice. An invitation cut off by the end of `run` while the hub is
    asked is the exception: the ledger returns it at the next start.

    While it is paused nobody is invited, and no connection to the hub is open.
    """

    def __init__(
        self,
        policy: Policy,
        hub: InvitationHub,
        ledger: InvitationLedger,
        report: Report,
        *,
        clock: Clock,
        new_id: Callable[[], str],
    ) -> None:
        self._policy = policy
        self._hub = hub
        self._ledger = ledger
        self._report = report
        self._clock = clock
        self._new_id = new_id
        self._waiting: asyncio.Queue[_Waiting] = asyncio.Queue(MAX_WAITING)
        self._asking: set[asyncio.Task[HubOutcome]] = set()
        self._is_paused = False
        self.overflowed = 0

    def pause(self) -> None:
        """The agent is switched off: cut what is being asked, and ask nothing more."""
        self._is_paused = True
        for asking in self._asking:
            asking.cancel()

    def resume(self) -> None:
        """Switched on again. Whoever was to be invited meanwhile is not."""
        self._is_paused = False

    def call_update(self, update: CallUpdate) -> None:
        """Decide on `update`; never blocks. A caller too many is reported as failed and counted."""
        decision = self._policy(update)
        if decision is None:
            return
        if isinstance(decision, Refuse):
            invite = Invite(decision.call, decision.device, decision.agent_id, decision.to)
            self._tell(self._new_id(), invite, _refused(decision.reason))
            return
        waiting = _Waiting(self._new_id(), decision, self._clock.monotonic())
        try:
            self._waiting.put_nowait(waiting)
        except asyncio.QueueFull:
            self.overflowed += 1
            self._tell(waiting.id, decision, HubOutcome(InvitationStatus.FAILED, reason="overflow"))

    async def run(self) -> None:
        """Report what an earlier process left open, then send until cancelled. Raises `StoreError`.

        Those still waiting at the end are reported as failed.
        """
        try:
            for outcome in await self._ledger.recover(self._clock.now()):
                self._report(outcome)
            async with asyncio.TaskGroup() as workers:
                for _ in range(WORKERS):
                    workers.create_task(self._work())
        finally:
            while not self._waiting.empty():
                left = self._waiting.get_nowait()
                self._tell(left.id, left.invite, HubOutcome(InvitationStatus.FAILED, reason="stopped"))

    async def _work(self) -> None:
        while True:
            waiting = await self._waiting.get()
            self._tell(waiting.id, waiting.invite, await self._send(waiting))

    async def _send(self, waiting: _Waiting) -> HubOutcome:
        if self._clock.monotonic() - waiting.since_monotonic > MAX_WAIT_SECONDS:
            return _refused(Refusal.EXPIRED)
        if self._is_paused:
            return HubOutcome(InvitationStatus.FAILED, reason="disabled")
        try:
            refusal = await self._ledger.claim(waiting.id, waiting.invite, self._clock.now())
        except StoreError:
            # Without the ledger nothing could keep a second message away.
            return HubOutcome(InvitationStatus.FAILED, reason="store")
        if refusal is not None:
            return _refused(refusal)
        outcome = await self._ask(waiting.invite)
        # Unsettled, the claim still stands and nobody is invited twice; the next start ends it as unknown.
        with contextlib.suppress(StoreError):
            await self._ledger.settle(waiting.id, outcome)
        return outcome

    async def _ask(self, invite: Invite) -> HubOutcome:
        """Ask the hub, until `pause` cuts it: then a message may or may not have gone out."""
        asking = asyncio.ensure_future(self._hub.invite(invite))
        self._asking.add(asking)
        try:
            await asyncio.wait([asking])
        except asyncio.CancelledError:
            asking.cancel()
            await asyncio.wait([asking])
            raise
        finally:
            self._asking.discard(asking)
        return (
            HubOutcome(InvitationStatus.UNKNOWN, reason="disabled") if asking.cancelled() else asking.result()
        )

    def _tell(self, invitation_id: str, invite: Invite, outcome: HubOutcome) -> None:
        self._report(
            InvitationOutcome(
                id=invitation_id,
                call=invite.call,
                device=invite.device,
                agent=invite.agent_id,
                status=outcome.status,
                reason=outcome.reason,
                to=invite.to,
                at=self._clock.now(),
            )
        )


def _refused(reason: Refusal) -> HubOutcome:
    return HubOutcome(InvitationStatus.REFUSED, reason=reason)
