"""Two ends of one session over connections that break: clients, servers, the line between, a journal."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from connector.wire.xmpp import sasl
from connector.wire.xmpp.client import StreamClient, StreamConfig
from connector.wire.xmpp.events import (
    ResumeAsked,
    SaltedPasswordWanted,
    StanzaReceived,
    StreamEvent,
)
from connector.wire.xmpp.limits import StreamLimits
from connector.wire.xmpp.server import ServerConfig, StreamServer
from connector.wire.xmpp.suspension import Checkpoint, SuspendedStream
from tests.wire.xmpp.pair import CODE, DOMAIN, KEYS, SALT, START, USER, known, numbered

JID = f"{USER}@{DOMAIN}/pbxagent"
GATEWAY = f"pbxpcg_1@{DOMAIN}/pbxpcg"
NOTE = "<note xmlns='urn:x'/>"
QUESTION = "<question xmlns='urn:x'/>"
SALTED = sasl.salted_password(CODE, SALT, sasl.MIN_ITERATIONS, "sha256")
# Time stands still here, so a rate could not be kept.
FREE = StreamLimits(stanzas_per_second=None)
_new_id = numbered("id")


@dataclass
class Journal:
    """What a disk would hold of the client's session: text and numbers, written checkpoint by checkpoint."""

    known: SuspendedStream | None = None
    sent: dict[int, str] = field(default_factory=dict)

    def write(self, delta: Checkpoint | None) -> None:
        """Make one checkpoint durable."""
        if delta is None:
            return
        owed = self.known.owed if self.known is not None and self.known.id == delta.id else ()
        if self.known is None or self.known.id != delta.id:
            self.sent.clear()
        self.sent |= {delta.first_number + index: text for index, text in enumerate(delta.sent)}
        self.sent = {number: text for number, text in self.sent.items() if number > delta.handled}
        self.known = SuspendedStream(
            delta.id,
            delta.jid,
            delta.max_seconds,
            delta.received,
            delta.handled,
            owed=owed if delta.owed is None else delta.owed,
        )

    def read(self) -> SuspendedStream | None:
        """What a new process finds."""
        if self.known is None:
            return None
        numbers = sorted(self.sent)
        assert numbers == list(range(self.known.handled + 1, self.known.handled + 1 + len(numbers)))
        return replace(self.known, unacked=tuple(self.sent[number] for number in numbers))


class Line:
    """One connection: a client, a server, and what is on its way. `answer_resume` decides on a resumption."""

    def __init__(
        self,
        resume: SuspendedStream | None,
        answer_resume: Callable[[ResumeAsked], SuspendedStream | None],
        ids: Callable[[], str] | None = None,
    ) -> None:
        ids = ids or _new_id
        config = StreamConfig(DOMAIN, USER, CODE, limits=FREE)
        self.client = StreamClient(config, ids, numbered("cnonce"), resume)
        self.server = StreamServer(
            ServerConfig(DOMAIN, b"secret", resume_seconds=300, limits=FREE),
            ids,
            numbered("snonce"),
            known(KEYS),
        )
        self.to_server: deque[str] = deque()
        self.to_client: deque[str] = deque()
        self.at_client: list[StreamEvent] = []
        self.at_server: list[StreamEvent] = []
        self._answer_resume = answer_resume
        self.client.start(START)
        self.server.start(START)

    def flush(self) -> None:
        """Put what both have to say on the way."""
        self.to_server += self.client.to_send()
        self.to_client += self.server.to_send()

    def carry_to_server(self) -> None:
        """One frame arrives."""
        if self.to_server:
            self.server.receive(self.to_server.popleft(), START)
            self.collect_server()

    def carry_to_client(self) -> None:
        """One frame arrives."""
        if self.to_client:
            self.client.receive(self.to_client.popleft(), START)
            self.collect_client()

    def settle(self) -> None:
        """Carry until nobody has anything to say."""
        self.flush()
        while self.to_server or self.to_client:
            self.carry_to_server()
            self.carry_to_client()
            self.flush()

    def cut(self, *, is_noticed: bool = True) -> None:
        """The connection breaks, and what is on its way is lost; the server may not notice."""
        self.to_server.clear()
        self.to_client.clear()
        self.client.receive_eof(START)
        self.collect_client()
        if is_noticed:
            self.server.receive_eof(START)
            self.collect_server()

    def collect_client(self) -> None:
        """Take the client's events; salt its password when it asks."""
        for event in self.client.events():
            self.at_client.append(event)
            if isinstance(event, SaltedPasswordWanted):
                self.client.salted_password(SALTED, START)

    def collect_server(self) -> None:
        """Take the server's events; answer its question about a resumption."""
        while events := self.server.events():
            for event in events:
                self.at_server.append(event)
                if isinstance(event, ResumeAsked):
                    self._decide(event)

    def _decide(self, asked: ResumeAsked) -> None:
        suspended = self._answer_resume(asked)
        if suspended is None:
            self.server.refuse_resume()
        else:
            self.server.accept_resume(suspended)


def refused(_asked: ResumeAsked) -> None:
    """No session is known."""


def ready_line() -> Line:
    """A fresh session, logged in and counted, with what led there forgotten."""
    line = Line(None, refused)
    line.settle()
    assert line.client.is_ready
    assert line.server.is_ready
    line.at_client.clear()
    line.at_server.clear()
    return line


def resumed_line(old: Line, **changes: object) -> Line:
    """The next connection of the session that `old` left at both ends, settled."""
    left = old.server.suspended()
    assert left is not None
    line = Line(old.client.suspended(), lambda _: replace(left, **changes))  # type: ignore[arg-type]
    line.settle()
    return line


def names(events: Sequence[StreamEvent]) -> list[str]:
    """The ids of the stanzas that were received."""
    return [event.stanza.id for event in events if isinstance(event, StanzaReceived)]
