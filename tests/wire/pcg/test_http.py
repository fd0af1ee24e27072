"""HTTP over XMPP: bodies, headers, what the agent serves."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.domain.errors import LocalProtocolError, RemoteProtocolError
from connector.wire.pcg import chunks, http
from connector.wire.xmpp.xml import MAX_FRAME_BYTES, parse

NS = 'xmlns="urn:xmpp:http"'
SHIM = 'xmlns="http://jabber.org/protocol/shim"'
GET = f"<req {NS} version='1.1' method='GET' resource='/'"
HEADER = '<header name="A">x</header>'
SERVED = {"/status", "/devices"}


@settings(max_examples=100, deadline=None)
@given(st.none() | st.text(max_size=300) | st.binary(max_size=300))
def test_every_body_arrives(body: str | bytes | None) -> None:
    sent = http.HttpResponse(200, (("Content-Type", "application/json"),), body, "OK")
    read = http.read_response(parse(http.response(sent)))
    as_bytes = [
        one.encode(errors="replace") if isinstance(one, str) else one or b"" for one in (body, read.body)
    ]
    assert as_bytes[0] == as_bytes[1]
    assert (read.status, read.headers, read.message) == (sent.status, sent.headers, sent.message)


@pytest.mark.parametrize(
    "body",
    [
        '"' * http.MAX_BODY_BYTES,
        "é" * (http.MAX_BODY_BYTES // 2),
        "x" * http.MAX_BODY_BYTES,
        b"\xff" * http.MAX_BODY_BYTES,
    ],
    ids=["quotes", "accents", "letters", "bytes"],
)
def test_a_full_body_fits_a_frame_whatever_is_in_it(body: str | bytes) -> None:
    response = http.HttpResponse(200, (), body)
    assert chunks.answer(response, "s").chunks == ()
    frame = http.response(response)
    assert len(frame.encode()) < MAX_FRAME_BYTES
    read = http.read_response(parse(frame)).body
    assert read in {body, body.encode() if isinstance(body, str) else body}


@pytest.mark.parametrize("body", ["x" * (http.MAX_BODY_BYTES + 1), b"x" * (http.MAX_BODY_BYTES + 1)])
def test_a_body_over_the_limit_is_nothing_for_one_stanza(body: str | bytes) -> None:
    with pytest.raises(LocalProtocolError):
        http.response(http.HttpResponse(200, (), body))


def test_a_requester_may_ask_for_smaller_chunks() -> None:
    asked = http.HttpRequest("GET", "/devices", max_chunk_bytes=1_024)
    assert http.read_request(parse(http.request(asked))) == asked
    with pytest.raises(RemoteProtocolError):
        http.read_request(parse(http.request(asked).replace("1024", "0")))


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (http.HttpRequest("GET", "/status"), None),
        (http.HttpRequest("GET", "/status?pretty=1"), None),
        (http.HttpRequest("GET", "/devices"), None),
        (http.HttpRequest("GET", "/"), 403),
        (http.HttpRequest("GET", "/status/"), 403),
        (http.HttpRequest("GET", "/../etc/passwd"), 403),
        (http.HttpRequest("POST", "/status"), 405),
        (http.HttpRequest("get", "/status"), 405),
        (http.HttpRequest("DELETE", "/nothing"), 405),
        (http.HttpRequest("GET", "/status", body="x"), 413),
    ],
)
def test_only_get_of_what_is_served(request_: http.HttpRequest, status: int | None) -> None:
    refusal = http.refusal(request_, SERVED)
    assert (refusal.status if refusal else None) == status
    if refusal:
        assert http.read_response(parse(http.response(refusal))) == refusal
        assert status != 405 or ("Allow", "GET") in refusal.headers


@pytest.mark.parametrize(
    "request_",
    [
        http.HttpRequest("GET /", "/"),
        http.HttpRequest("GET", "status"),
        http.HttpRequest("GET", "/a b"),
        http.HttpRequest("GET", "/" + "a" * 2_000),
        http.HttpRequest("GET", "/", (("Name\r\nOther", "x"),)),
        http.HttpRequest("GET", "/", (("Name", "x\r\nOther: y"),)),
        http.HttpRequest("GET", "/", (("Name", "x"),) * 33),
    ],
)
def test_requests_that_can_not_be_sent(request_: http.HttpRequest) -> None:
    with pytest.raises(LocalProtocolError):
        http.request(request_)


@pytest.mark.parametrize(
    "frame",
    [
        f"<resp {NS} version='1.1' statusCode='200'/>",
        f"<req {NS} version='1.1' method='GET'/>",
        f"<req {NS} version='1.1' resource='/'/>",
        f"<req {NS} method='GET' resource='/'/>",
        f"<req {NS} version='HTTP' method='GET' resource='/'/>",
        f"<req {NS} version='1.1' method='G T' resource='/'/>",
        f"<req {NS} version='1.1' method='GET' resource='http://elsewhere/'/>",
        f"{GET}><headers {SHIM}><header>x</header></headers></req>",
        f"{GET}><headers {SHIM}><header name='A'>x&#10;B: y</header></headers></req>",
        f"{GET}><headers {SHIM}>{HEADER * 33}</headers></req>",
        f"{GET}><data><chunkedBase64 streamId='1'/></data></req>",
        f"{GET}><data><xml><a/></xml></data></req>",
        f"{GET}><data><text>a<b/></text></data></req>",
        f"{GET}><data><base64>*</base64></data></req>",
        f"{GET}><data><base64>é</base64></data></req>",
        f"{GET}><data><text>{'x' * 32_769}</text></data></req>",
        f"{GET}><data><base64>{'A' * 43_696}</base64></data></req>",
    ],
)
def test_requests_that_break_the_protocol(frame: str) -> None:
    with pytest.raises(RemoteProtocolError) as refused:
        http.read_request(parse(frame))
    assert refused.value.clause.startswith("protocol, section 4") or refused.value.clause.startswith(
        "XEP-0131"
    )


@pytest.mark.parametrize("status", ["99", "600", "OK", ""])
def test_a_status_is_three_digits(status: str) -> None:
    with pytest.raises(RemoteProtocolError):
        http.read_response(parse(f'<resp {NS} version="1.1" statusCode="{status}"/>'))


def test_base64_in_lines_is_read() -> None:
    frame = f"<resp {NS} version='1.1' statusCode='200'><data><base64>\n AP8\n Q\n</base64></data></resp>"
    assert http.read_response(parse(frame)).body == b"\x00\xff\x10"


def test_a_status_without_a_phrase_is_carried() -> None:
    assert http.read_response(parse(http.response(http.HttpResponse(299)))) == http.HttpResponse(299)
