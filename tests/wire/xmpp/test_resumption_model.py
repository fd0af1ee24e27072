"""Two ends, connections that break at any frame, a process that dies, a server that forgets: every stanza is
handled exactly once and in order, or reported as lost when the session was refused."""

from collections.abc import Sequence
from itertools import count

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from connector.wire.xmpp import stanzas
from connector.wire.xmpp.events import (
    BoundTo,
    IqAnswered,
    IqTimedOut,
    ResumeAsked,
    StanzaReceived,
    StreamEvent,
    StreamReady,
)
from connector.wire.xmpp.stanzas import Stanza
from connector.wire.xmpp.suspension import SuspendedStream
from connector.wire.xmpp.xml import parse
from tests.wire.xmpp.pair import START
from tests.wire.xmpp.sessions import GATEWAY, JID, NOTE, QUESTION, Journal, Line

WRAP = 1 << 32


def message_ids(texts: Sequence[str]) -> list[int]:
    """The numbers of the messages among `texts`."""
    found = [parse(text) for text in texts]
    return [int(element.get("id", "")[1:]) for element in found if element.tag.endswith("}message")]


class Direction:
    """What one side sent to the other and what became of it."""

    def __init__(self) -> None:
        self.numbers = count(1)
        self.sent: list[int] = []
        self.received: list[int] = []
        self.lost: set[int] = set()

    def check(self) -> None:
        """In order, never twice; what was passed over was reported."""
        assert self.received == sorted(set(self.received))
        passed_over = {number for number in self.sent if self.received and number < self.received[-1]}
        assert passed_over <= set(self.received) | self.lost


