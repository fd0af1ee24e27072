"""A session that outlives its connection (XEP-0198, 5): what goes on, what does not, what a journal holds."""

from dataclasses import replace

import pytest

from connector.domain.errors import LinkTimeout, LocalProtocolError, RemoteProtocolError
from connector.wire.xmpp import rfc6120, rfc7395, stanzas, xep0198
from connector.wire.xmpp.client import StreamClient, StreamConfig
from connector.wire.xmpp.events import (
    BoundTo,
    Delivered,
    IqAnswered,
    IqTimedOut,
    ResumeAsked,
    StanzaReceived,
    StreamReady,
    StreamResumed,
)
from connector.wire.xmpp.resumable import ACK_ANSWER_SECONDS, ACK_REQUEST_SECONDS
from connector.wire.xmpp.server import ServerConfig
from connector.wire.xmpp.stanzas import OwedRequest, Stanza
from connector.wire.xmpp.suspension import SuspendedStream
from connector.wire.xmpp.xml import parse
from tests.wire.xmpp.pair import CODE, DOMAIN, START, USER, Pair, failure, make_client, make_server
from tests.wire.xmpp.sessions import (
    GATEWAY,
    JID,
    NOTE,
    QUESTION,
    Journal,
    Line,
    names,
    ready_line,
    refused,
    resumed_line,
)


def asked(line: Line) -> Stanza:
    """The one request that the client was asked."""
    [request] = [event.stanza for event in line.at_client if isinstance(event, StanzaReceived)]
    return request


def asking_line(resume: SuspendedStream | None) -> Line:
    """A connection on which the question has been sent and not been answered."""
    line = Line(resume, refused)
    while not any("<resume" in frame for frame in line.to_server):
        line.carry_to_server()
        line.carry_to_client()
        line.flush()
    return line


def bind_id(line: Line) -> str:
    """The id of the bind that the client asks for."""
    line.flush()
    return parse(line.to_server[-1]).get("id", "")


BOUND = f'<bind xmlns="urn:ietf:params:xml:ns:xmpp-bind"><jid>{JID}</jid></bind>'


# What goes on -----------------------------------------------------------------------------------------------


def test_what_was_lost_both_ways_comes_once_and_in_order() -> None:
    line = ready_line()
    for number in range(4):
        line.client.send(stanzas.message(f"c{number}", GATEWAY, NOTE))
        line.server.send(stanzas.message(f"s{number}", JID, NOTE, from_=GATEWAY))
    line.flush()
    line.carry_to_server()
    line.carry_to_server()
    line.carry_to_client()
    line.cut()
    again = resumed_line(line)
    assert names(line.at_server) + names(again.at_server) == ["c0", "c1", "c2", "c3"]
    assert names(line.at_client) + names(again.at_client) == ["s0", "s1", "s2", "s3"]
    assert again.at_client[1] == StreamResumed(JID, "SCRAM-SHA-256")
    assert not any(isinstance(event, BoundTo | StreamReady) for event in again.at_client + again.at_server)
    assert again.client.unacked_count == again.server.unacked_count == 0
    # The numbers of `send` go on.
    assert again.client.send(stanzas.message("c4", GATEWAY, NOTE)) == 5
    again.client.request_ack()
    again.settle()
    assert again.at_client[-1] == Delivered(5)


def test_resume_stands_in_the_place_of_bind() -> None:
    line = ready_line()
    line.cut()
    left = line.server.suspended()
    again = Line(line.client.suspended(), lambda _: left)
    sent: list[str] = []
    while not again.client.is_ready:
        again.flush()
        sent += again.to_server
        again.carry_to_server()
        again.carry_to_client()
    assert [frame.partition(" ")[0] for frame in sent] == ["<open", "<auth", "<response", "<open", "<resume"]


