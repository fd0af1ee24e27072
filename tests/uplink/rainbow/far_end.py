"""The gateway's end of a session in virtual time: the server machine, and an agent's session opposite it."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import TypeVar

from connector.uplink.rainbow.events import HashWanted, SessionEvent, SessionFailed
from connector.uplink.rainbow.session import AgentSession
from connector.wire.pcg import conf
from connector.wire.xmpp import sasl
from connector.wire.xmpp.client import StreamClient, StreamConfig
from connector.wire.xmpp.events import BoundTo, IqAnswered, ResumeAsked, StanzaReceived
from connector.wire.xmpp.server import ServerConfig, StreamServer
from connector.wire.xmpp.stanzas import IqKind, Stanza, StanzaError, error_of, message
from connector.wire.xmpp.suspension import SuspendedStream

DOMAIN = "rainbow.test"
USER = "pbx834e-41da"
CODE = "4711"
GATEWAY = f"pbxpcg_{'ab' * 16}@{DOMAIN}/pbxpcg"
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
HELLO = conf.hello_request(conf.HelloRequest("5f3c", NOON))
START = 1_000.0

_KEYS = sasl.derive_keys(CODE, bytes(range(16)), sasl.MIN_ITERATIONS)

Event = TypeVar("Event", bound=SessionEvent)


def numbered(prefix: str) -> Callable[[], str]:
    """A source of distinct texts."""
    numbers = count(1)
    return lambda: f"{prefix}{next(numbers)}"


class FarEnd:
    """Joins `session` to a server; `run` carries frames until both have nothing to say.

    What the agent asks is kept in `asked` until the test answers it; `heard` holds all its stanzas.
    """

    def __init__(self) -> None:
        self.last_seq = 812
        self.now = START
        self._ids = (numbered("a"), numbered("g"))
        self._connect(None, "")
        self.agent = ""
        self.events: list[SessionEvent] = []
        self.heard: list[Stanza] = []
        self.asked: list[Stanza] = []
        self.answers: dict[str, Stanza] = {}

    def _connect(self, resume: SuspendedStream | None, gateway: str) -> None:
        stream = StreamClient(
            StreamConfig(DOMAIN, USER, CODE), self._ids[0], numbered("anonce"), resume=resume
        )
        self.session = AgentSession(stream, DOMAIN, self._hello, gateway)
        self.server = StreamServer(
            ServerConfig(DOMAIN, b"secret", resume_seconds=300),
            self._ids[1],
            numbered("gnonce"),
            lambda user: (_KEYS,) if user == USER else (),
        )
        self.session.start(self.now)
        self.server.start(self.now)

    def break_off(self) -> None:
        """The connection is gone; nobody said farewell."""
        gateway = self.session.gateway
        self.session.receive_eof(self.now)
        self.server.receive_eof(self.now)
        self._suspended = (self.session.suspended(), self.server.suspended(), gateway)
        self.events.clear()
        self.heard.clear()

    def resume(self) -> None:
        """Another connection, on which the session goes on."""
        ours, self._theirs, gateway = self._suspended
        assert ours is not None
        self._connect(ours, gateway)
        self.run()

    def run(self) -> None:
        """Carry frames until both are silent."""
        while self._carry():
            pass

    def advance(self, seconds: float) -> None:
        """Let time pass from deadline to deadline."""
        end = self.now + seconds
        self.run()
        while True:
            moments = [at for at in (self.session.deadline(), self.server.deadline()) if at is not None]
            if not moments or min(moments) > end:
                break
            self.now = max(self.now, min(moments))
            self.session.tick(self.now)
            self.server.tick(self.now)
            self.run()
        self.now = end

    def say(self, payload: str, *, sender: str = GATEWAY) -> None:
        """A message to the agent."""
        self.server.send(message("", self.agent, payload, from_=sender))
        self.run()

    def ask(self, payload: str, kind: IqKind = "set", *, sender: str = GATEWAY) -> str:
        """A request to the agent; its id, for `answer_of` and `error_of`."""
        request = self.server.request(kind, self.agent, payload, self.now, from_=sender)
        self.run()
        return request

    def throw(self, frame: str) -> None:
        """A frame that no server of ours would send."""
        self.session.receive(frame, self.now)
        self._collect()

    def answer(self, payload: str = "") -> None:
        """A result for the agent's oldest open request."""
        self.server.answer(self.asked.pop(0), payload)
        self.run()

    def refuse(self, condition: str) -> None:
        """An error for the agent's oldest open request."""
        self.server.refuse(self.asked.pop(0), condition)
        self.run()

    def error_of(self, request: str) -> StanzaError | None:
        """The error that answered our request, None for a result."""
        return error_of(self.answers[request])

    def told(self, kind: type[Event]) -> list[Event]:
        """What the session reported of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def failure(self) -> Exception:
        """The error of the one failure."""
        (failed,) = self.told(SessionFailed)
        return failed.error

    def _hello(self) -> conf.HelloResponse:
        return conf.HelloResponse("oxbridge/0.1.0", "oxe", "9f3c", self.last_seq)

    def _carry(self) -> bool:
        outgoing, incoming = self.session.to_send(), self.server.to_send()
        for frame in outgoing:
            self.server.receive(frame, self.now)
        for frame in incoming:
            self.session.receive(frame, self.now)
        self._collect()
        return bool(outgoing or incoming)

    def _collect(self) -> None:
        for event in self.session.events():
            self.events.append(event)
            if isinstance(event, HashWanted):
                salted = sasl.salted_password(CODE, event.salt, event.iterations, event.hash_name)
                self.session.salted_password(salted, self.now)
        for told in self.server.events():
            if isinstance(told, BoundTo):
                self.agent = told.jid
            elif isinstance(told, IqAnswered):
                self.answers[told.id] = told.stanza
            elif isinstance(told, ResumeAsked):
                assert self._theirs is not None
                self.server.accept_resume(self._theirs)
            elif isinstance(told, StanzaReceived):
                self.heard.append(told.stanza)
                if told.stanza.is_request:
                    self.asked.append(told.stanza)


def logged_in() -> FarEnd:
    """Bound, but not greeted."""
    end = FarEnd()
    end.run()
    assert end.agent == f"{USER}@{DOMAIN}/pbxagent"
    return end


def greeted() -> FarEnd:
    """After hello, with what led there forgotten."""
    end = logged_in()
    end.ask(HELLO)
    assert end.session.is_open
    end.events.clear()
    end.heard.clear()
    end.answers.clear()
    return end


def payload_names(stanzas: Sequence[Stanza]) -> list[str]:
    """What each stanza carries, without namespaces."""
    return ["" if stanza.payload is None else stanza.payload.tag.rpartition("}")[2] for stanza in stanzas]