class Resumption(RuleBasedStateMachine):
    """The client keeps a journal; the server keeps one session and may be told to forget it."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.down = Direction(), Direction()
        self.journal = Journal()
        self.parked: SuspendedStream | None = None
        self.ids = count(1)
        self.is_refused = False
        self.has_lost_a_session = False
        # The server's requests: how many answers came. The client's: how many ends.
        self.answers: dict[str, int] = {}
        self.ends: dict[str, int] = {}
        self.to_answer: list[Stanza] = []
        # What the client had received when the journal was last written.
        self.kept_received = 0

    @initialize(above=st.integers(0, 4), below=st.integers(0, 4))
    def begin(self, above: int, below: int) -> None:
        """A session that is old already: its counters stand shortly before they turn over."""
        sent, received = WRAP - above, WRAP - below
        self.parked = SuspendedStream("first", JID, 300, sent % WRAP, received)
        mine = SuspendedStream("first", JID, 300, received % WRAP, sent)
        self.line = Line(mine, self.decide, self.new_id)
        self.settle()
        assert self.line.client.is_ready
        assert self.line.client.session_id == "first"

    def new_id(self) -> str:
        return f"id{next(self.ids)}"

    def decide(self, asked: ResumeAsked) -> SuspendedStream | None:
        """The server's decision about a resumption."""
        if self.parked is None or self.is_refused or asked.previd != self.parked.id:
            self.forget_parked()
            return None
        held, self.parked = self.parked, None
        return held

    def forget_parked(self) -> None:
        """What the server had for the client in its old session is lost, and the server knows it."""
        if self.parked is not None:
            self.down.lost.update(message_ids(self.parked.unacked))
            self.parked = None

    # The world moves

    def flush(self) -> None:
        """The client's frames leave after the journal was written, and all that they tell is in it."""
        units = self.line.client.to_send()
        self.write_journal()
        self.line.to_server += units
        self.line.to_client += self.line.server.to_send()

    def write_journal(self) -> None:
        delta = self.line.client.checkpoint()
        if delta is not None:
            self.journal.write(delta)
            self.kept_received = len(self.down.received)

    def settle(self) -> None:
        self.flush()
        while self.line.to_server or self.line.to_client:
            self.line.carry_to_server()
            self.line.carry_to_client()
            self.take()
            self.flush()

    def take(self) -> None:
        """Both applications look at what came."""
        for event in self.line.at_client:
            self.on_client(event)
        for event in self.line.at_server:
            self.on_server(event)
        self.line.at_client.clear()
        self.line.at_server.clear()

    def on_client(self, event: StreamEvent) -> None:
        match event:
            case StanzaReceived(stanza) if stanza.name == "message":
                self.down.received.append(int(stanza.id[1:]))
            case StanzaReceived(stanza):
                self.to_answer.append(stanza)
            case IqAnswered(id_) | IqTimedOut(id_):
                self.ends[id_] += 1
            case StreamReady():
                self.has_lost_a_session = True
                self.up.lost.update(message_ids(event.lost))
                self.to_answer.clear()

    def on_server(self, event: StreamEvent) -> None:
        match event:
            case StanzaReceived(stanza) if stanza.name == "message":
                self.up.received.append(int(stanza.id[1:]))
            case StanzaReceived(stanza):
                self.line.server.answer(stanza)
            case BoundTo():
                self.forget_parked()
            case IqAnswered(id_) if id_ in self.answers:
                self.answers[id_] += 1

    @property
    def is_client_ready(self) -> bool:
        return self.line.client.is_ready

    @property
    def is_server_ready(self) -> bool:
        return self.line.server.is_ready and self.line.server.has_stream_management

    @rule(times=st.integers(1, 3))
    def client_says(self, times: int) -> None:
        if self.is_client_ready:
            for _ in range(times):
                number = next(self.up.numbers)
                self.line.client.send(stanzas.message(f"c{number}", GATEWAY, NOTE))
                self.up.sent.append(number)

    @rule(times=st.integers(1, 3))
    def server_says(self, times: int) -> None:
        if self.is_server_ready:
            for _ in range(times):
                number = next(self.down.numbers)
                self.line.server.send(stanzas.message(f"s{number}", JID, NOTE, from_=GATEWAY))
                self.down.sent.append(number)

    @rule()
    def client_asks(self) -> None:
        if self.is_client_ready:
            self.ends[self.line.client.request("set", GATEWAY, QUESTION, START)] = 0

    @rule()
    def server_asks(self) -> None:
        if self.is_server_ready:
            self.answers[self.line.server.request("set", JID, QUESTION, START, from_=GATEWAY)] = 0

    @rule()
    def client_answers(self) -> None:
        if self.is_client_ready and self.to_answer:
            self.line.client.answer(self.to_answer.pop(0))

    @rule(asks=st.booleans())
    def acknowledge(self, asks: bool) -> None:
        if asks and self.is_client_ready and self.line.client.has_stream_management:
            self.line.client.request_ack()
        elif self.is_server_ready:
            self.line.server.request_ack()

    @rule(up=st.integers(0, 4), down=st.integers(0, 4))
    def some_frames_pass(self, up: int, down: int) -> None:
        self.flush()
        for _ in range(up):
            self.line.carry_to_server()
        for _ in range(down):
            self.line.carry_to_client()
        self.take()

    @rule()
    def all_frames_pass(self) -> None:
        self.settle()

    @rule(is_noticed=st.booleans(), is_refused=st.sampled_from([False, False, False, True]))
    def cut(self, is_noticed: bool, is_refused: bool) -> None:
        self.line.cut(is_noticed=is_noticed)
        self.take()
        self.connect(self.line.client.suspended(), is_refused=is_refused)

    @rule(is_journal_written=st.booleans(), is_refused=st.sampled_from([False, False, False, True]))
    def kill_client(self, is_journal_written: bool, is_refused: bool) -> None:
        """What did not reach the journal did not happen; what did, but not the line, is sent later."""
        if is_journal_written:
            self.line.client.to_send()
            self.write_journal()
        known = self.journal.read()
        in_journal = set(message_ids(known.unacked)) if known else set()
        reached = max([0, *self.up.received, *in_journal, *self.up.lost])
        self.up.sent = [number for number in self.up.sent if number <= reached]
        self.up.numbers = count(max([0, *self.up.sent]) + 1)
        del self.down.received[self.kept_received :]
        self.ends.clear()
        self.to_answer.clear()
        self.line.server.receive_eof(START)
        self.line.at_client.clear()
        self.line.collect_server()
        self.take()
        self.connect(known, is_refused=is_refused)

    def connect(self, resume: SuspendedStream | None, *, is_refused: bool) -> None:
        """The next connection; it may be cut in the middle of its login by the next rule."""
        held = self.line.server.take_over()
        self.parked = self.parked if held is None else held
        self.is_refused = is_refused
        self.line = Line(resume, self.decide, self.new_id)

    @invariant()
    def nothing_is_handled_twice_or_out_of_order(self) -> None:
        self.up.check()
        self.down.check()

    def teardown(self) -> None:
        """In a good moment everything arrives."""
        if not hasattr(self, "line"):
            return
        self.settle()
        assert self.line.client.is_ready
        for request in self.line.client.owed:
            self.line.client.answer(request)
        self.settle()
        for direction in (self.up, self.down):
            direction.check()
            assert set(direction.sent) <= set(direction.received) | direction.lost
        assert all(times == 1 for times in self.ends.values()), self.ends
        least = 0 if self.has_lost_a_session else 1
        assert all(least <= times <= 1 for times in self.answers.values()), self.answers


TestResumption = Resumption.TestCase
TestResumption.settings = settings(
    max_examples=120,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