def test_a_session_outlives_many_connections() -> None:
    line = ready_line()
    for number in range(20):
        line.client.send(stanzas.message(f"c{number}", GATEWAY, NOTE))
        line.server.send(stanzas.message(f"s{number}", JID, NOTE, from_=GATEWAY))
        line.cut()
        line = resumed_line(line)
        assert names(line.at_server) == [f"c{number}"]
        assert names(line.at_client) == [f"s{number}"]


def test_an_answer_reaches_who_asked_before_the_cut() -> None:
    line = ready_line()
    mine = line.client.request("get", GATEWAY, QUESTION, START)
    theirs = line.server.request("set", JID, QUESTION, START, from_=GATEWAY)
    line.settle()
    to_client = asked(line)
    [to_server] = [event.stanza for event in line.at_server if isinstance(event, StanzaReceived)]
    line.cut()
    again = resumed_line(line)
    again.client.answer(to_client)  # the stanza of the old stream
    again.server.answer(to_server.owed)  # or what a journal kept of it
    for side, answered in ((again.client, to_client), (again.server, to_server)):
        with pytest.raises(LocalProtocolError):
            side.refuse(answered, "forbidden")
    again.settle()
    assert [event.id for event in again.at_client if isinstance(event, IqAnswered)] == [mine]
    assert [event.id for event in again.at_server if isinstance(event, IqAnswered)] == [theirs]


def test_a_request_still_times_out_after_the_cut() -> None:
    line = ready_line()
    late = line.client.request("get", GATEWAY, QUESTION, START, 10.0)
    line.settle()
    line.cut()
    again = resumed_line(line)
    again.client.tick(START + 10)
    assert again.client.events() == [IqTimedOut(late)]


def test_a_stream_that_fell_silent_says_nothing_and_is_resumed() -> None:
    """A stream error or a close would tell the server to forget the session."""
    line = ready_line()
    line.client.tick(START + 120)
    assert isinstance(failure(line.client.events()), LinkTimeout)
    assert line.client.to_send() == []
    assert line.client.suspended() is not None


def test_a_stream_whose_acknowledgements_fail_says_nothing_and_is_resumed() -> None:
    line = ready_line()
    line.client.send(stanzas.message("c1", GATEWAY, NOTE))
    line.client.tick(START)
    line.client.tick(START + ACK_REQUEST_SECONDS)
    line.client.tick(START + ACK_REQUEST_SECONDS)
    line.client.to_send()
    line.client.tick(START + ACK_REQUEST_SECONDS + ACK_ANSWER_SECONDS)
    assert isinstance(failure(line.client.events()), LinkTimeout)
    assert line.client.to_send() == []
    suspended = line.client.suspended()
    assert suspended is not None
    assert len(suspended.unacked) == 1


def test_a_half_open_stream_is_taken_over_with_a_conflict() -> None:
    line = ready_line()
    line.server.send(stanzas.message("s1", JID, NOTE, from_=GATEWAY))
    line.flush()
    line.cut(is_noticed=False)
    taken: list[SuspendedStream | None] = []

    def take_over(_asked: ResumeAsked) -> SuspendedStream | None:
        taken.append(line.server.take_over())
        return taken[0]

    again = Line(line.client.suspended(), take_over)
    again.settle()
    assert names(again.at_client) == ["s1"]
    assert "<conflict" in line.server.to_send()[0]
    assert line.server.is_closed
    assert line.server.suspended() is None


def test_the_verdict_that_got_lost_is_asked_for_again() -> None:
    """The server has resumed, the client does not know it: it comes with the same session and count."""
    line = ready_line()
    line.client.send(stanzas.message("c1", GATEWAY, NOTE))
    line.cut()
    before, left = line.client.suspended(), line.server.suspended()
    half = Line(before, lambda _: left)
    while not half.server.is_ready:
        half.flush()
        half.carry_to_server()
        half.carry_to_client()
    half.cut()
    assert before is not None
    assert half.client.suspended() == replace(before, tries=1)
    again = resumed_line(half)
    assert names(again.at_server) == ["c1"]


