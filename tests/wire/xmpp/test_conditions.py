"""What each condition means, row by row (RFC 6120, 4.9.3 and 6.5)."""

import pytest

from connector.domain.errors import (
    AccountDisabled,
    AuthError,
    ConnectorError,
    Disposition,
    LinkClosed,
    LocalProtocolError,
    Redirected,
    Replaced,
    SentTooMuch,
    Throttled,
)
from connector.domain.faults import FaultId
from connector.wire.xmpp import stanzas
from connector.wire.xmpp.conditions import bind_failure, sasl_failure, stream_failure
from connector.wire.xmpp.rfc6120 import StreamError, sasl_failure_frame, stream_error_frame
from tests.wire.xmpp.pair import START, failure, make_client, ready_pair

STREAM_ROWS = [
    ("conflict", Replaced, Disposition.HOLD),
    ("not-authorized", AuthError, Disposition.HOLD),
    ("system-shutdown", LinkClosed, Disposition.RETRY),
    ("reset", LinkClosed, Disposition.RETRY),
    ("resource-constraint", LinkClosed, Disposition.RETRY),
    ("internal-server-error", LinkClosed, Disposition.RETRY),
    ("connection-timeout", LinkClosed, Disposition.RETRY),
    ("remote-connection-failed", LinkClosed, Disposition.RETRY),
    ("undefined-condition", LinkClosed, Disposition.RETRY),
    ("never-heard-of", LinkClosed, Disposition.RETRY),
    ("host-unknown", Throttled, Disposition.RETRY_AFTER),
    ("unsupported-version", Throttled, Disposition.RETRY_AFTER),
    ("invalid-namespace", Throttled, Disposition.RETRY_AFTER),
    ("unsupported-encoding", Throttled, Disposition.RETRY_AFTER),
    ("policy-violation", SentTooMuch, Disposition.RETRY_AFTER),
    ("not-well-formed", LocalProtocolError, Disposition.HOLD),
    ("invalid-xml", LocalProtocolError, Disposition.HOLD),
    ("restricted-xml", LocalProtocolError, Disposition.HOLD),
    ("bad-format", LocalProtocolError, Disposition.HOLD),
]
SASL_ROWS = [
    ("not-authorized", AuthError, FaultId.CLOUD_NOT_AUTHORIZED),
    ("account-disabled", AccountDisabled, FaultId.CLOUD_ACCOUNT_DISABLED),
    ("credentials-expired", AccountDisabled, FaultId.CLOUD_ACCOUNT_DISABLED),
    ("never-heard-of", AuthError, FaultId.CLOUD_NOT_AUTHORIZED),
    ("invalid-mechanism", AuthError, FaultId.CLOUD_NO_MECHANISM),
    ("mechanism-too-weak", AuthError, FaultId.CLOUD_NO_MECHANISM),
    ("temporary-auth-failure", LinkClosed, FaultId.CLOUD_CLOSED),
    ("malformed-request", LocalProtocolError, FaultId.OWN_PROTOCOL),
]


@pytest.mark.parametrize(("condition", "kind", "disposition"), STREAM_ROWS)
def test_a_stream_error_ends_a_ready_stream(
    condition: str, kind: type[ConnectorError], disposition: Disposition
) -> None:
    pair = ready_pair()
    pair.client.receive(stream_error_frame(condition, "why"), START)
    error = failure(pair.client.events())
    assert type(error) is kind
    assert error.disposition is disposition
    assert condition in error.detail
    assert pair.client.is_closed
    assert [frame.partition(" ")[0] for frame in pair.client.to_send()] == ["<close"]


@pytest.mark.parametrize(("condition", "kind", "fault"), SASL_ROWS)
def test_a_sasl_failure_ends_the_login(condition: str, kind: type[ConnectorError], fault: FaultId) -> None:
    client = make_client()
    client.receive('<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" version="1.0"/>', START)
    client.receive(
        '<stream:features xmlns:stream="http://etherx.jabber.org/streams"><mechanisms '
        'xmlns="urn:ietf:params:xml:ns:xmpp-sasl"><mechanism>SCRAM-SHA-1</mechanism></mechanisms></stream:features>',
        START,
    )
    client.receive(sasl_failure_frame(condition), START)
    error = failure(client.events())
    assert type(error) is kind
    assert isinstance(error, ConnectorError)
    assert error.fault is fault
    assert client.is_closed


def test_a_shutdown_is_announced_and_a_timeout_is_not() -> None:
    for condition, is_announced in (
        ("system-shutdown", True),
        ("reset", True),
        ("connection-timeout", False),
    ):
        error = stream_failure(StreamError(condition))
        assert isinstance(error, LinkClosed)
        assert error.announced is is_announced
    failed = sasl_failure("temporary-auth-failure")
    assert isinstance(failed, LinkClosed)
    assert failed.announced


def test_a_count_that_was_too_high_is_our_defect() -> None:
    error = stream_failure(StreamError("undefined-condition", "", "handled-count-too-high"))
    assert isinstance(error, LocalProtocolError)


def test_another_host_redirects() -> None:
    error = stream_failure(StreamError("see-other-host", "other.example:443"))
    assert isinstance(error, Redirected)
    assert error.target == "other.example:443"
    assert isinstance(stream_failure(StreamError("see-other-host")), LinkClosed)


def test_retry_times() -> None:
    host = stream_failure(StreamError("host-unknown"))
    policy = stream_failure(StreamError("policy-violation"))
    assert isinstance(host, Throttled)
    assert isinstance(policy, Throttled)
    assert (host.retry_after_seconds, policy.retry_after_seconds) == (900.0, 60.0)


def test_a_refused_bind() -> None:
    assert isinstance(bind_failure("conflict"), Replaced)
    assert isinstance(bind_failure("resource-constraint"), LinkClosed)


def test_every_stanza_condition_can_be_sent() -> None:
    pair = ready_pair()
    pair.server.request("get", "", "<x xmlns='urn:x'/>", START)
    pair.run()
    request = pair.at_client[0].stanza  # type: ignore[attr-defined]
    for condition in ("forbidden", "item-not-found", "bad-request", "service-unavailable", "jid-malformed"):
        assert f"<{condition} " in stanzas.error_reply(request, condition)
