"""The http channel (docs/protocols/pcg.md, section 4): HTTP over XMPP, XEP-0332.

A body that a stanza can't hold goes in chunks, see `chunks`. In-band and Jingle bodies are not part of this
version: a request says so, and a peer that sends one all the same breaks the protocol.
"""

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Container
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from connector.domain.errors import LocalProtocolError
from connector.domain.faults import FaultId
from connector.wire.pcg.fields import broken, expect, integer_field, local_name, optional_field, text_field
from connector.wire.pcg.names import HTTP, MAX_PAYLOAD_BYTES, MAX_WORD_CHARS, SHIM
from connector.wire.pcg.paging import size
from connector.wire.xmpp.xml import attributes, escaped

_CLAUSE = "protocol, section 4; XEP-0332, 4"

# Base64 makes 44 KiB of it, which leaves the stanza and its headers room in a frame.
MAX_BODY_BYTES = 32_768
# Browsers send about ten; each one we send has a purpose.
MAX_HEADERS = 32
MAX_HEADER_CHARS = 1_024
# RFC 9110, 4.1 recommends 8,000; our resources have a handful of short names.
MAX_RESOURCE_CHARS = 1_024
# XEP-0332, 4.1: what a requester may ask for as the size of a chunk, and what holds if it does not.
MAX_ASKED_CHUNK_BYTES = 65_536

_MAX_BASE64_CHARS = (MAX_BODY_BYTES + 2) // 3 * 4
# Text grows when it is escaped: JSON's quotes six times. Beyond this base64 is the shorter way.
_MAX_ESCAPED_BYTES = MAX_PAYLOAD_BYTES - 4_096
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}\Z")  # RFC 9110, 5.6.2
_RESOURCE = re.compile(r"/[!-~]*\Z")  # RFC 9112, 3.2.1: origin form
_VERSION = re.compile(r"\d(\.\d)?\Z", re.ASCII)
_SPACE = str.maketrans("", "", " \t\r\n")

_PLAIN = ("Content-Type", "text/plain; charset=utf-8")
# RFC 9110, 15: of the statuses that an agent answers with. XEP-0332 does not require a phrase.
_PHRASES = {
    200: "OK",
    204: "No Content",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}

Body = str | bytes | None
Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request. A body is text or bytes, whatever it travels as; header names compare without case."""

    method: str
    resource: str
    headers: Headers = ()
    body: Body = None
    max_chunk_bytes: int = MAX_ASKED_CHUNK_BYTES


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """A response. `message` is the reason phrase, for people; `stream_id` names the chunks of its body."""

    status: int
    headers: Headers = ()
    body: Body = None
    message: str = ""
    stream_id: str = ""


def request(wanted: HttpRequest) -> str:
    """G → A, set. Raises `LocalProtocolError` when the request or its body can't be carried."""
    if not _TOKEN.match(wanted.method) or not _is_resource(wanted.resource):
        raise LocalProtocolError(FaultId.OWN_PROTOCOL, "an HTTP request with a malformed method or resource")
    chunk = None if wanted.max_chunk_bytes == MAX_ASKED_CHUNK_BYTES else str(wanted.max_chunk_bytes)
    fields = attributes(method=wanted.method, resource=wanted.resource, version="1.1", maxChunkSize=chunk)
    # XEP-0332, 4.1: what the requester does not support it has to deny.
    return f'<req xmlns="{HTTP}"{fields} sipub="false" ibb="false" jingle="false">{_content(wanted)}</req>'


def response(given: HttpResponse) -> str:
    """A → G, the result of `request`. Raises `LocalProtocolError` if it can't be carried: see `chunks`."""
    fields = attributes(version="1.1", statusCode=str(given.status), statusMessage=_message(given))
    chunked = (
        f"<data><chunkedBase64{attributes(streamId=given.stream_id)}/></data>" if given.stream_id else ""
    )
    return f'<resp xmlns="{HTTP}"{fields}>{_content(given)}{chunked}</resp>'


def refusal(asked: HttpRequest, resources: Container[str]) -> HttpResponse | None:
    """The answer to a request that the agent does not serve, or None if it does.

    Only GET (405), only the paths `resources` (403: what else exists is nobody's business), no body (413).
    """
    if asked.method != "GET":
        return refused(405, "only GET is served", ("Allow", "GET"))
    if asked.resource.partition("?")[0] not in resources:
        return refused(403, "not served here")
    if asked.body:
        return refused(413, "a GET takes no body")
    return None


def refused(status: int, text: str, *headers: tuple[str, str]) -> HttpResponse:
    """An answer that says no, in one line of text."""
    return HttpResponse(status, (*headers, _PLAIN), text, _PHRASES[status])


def read_request(payload: Element) -> HttpRequest:
    """The request in `<req>`. Raises `RemoteProtocolError`."""
    expect(payload, HTTP, "req", _CLAUSE)
    method = text_field(payload, "method", _CLAUSE, limit=MAX_WORD_CHARS)
    resource = text_field(payload, "resource", _CLAUSE, limit=MAX_RESOURCE_CHARS)
    if not _TOKEN.match(method) or not _is_resource(resource):
        raise broken(payload, "has a malformed method or resource", _CLAUSE)
    _check_version(payload)
    chunk = integer_field(
        payload, "maxChunkSize", _CLAUSE, low=1, high=MAX_ASKED_CHUNK_BYTES, default=MAX_ASKED_CHUNK_BYTES
    )
    return HttpRequest(method, resource, _read_headers(payload), _read_body(payload), chunk)


