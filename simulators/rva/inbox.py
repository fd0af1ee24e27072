"""Every phone of the simulated world in one inbox: what a customer would have received. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from connector.domain.invitations import InvitationOptions

# A day of demonstrations; the oldest message goes first.
MAX_MESSAGES = 500
# A search is typed by a person: a number, a name, a word.
MAX_SEARCH_CHARS = 64


class DeliveryState(StrEnum):
    """What the simulated mobile network says of a message."""

    ACCEPTED = "accepted"
    DELIVERED = "delivered"


@dataclass(frozen=True, slots=True)
class Message:
    """One SMS. `to` is E.164, `agent` the expert's user id, `at` UTC; `token` ends the `link`."""

    id: str
    to: str
    agent: str
    options: InvitationOptions
    at: datetime
    token: str
    link: str
    text: str
    state: DeliveryState = DeliveryState.ACCEPTED


class SmsInbox:
    """The newest messages, each told to every watcher when it comes and when its state changes."""

    def __init__(self, limit: int = MAX_MESSAGES) -> None:
        self._limit = limit
        self._messages: dict[str, Message] = {}
        self._by_token: dict[str, str] = {}
        self._watchers: list[Callable[[Message], None]] = []

    def __len__(self) -> int:
        return len(self._messages)

    def accept(self, message: Message) -> None:
        """Take a message whose id and token are new."""
        while len(self._messages) >= self._limit:
            oldest = self._messages.pop(next(iter(self._messages)))
            del self._by_token[oldest.token]
        self._messages[message.id] = message
        self._by_token[message.token] = message.id
        self._tell(message)

    def deliver(self, message_id: str) -> None:
        """The network reports the message as delivered; nothing if it is no longer kept."""
        message = self._messages.get(message_id)
        if message is not None:
            delivered = replace(message, state=DeliveryState.DELIVERED)
            self._messages[message_id] = delivered
            self._tell(delivered)

    def messages(self, search: str = "") -> list[Message]:
        """Newest first; with `search`, those whose number, text or expert contains it, whatever the case."""
        wanted = search.strip().casefold()[:MAX_SEARCH_CHARS]
        return [
            message
            for message in reversed(self._messages.values())
            if wanted in f"{message.to}\n{message.text}\n{message.agent}".casefold()
        ]

    def by_token(self, token: str) -> Message | None:
        """The message whose link ends with `token`."""
        message_id = self._by_token.get(token)
        return None if message_id is None else self._messages[message_id]

    def watch(self, watcher: Callable[[Message], None]) -> Callable[[], None]:
        """Call `watcher` from now on; the returned function ends it."""
        self._watchers.append(watcher)
        return lambda: self._watchers.remove(watcher)

    def _tell(self, message: Message) -> None:
        for watcher in tuple(self._watchers):
            watcher(message)
