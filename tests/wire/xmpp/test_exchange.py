"""A ready stream: requests and answers, counting, silence, limits, the end."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.domain.errors import (
    LinkClosed,
    LinkTimeout,
    LocalProtocolError,
    Overflow,
    RemoteProtocolError,
)
from connector.domain.faults import FaultId
from connector.wire.xmpp import rfc7395, stanzas, xep0198
from connector.wire.xmpp.events import Delivered, IqAnswered, IqTimedOut, StanzaReceived
from connector.wire.xmpp.lifecycle import CLOSE_SECONDS
from connector.wire.xmpp.requests import MAX_OPEN_REQUESTS
from connector.wire.xmpp.resumable import ACK_ANSWER_SECONDS, ACK_REQUEST_SECONDS, ACK_REQUEST_STANZAS
from connector.wire.xmpp.server import ServerConfig
from connector.wire.xmpp.stanzas import Stanza, error_of, read_stanza
from connector.wire.xmpp.xep0199 import PING
from connector.wire.xmpp.xml import MAX_FRAME_BYTES, parse
from tests.wire.xmpp.pair import DOMAIN, START, USER, Pair, failure, make_server, ready_pair

QUESTION = "<x xmlns='urn:x'/>"
JID = f"{USER}@{DOMAIN}/pbxagent"
GATEWAY = f"pbxpcg_1@{DOMAIN}/pbxpcg"


def requests(events: list[object]) -> list[Stanza]:
    return [event.stanza for event in events if isinstance(event, StanzaReceived)]


def test_messages_go_both_ways_in_order() -> None:
    pair = ready_pair()
    for number in range(60):
        assert pair.client.send(stanzas.message(f"c{number}", GATEWAY, QUESTION)) == number + 1
        pair.server.send(stanzas.message(f"s{number}", JID, QUESTION, from_=GATEWAY))
    pair.run()
    assert [stanza.id for stanza in requests([*pair.at_server])] == [f"c{number}" for number in range(60)]
    assert [stanza.id for stanza in requests([*pair.at_client])] == [f"s{number}" for number in range(60)]


@pytest.mark.parametrize("is_refused", [False, True])
def test_a_request_is_answered_once(is_refused: bool) -> None:
    pair = ready_pair()
    id_ = pair.server.request("set", JID, QUESTION, pair.now, from_=GATEWAY)
    pair.run()
    [request] = requests([*pair.at_client])
    assert (request.id, request.from_, request.type) == (id_, GATEWAY, "set")
    if is_refused:
        pair.client.refuse(request, "forbidden", "not on the list")
    else:
        pair.client.answer(request, "<done xmlns='urn:x'/>")
    with pytest.raises(LocalProtocolError):
        pair.client.answer(request)
    with pytest.raises(LocalProtocolError):
        pair.client.refuse(request, "forbidden")
    pair.run()
    [answer] = [event for event in pair.at_server if isinstance(event, IqAnswered)]
    assert answer.id == id_
    assert answer.stanza.to == GATEWAY
    error = error_of(answer.stanza)
    assert (error is not None and error.condition) == ("forbidden" if is_refused else False)


def test_the_clients_requests_are_answered_too() -> None:
    pair = ready_pair()
    id_ = pair.client.request("get", GATEWAY, QUESTION, pair.now)
    pair.run()
    [request] = requests([*pair.at_server])
    pair.server.answer(request, "<done xmlns='urn:x'/>")
    pair.run()
    [answer] = [event for event in pair.at_client if isinstance(event, IqAnswered)]
    assert (answer.id, answer.stanza.from_) == (id_, GATEWAY)


def test_an_answer_to_nothing_is_illegal() -> None:
    pair = ready_pair()
    never = read_stanza(parse(stanzas.iq("get", "1", payload=QUESTION)))
    with pytest.raises(LocalProtocolError):
        pair.client.answer(never)


def test_a_request_times_out_once_and_a_late_answer_is_dropped() -> None:
    pair = ready_pair()
    id_ = pair.client.request("get", GATEWAY, QUESTION, pair.now, 3.0)
    later = pair.client.request("get", GATEWAY, QUESTION, pair.now, 8.0)
    pair.run()
    first, second = requests([*pair.at_server])
    pair.advance(2.9)
    assert IqTimedOut(id_) not in pair.at_client
    pair.advance(0.2)
    assert pair.at_client.count(IqTimedOut(id_)) == 1
    pair.server.answer(first)
    pair.server.answer(second)
    pair.advance(30)
    assert [event.id for event in pair.at_client if isinstance(event, IqAnswered)] == [later]
    assert IqTimedOut(later) not in pair.at_client


@pytest.mark.parametrize("sender", ["evil@cloud.example/x", DOMAIN, JID, ""])
def test_an_answer_from_somebody_else_is_dropped(sender: str) -> None:
    pair = ready_pair()
    id_ = pair.client.request("get", GATEWAY, QUESTION, pair.now)
    pair.client.receive(stanzas.iq("result", id_, JID, from_=sender), pair.now)
    assert pair.client.events() == []
    pair.client.receive(
        stanzas.iq("result", id_, JID, from_=GATEWAY.upper().replace("/PBXPCG", "/pbxpcg")), pair.now
    )
    assert [type(event) for event in pair.client.events()] == [IqAnswered]


@pytest.mark.parametrize("sender", ["", DOMAIN, JID, f"{USER}@{DOMAIN}"])
def test_the_server_may_answer_for_itself_and_our_account(sender: str) -> None:
    pair = ready_pair()
    for to in ("", DOMAIN):
        id_ = pair.client.request("get", to, QUESTION, pair.now)
        pair.client.receive(stanzas.iq("result", id_, JID, from_=sender), pair.now)
        assert [type(event) for event in pair.client.events()] == [IqAnswered]


def test_the_server_takes_answers_from_its_client_alone() -> None:
    pair = ready_pair()
    id_ = pair.server.request("get", JID, QUESTION, pair.now)
    pair.server.receive(stanzas.iq("result", id_, from_="other@cloud.example"), pair.now)
    assert pair.server.events() == []
    pair.server.receive(stanzas.iq("result", id_, from_=JID), pair.now)
    assert [type(event) for event in pair.server.events()] == [IqAnswered]


@pytest.mark.parametrize("payload", ["", QUESTION * 2])
def test_a_request_without_exactly_one_payload_is_bad(payload: str) -> None:
    pair = ready_pair()
    pair.client.receive(stanzas.iq("get", "1", JID, payload, from_=GATEWAY), pair.now)
    assert pair.client.events() == []
    error = error_of(read_stanza(parse(pair.client.to_send()[0])))
    assert error is not None
    assert error.condition == "bad-request"


def test_a_ping_is_answered_by_the_machine() -> None:
    pair = ready_pair()
    pair.client.receive(stanzas.iq("get", "p1", JID, PING, from_=DOMAIN), pair.now)
    assert pair.client.events() == []
    reply = read_stanza(parse(pair.client.to_send()[0]))
    assert (reply.type, reply.id, reply.to) == ("result", "p1", DOMAIN)
    pair.server.receive(stanzas.iq("get", "p2", DOMAIN, PING), pair.now)
    assert pair.server.events() == []
    assert read_stanza(parse(pair.server.to_send()[0])).from_ == DOMAIN


def test_a_ping_of_ours_makes_no_event() -> None:
    pair = ready_pair()
    pair.client.ping(pair.now)
    pair.run()
    assert any(PING in frame for frame in pair.to_server)
    pair.advance(200)
    assert not any(isinstance(event, IqAnswered | IqTimedOut | StanzaReceived) for event in pair.at_client)


def test_pings_keep_an_idle_stream_alive() -> None:
    pair = ready_pair()
    pair.advance(3_600)
    assert pair.client.is_ready
    assert pair.server.is_ready
    assert sum(PING in frame for frame in pair.to_client) == 90


def test_a_client_notices_a_silent_server() -> None:
    pair = ready_pair()
    pair.client.tick(START + 119.9)
    assert not pair.client.is_closed
    pair.client.tick(START + 120)
    error = failure(pair.client.events())
    assert isinstance(error, LinkTimeout)
    assert error.fault is FaultId.CLOUD_SILENT
    assert "<connection-timeout" in pair.client.to_send()[0]


def test_any_frame_breaks_the_silence() -> None:
    pair = ready_pair()
    pair.client.receive(xep0198.REQUEST, START + 100)
    pair.client.tick(START + 120)
    assert not pair.client.is_closed
    assert pair.client.deadline() == START + 220
    pair.client.tick(START + 220)
    assert isinstance(failure(pair.client.events()), LinkTimeout)


@pytest.mark.parametrize(("seconds", "silent_at"), [(60, 110), (300, 300), (20, 110)])
def test_another_ping_timeout_holds_at_once(seconds: int, silent_at: int) -> None:
    pair = ready_pair()
    pair.client.tick(START + 110)
    pair.client.bear_silence(seconds, START + 110)
    assert pair.client.deadline() == START + silent_at
    pair.client.tick(START + silent_at)
    assert isinstance(failure(pair.client.events()), LinkTimeout)


def test_a_server_notices_a_silent_client() -> None:
    pair = ready_pair(
        make_server(ServerConfig(DOMAIN, b"s", ping_interval_seconds=10, silence_timeout_seconds=25))
    )
    for seconds in (10, 20):
        pair.server.tick(START + seconds)
        assert any(PING in frame for frame in pair.server.to_send())
    pair.server.tick(START + 25)
    assert isinstance(failure(pair.server.events()), LinkTimeout)


def test_an_acknowledgement_is_asked_for_after_25_stanzas() -> None:
    pair = ready_pair()
    for number in range(1, 2 * ACK_REQUEST_STANZAS + 1):
        pair.client.send(stanzas.message("m", GATEWAY, QUESTION))
        asked = pair.client.to_send().count(xep0198.REQUEST)
        assert asked == (1 if number % ACK_REQUEST_STANZAS == 0 else 0)


def test_an_acknowledgement_is_asked_for_after_5_seconds() -> None:
    pair = ready_pair()
    pair.advance(20)
    pair.to_server.clear()
    pair.client.send(stanzas.message("m", GATEWAY, QUESTION))
    pair.advance(ACK_REQUEST_SECONDS - 0.1)
    assert xep0198.REQUEST not in pair.to_server
    pair.advance(0.2)
    assert pair.to_server.count(xep0198.REQUEST) == 1
    assert pair.at_client[-1] == Delivered(1)
    assert pair.client.unacked_count == 0


def test_delivered_counts_from_the_first_stanza() -> None:
    pair = ready_pair()
    for _ in range(3):
        number = pair.client.send(stanzas.message("m", GATEWAY, QUESTION))
    pair.client.request_ack()
    pair.run()
    assert [event for event in pair.at_client if isinstance(event, Delivered)] == [Delivered(number)]
    pair.client.request_ack()
    pair.run()
    assert pair.at_client.count(Delivered(number)) == 1


def test_what_was_sent_before_enable_does_not_count_but_is_numbered() -> None:
    pair = Pair()
    while not pair.server.is_ready:
        pair._carry()
    assert pair.server.send(stanzas.presence()) == 1
    pair.server.to_send()
    pair.server.receive(xep0198.ENABLE, START)
    assert pair.server.send(stanzas.presence()) == 2
    pair.server.receive(xep0198.ack_frame(1), START)
    assert Delivered(2) in pair.server.events()


def test_an_answer_to_r_counts_what_came() -> None:
    pair = ready_pair()
    for frame in (stanzas.message("1"), stanzas.presence(), stanzas.iq("result", "nobody-asked")):
        pair.client.receive(frame, pair.now)
    pair.client.receive(xep0198.REQUEST, pair.now)
    assert pair.client.to_send() == [xep0198.ack_frame(3)]


def test_a_count_that_is_too_high_ends_the_stream() -> None:
    pair = ready_pair()
    pair.client.send(stanzas.message("1"))
    pair.client.to_send()
    pair.client.receive(xep0198.ack_frame(2), pair.now)
    assert isinstance(failure(pair.client.events()), RemoteProtocolError)
    assert '<handled-count-too-high xmlns="urn:xmpp:sm:3" h="2" send-count="1"/>' in pair.client.to_send()[0]


def test_a_peer_that_never_acknowledges_is_given_up() -> None:
    pair = ready_pair()
    pair.client.send(stanzas.message("1"))
    moments = []
    while (moment := pair.client.deadline()) is not None:
        pair.client.tick(moment)
        moments.append(moment)
    assert isinstance(failure(pair.client.events()), LinkTimeout)
    assert moments[-1] == START + ACK_REQUEST_SECONDS + ACK_ANSWER_SECONDS
    assert len(moments) <= 4


def test_a_full_window_refuses_the_next_stanza_and_keeps_the_rest() -> None:
    pair = ready_pair()
    for _ in range(xep0198.MAX_UNACKED):
        pair.client.send(stanzas.message("1"))
    with pytest.raises(Overflow):
        pair.client.send(stanzas.message("1"))
    with pytest.raises(Overflow):
        pair.client.request("get", GATEWAY, QUESTION, pair.now)
    assert sum("<message" in frame for frame in pair.client.to_send()) == xep0198.MAX_UNACKED
    pair.client.receive(xep0198.ack_frame(5), pair.now)
    assert pair.client.send(stanzas.message("1")) == xep0198.MAX_UNACKED + 1


def test_an_answer_that_did_not_fit_can_be_given_later() -> None:
    pair = ready_pair()
    pair.client.receive(stanzas.iq("get", "q", JID, QUESTION, from_=GATEWAY), pair.now)
    [request] = requests([*pair.client.events()])
    for _ in range(xep0198.MAX_UNACKED):
        pair.client.send(stanzas.message("1"))
    with pytest.raises(Overflow):
        pair.client.answer(request)
    pair.client.receive(xep0198.ack_frame(1), pair.now)
    pair.client.answer(request)


def test_a_peer_that_takes_no_answers_can_not_fill_our_memory() -> None:
    pair = ready_pair()
    now = pair.now
    for number in range(2 * xep0198.MAX_UNACKED):
        now += 0.01
        pair.client.receive(stanzas.iq("get", f"{number}", JID, PING, from_=DOMAIN), now)
    error = failure(pair.client.events())
    assert isinstance(error, RemoteProtocolError)
    assert len(pair.client.to_send()) < 1.1 * xep0198.MAX_UNACKED


def test_requests_beyond_the_limit_are_told_to_wait() -> None:
    pair = ready_pair()
    now = pair.now
    for number in range(MAX_OPEN_REQUESTS + 1):
        now += 0.01
        pair.client.receive(stanzas.iq("set", f"{number}", JID, QUESTION, from_=GATEWAY), now)
    assert len(pair.client.events()) == MAX_OPEN_REQUESTS
    error = error_of(read_stanza(parse(pair.client.to_send()[0])))
    assert error is not None
    assert (error.condition, error.type) == ("resource-constraint", "wait")


def test_a_flood_ends_the_stream_with_policy_violation() -> None:
    pair = ready_pair()
    for _ in range(500):
        pair.server.receive(stanzas.message("1"), START)
    assert isinstance(failure([*pair.server.events()]), RemoteProtocolError)
    assert "<policy-violation" in pair.server.to_send()[0]


def test_two_hundred_a_second_is_no_flood() -> None:
    pair = ready_pair()
    for number in range(2_000):
        pair.server.receive(stanzas.message("1"), START + number / 200)
    assert not pair.server.is_closed


def test_a_stanza_that_is_too_large_is_our_fault() -> None:
    pair = ready_pair()
    for filler in ("x" * MAX_FRAME_BYTES, "é" * (MAX_FRAME_BYTES // 2)):
        with pytest.raises(LocalProtocolError):
            pair.client.send(stanzas.message("1", GATEWAY, f"<x xmlns='urn:x'>{filler}</x>"))
    with pytest.raises(LocalProtocolError):
        pair.client.request("get", GATEWAY, f"<x xmlns='urn:x'>{'x' * MAX_FRAME_BYTES}</x>", pair.now)
    assert pair.client.to_send() == []
    assert pair.client.is_ready


def test_an_orderly_end_acknowledges_first() -> None:
    pair = ready_pair()
    pair.server.send(stanzas.message("1"))
    pair.client.send(stanzas.message("1"))
    pair.run()
    pair.client.close()
    pair.client.close()
    pair.run()
    assert pair.to_server[-2:] == [xep0198.ack_frame(1), rfc7395.close_frame()]
    assert pair.to_client[-2:] == [xep0198.ack_frame(1), rfc7395.close_frame()]
    assert pair.client.is_closed
    assert pair.at_client[-1] == Delivered(1)
    error = failure(pair.at_server)
    assert isinstance(error, LinkClosed)
    assert error.announced


def test_a_peer_that_does_not_close_back_is_left() -> None:
    pair = ready_pair()
    pair.client.close()
    pair.client.tick(START + 1)
    pair.client.receive(stanzas.message("ignored"), START + 2)
    pair.client.receive(xep0198.REQUEST, START + 2)
    was_closed = pair.client.is_closed
    pair.client.tick(START + 1 + CLOSE_SECONDS)
    assert (was_closed, pair.client.is_closed) == (False, True)
    assert pair.client.events() == []


def test_a_transport_that_ends_while_closing_is_no_failure() -> None:
    pair = ready_pair()
    pair.client.close()
    pair.client.receive_eof(START)
    assert pair.client.is_closed
    assert pair.client.events() == []


def test_an_answer_on_a_dead_stream_is_illegal() -> None:
    pair = ready_pair()
    pair.server.request("set", JID, QUESTION, pair.now)
    pair.run()
    [request] = requests([*pair.at_client])
    pair.client.receive_eof(pair.now)
    with pytest.raises(LocalProtocolError):
        pair.client.answer(request)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(
        st.tuples(st.sampled_from(["client", "server"]), st.integers(1, 40), st.floats(0, 7)), max_size=12
    )
)
def test_both_ends_always_agree_on_what_was_handled(rounds: list[tuple[str, int, float]]) -> None:
    pair = ready_pair()
    sent = {"client": 0, "server": 0}
    for side, count, pause in rounds:
        end = pair.client if side == "client" else pair.server
        for _ in range(count):
            end.send(stanzas.message("m"))
            sent[side] += 1
        pair.advance(pause)
    pair.client.request_ack()
    pair.server.request_ack()
    pair.run()
    assert pair.client.unacked_count == pair.server.unacked_count == 0
    assert len(requests([*pair.at_server])) == sent["client"]
    assert len(requests([*pair.at_client])) == sent["server"]
    counts = [event.count for event in pair.at_client if isinstance(event, Delivered)]
    assert counts == sorted(counts)
