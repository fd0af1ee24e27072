"""A gateway may send the agent elsewhere, but only where the site allows, securely, and not for ever."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.links.websocket import WebSocketAddress
from connector.uplink.rainbow.itinerary import MAX_HOPS, Itinerary

HOME = WebSocketAddress("agent.rainbow.test", 443, "/websocket")
ALLOWED = frozenset({"agent2.rainbow.test"})


@pytest.fixture
def itinerary() -> Itinerary:
    return Itinerary(HOME, ALLOWED)


@pytest.mark.parametrize(
    ("target", "address"),
    [
        ("agent2.rainbow.test", WebSocketAddress("agent2.rainbow.test", 443, "/websocket")),
        ("agent2.rainbow.test:8443", WebSocketAddress("agent2.rainbow.test", 8443, "/websocket")),
        ("wss://AGENT2.rainbow.test/ws", WebSocketAddress("agent2.rainbow.test", 443, "/ws")),
        ("wss://agent.rainbow.test:9443", WebSocketAddress("agent.rainbow.test", 9443, "/websocket")),
    ],
)
def test_an_allowed_host_is_dialled_at_once(
    itinerary: Itinerary, target: str, address: WebSocketAddress
) -> None:
    assert itinerary.sent_to(target)
    assert itinerary.address == address


@pytest.mark.parametrize(
    "target",
    [
        "evil.example",
        "wss://evil.example/websocket",
        "ws://agent2.rainbow.test/websocket",
        "https://agent2.rainbow.test/",
        "wss://user:secret@agent2.rainbow.test/",
        "agent2.rainbow.test.evil.example",
        "agent2.rainbow.test:99999",
        "[::1",
        "",
        "a" * 5_000,
    ],
)
def test_any_other_place_is_not(itinerary: Itinerary, target: str) -> None:
    assert not itinerary.sent_to(target)
    assert itinerary.address == HOME


def test_after_three_hops_it_goes_home(itinerary: Itinerary) -> None:
    assert [itinerary.sent_to("agent2.rainbow.test") for _ in range(MAX_HOPS + 1)] == [True] * 3 + [False]
    assert itinerary.address == HOME


def test_a_host_that_fails_is_left_for_the_configured_one(itinerary: Itinerary) -> None:
    itinerary.sent_to("agent2.rainbow.test")
    itinerary.back_home()
    assert itinerary.address == HOME


@given(target=st.text())
def test_no_text_gets_an_exception_out_of_it(target: str) -> None:
    itinerary = Itinerary(HOME, ALLOWED)
    if not itinerary.sent_to(target):
        assert itinerary.address == HOME
