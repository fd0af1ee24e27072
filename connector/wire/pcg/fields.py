"""Attributes and texts of a payload, read within bounds.

Every reader raises `RemoteProtocolError` with the clause of the protocol that the payload breaks. Excerpts
show an element's name only: its content may be a code or a number.
"""

from datetime import UTC, datetime
from xml.etree.ElementTree import Element

from connector.domain.errors import LocalProtocolError, RemoteProtocolError
from connector.domain.faults import FaultId
from connector.wire.pcg.names import MAX_ID_CHARS, MAX_SEQUENCE

# "2026-11-20T09:00:00.123456789+00:00" has 35.
_MAX_TIME_CHARS = 40
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def local_name(element: Element) -> str:
    """The element's name without its namespace."""
    return element.tag.rpartition("}")[2]


def broken(element: Element, detail: str, clause: str) -> RemoteProtocolError:
    """The error for a payload that breaks `clause`, e.g. "protocol, section 2"."""
    return RemoteProtocolError(
        FaultId.CLOUD_PROTOCOL,
        f"<{local_name(element)[:40]}> {detail}",
        excerpt=element.tag[:100],
        clause=clause,
    )


def expect(element: Element, namespace: str, name: str, clause: str) -> None:
    """Refuse anything but `{namespace}name`."""
    if element.tag != f"{{{namespace}}}{name}":
        raise broken(element, f"stands where <{name}> is wanted", clause)


def text_field(element: Element, name: str, clause: str, *, limit: int = MAX_ID_CHARS) -> str:
    """A needed attribute of 1 to `limit` characters."""
    value = element.get(name)
    if not value:
        raise broken(element, f"lacks {name!r}", clause)
    if len(value) > limit:
        raise broken(element, f"has {name!r} over {limit} characters", clause)
    return value


def optional_field(element: Element, name: str, clause: str, *, limit: int = MAX_ID_CHARS) -> str:
    """An attribute of up to `limit` characters, empty when it is not there."""
    return text_field(element, name, clause, limit=limit) if element.get(name) else ""


def integer_field(
    element: Element,
    name: str,
    clause: str,
    *,
    low: int = 0,
    high: int = MAX_SEQUENCE,
    default: int | None = None,
) -> int:
    """A decimal attribute within `low` to `high`; `default` when it is not there."""
    value = element.get(name)
    if value is None and default is not None:
        return default
    # The length goes first: converting a long run of digits costs quadratic time.
    if value is None or len(value) > len(str(high)) or not (value.isascii() and value.isdigit()):
        raise broken(element, f"has no number {name!r}", clause)
    number = int(value)
    if not low <= number <= high:
        raise broken(element, f"has {name!r} outside {low} to {high}", clause)
    return number


def boolean_field(element: Element, name: str, clause: str, *, default: bool | None = None) -> bool:
    """An `xs:boolean` attribute; `default` when it is not there."""
    value = element.get(name)
    if value is None and default is not None:
        return default
    if value not in _BOOLEANS:
        raise broken(element, f"has no true or false {name!r}", clause)
    return _BOOLEANS[value]


def time_field(element: Element, name: str, clause: str) -> datetime:
    """An ISO 8601 attribute with a zone, as UTC (XEP-0082)."""
    value = text_field(element, name, clause, limit=_MAX_TIME_CHARS)
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise broken(element, f"has {name!r} without a zone", clause)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise broken(element, f"has no ISO 8601 time {name!r}", clause) from None


def timestamp(moment: datetime) -> str:
    """`moment` in UTC to the millisecond: "2026-11-20T09:00:00.123Z" (XEP-0082)."""
    if moment.tzinfo is not UTC:
        if moment.tzinfo is None:
            raise LocalProtocolError(FaultId.OWN_PROTOCOL, "a time without a zone")
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="milliseconds")[:-6] + "Z"


def children(element: Element, name: str, clause: str, *, limit: int) -> list[Element]:
    """The children called `name`, whatever their namespace, at most `limit`; others are skipped."""
    found = [child for child in element if local_name(child) == name]
    if len(found) > limit:
        raise broken(element, f"has over {limit} <{name}>", clause)
    return found


def only_child(element: Element, clause: str) -> Element:
    """The first child element; a payload that wraps another one must have it."""
    for child in element:
        return child
    raise broken(element, "is empty", clause)
