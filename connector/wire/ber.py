"""ASN.1 Basic Encoding Rules (X.690): what CSTA needs of them, quick and bounded.

Reading works on index ranges of one `bytes` object: `elements` lists what stands directly inside a range, and
nothing deeper is looked at until somebody asks for it. An element that nobody asks for costs one header. The
`as_…` functions read the content of a primitive.

A tag is its identifier octets as one number: 0x30, 0xA3, 0x5F8101. Every error is a `RemoteProtocolError`
whose offset counts octets of the object being read.
"""

from collections.abc import Iterable
from typing import Final

from connector.domain.errors import RemoteProtocolError
from connector.domain.faults import FaultId

BOOLEAN: Final = 0x01
INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
NULL_TAG: Final = 0x05
OBJECT_IDENTIFIER: Final = 0x06
ENUMERATED: Final = 0x0A
UTC_TIME: Final = 0x17
SEQUENCE: Final = 0x30
# The tag of no element: X.690, 8.1.5 keeps it for end-of-contents.
ABSENT: Final = 0x00

# A CSTA event is nine levels deep. Only indefinite lengths make us look into what we don't know.
MAX_DEPTH = 32
# The largest tag number of CSTA is 30; four more identifier octets carry numbers up to 2^28.
MAX_TAG_OCTETS = 4
# A frame is far shorter than what three length octets can say.
MAX_LENGTH_OCTETS = 3
# Numbers here are ids, codes and counts; eight octets hold any of them.
MAX_INTEGER_OCTETS = 8
# 38 event bits are the widest set of CSTA; this is room for every later edition.
MAX_BIT_STRING_OCTETS = 32

# An element of a range: its tag, and where its content starts and stops.
Element = tuple[int, int, int]

_EXCERPT_OCTETS = 8


def elements(data: bytes, start: int, stop: int) -> list[Element]:
    """The elements that fill data[start:stop], in order. The frame's size bounds their number."""
    found: list[Element] = []
    add = found.append
    limit = stop - 1
    while start < limit:
        tag = data[start]
        length = data[start + 1]
        if length < 0x80 and tag & 0x1F != 0x1F:
            body = start + 2
            start = body + length
            add((tag, body, start))
        else:
            element, start = _long_form(data, start, stop)
            add(element)
    if start > stop:  # asked once, since an element that is too long is always the last one
        raise _broken(data, found[-1][1] - 2, "an element is longer than what holds it", "8.1.3.3")
    if start < stop:
        raise _broken(data, start, "one octet is left over", "8.1.1.1")
    return found


def first(data: bytes, start: int, stop: int) -> Element:
    """The element at `start` of data[start:stop]; what follows it there is not looked at.

    An empty range gives the tag `ABSENT`.
    """
    if stop - start < 2:
        if start >= stop:
            return ABSENT, stop, stop
        raise _broken(data, start, "one octet is left over", "8.1.1.1")
    tag = data[start]
    length = data[start + 1]
    body = start + 2
    if length == 0x81 and body < stop:  # the outer elements of most events
        length = data[body]
        body += 1
    elif length > 0x7F:
        return _long_form(data, start, stop)[0]
    if tag & 0x1F == 0x1F or body + length > stop:
        return _long_form(data, start, stop)[0]
    return tag, body, body + length


def single(data: bytes) -> Element:
    """The one element that fills `data`."""
    element = first(data, 0, len(data))
    if element[2] != len(data) or not data:
        found = elements(data, 0, len(data))
        if len(found) != 1:
            raise _broken(data, 0, f"{len(found)} elements where one is expected", "8.1.1.1")
    return element


def inside(data: bytes, tag: int) -> list[Element]:
    """The elements inside the first element of `data`, which must be a `tag`."""
    found, start, stop = first(data, 0, len(data))
    if found != tag:
        raise _broken(data, 0, f"tag {found:X} where {tag:X} is expected", "8.1.2")
    return elements(data, start, stop)


def _long_form(data: bytes, start: int, stop: int) -> tuple[Element, int]:
    """One element with a high tag number, a long or an indefinite length, and where the next one starts."""
    tag, position = _identifier(data, start, stop)
    length, body = _length(data, position, stop)
    if length is None:
        if not data[start] & 0x20:
            raise _broken(data, start, "indefinite length of a primitive", "8.1.3.2")
        end = _end_of_contents(data, body, stop)
        return (tag, body, end), end + 2
    if length > stop - body:
        raise _broken(data, start, "an element is longer than what holds it", "8.1.3.3")
    return (tag, body, body + length), body + length


def _identifier(data: bytes, start: int, stop: int) -> tuple[int, int]:
    tag = data[start]
    position = start + 1
    if tag & 0x1F != 0x1F:
        return tag, position
    while position < stop and position - start <= MAX_TAG_OCTETS:
        octet = data[position]
        position += 1
        tag = tag << 8 | octet
        if not octet & 0x80:
            return tag, position
    raise _broken(data, start, "a tag number is cut or too long", "8.1.2.4")