def read_response(payload: Element) -> HttpResponse:
    """The response in `<resp>`. Raises `RemoteProtocolError`."""
    expect(payload, HTTP, "resp", _CLAUSE)
    _check_version(payload)
    stream_id = _read_stream_id(payload)
    return HttpResponse(
        status=integer_field(payload, "statusCode", _CLAUSE, low=100, high=599),
        headers=_read_headers(payload),
        body=None if stream_id else _read_body(payload),
        stream_id=stream_id,
        message=optional_field(payload, "statusMessage", _CLAUSE, limit=MAX_WORD_CHARS),
    )


def _message(given: HttpResponse) -> str | None:
    return given.message or _PHRASES.get(given.status)


def _is_resource(resource: str) -> bool:
    return len(resource) <= MAX_RESOURCE_CHARS and _RESOURCE.match(resource) is not None


def _content(carried: HttpRequest | HttpResponse) -> str:
    return _headers(carried.headers) + _body(carried.body)


def _headers(headers: Headers) -> str:
    if not headers:
        return ""
    if len(headers) > MAX_HEADERS or not all(map(_is_header, headers)):
        raise LocalProtocolError(FaultId.OWN_PROTOCOL, "HTTP headers that can't be carried")
    lines = "".join(f'<header name="{escaped(name)}">{escaped(value)}</header>' for name, value in headers)
    return f'<headers xmlns="{SHIM}">{lines}</headers>'


def _is_header(header: tuple[str, str]) -> bool:
    name, value = header
    return _TOKEN.match(name) is not None and len(value) <= MAX_HEADER_CHARS and value.isprintable()


def _body_bytes(body: Body) -> int:
    if body is None:
        return 0
    return len(body) if isinstance(body, bytes) else size(body)


def _body(body: Body) -> str:
    if body is None:
        return ""
    if _body_bytes(body) > MAX_BODY_BYTES:
        raise LocalProtocolError(FaultId.OWN_PROTOCOL, f"an HTTP body over {MAX_BODY_BYTES} bytes")
    if isinstance(body, str):
        text = escaped(body)
        # What XML can't carry at all was replaced: then the bytes go as they are.
        if text.count("\ufffd") == body.count("\ufffd") and size(text) <= _MAX_ESCAPED_BYTES:
            return f"<data><text>{text}</text></data>"
        body = body.encode(errors="replace")
    return f"<data><base64>{b64encode(body).decode()}</base64></data>"


def _check_version(payload: Element) -> None:
    # XEP-0332, 4.1 requires it. We use nothing in which the versions differ.
    if not _VERSION.match(payload.get("version", "")):
        raise broken(payload, "has no HTTP version", _CLAUSE)


def _read_headers(payload: Element) -> Headers:
    holder = payload.find(f"{{{SHIM}}}headers")
    if holder is None:
        return ()
    if len(holder) > MAX_HEADERS:
        raise broken(payload, f"has over {MAX_HEADERS} headers", _CLAUSE)
    return tuple((_header_name(header), _header_value(header)) for header in holder)


def _header_name(header: Element) -> str:
    name = header.get("name", "")
    if not _TOKEN.match(name):
        raise broken(header, "has no name", "XEP-0131, 2")
    return name


def _header_value(header: Element) -> str:
    value = (header.text or "").strip()
    # A line break in a value is how one header becomes two further on.
    if len(value) > MAX_HEADER_CHARS or not value.isprintable():
        raise broken(header, "has a value too long or not printable", "XEP-0131, 2")
    return value


def _read_stream_id(payload: Element) -> str:
    """The name of the chunks that bring the body; empty if they do not."""
    chunked = payload.find(f"{{{HTTP}}}data/{{{HTTP}}}chunkedBase64")
    return "" if chunked is None else text_field(chunked, "streamId", _CLAUSE, limit=MAX_WORD_CHARS)


def _read_body(payload: Element) -> Body:
    holder = payload.find(f"{{{HTTP}}}data")
    if holder is None or not len(holder):
        return None
    data = holder[0]
    kind = local_name(data)
    if kind == "text":
        return _read_text(data)
    if kind == "base64":
        return _read_base64(data)
    raise broken(data, "is a kind of body that we do not take", _CLAUSE)


def _read_text(data: Element) -> str:
    if len(data):
        raise broken(data, "holds elements where text is wanted", _CLAUSE)
    text = data.text or ""
    if size(text) > MAX_BODY_BYTES:
        raise broken(data, f"is over {MAX_BODY_BYTES} bytes", _CLAUSE)
    return text


def _read_base64(data: Element) -> bytes:
    text = (data.text or "").translate(_SPACE)
    if len(text) > _MAX_BASE64_CHARS:
        raise broken(data, f"is over {MAX_BODY_BYTES} bytes", _CLAUSE)
    try:
        return b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise broken(data, "is not base64", _CLAUSE) from None
