"""What the agent does about each condition, row by row: error, what a person reads, when it tries again."""

import random
from collections.abc import Callable, Sequence

import pytest

from connector.domain.backoff import Backoff
from connector.domain.errors import (
    AccountDisabled,
    AuthError,
    ConnectorError,
    LinkClosed,
    LocalProtocolError,
    Redirected,
    RemoteProtocolError,
    Replaced,
    SentTooMuch,
    Throttled,
)
from connector.domain.faults import FaultId
from connector.wire.xmpp import rfc7395, stanzas
from connector.wire.xmpp.conditions import sasl_failure, stream_failure
from connector.wire.xmpp.events import StreamFailed
from connector.wire.xmpp.rfc6120 import StreamError, stream_error_frame
from connector.wire.xmpp.stanzas import error_of, read_stanza
from connector.wire.xmpp.xml import parse
from tests.wire.xmpp.pair import DOMAIN, START, USER, failure, ready_pair

JID = f"{USER}@{DOMAIN}/pbxagent"
GATEWAY = f"pbxpcg_1@{DOMAIN}/pbxpcg"
MINUTE, HOUR = 60.0, 3600.0


def of_stream(condition: str) -> ConnectorError:
    """The error that a stream error makes."""
    return stream_failure(StreamError(condition))


def delays(error: ConnectorError, tries: int = 6) -> list[list[float]]:
    """The first `tries` delays after `error`, each of a hundred agents."""
    fleet = [Backoff(random.Random(seed).uniform) for seed in range(100)]
    return [[backoff.next_delay(error) for backoff in fleet] for _ in range(tries)]


NORMAL = [(0.0, 30.0), (1.0, MINUTE), (1.0, MINUTE)]
LOCAL = [(0.0, 2.0), (1.0, MINUTE), (1.0, MINUTE)]
WRONG_CODE = [(54.0, 66.0), (270.0, 330.0), (15 * MINUTE, 30 * MINUTE), (15 * MINUTE, 30 * MINUTE)]
Row = tuple[
    str, Callable[[str], ConnectorError], type[ConnectorError], FaultId, Sequence[tuple[float, float]]
]

ROWS: list[Row] = [
    ("not-authorized", sasl_failure, AuthError, FaultId.CLOUD_NOT_AUTHORIZED, WRONG_CODE),
    ("not-authorized", of_stream, AuthError, FaultId.CLOUD_NOT_AUTHORIZED, WRONG_CODE),
    *(
        (name, sasl_failure, AccountDisabled, FaultId.CLOUD_ACCOUNT_DISABLED, [(HOUR, 1.2 * HOUR)] * 3)
        for name in ("account-disabled", "credentials-expired")
    ),
    ("temporary-auth-failure", sasl_failure, LinkClosed, FaultId.CLOUD_CLOSED, NORMAL),
    *(
        (name, of_stream, LinkClosed, FaultId.CLOUD_CLOSED, NORMAL)
        for name in ("internal-server-error", "resource-constraint", "reset", "system-shutdown")
    ),
    ("conflict", of_stream, Replaced, FaultId.CLOUD_REPLACED, [(MINUTE, HOUR)] * 5),
    *(
        (name, of_stream, Throttled, FaultId.CLOUD_MISCONFIGURED, [(15 * MINUTE, 15 * MINUTE)] * 3)
        for name in ("host-unknown", "unsupported-version", "invalid-namespace", "unsupported-encoding")
    ),
    ("policy-violation", of_stream, SentTooMuch, FaultId.CLOUD_TOO_MUCH, [(MINUTE, MINUTE)] * 3),
    *(
        (name, of_stream, LocalProtocolError, FaultId.OWN_PROTOCOL, [(54.0, 66.0)])
        for name in ("not-well-formed", "invalid-xml", "restricted-xml", "bad-format")
    ),
    *(
        (name, of_stream, LinkClosed, FaultId.CLOUD_CLOSED, LOCAL)
        for name in ("connection-timeout", "remote-connection-failed", "undefined-condition")
    ),
]


@pytest.mark.parametrize(
    ("condition", "read", "kind", "fault", "bounds"),
    ROWS,
    ids=[f"{row[0]}-{row[1].__name__}" for row in ROWS],
)
def test_each_condition_has_its_error_and_its_delays(
    condition: str,
    read: Callable[[str], ConnectorError],
    kind: type[ConnectorError],
    fault: FaultId,
    bounds: Sequence[tuple[float, float]],
) -> None:
    error = read(condition)
    assert type(error) is kind
    assert error.fault is fault
    assert error.link == "cloud"
    assert condition in error.detail
    for of_fleet, (low, high) in zip(delays(error), bounds, strict=False):
        assert low <= min(of_fleet)
        assert max(of_fleet) <= high


