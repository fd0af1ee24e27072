"""A hostile far end costs bounded work: what would be expensive is refused before it is done."""

import tracemalloc
from collections.abc import Callable

import pytest

from connector.domain.errors import RemoteProtocolError
from connector.wire.xmpp import rfc6120, rfc7395, sasl, stanzas, xep0198, xml
from connector.wire.xmpp.client import StreamClient
from connector.wire.xmpp.events import SaltedPasswordWanted, StreamFailed
from connector.wire.xmpp.limits import DEFAULT_LIMITS
from connector.wire.xmpp.requests import MAX_OPEN_REQUESTS
from connector.wire.xmpp.xep0198 import MAX_UNACKED
from connector.wire.xmpp.xep0199 import PING
from tests.wire.xmpp.pair import DOMAIN, START, failure, make_client, ready_pair
from tests.wire.xmpp.sessions import GATEWAY, JID, QUESTION, Line, ready_line, refused

MIB = 1 << 20
OPEN = rfc7395.open_frame(rfc7395.Open(from_=DOMAIN, stream_id="1"))
LOGIN = rfc6120.features_frame(rfc6120.Features(("SCRAM-SHA-256",)))


def peak_bytes(work: Callable[[], None]) -> int:
    """The most memory that `work` held beyond what there was before."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def refused_with(client: StreamClient, condition: str) -> None:
    """The stream is over, and the peer was told why."""
    assert isinstance(failure(client.events()), RemoteProtocolError)
    assert any(f"<{condition} " in frame for frame in client.to_send())
    assert client.is_closed


@pytest.mark.parametrize("rounds", [2**31, 2**31 - 1, sasl.MAX_ITERATIONS + 1, 10**9, 10**30])
def test_rounds_without_end_are_refused_before_any_is_run(rounds: int) -> None:
    client = make_client()
    client.receive(OPEN, START)
    client.receive(LOGIN, START)
    challenge = sasl.encoded(f"r=cnonce1X,s=QUFB,i={rounds}")
    client.receive(rfc6120.sasl_frame("challenge", challenge), START)
    events = client.events()
    assert not any(isinstance(event, SaltedPasswordWanted) for event in events)
    assert isinstance(failure(events), RemoteProtocolError)


@pytest.mark.parametrize("letter", ["x", "é", "😀"])
def test_a_frame_of_64_mib_is_not_even_looked_at(letter: str) -> None:
    client = ready_pair().client
    frame = "<message xmlns='jabber:client'><body>" + letter * (64 * MIB // len(letter.encode()))
    assert peak_bytes(lambda: client.receive(frame, START)) < MIB
    refused_with(client, "policy-violation")


@pytest.mark.parametrize(
    "frame",
    [
        '<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><a>&b;</a>',
        '<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/hostname">]><a>&a;</a>',
        '<!DOCTYPE a PUBLIC "x" "http://127.0.0.1/x.dtd"><a/>',
        "<!DOCTYPE a [<!ATTLIST a b CDATA '" + "x" * 60_000 + "'>]>" + "<a/>",
    ],
)
def test_entity_bombs_are_refused_unread(frame: str) -> None:
    client = ready_pair().client
    assert peak_bytes(lambda: client.receive(frame, START)) < MIB
    refused_with(client, "restricted-xml")


def test_levels_without_end_are_refused() -> None:
    client = ready_pair().client
    depth = (xml.MAX_FRAME_BYTES - 100) // 7
    frame = f"<message xmlns='jabber:client'>{'<a>' * depth}{'</a>' * depth}</message>"
    assert peak_bytes(lambda: client.receive(frame, START)) < 16 * MIB
    refused_with(client, "policy-violation")


def test_a_flood_of_pings_is_answered_up_to_the_rate_and_no_further() -> None:
    client = ready_pair().client
    answers = 0
    for number in range(10 * DEFAULT_LIMITS.burst):
        client.receive(stanzas.iq("get", f"p{number}", JID, PING, from_=DOMAIN), START)
        client.receive(xep0198.ack_frame(min(answers, number)), START)
        answers += sum("<iq" in frame for frame in client.to_send())
        if client.is_closed:
            break
    assert 0.9 * DEFAULT_LIMITS.burst < answers <= DEFAULT_LIMITS.burst, "the login counts, too"
    assert isinstance(failure(client.events()), RemoteProtocolError)


def test_pings_whose_answers_are_never_acknowledged_end_the_stream() -> None:
    """Each answer is kept until it is acknowledged: that must have an end even below the rate."""
    client = ready_pair().client
    number = 0
    while not client.is_closed:
        number += 1
        assert number <= MAX_UNACKED + 1
        client.receive(stanzas.iq("get", f"p{number}", JID, PING, from_=DOMAIN), START + number)
    refused_with(client, "policy-violation")


def test_requests_that_nobody_answers_are_bounded() -> None:
    line = ready_line()
    for number in range(MAX_OPEN_REQUESTS + 1):
        line.client.receive(stanzas.iq("set", f"r{number}", JID, QUESTION, from_=GATEWAY), START)
    assert len(line.client.owed) == MAX_OPEN_REQUESTS
    assert "<resource-constraint" in line.client.to_send()[-1]


@pytest.mark.parametrize("h", ["1", "4294967295", "4294967296", "99999999999999999999", "-1", ""])
def test_a_count_that_can_not_be_ends_the_stream(h: str) -> None:
    line = ready_line()
    line.client.receive(f'<a xmlns="urn:xmpp:sm:3" h="{h}"/>', START)
    assert isinstance(failure(line.client.events()), RemoteProtocolError)
    assert line.client.suspended() is None


def test_a_server_that_never_stops_asking_for_counts_is_limited() -> None:
    client = ready_pair().client
    for _ in range(2 * DEFAULT_LIMITS.burst):
        client.receive(xep0198.REQUEST, START)
    answers = sum(frame.startswith("<a ") for frame in client.to_send())
    assert 0.9 * DEFAULT_LIMITS.burst < answers <= DEFAULT_LIMITS.burst, "the login counts, too"
    assert isinstance(failure(client.events()), RemoteProtocolError)


def test_refusals_of_a_session_do_not_go_in_a_circle() -> None:
    """After one <failed/> the client binds; a second one is out of place."""
    line = ready_line()
    line.cut()
    again = Line(line.client.suspended(), refused)
    again.settle()
    again.client.receive(xep0198.failed_frame("item-not-found"), START)
    again.collect_client()
    assert any(isinstance(event, StreamFailed) for event in again.at_client)
