"""XML in and out of one XMPP frame.

Out: templates, with every field passed through `escaped` or `attributes`. In: a guard that refuses what
RFC 6120, 11.1 forbids and bounds size, depth and breadth, then ElementTree on the whole frame. Frames are
parsed whole: feeding expat a long token in pieces costs quadratic time before 2.6 (CVE-2023-52425).
"""

import re
from functools import cache
from xml.etree import ElementTree
from xml.etree.ElementTree import Element
from xml.parsers import expat

from connector.domain.errors import RemoteProtocolError
from connector.domain.faults import FaultId

# docs/protocols/pcg.md, Limits. RFC 6120, 13.12 wants at least 10,000 bytes to be accepted.
MAX_FRAME_BYTES = 65_536
MAX_DEPTH = 32
MAX_ATTRIBUTES = 64
MAX_CHILDREN = 1_000
# The longest namespace in use has 61 characters. ElementTree keeps the namespace in every distinct name of an
# element or attribute: one of 32 KiB, used by 6,000 names of one frame, would cost 200 MB.
MAX_NAMESPACE_CHARS = 256
# An element has at least four characters, "<a/>": up to this size no frame has too many children, and no
# namespace can make it grow beyond 1 MB. Most stanzas are smaller; lists of devices are searched and walked.
_SMALL_FRAME_CHARS = 4 * MAX_CHILDREN
# Enough names of elements to recognise a frame in a log line.
_EXCERPT_CHARS = 200

_NEEDS_ESCAPE = re.compile("[&<>\"'\x00-\x1f\ud800-\udfff\ufffe\uffff]")
# XML 1.0, 2.2: these can't stand in a document at all, not even escaped. Tab, LF and CR can.
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ESCAPES = {
    ord("&"): "&amp;",
    ord("<"): "&lt;",
    ord(">"): "&gt;",
    ord('"'): "&quot;",
    ord("'"): "&apos;",
    ord("\t"): "&#9;",
    ord("\n"): "&#10;",
    ord("\r"): "&#13;",
}
_TAG = re.compile(r"<[/!?]?[A-Za-z_][\w:.-]{0,60}", re.ASCII)
# Bounded everywhere, so that a frame of nothing but "xmlns:" costs no quadratic search.
_LONG_NAMESPACE = re.compile(
    rf"""xmlns(?::[^\s=<>"']{{65}}|(?::[^\s=<>"']{{1,64}})?\s*=\s*(?:"[^"]{{{MAX_NAMESPACE_CHARS + 1}}}"""
    rf"""|'[^']{{{MAX_NAMESPACE_CHARS + 1}}}))"""
)


class StreamViolation(RemoteProtocolError):
    """The peer broke a rule of the stream.

    `condition` is the stream error (RFC 6120, 4.9.3) that tells it so; `application` adds a complete element.
    """

    def __init__(
        self, condition: str, detail: str, *, excerpt: str = "", clause: str = "", application: str = ""
    ) -> None:
        super().__init__(FaultId.CLOUD_PROTOCOL, detail, excerpt=excerpt, clause=clause, link="cloud")
        self.condition = condition
        self.application = application


def escaped(value: str) -> str:
    """`value` safe in an element's text and in a quoted attribute.

    Characters that XML can't carry become U+FFFD: a control character in a name must not stop a device list.
    """
    # Letters and digits alone, the commonest field, need no search.
    if value.isalnum() or _NEEDS_ESCAPE.search(value) is None:
        return value
    return _NOT_XML.sub("\ufffd", value).translate(_ESCAPES)


def attributes(**fields: str | None) -> str:
    """Attributes in order, each with a leading space; None leaves one out, `_` stands for `-` in names."""
    return "".join(
        [
            f' {_attribute_name(name)}="{escaped(value)}"'
            for name, value in fields.items()
            if value is not None
        ]
    )


@cache
def _attribute_name(name: str) -> str:
    """The XML name of a keyword. Keywords are words of our own code, hence few."""
    return name.strip("_").replace("_", "-")