# What does not ---------------------------------------------------------------------------------------------


def test_a_refused_session_is_followed_by_a_new_one_in_the_same_stream() -> None:
    line = ready_line()
    asked_for = line.client.request("get", GATEWAY, QUESTION, START)
    line.client.send(stanzas.message("c1", GATEWAY, NOTE))
    line.cut()
    again = Line(line.client.suspended(), refused)
    again.settle()
    ended, ready = again.at_client[-2:]
    assert ended == IqTimedOut(asked_for)
    assert isinstance(ready, StreamReady)
    assert [parse(text).get("id") for text in ready.lost] == [asked_for, "c1"]
    assert again.client.unacked_count == 0
    assert again.client.session_id not in ("", line.client.session_id)
    assert again.client.send(stanzas.message("c2", GATEWAY, NOTE)) == 1


@pytest.mark.parametrize(("h", "lost"), [(0, 3), (2, 1), (3, 0), (4, 3), (None, 3)])
def test_a_refusal_tells_what_was_handled(h: int | None, lost: int) -> None:
    """A count that can't be is no count (4 of 3): the session is gone either way."""
    line = ready_line()
    for number in range(3):
        line.client.send(stanzas.message(f"c{number}", GATEWAY, NOTE))
    line.cut()
    again = asking_line(line.client.suspended())
    again.client.receive(xep0198.failed_frame("item-not-found", h), START)
    again.to_server.clear()
    again.client.receive(stanzas.iq("result", bind_id(again), payload=BOUND), START)
    again.client.receive(xep0198.ENABLED, START)
    again.collect_client()
    ready = again.at_client[-1]
    assert isinstance(ready, StreamReady)
    assert len(ready.lost) == lost


def test_what_was_owed_in_a_lost_session_can_not_be_answered() -> None:
    line = ready_line()
    line.server.request("set", JID, QUESTION, START, from_=GATEWAY)
    line.settle()
    request = asked(line)
    line.cut()
    again = Line(line.client.suspended(), refused)
    again.settle()
    assert again.client.owed == ()
    with pytest.raises(LocalProtocolError):
        again.client.answer(request)


def test_an_orderly_end_is_the_end_of_the_session() -> None:
    for closer in ("client", "server"):
        line = ready_line()
        getattr(line, closer).close()
        line.flush()
        words = [*line.to_server, *line.to_client]
        assert [frame.partition(" ")[0] for frame in words] == ["<a", "<close"]
        line.settle()
        assert line.client.is_closed
        assert line.server.is_closed
        assert line.client.suspended() is None
        assert line.server.suspended() is None


@pytest.mark.parametrize(
    ("condition", "goes_on"),
    [
        ("conflict", False),
        ("not-authorized", False),
        ("policy-violation", False),
        ("not-well-formed", False),
        ("host-unknown", False),
        ("connection-timeout", True),
        ("internal-server-error", True),
        ("resource-constraint", True),
        ("system-shutdown", True),
        ("undefined-condition", True),
    ],
)
def test_whether_a_session_outlives_a_stream_error(condition: str, goes_on: bool) -> None:
    line = ready_line()
    line.client.receive(rfc6120.stream_error_frame(condition), START)
    assert line.client.is_closed
    assert (line.client.suspended() is not None) is goes_on


def test_a_peer_that_breaks_a_rule_is_not_resumed() -> None:
    line = ready_line()
    line.client.receive("<", START)
    line.server.receive("<", START)
    assert line.client.suspended() is None
    assert line.server.suspended() is None


