"""Stanzas (RFC 6120, 8): reading one from its element, writing one from a template, every field escaped."""

from dataclasses import dataclass
from typing import ClassVar, Literal
from xml.etree.ElementTree import Element

from connector.domain.errors import LocalProtocolError
from connector.domain.faults import FaultId
from connector.wire.xmpp.jid import MAX_JID_BYTES
from connector.wire.xmpp.xml import StreamViolation, escaped, parse

CLIENT = "jabber:client"
STANZA_ERRORS = "urn:ietf:params:xml:ns:xmpp-stanzas"

# Ours have at most 40 characters; libraries use UUIDs with a prefix. Every id is kept until it is answered.
MAX_ID_CHARS = 256

# A namespace and a name, for one log line.
_MAX_KIND_CHARS = 120

StanzaName = Literal["message", "presence", "iq"]
IqKind = Literal["get", "set", "result", "error"]

# By tag: one look-up tells a stanza from all else.
_NAMES: dict[str, StanzaName] = {
    f"{{{CLIENT}}}message": "message",
    f"{{{CLIENT}}}presence": "presence",
    f"{{{CLIENT}}}iq": "iq",
}
_IQ_KINDS = frozenset({"get", "set", "result", "error"})

# RFC 6120, 8.3.3: the type that goes with each condition.
_ERROR_TYPES = {
    "bad-request": "modify",
    "conflict": "cancel",
    "feature-not-implemented": "cancel",
    "forbidden": "auth",
    "gone": "cancel",
    "internal-server-error": "cancel",
    "item-not-found": "cancel",
    "jid-malformed": "modify",
    "not-acceptable": "modify",
    "not-allowed": "cancel",
    "not-authorized": "auth",
    "policy-violation": "modify",
    "recipient-unavailable": "wait",
    "redirect": "modify",
    "registration-required": "auth",
    "remote-server-not-found": "cancel",
    "remote-server-timeout": "wait",
    "resource-constraint": "wait",
    "service-unavailable": "cancel",
    "subscription-required": "auth",
    "undefined-condition": "cancel",
    "unexpected-request": "wait",
}


@dataclass(frozen=True, slots=True)
class OwedRequest:
    """What has to be kept of a received request to answer it later, even from a journal: text alone."""

    name: ClassVar[StanzaName] = "iq"
    is_request: ClassVar[bool] = True

    id: str
    type: str
    from_: str
    to: str
    payload_tag: str


@dataclass(frozen=True, slots=True)
class Stanza:
    """One message, presence or iq as received. Absent attributes are empty; `payload` is the first child."""

    name: StanzaName
    id: str
    type: str
    from_: str
    to: str
    payload: Element | None
    children: tuple[Element, ...]

    @property
    def is_request(self) -> bool:
        """Whether it wants exactly one answer."""
        return self.name == "iq" and self.type in ("get", "set")

    @property
    def owed(self) -> OwedRequest:
        """The debt that this request is."""
        tag = "" if self.payload is None else self.payload.tag
        return OwedRequest(self.id, self.type, self.from_, self.to, tag)


@dataclass(frozen=True, slots=True)
class SentStanza:
    """Which stanza of ours it was, without its content: `kind` is its name and its payload's.

    `unacked` is how many of ours, this one among them, the peer had not acknowledged.
    """

    id: str
    kind: str
    size_bytes: int
    unacked: int = 0

    def __str__(self) -> str:
        return f"{self.kind}, {self.size_bytes} bytes, {self.unacked} unacknowledged"


@dataclass(frozen=True, slots=True)
class StanzaError:
    """Why a stanza was refused. `application` is the first child of another namespace than RFC 6120's."""

    condition: str
    type: str
    text: str
    application: Element | None


def is_stanza(element: Element) -> bool:
    """Whether `element` is a stanza at all."""
    return element.tag in _NAMES


def read_stanza(element: Element) -> Stanza:
    """The stanza in `element`.

    Raises `StreamViolation` for another element, an address or id over its limit, and an iq without id or
    with an unknown type: it could be neither answered nor matched (RFC 6120, 8.2.3).
    """
    name = _NAMES.get(element.tag)
    if name is None:
        raise StreamViolation("unsupported-stanza-type", "no stanza", clause="RFC 6120, 4.9.3.24")
    field = element.attrib.get
    id_, type_, from_, to = field("id", ""), field("type", ""), field("from", ""), field("to", "")
    if len(from_) > MAX_JID_BYTES or len(to) > MAX_JID_BYTES or len(id_) > MAX_ID_CHARS:
        raise StreamViolation("improper-addressing", "an id or address too long", clause="RFC 7622, 3.1")
    if name == "iq" and (not id_ or type_ not in _IQ_KINDS):
        raise StreamViolation("invalid-xml", "an iq without id or type", clause="RFC 6120, 8.2.3")
    children = tuple(element)
    return Stanza(name, id_, type_, from_, to, children[0] if children else None, children)


