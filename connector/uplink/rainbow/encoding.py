"""What our events are called in this dialect. Implements `connector.domain.cloud.EventEncoder`."""

from connector.domain.call_model import CallUpdate
from connector.domain.invitations import InvitationOutcome
from connector.wire.pcg import csta, rva


class RainbowEncoder:
    """Bodies of the csta and rva channels; the outbox adds the numbers."""

    def call_event(self, update: CallUpdate) -> str:
        """The ECMA-323 element. Raises `TranslationError`."""
        return csta.event_body(update.event)

    def invitation(self, outcome: InvitationOutcome) -> str:
        """The element of the rva channel."""
        return rva.invitation_event(outcome)