def test_an_acknowledgement_of_more_than_was_sent_ends_the_stream() -> None:
    for side in ("client", "server"):
        line = ready_line()
        line.cut()
        mine, theirs = line.client.suspended(), line.server.suspended()
        assert mine is not None
        assert theirs is not None
        if side == "client":
            mine = replace(mine, received=7)
        else:
            theirs = replace(theirs, received=7)
        again = Line(mine, lambda _, held=theirs: held)  # type: ignore[misc]
        again.settle()
        judge, other = (again.server, again.client) if side == "client" else (again.client, again.server)
        assert judge.is_closed
        assert other.is_closed
        assert again.client.suspended() is None, "it would be refused again, for ever"
        [error] = [
            event.error
            for event in (again.at_server if side == "client" else again.at_client)
            if hasattr(event, "error")
        ]
        assert isinstance(error, RemoteProtocolError)
        assert "7 stanzas acknowledged, 0 sent" in error.detail


def test_another_session_than_the_one_asked_for_is_refused() -> None:
    line = ready_line()
    line.cut()
    again = resumed_line(line, id="another")
    assert again.client.is_closed
    assert isinstance(failure(again.at_client), RemoteProtocolError)
    assert again.client.suspended() is None


def test_a_server_that_dies_of_the_question_is_asked_three_times() -> None:
    line = ready_line()
    line.cut()
    left = line.client.suspended()
    for _ in range(2):
        again = asking_line(left)
        again.cut()
        left = again.client.suspended()
        assert left is not None
    again = asking_line(left)
    again.cut()
    assert again.client.suspended() is None


def test_a_login_that_fails_costs_no_session() -> None:
    line = ready_line()
    line.cut()
    left = line.client.suspended()
    for _ in range(5):
        again = Line(left, refused)
        again.flush()
        again.carry_to_server()
        again.cut()
        assert again.client.suspended() == left


def test_a_stream_error_for_an_answer_is_the_end_of_the_session() -> None:
    line = ready_line()
    line.cut()
    again = asking_line(line.client.suspended())
    again.client.receive(rfc6120.stream_error_frame("undefined-condition"), START)
    assert again.client.is_closed
    assert again.client.suspended() is None


def test_a_server_without_resumption_refuses_at_once() -> None:
    pair = Pair(make_client())
    pair.run()
    assert pair.client.session_id == ""
    assert pair.client.has_stream_management
    pair.client.receive_eof(START)
    assert pair.client.suspended() is None
    left = SuspendedStream("old", JID, 300, 0, 0, (stanzas.message("c1", GATEWAY, NOTE),))
    client = StreamClient(StreamConfig(DOMAIN, USER, CODE), lambda: "c", lambda: "nonce", left)
    client.start(START)
    again = Pair(client, make_server())
    again.run()
    assert '<failed xmlns="urn:xmpp:sm:3"><feature-not-implemented' in "".join(again.to_client)
    assert isinstance(again.at_client[-1], StreamReady)
    assert again.at_client[-1].lost == left.unacked


def test_a_client_that_wants_no_resumption_gets_none() -> None:
    client = make_client(StreamConfig(DOMAIN, USER, CODE, resume_seconds=0))
    pair = Pair(client, make_server(ServerConfig(DOMAIN, b"s", resume_seconds=300)))
    pair.run()
    assert xep0198.ENABLE in pair.to_server
    assert xep0198.ENABLED in pair.to_client
    assert client.has_stream_management
    assert client.session_id == ""
    assert client.checkpoint() is None


@pytest.mark.parametrize(("wanted", "offered", "given"), [(60, 300, 60), (600, 300, 300)])
def test_the_shorter_time_counts(wanted: int, offered: int, given: int) -> None:
    client = make_client(StreamConfig(DOMAIN, USER, CODE, resume_seconds=wanted))
    pair = Pair(client, make_server(ServerConfig(DOMAIN, b"s", resume_seconds=offered)))
    pair.run()
    client.receive_eof(START)
    suspended = client.suspended()
    assert suspended is not None
    assert suspended.max_seconds == given