def described(text: str, unacked: int) -> SentStanza:
    """What a stanza of ours was, from its text."""
    size = len(text.encode(errors="surrogatepass"))
    try:
        element = parse(text)
    except StreamViolation:
        return SentStanza("", "not XML", size, unacked)
    kind = element.tag.rpartition("}")[2]
    payload = f" {element[0].tag[:_MAX_KIND_CHARS]}" if len(element) else ""
    return SentStanza(element.get("id", ""), kind + payload, size, unacked)


def error_of(stanza: Stanza) -> StanzaError | None:
    """The error that `stanza` carries, or None if it carries none."""
    if stanza.type != "error":
        return None
    for child in stanza.children:
        if child.tag == f"{{{CLIENT}}}error":
            return _read_error(child)
    return StanzaError("undefined-condition", "cancel", "", None)


def _read_error(element: Element) -> StanzaError:
    condition, text, application = "undefined-condition", "", None
    for child in element:
        namespace, _, name = child.tag.rpartition("}")
        if namespace != f"{{{STANZA_ERRORS}":
            application = child if application is None else application
        elif name == "text":
            text = child.text or ""
        elif name in _ERROR_TYPES:
            condition = name
    return StanzaError(condition, element.attrib.get("type", "cancel"), text, application)


def iq(kind: IqKind, id_: str, to: str = "", payload: str = "", *, from_: str = "") -> str:
    """An iq. `payload` is complete XML in a namespace of its own; an empty `to` or `from_` is left out."""
    return f'<iq xmlns="{CLIENT}" type="{kind}" id="{escaped(id_)}"{_addresses(to, from_)}>{payload}</iq>'


def message(id_: str, to: str = "", payload: str = "", *, from_: str = "", kind: str = "") -> str:
    """A message. An empty `kind` means `normal` (RFC 6121, 5.2.2); an empty `id_` is left out."""
    return (
        f'<message xmlns="{CLIENT}"{_optional("type", kind)}{_optional("id", id_)}{_addresses(to, from_)}>'
        f"{payload}</message>"
    )


def presence(
    id_: str = "", to: str = "", payload: str = "", *, from_: str = "", kind: Literal["", "unavailable"] = ""
) -> str:
    """A presence: without a kind, we are available."""
    fields = f"{_optional('type', kind)}{_optional('id', id_)}{_addresses(to, from_)}"
    return f'<presence xmlns="{CLIENT}"{fields}>{payload}</presence>'


def result_reply(stanza: Stanza | OwedRequest, payload: str = "", *, from_: str = "") -> str:
    """The result for the request `stanza`."""
    if not stanza.is_request:
        raise LocalProtocolError(FaultId.OWN_PROTOCOL, "a result for what is no request", link="cloud")
    return iq("result", stanza.id, stanza.from_, payload, from_=from_)


def error_reply(
    stanza: Stanza | OwedRequest,
    condition: str,
    text: str = "",
    payload: str = "",
    *,
    type_: str = "",
    from_: str = "",
) -> str:
    """The error for `stanza`; `payload` is a condition of another namespace, `type_` has its usual value."""
    if stanza.type in ("error", "result"):  # RFC 6120, 8.3.1: no error answers an error
        raise LocalProtocolError(FaultId.OWN_PROTOCOL, "an error for an answer", link="cloud")
    words = f'<text xmlns="{STANZA_ERRORS}">{escaped(text)}</text>' if text else ""
    return (
        f'<{stanza.name} xmlns="{CLIENT}" type="error"{_optional("id", stanza.id)}'
        f'{_addresses(stanza.from_, from_)}><error type="{type_ or _ERROR_TYPES[condition]}">'
        f'<{condition} xmlns="{STANZA_ERRORS}"/>{words}{payload}</error></{stanza.name}>'
    )


def _addresses(to: str, from_: str) -> str:
    return _optional("to", to) + _optional("from", from_)


def _optional(name: str, value: str) -> str:
    return f' {name}="{escaped(value)}"' if value else ""
