"""The framing of XMPP over WebSocket: `<open/>` and `<close/>` (RFC 7395, 3.3.2 to 3.6)."""

from dataclasses import dataclass
from xml.etree.ElementTree import Element

from connector.wire.xmpp.xml import StreamViolation, attributes, escaped

SUBPROTOCOL = "xmpp"
FRAMING = "urn:ietf:params:xml:ns:xmpp-framing"
OPEN_TAG = f"{{{FRAMING}}}open"
CLOSE_TAG = f"{{{FRAMING}}}close"

# A URI that a browser would still take; nobody needs a longer one to name a host.
MAX_URI_CHARS = 2_048

_LANG = "{http://www.w3.org/XML/1998/namespace}lang"


@dataclass(frozen=True, slots=True)
class Open:
    """The header of a stream. `to` and `from_` are domains, `stream_id` only the server gives."""

    to: str = ""
    from_: str = ""
    stream_id: str = ""
    version: str = "1.0"
    lang: str = ""


@dataclass(frozen=True, slots=True)
class Close:
    """The end of a stream; `see_other_uri` asks to go on there (RFC 7395, 3.6.1)."""

    see_other_uri: str = ""


def open_frame(header: Open) -> str:
    """The frame of `header`."""
    fields = attributes(
        to=header.to or None,
        from_=header.from_ or None,
        id=header.stream_id or None,
        version=header.version,
    )
    lang = f' xml:lang="{escaped(header.lang)}"' if header.lang else ""
    return f'<open xmlns="{FRAMING}"{fields}{lang}/>'


def close_frame(see_other_uri: str = "") -> str:
    """The frame that ends a stream."""
    return f'<close xmlns="{FRAMING}"{attributes(see_other_uri=see_other_uri or None)}/>'


def read_open(element: Element) -> Open:
    """The header in `element`.

    Raises `StreamViolation` if it is something else, or of another version (RFC 6120, 4.7.5).
    """
    if element.tag != OPEN_TAG:
        raise StreamViolation("invalid-namespace", "the first frame is no <open/>", clause="RFC 7395, 3.4")
    field = element.attrib.get
    version = field("version", "")
    if version.partition(".")[0] != "1":
        raise StreamViolation("unsupported-version", "not XMPP 1.x", clause="RFC 6120, 4.7.5")
    return Open(field("to", ""), field("from", ""), field("id", ""), version, field(_LANG, ""))


def read_close(element: Element) -> Close:
    """The end in `element`, whose tag is `CLOSE_TAG`. A URI over its limit is left out."""
    uri = element.attrib.get("see-other-uri", "")
    return Close(uri if len(uri) <= MAX_URI_CHARS else "")
