"""Counting, against a model that does not know about 2^32."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.domain.errors import Overflow
from connector.wire.xmpp import xep0198
from connector.wire.xmpp.xep0198 import MAX_UNACKED, ReceivedCount, SentWindow
from connector.wire.xmpp.xml import StreamViolation, parse

WRAP = 1 << 32


@settings(deadline=None)
@given(
    st.integers(min_value=0, max_value=3 * WRAP),
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 25)), max_size=30),
)
def test_window_against_a_plain_list(start: int, rounds: list[tuple[int, int]]) -> None:
    window = SentWindow(start)
    handled = start
    sent: list[str] = []
    for to_send, to_ack in rounds:
        for _ in range(to_send):
            stanza = f"stanza {handled + len(sent)}"
            window.sent(stanza)
            sent.append(stanza)
        h = (handled + to_ack) % WRAP
        if to_ack > len(sent):
            with pytest.raises(StreamViolation):
                window.acknowledge(h)
            continue
        assert window.acknowledge(h) == to_ack
        del sent[:to_ack]
        handled += to_ack
        assert window.handled == handled
        assert list(window.unacked) == sent


@settings(deadline=None)
@given(st.integers(min_value=0, max_value=2 * WRAP), st.integers(0, 50))
def test_both_counters_agree_over_the_wrap(start: int, stanzas: int) -> None:
    window, received = SentWindow(start), ReceivedCount(start)
    for _ in range(stanzas):
        window.sent("x")
        received.handled()
    assert window.acknowledge(received.h) == stanzas
    assert len(window) == 0


def test_an_acknowledgement_that_goes_back_is_too_high() -> None:
    window = SentWindow()
    for _ in range(3):
        window.sent("x")
    window.acknowledge(2)
    with pytest.raises(StreamViolation) as caught:
        window.acknowledge(1)
    assert caught.value.application == '<handled-count-too-high xmlns="urn:xmpp:sm:3" h="1" send-count="3"/>'
    assert window.unacked == ("x",)


def test_the_window_is_bounded() -> None:
    window = SentWindow()
    for _ in range(MAX_UNACKED):
        window.sent("x")
    with pytest.raises(Overflow):
        window.sent("one more")
    assert len(window) == MAX_UNACKED
    window.acknowledge(1)
    window.sent("one more")


@pytest.mark.parametrize(("text", "h"), [("0", 0), ("4294967295", WRAP - 1), ("007", 7)])
def test_counts_are_read(text: str, h: int) -> None:
    assert xep0198.read_h(parse(f'<a xmlns="urn:xmpp:sm:3" h="{text}"/>')) == h


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.0", "4294967296", "x", "\uff11", "9" * 5_000, " 1"])
def test_what_is_no_count_is_refused(text: str) -> None:
    with pytest.raises(StreamViolation):
        xep0198.read_h(parse(f'<a xmlns="urn:xmpp:sm:3" h="{text}"/>'))


def test_a_count_is_written_as_it_is_read() -> None:
    assert xep0198.read_h(parse(xep0198.ack_frame(WRAP - 1))) == WRAP - 1