def parse(frame: str) -> Element:
    """The element that `frame` holds: exactly one, complete, in a message of its own (RFC 7395, 3.3.3).

    Raises `StreamViolation` for anything that RFC 6120, 11.1 forbids (DTD, entity, comment, processing
    instruction), that exceeds a limit, or is not well-formed.
    """
    if is_too_large(frame):
        raise _refused("policy-violation", f"a frame over {MAX_FRAME_BYTES} bytes", frame, "RFC 6120, 13.12")
    if not frame.startswith("<"):
        raise _refused("not-well-formed", "a frame does not start with '<'", frame, "RFC 7395, 3.3.3")
    _refuse_restricted(frame)
    is_small = len(frame) <= _SMALL_FRAME_CHARS
    if not is_small and _LONG_NAMESPACE.search(frame) is not None:
        raise _refused("policy-violation", f"a namespace over {MAX_NAMESPACE_CHARS} characters", frame, "")
    try:
        root = ElementTree.fromstring(frame)  # noqa: S314 - guarded above: no DTD, hence no entity
    except ElementTree.ParseError as error:
        line, column = error.position
        reason = f"{expat.ErrorString(error.code)}, line {line}, column {column}"
        raise _refused("not-well-formed", reason, frame, "RFC 6120, 11.3") from None
    except ValueError:  # a lone surrogate, which a checked UTF-8 transport can't deliver
        raise _refused("not-well-formed", "not Unicode", frame, "RFC 6120, 11.6") from None
    # Each attribute needs a '=', each level but the deepest a '</'.
    if not is_small or frame.count("=") > MAX_ATTRIBUTES or frame.count("</") >= MAX_DEPTH:
        _check_shape(root, frame)
    return root


def is_too_large(frame: str) -> bool:
    """Whether `frame` has more than `MAX_FRAME_BYTES` in UTF-8, where a character takes one to four."""
    if len(frame) * 4 <= MAX_FRAME_BYTES or frame.isascii():
        return len(frame) > MAX_FRAME_BYTES
    return len(frame) > MAX_FRAME_BYTES or len(frame.encode(errors="surrogatepass")) > MAX_FRAME_BYTES


def _refuse_restricted(frame: str) -> None:
    """No '<!' but CDATA, and no '<?'.

    A bare '<' can stand in no text and no attribute value, only in a CDATA section. '<!' inside one is let
    through; '<?' inside one is refused although XML allows it: no peer has a reason to write it so.
    """
    # A search for one character is ten times quicker than for two, and most frames have neither.
    if "?" in frame and "<?" in frame:
        raise _refused("restricted-xml", "a processing instruction or declaration", frame, "RFC 6120, 11.1")
    start = frame.find("<!") if "!" in frame else -1
    while start >= 0:
        if not frame.startswith("<![CDATA[", start):
            raise _refused("restricted-xml", "a DTD, comment or entity", frame, "RFC 6120, 11.1")
        end = frame.find("]]>", start)
        if end < 0:
            return  # never closed: expat refuses it
        start = frame.find("<!", end)


def _check_shape(root: Element, frame: str) -> None:
    level = [root]
    depth = 1
    while level:
        if depth > MAX_DEPTH:
            raise _refused("policy-violation", f"more than {MAX_DEPTH} levels", frame, "")
        below: list[Element] = []
        for element in level:
            if len(element) > MAX_CHILDREN or len(element.attrib) > MAX_ATTRIBUTES:
                raise _refused("policy-violation", "too many children or attributes", frame, "")
            below.extend(element)
        level = below
        depth += 1


def _refused(condition: str, detail: str, frame: str, clause: str) -> StreamViolation:
    # Names of elements only: values may be codes and phone numbers, which no error may hold.
    return StreamViolation(
        condition, detail, excerpt=" ".join(_TAG.findall(frame[:_EXCERPT_CHARS])), clause=clause
    )
