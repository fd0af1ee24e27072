"""Commands into requests: connections back to what the PBX named, and what no phase can say."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.domain import commands as c
from connector.domain.calls import ConnectionId
from connector.pbx.csta import mapping
from connector.pbx.csta.requests import InvalidConnection, connection_of, request_of
from connector.wire.csta import messages as m
from connector.wire.csta import switching as s

NUMBERS = frozenset(("101", "12345678"))
LEG = ConnectionId("0011", "00010102")
NODE = m.Connection(b"\x00\x11", b"\x00\x01\x01\x02")


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=32), st.binary(min_size=1, max_size=32))
def test_a_connection_comes_back_as_the_pbx_named_it(call: bytes, device: bytes) -> None:
    connection = m.Connection(call, device)
    assert connection_of(mapping.connection_id(connection), frozenset()) == connection


@pytest.mark.parametrize("number", sorted(NUMBERS))
def test_a_static_connection_comes_back_as_one(number: str) -> None:
    connection = m.Connection(b"\x00\x11", static=m.DeviceId(m.DeviceForm.DIALING, number))
    assert connection_of(mapping.connection_id(connection), NUMBERS) == connection


@pytest.mark.parametrize(
    "named",
    [
        ConnectionId("", "00010102"),
        ConnectionId("0011", ""),
        ConnectionId("11g0", "00010102"),
        ConnectionId("00 11", "00010102"),
        ConnectionId("00AB", "00010102"),
        ConnectionId("0011", "101" * 40),
        ConnectionId("00" * 33, "00010102"),
        ConnectionId("é", "00010102"),
    ],
)
def test_what_no_event_named_is_no_connection(named: ConnectionId) -> None:
    with pytest.raises(InvalidConnection):
        connection_of(named, NUMBERS)


def test_digits_are_phase_two_alone() -> None:
    command = c.GenerateDigits(LEG, "12#")
    assert request_of(command, m.Phase.ONE, NUMBERS) is None
    assert request_of(command, m.Phase.TWO, NUMBERS) == s.SendDtmf(NODE, "12#")


@pytest.mark.parametrize("phase", list(m.Phase))
def test_a_withdrawal_with_a_reason_has_no_words(phase: m.Phase) -> None:
    withdrawal = c.SetAgentState("101", c.AgentState.NOT_READY, withdraw_reason=3)
    assert request_of(withdrawal, phase, NUMBERS) is None


@pytest.mark.parametrize("state", list(c.AgentState))
def test_every_state_of_an_agent_has_words(state: c.AgentState) -> None:
    request = request_of(c.SetAgentState("101", state, "41", "12", "90"), m.Phase.TWO, NUMBERS)
    assert isinstance(request, s.SetAgentState)
    assert (request.agent, request.password, request.group) == ("41", "12", "90")


@pytest.mark.parametrize("kind", list(c.ForwardingKind))
def test_every_forwarding_has_words(kind: c.ForwardingKind) -> None:
    request = request_of(c.SetForwarding("101", kind, is_on=True, destination="102"), m.Phase.ONE, NUMBERS)
    assert isinstance(request, s.SetForwarding)
    assert (request.is_on, request.destination) == (True, "102")