def _length(data: bytes, position: int, stop: int) -> tuple[int | None, int]:
    """The length, None if indefinite, and where the content starts."""
    if position >= stop:
        raise _broken(data, position, "a length is missing", "8.1.3")
    first = data[position]
    body = position + 1
    if first < 0x80:
        return first, body
    if first == 0x80:
        return None, body
    count = first & 0x7F
    if count > MAX_LENGTH_OCTETS or count > stop - body:
        raise _broken(data, position, "a length is cut or too long", "8.1.3.5")
    return int.from_bytes(data[body : body + count], "big"), body + count


def _end_of_contents(data: bytes, position: int, stop: int) -> int:
    """Where the end-of-contents octets stand that close the element whose content starts at `position`."""
    depth = 1
    while position < stop:
        begin = position
        tag, position = _identifier(data, position, stop)
        length, position = _length(data, position, stop)
        if tag == 0:
            if length != 0 or position != begin + 2:
                raise _broken(data, begin, "end-of-contents that is not two zero octets", "8.1.5")
            depth -= 1
            if depth == 0:
                return begin
        elif length is not None:
            position += length
        elif not data[begin] & 0x20:
            raise _broken(data, begin, "indefinite length of a primitive", "8.1.3.2")
        else:
            depth += 1
            if depth > MAX_DEPTH:
                raise _broken(data, begin, f"more than {MAX_DEPTH} levels", "8.1.3.6")
    raise _broken(data, stop, "end-of-contents is missing", "8.1.3.6")


def as_integer(content: bytes) -> int:
    """The INTEGER or ENUMERATED with this content (8.3, 8.4)."""
    if not 0 < len(content) <= MAX_INTEGER_OCTETS:
        raise _broken(content, 0, f"an integer of {len(content)} octets", "8.3.1")
    return int.from_bytes(content, "big", signed=True)


def as_boolean(content: bytes) -> bool:
    """The BOOLEAN with this content (8.2)."""
    if len(content) != 1:
        raise _broken(content, 0, f"a boolean of {len(content)} octets", "8.2.1")
    return content[0] != 0


def as_bits(content: bytes) -> frozenset[int]:
    """The numbers of the bits set in the BIT STRING with this content (8.6)."""
    if not 0 < len(content) <= MAX_BIT_STRING_OCTETS + 1 or content[0] > 7:
        raise _broken(content, 0, "a bit string too long, or with a wrong count of unused bits", "8.6.2.2")
    width = (len(content) - 1) * 8 - content[0]
    return frozenset(bit for bit in range(width) if content[1 + (bit >> 3)] & 0x80 >> (bit & 7))


def as_octets(content: bytes, limit: int) -> bytes:
    """`content`, of which there may be `limit` octets."""
    if len(content) > limit:
        raise _broken(content, 0, f"{len(content)} octets where at most {limit} are expected", "8.7")
    return content


def tlv(tag: int, content: bytes) -> bytes:
    """An element with a definite length in its shortest form."""
    length = len(content)
    identifier = tag.to_bytes((tag.bit_length() + 7) // 8 or 1, "big")
    if length < 0x80:
        return identifier + bytes((length,)) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return identifier + bytes((0x80 | len(octets),)) + octets + content


def integer(value: int, tag: int = INTEGER) -> bytes:
    """`value` as an INTEGER, or with another tag (8.3: the fewest octets)."""
    size = (value if value >= 0 else ~value).bit_length() // 8 + 1
    return tlv(tag, value.to_bytes(size, "big", signed=True))


def boolean(*, value: bool, tag: int = BOOLEAN) -> bytes:
    """`value` as a BOOLEAN, or with another tag."""
    return tlv(tag, b"\xff" if value else b"\x00")


def bit_string(bits: Iterable[int], width: int, tag: int = BIT_STRING) -> bytes:
    """A BIT STRING of `width` bits of which `bits` are set."""
    octets = bytearray((width + 7) // 8)
    for bit in bits:
        octets[bit >> 3] |= 0x80 >> (bit & 7)
    return tlv(tag, bytes((-width % 8,)) + octets)


def sequence(*parts: bytes) -> bytes:
    """A SEQUENCE of elements already encoded."""
    return tlv(SEQUENCE, b"".join(parts))


NULL = tlv(NULL_TAG, b"")


def broken(data: bytes, offset: int, detail: str, clause: str) -> RemoteProtocolError:
    """The error for octets that break `clause`; the excerpt is short, since they may hold a phone number."""
    return RemoteProtocolError(
        FaultId.PBX_PROTOCOL,
        detail,
        excerpt=data[offset : offset + _EXCERPT_OCTETS],
        offset=offset,
        clause=clause,
        link="pbx",
    )


def _broken(data: bytes, offset: int, detail: str, clause: str) -> RemoteProtocolError:
    return broken(data, offset, detail, f"X.690, {clause}")
