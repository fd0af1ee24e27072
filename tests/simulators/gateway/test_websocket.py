"""The agents' WebSocket over a transport of bytes and in virtual time, against the library's client end."""

from collections.abc import Iterator

import pytest
from websockets.http11 import Response

from simulators.gateway.gateway import Options
from simulators.gateway.websocket import PING_AFTER_SECONDS
from tests.simulators.gateway.sockets import Wire

OPEN = '<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" to="rainbow.test" version="1.0"/>'

# Time to look at what keeps a connection alive without logging in.
PATIENT = Options(login_seconds=600)


def cuts(data: bytes) -> Iterator[list[bytes]]:
    """Whole, byte by byte, and cut at every offset."""
    yield [data]
    yield [data[index : index + 1] for index in range(len(data))]
    yield from ([data[:index], data[index:]] for index in range(1, len(data)))


def names(frames: list[tuple[str, bytes]]) -> list[str]:
    return [name for name, _ in frames]


def test_the_upgrade_is_taken_however_it_is_cut() -> None:
    for pieces in cuts(Wire().request()):
        wire = Wire()
        wire.request()
        for piece in pieces:
            wire.socket.data_received(piece)
        written = wire.transport.taken()
        assert written.startswith(b"HTTP/1.1 101 ")
        assert b"Sec-WebSocket-Protocol: xmpp\r\n" in written


def test_messages_are_taken_however_they_are_cut() -> None:
    sample = Wire().open()
    sample.peer.send_text(OPEN.encode())
    for number, _ in enumerate(cuts(b"".join(sample.peer.data_to_send()))):
        wire = Wire().open()
        wire.peer.send_text(OPEN.encode())
        pieces = list(cuts(b"".join(wire.peer.data_to_send())))[number]
        for piece in pieces:
            wire.socket.data_received(piece)
        opened, features = wire.frames()
        assert opened[1].startswith(b"<open ")
        assert b"SCRAM-SHA-256" in features[1]


@pytest.mark.parametrize(
    ("path", "subprotocol", "status"),
    [("/websocket", "", 400), ("/websocket", "mqtt", 400), ("/websockets", "xmpp", 404)],
)
def test_what_is_not_for_agents_is_refused(path: str, subprotocol: str, status: int) -> None:
    wire = Wire(path, subprotocol)
    wire.socket.data_received(wire.request())
    response = wire.heard()[0]
    assert isinstance(response, Response)
    assert response.status_code == status
    assert wire.transport.is_closed


def test_a_full_gateway_takes_nobody() -> None:
    wire = Wire(options=Options(max_sessions=0))
    wire.socket.data_received(wire.request())
    response = wire.heard()[0]
    assert isinstance(response, Response)
    assert response.status_code == 503


def test_a_message_in_several_frames_is_one_message() -> None:
    wire = Wire().open()
    wire.peer.send_text(OPEN[:20].encode(), fin=False)
    wire.peer.send_continuation(OPEN[20:40].encode(), fin=False)
    wire.peer.send_continuation(OPEN[40:].encode(), fin=True)
    wire.send()
    assert wire.frames()[0][1].startswith(b"<open ")