def test_a_fleet_that_was_replaced_or_switched_off_does_not_come_back_in_step() -> None:
    for error in (of_stream("conflict"), sasl_failure("account-disabled")):
        assert len({round(delay, 1) for delay in delays(error)[0]}) > 50


@pytest.mark.parametrize(
    ("frame", "target"),
    [
        (stream_error_frame("see-other-host", "other.example:443"), "other.example:443"),
        (rfc7395.close_frame("wss://other.example/websocket"), "wss://other.example/websocket"),
    ],
)
def test_a_redirection_carries_its_address(frame: str, target: str) -> None:
    pair = ready_pair()
    pair.client.receive(frame, START)
    error = failure(pair.client.events())
    assert isinstance(error, Redirected)
    assert error.target == target


@pytest.mark.parametrize("uri", ["ws://other.example/", "http://other.example/", "wss://" + "x" * 2_048])
def test_a_redirection_to_what_is_less_secure_is_an_ordinary_end(uri: str) -> None:
    pair = ready_pair()
    pair.client.receive(rfc7395.close_frame(uri), START)
    assert type(failure(pair.client.events())) is LinkClosed


@pytest.mark.parametrize("condition", ["policy-violation", "not-well-formed", "bad-format", "invalid-xml"])
def test_what_was_sent_last_is_named_when_the_gateway_ends_the_stream_for_it(condition: str) -> None:
    pair = ready_pair()
    pair.client.send(stanzas.message("e-1", GATEWAY, "<event xmlns='urn:x'>0639980001</event>"))
    pair.client.send(stanzas.message("e-2", GATEWAY, "<event xmlns='urn:x'>0639980001 é</event>"))
    pair.client.receive(stream_error_frame(condition), START)
    [event] = pair.client.events()
    assert isinstance(event, StreamFailed)
    blamed = event.blamed
    assert blamed is not None
    size = len(pair.client.to_send()[1].encode())
    assert (blamed.id, blamed.kind, blamed.size_bytes) == ("e-2", "message {urn:x}event", size)
    assert blamed.unacked == 2
    assert f"message {{urn:x}}event, {size} bytes" in event.error.detail
    assert "0639980001" not in repr(event)


def test_nothing_is_blamed_for_what_is_not_about_stanzas() -> None:
    pair = ready_pair()
    pair.client.send(stanzas.message("e-1", GATEWAY, "<event xmlns='urn:x'/>"))
    pair.client.receive(stream_error_frame("system-shutdown"), START)
    [event] = pair.client.events()
    assert isinstance(event, StreamFailed)
    assert event.blamed is None


@pytest.mark.parametrize(
    ("frame", "condition"),
    [
        ("<a", "not-well-formed"),
        ("<!DOCTYPE a []><a/>", "restricted-xml"),
        ("<message xmlns='jabber:client'><!-- x --></message>", "restricted-xml"),
        ("<iq xmlns='jabber:client' type='get'/>", "invalid-xml"),
    ],
)
def test_a_rule_that_the_gateway_breaks_is_named_to_it_and_the_stream_ends(
    frame: str, condition: str
) -> None:
    pair = ready_pair()
    pair.client.receive(frame, START)
    error = failure(pair.client.events())
    assert isinstance(error, RemoteProtocolError)
    said, closed = pair.client.to_send()
    assert f"<{condition} " in said
    assert closed == rfc7395.close_frame()


@pytest.mark.parametrize(
    ("request_", "condition"),
    [
        (stanzas.iq("set", "1", JID, from_=GATEWAY), "bad-request"),
        (stanzas.iq("get", "1", JID, "<x xmlns='urn:x'/><y xmlns='urn:x'/>", from_=GATEWAY), "bad-request"),
        (stanzas.iq("get", "1", JID, "<x xmlns='urn:x'/>", from_="@/"), "jid-malformed"),
        (stanzas.iq("get", "1", "a b@c", "<x xmlns='urn:x'/>", from_=GATEWAY), "jid-malformed"),
    ],
)
def test_a_request_that_can_not_be_served_gets_exactly_one_reply(request_: str, condition: str) -> None:
    pair = ready_pair()
    pair.client.receive(request_, START)
    assert pair.client.events() == []
    [reply] = pair.client.to_send()
    stanza = read_stanza(parse(reply))
    error = error_of(stanza)
    assert error is not None
    assert (stanza.id, error.condition) == ("1", condition)
    pair.client.tick(START + 1)
    assert not any("<iq" in frame for frame in pair.client.to_send())
