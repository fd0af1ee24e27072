"""What the gateway saw, in order: bounded, queryable, and awaitable by tests and demos.

An entry keeps the frame as it came and decodes it when somebody reads it: most are never read, and the event
path is hot.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from itertools import islice

# About 15 MB of 700-byte frames; older entries are forgotten.
MAX_ENTRIES = 20_000
# One answer of the journal's query.
MAX_ANSWER = 1_000

Decoder = Callable[["Kind", str], Mapping[str, object]]


class Kind(StrEnum):
    """What an entry tells."""

    CONNECTED = "connected"
    RESUMED = "resumed"  # the agent came back to its session: nothing was greeted or asked anew
    DISCONNECTED = "disconnected"
    LOGIN_REFUSED = "login-refused"
    HELLO = "hello"
    ACTIVATION = "activation"  # name: proposed, acknowledged, refused, reset
    DEVICES = "devices"  # name: page, change
    SYSTEM_STATUS = "system-status"
    SNAPSHOT = "snapshot"
    CALL_EVENT = "call-event"  # name: the event's, e.g. delivered
    INVITATION = "invitation"  # name: the outcome's status
    GAP = "gap"
    DUPLICATE = "duplicate"
    CONFIGURATION = "configuration"  # name: settings, monitors, not-sent; reason: what the agent refused
    COMMAND = "command"  # name: the verb; without an outcome it was given, with one it was answered
    HTTP = "http"  # the answer to a request on the http channel
    REFUSED = "refused"  # a stanza that we answered with an error or dropped


@dataclass(slots=True, eq=False)
class Entry:
    """One fact. `id` only grows; `system` is a system's id or empty; `raw` the frame that told it, if any."""

    id: int
    at: datetime
    system: str
    kind: Kind
    raw: str = field(repr=False, default="")
    _known: Mapping[str, object] = field(repr=False, default_factory=dict)
    _decoder: Decoder | None = field(repr=False, default=None)

    @property
    def values(self) -> Mapping[str, object]:
        """The decoded content: plain text, numbers, booleans and lists of such."""
        if self._decoder is not None and self.raw:
            self._known = {**self._decoder(self.kind, self.raw), **self._known}
            self._decoder = None
        return self._known

    @property
    def name(self) -> str:
        """What happened, within the kind: "delivered" for a call event; else empty."""
        return str(self.values.get("name", ""))


@dataclass(frozen=True, slots=True)
class _Waiter:
    predicate: Callable[[Entry], bool]
    found: "asyncio.Future[Entry]"


class Journal:
    """Entries in the order in which they were added."""

    def __init__(self, decoder: Decoder | None = None, *, capacity: int = MAX_ENTRIES) -> None:
        self._entries: deque[Entry] = deque(maxlen=capacity)
        self._decoder = decoder
        self._waiters: list[_Waiter] = []
        self.last_id = 0

    def add(
        self,
        kind: Kind,
        at: datetime,
        system: str = "",
        raw: str = "",
        known: Mapping[str, object] | None = None,
    ) -> Entry:
        """Append one entry. `known` is content that needs no decoding."""
        self.last_id += 1
        entry = Entry(self.last_id, at, system, kind, raw, known or {}, self._decoder if raw else None)
        self._entries.append(entry)
        if self._waiters:
            self._tell(entry)
        return entry

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries)

    def find(
        self, *, since: int = 0, kind: str = "", system: str = "", limit: int = MAX_ANSWER
    ) -> list[Entry]:
        """The first `limit` entries with an id above `since`; an empty kind or system means any."""
        oldest = self.last_id - len(self._entries) + 1
        wanted = (
            entry
            for entry in islice(self._entries, max(0, since + 1 - oldest), None)
            if (not kind or entry.kind == kind) and (not system or entry.system == system)
        )
        return list(islice(wanted, limit))

    def latest(self, count: int) -> list[Entry]:
        """The last `count` entries, newest first."""
        return list(islice(reversed(self._entries), count))

    async def wait_for(
        self, predicate: Callable[[Entry], bool], timeout_seconds: float, *, since: int = 0
    ) -> Entry:
        """The first entry above `since` that satisfies `predicate`, kept or still to come.

        Raises TimeoutError, and whatever `predicate` raises.
        """
        for entry in self.find(since=since, limit=len(self._entries)):
            if predicate(entry):
                return entry
        waiter = _Waiter(predicate, asyncio.get_running_loop().create_future())
        self._waiters.append(waiter)
        try:
            async with asyncio.timeout(timeout_seconds):
                return await waiter.found
        finally:
            self._waiters.remove(waiter)

    def _tell(self, entry: Entry) -> None:
        for waiter in self._waiters:
            if waiter.found.done():
                continue
            try:
                if waiter.predicate(entry):
                    waiter.found.set_result(entry)
            except Exception as error:
                waiter.found.set_exception(error)