def test_a_verdict_without_a_question_is_illegal() -> None:
    line = ready_line()
    with pytest.raises(LocalProtocolError):
        line.server.refuse_resume()
    with pytest.raises(LocalProtocolError):
        line.server.accept_resume(SuspendedStream("x", JID, 300, 0, 0))


@pytest.mark.parametrize(
    "frame",
    [
        '<resume xmlns="urn:xmpp:sm:3" previd="x" h="0"/>',
        '<resumed xmlns="urn:xmpp:sm:3" previd="x" h="0"/>',
        '<enable xmlns="urn:xmpp:sm:3" resume="true"/>',
    ],
)
def test_resumption_has_its_one_place(frame: str) -> None:
    line = ready_line()
    line.server.receive(frame, START)
    assert line.server.is_closed
    line.client.receive(frame, START)
    assert line.client.is_closed


# What a journal holds --------------------------------------------------------------------------------------


def test_nothing_is_told_twice_and_nothing_that_did_not_change() -> None:
    line = ready_line()
    first = line.client.checkpoint()
    assert first is not None
    assert (first.received, first.handled, first.sent, first.owed) == (0, 0, (), ())
    assert line.client.checkpoint() is None
    texts = [stanzas.message(f"c{number}", GATEWAY, NOTE) for number in range(3)]
    for text in texts:
        line.client.send(text)
    delta = line.client.checkpoint()
    assert delta is not None
    assert (delta.first_number, delta.sent, delta.owed) == (1, tuple(texts), None)
    line.client.send(texts[0])
    delta = line.client.checkpoint()
    assert delta is not None
    assert (delta.first_number, delta.sent) == (4, (texts[0],))
    line.client.request_ack()
    line.settle()
    delta = line.client.checkpoint()
    assert delta is not None
    assert (delta.handled, delta.sent) == (4, ())


def test_what_was_acknowledged_meanwhile_is_not_told() -> None:
    line = ready_line()
    for number in range(3):
        line.client.send(stanzas.message(f"c{number}", GATEWAY, NOTE))
    line.client.request_ack()
    line.settle()
    line.client.send(stanzas.message("c3", GATEWAY, NOTE))
    delta = line.client.checkpoint()
    assert delta is not None
    assert (delta.handled, delta.first_number, len(delta.sent)) == (3, 4, 1)


def test_a_new_process_goes_on_from_the_journal() -> None:
    line = ready_line()
    journal = Journal()
    line.server.request("set", JID, QUESTION, START, from_=GATEWAY)
    line.client.send(stanzas.message("c1", GATEWAY, NOTE))
    line.settle()
    line.client.send(stanzas.message("c2", GATEWAY, NOTE))
    journal.write(line.client.checkpoint())
    line.server.receive_eof(START)  # and the client's process is dead: nothing of it is used any more
    left = line.server.suspended()
    again = Line(journal.read(), lambda _: left)
    again.settle()
    assert names(line.at_server) + names(again.at_server) == ["c1", "c2"]
    [debt] = again.client.owed
    assert debt == OwedRequest(debt.id, "set", GATEWAY, JID, "{urn:x}question")
    again.client.refuse(debt, "resource-constraint", "the agent restarted")
    again.settle()
    [answer] = [event for event in again.at_server if isinstance(event, IqAnswered)]
    assert answer.id == debt.id
    assert again.client.owed == ()


def test_a_resumed_stream_tells_a_journal_everything_again() -> None:
    """What the old stream had not told before it broke is in no journal yet."""
    line = ready_line()
    line.client.send(stanzas.message("c1", GATEWAY, NOTE))
    line.cut()
    left = line.server.suspended()
    again = Line(line.client.suspended(), lambda _: left)
    while not again.client.is_ready:
        again.flush()
        again.carry_to_server()
        again.carry_to_client()
    delta = again.client.checkpoint()
    assert delta is not None
    assert (delta.id, delta.first_number, len(delta.sent), delta.owed) == (line.client.session_id, 1, 1, ())