def test_what_came_together_is_answered_in_one_piece() -> None:
    wire = Wire().open()
    wire.say(OPEN, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='NONE'/>")
    assert [text.split()[0] for _, text in wire.frames()] == [b"<open", b"<stream:features", b"<failure"]


def test_a_binary_message_ends_the_stream() -> None:
    wire = Wire().open()
    wire.say(OPEN)
    wire.frames()
    wire.peer.send_binary(b"\x00")
    wire.send()
    frames = wire.frames()
    assert any(b"<bad-format" in data for _, data in frames)
    assert frames[-1] == ("CLOSE", (1003).to_bytes(2, "big"))


def test_text_that_is_no_utf_8_ends_the_stream() -> None:
    wire = Wire().open()
    wire.peer.send_text(b"<\xff/>")
    wire.send()
    assert wire.frames()[-1] == ("CLOSE", (1007).to_bytes(2, "big"))


def test_a_message_over_the_limit_is_refused() -> None:
    wire = Wire().open()
    wire.say("x" * 65_537)
    name, data = wire.frames()[-1]
    assert (name, data[:2]) == ("CLOSE", (1009).to_bytes(2, "big"))


def test_a_dead_peer_is_asked_and_given_up_within_15_seconds() -> None:
    wire = Wire(options=PATIENT).open()
    wire.loop.advance(PING_AFTER_SECONDS - 0.1)
    assert wire.frames() == []
    wire.loop.advance(0.7)
    assert wire.frames() == [("PING", b"")]
    assert not wire.transport.is_aborted
    wire.loop.advance(14.9 - PING_AFTER_SECONDS - 0.6)
    assert wire.transport.is_aborted


def test_a_peer_that_answers_or_asks_is_alive() -> None:
    wire = Wire(options=PATIENT).open()
    wire.say(OPEN)
    for _ in range(2):
        wire.loop.advance(PING_AFTER_SECONDS + 0.5)
        assert "PING" in names(wire.frames())
        wire.send()  # the pong, which the library had ready
        assert not wire.transport.is_aborted
    wire.loop.advance(5)
    wire.peer.send_ping(b"?")
    wire.send()
    assert wire.frames() == [("PONG", b"?")]
    wire.loop.advance(4.9)  # heard 4.9 s ago: no question yet
    assert wire.frames() == []


def test_a_peer_that_never_logs_in_is_told_so() -> None:
    wire = Wire().open()
    wire.say(OPEN)
    for _ in range(7):
        wire.loop.advance(5)
        wire.peer.send_ping(b"")
        if not wire.transport.is_closed:
            wire.heard()
            wire.send()
    assert wire.peer.close_rcvd is not None


def test_a_request_that_never_ends_is_cut() -> None:
    wire = Wire()
    for byte in wire.request()[:40]:
        wire.socket.data_received(bytes([byte]))
        wire.loop.advance(0.5)
        if wire.transport.is_aborted:
            break
    assert wire.transport.is_aborted


def test_a_peer_that_reads_too_slowly_is_not_heard() -> None:
    wire = Wire().open()
    wire.socket.pause_writing()
    was_reading = wire.transport.reads
    wire.say(OPEN)  # was on its way already
    assert wire.frames() == []
    wire.socket.resume_writing()
    assert (was_reading, wire.transport.reads) == (False, True)
    assert wire.frames()[0][1].startswith(b"<open ")


def test_a_peer_is_asked_once_between_two_signs_of_life_20_seconds_apart() -> None:
    wire = Wire(options=PATIENT).open()
    for _ in range(3):
        wire.peer.send_ping(b"20 s")
        wire.send()
        wire.heard()
        asked = []
        for _ in range(20):
            wire.loop.advance(1)
            asked += names(wire.frames())
            wire.send()
        assert asked == ["PING"]


def test_a_peer_that_takes_nothing_any_more_is_given_up() -> None:
    wire = Wire().open()
    wire.socket.pause_writing()
    wire.loop.advance(15)
    assert wire.transport.is_aborted


def test_a_close_is_answered_and_ends_the_connection() -> None:
    wire = Wire().open()
    wire.peer.send_close(1000)
    wire.send()
    assert wire.frames() == [("CLOSE", (1000).to_bytes(2, "big"))]
    assert wire.transport.is_closed
    assert not wire.transport.is_aborted


def test_a_peer_that_does_not_close_its_end_is_given_up() -> None:
    wire = Wire().open()
    wire.say("no XML")
    assert wire.frames()[-1] == ("CLOSE", (1000).to_bytes(2, "big"))
    assert not wire.transport.is_closed
    wire.loop.advance(5.1)
    assert wire.transport.is_aborted


def test_a_lost_connection_leaves_nothing_behind() -> None:
    wire = Wire().open()
    wire.say(OPEN)
    assert len(wire.gateway._wakers) == 1
    assert wire.state.connections == {wire.socket}
    wire.socket.connection_lost(None)
    wire.loop.advance(0)  # what was to be done soon finds nothing to do
    assert len(wire.gateway._wakers) == 0
    assert wire.state.connections == set()
    assert [timer for timer in wire.loop.timers if not timer.is_cancelled] == []


def test_a_server_that_stops_says_so() -> None:
    wire = Wire().open()
    wire.gateway.shut_down()
    wire.socket.shutdown()
    frames = wire.frames()
    assert any(b"system-shutdown" in data for _, data in frames)
    assert names(frames)[-1] == "CLOSE"
    assert wire.transport.is_closed


def test_a_server_that_stops_closes_a_stream_that_nobody_told() -> None:
    wire = Wire().open()
    wire.socket.shutdown()
    assert wire.frames() == [("CLOSE", (1012).to_bytes(2, "big"))]
