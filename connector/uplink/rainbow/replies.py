"""Answers that take longer than a stream may live: they wait for the stream that goes on with its session."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from connector.wire.xmpp.stanzas import OwedRequest

# A stream owes at most some hundred answers; more are of streams that are gone for good.
MAX_PARKED = 1_024


@dataclass(frozen=True, slots=True)
class Reply:
    """A result with `payload`, or the stanza error `condition` with a text and perhaps a payload.

    `followed_by` are the payloads of messages that belong to it.
    """

    payload: str = ""
    condition: str = ""
    text: str = ""
    followed_by: Sequence[str] = ()


class Replier(Protocol):
    """A link that can answer now."""

    def reply(self, owed: OwedRequest, reply: Reply) -> None:
        """Answer what is owed; nothing happens if it is not owed any more."""


class Replies:
    """One for all lives of the cloud link."""

    def __init__(self) -> None:
        self._link: Replier | None = None
        self._parked: dict[OwedRequest, Reply] = {}

    def give(self, owed: OwedRequest, reply: Reply) -> None:
        """Answer now, or when the session goes on."""
        if self._link is not None:
            self._link.reply(owed, reply)
        elif len(self._parked) < MAX_PARKED:
            self._parked[owed] = reply

    def attach(self, link: Replier, *, goes_on: bool) -> None:
        """`link` answers from now on. A new session owes nothing of the one before."""
        self._link = link
        parked, self._parked = self._parked, {}
        if goes_on:
            for owed, reply in parked.items():
                link.reply(owed, reply)

    def detach(self) -> None:
        """The link is gone."""
        self._link = None