def test_the_count_of_the_question_is_in_the_journal_before_it_leaves() -> None:
    """The old stream had not told that it had received something; the question tells it to the server."""
    line = ready_line()
    line.client.checkpoint()
    line.server.send(stanzas.message("s1", JID, NOTE, from_=GATEWAY))
    line.settle()
    line.cut()
    again = Line(line.client.suspended(), refused)
    delta = again.client.checkpoint()
    assert delta is not None
    assert (delta.id, delta.received) == (line.client.session_id, 1)
    assert again.client.checkpoint() is None


def test_secrets_and_content_are_not_shown() -> None:
    line = ready_line()
    line.client.send(stanzas.message("c1", GATEWAY, "<number xmlns='urn:x'>0639980001</number>"))
    shown = [repr(line.client.checkpoint())]
    line.cut()
    shown.append(repr(line.client.suspended()))
    shown.append(repr(xep0198.Enabled(line.client.session_id)))
    shown.append(repr(ResumeAsked(line.client.session_id, 0, USER)))
    shown.append(repr(StreamReady(JID, True, "", ("0639980001",))))
    assert line.client.session_id
    for text in shown:
        assert "0639980001" not in text
        assert f"'{line.client.session_id}'" not in text


# The frames ------------------------------------------------------------------------------------------------


def test_what_prosody_sends_is_read() -> None:
    enabled = parse("<enabled max='600' resume='true' id='wrcIETbbP7DX' xmlns='urn:xmpp:sm:3'/>")
    assert xep0198.read_enabled(enabled) == xep0198.Enabled("wrcIETbbP7DX", 600)
    resumed = parse("<resumed h='2' xmlns='urn:xmpp:sm:3' previd='wrcIETbbP7DX'/>")
    assert xep0198.read_resume(resumed) == xep0198.Resume("wrcIETbbP7DX", 2)
    condition = "<item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
    failed = parse(f"<failed xmlns='urn:xmpp:sm:3' h='5'>{condition}</failed>")
    assert xep0198.read_failed(failed) == xep0198.Failed("item-not-found", 5)


@pytest.mark.parametrize(
    ("frame", "enabled"),
    [
        ('<enabled xmlns="urn:xmpp:sm:3"/>', xep0198.Enabled()),
        ('<enabled xmlns="urn:xmpp:sm:3" id="x"/>', xep0198.Enabled()),
        ('<enabled xmlns="urn:xmpp:sm:3" id="x" resume="1" location="evil:5222"/>', xep0198.Enabled("x")),
        ('<enabled xmlns="urn:xmpp:sm:3" id="x" resume="true" max="-1"/>', xep0198.Enabled("x")),
        (f'<enabled xmlns="urn:xmpp:sm:3" id="{"x" * 1_025}" resume="true"/>', xep0198.Enabled()),
    ],
)
def test_what_enabled_can_say(frame: str, enabled: xep0198.Enabled) -> None:
    assert xep0198.read_enabled(parse(frame)) == enabled


@pytest.mark.parametrize(
    "frame",
    [
        '<resumed xmlns="urn:xmpp:sm:3" h="0"/>',
        '<resumed xmlns="urn:xmpp:sm:3" previd="x"/>',
        '<resumed xmlns="urn:xmpp:sm:3" previd="x" h="4294967296"/>',
        f'<resumed xmlns="urn:xmpp:sm:3" previd="{"x" * 1_025}" h="0"/>',
        '<failed xmlns="urn:xmpp:sm:3" h="x"/>',
        rfc7395.open_frame(rfc7395.Open(from_=DOMAIN)),
    ],
)
def test_a_verdict_that_can_not_be_read_ends_the_stream(frame: str) -> None:
    line = ready_line()
    line.cut()
    again = asking_line(line.client.suspended())
    again.client.receive(frame, START)
    again.collect_client()
    assert isinstance(failure(again.at_client), RemoteProtocolError)
    assert again.client.suspended() is None
