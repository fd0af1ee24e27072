"""Carries call events from the PBX to the outbox, each with the stable id of its call."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

from connector.bridge.drafts import Draft
from connector.bridge.outbox import Outbox
from connector.domain.call_model import CallModel, CallUpdate, LiveLeg
from connector.domain.calls import (
    CallCleared,
    CallEvent,
    Conferenced,
    ConnectionCleared,
    DeviceSnapshot,
    Diverted,
    Failed,
    Transferred,
)
from connector.domain.cloud import EventEncoder
from connector.domain.errors import TranslationError
from connector.domain.invitations import InvitationOutcome

# protocol.md section 3: what a later reader needs to know that the call happened and how it ended.
_DURABLE = (CallCleared, ConnectionCleared, Failed, Transferred, Conferenced, Diverted)


class CallRelay:
    """`watch` is told every update: the invitations and those who follow the calls."""

    def __init__(
        self,
        model: CallModel,
        outbox: Outbox,
        encoder: EventEncoder,
        monotonic: Callable[[], float],
        watch: Callable[[CallUpdate], None],
    ) -> None:
        self._model = model
        self._outbox = outbox
        self._encoder = encoder
        self._monotonic = monotonic
        self._watch = watch
        self.counts: Counter[str] = Counter()
        self.untranslatable = 0

    @property
    def live_calls(self) -> int:
        """How many calls live."""
        return len(self._model)

    def live_legs(self) -> Sequence[LiveLeg]:
        """Who is in a call now."""
        return tuple(self._model.live_legs())

    def call_event(self, event: CallEvent) -> None:
        """A monitored device reported `event`."""
        self._relay(self._model.apply(event, self._monotonic()))

    def device_snapshot(self, snapshot: DeviceSnapshot, at: datetime) -> None:
        """A device's connections as read after a gap: calls that ended meanwhile end as unknown."""
        for update in self._model.reconcile(snapshot, at, self._monotonic()):
            self._relay(update)

    def invitation_ended(self, outcome: InvitationOutcome) -> None:
        """An invitation was sent, refused, failed, or nobody knows: told once, durably."""
        body = self._encoder.invitation(outcome)
        # The caller may have hung up since, or the outcome be one that an earlier process left open.
        is_late = not self._model.is_alive(outcome.call)
        self._outbox.append(
            Draft(
                device=outcome.device,
                call=outcome.call,
                at=outcome.at,
                end=None,
                body=body,
                durable=True,
                late=is_late,
            )
        )

    def _relay(self, update: CallUpdate) -> None:
        event = update.event
        self.counts[type(event).__name__] += 1
        self._watch(update)
        try:
            body = self._encoder.call_event(update)
        except TranslationError:
            self.untranslatable += 1
            return
        end = None if update.end is None else update.end.value
        is_durable = isinstance(event, _DURABLE)
        self._outbox.append(Draft(is_durable, update.device, update.call_id, event.at, end, body))
