"""What stands beside an event: the PBX's time and the vendor's private data (facts from captures of an OXE).

Phase II closes an event report with [APPLICATION 30] { [0] { UTCTime }, [1] { SEQUENCE { OID, value } … } };
phase I may close an event with [APPLICATION 29] { OID, value }. Items that are not ours to read are skipped.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from connector.wire import ber
from connector.wire.csta.devices import MAX_REMEMBERED
from connector.wire.csta.messages import PrivateData

COMMON_ARGUMENTS: Final = 0x7E
PRIVATE_DATA: Final = 0x7D

# A display on a set has 20 to 40 characters; a longer name is cut, which harms nobody.
MAX_NAME_BYTES = 160
# YYMMDDhhmmssZ, or with an offset instead of the Z.
MAX_TIME_CHARS = 17
# A global call reference has 8 octets.
MAX_REFERENCE_OCTETS = 32
# Captured private data has 20 to 60 octets. What is far longer is read anew each time: memory stays small.
MAX_REMEMBERED_OCTETS = 512

# 1.3.12.1206, the vendor's arc, as encoded; the item's arc follows it.
_VENDOR: Final = bytes((0x2B, 0x0C, 0x89, 0x36))
_OUTSIDE: Final = _VENDOR + bytes((0x83, 0x78))  # 504
_NAME: Final = _VENDOR + bytes((0x84, 0x00))  # 512
_REFERENCE: Final = _VENDOR + bytes((0x84, 0x09))  # 521
_SECOND_REFERENCE: Final = _VENDOR + bytes((0x84, 0x0A))  # 522

_TIME: Final = 0xA0
_ITEMS: Final = 0xA1
_SHORT_TIME: Final = bytes((_TIME, 15, ber.UTC_TIME, 13))
_NAME_TEXT: Final = 0x80


def read_common(data: bytes, start: int, stop: int) -> tuple[str, PrivateData | None]:
    """The PBX's time as sent, and its private data if there is any, from the content data[start:stop]."""
    time = ""
    private = None
    if data[start : start + 4] == _SHORT_TIME and start + 17 <= stop:
        # As every capture has it, and on the path of every event of an OXE.
        time = data[start + 4 : start + 17].decode("latin-1")
        start += 17
    for tag, inner_start, inner_stop in ber.elements(data, start, stop):
        if tag == _ITEMS:
            private = _private_data(data[inner_start:inner_stop])
        elif tag == _TIME:
            time = _read_time(data, inner_start, inner_stop)
    return time, private


def _read_time(data: bytes, start: int, stop: int) -> str:
    tag, start, stop = ber.first(data, start, stop)
    if tag != ber.UTC_TIME:
        return ""
    return ber.as_octets(data[start:stop], MAX_TIME_CHARS).decode("latin-1")


def _private_data(content: bytes) -> PrivateData:
    """What the items in `content` say: a third of the work of an event, and a call's events repeat them."""
    return _remembered_items(content) if len(content) <= MAX_REMEMBERED_OCTETS else _read_items(content)


@lru_cache(MAX_REMEMBERED)
def _remembered_items(content: bytes) -> PrivateData:
    return _read_items(content)


def _read_items(content: bytes) -> PrivateData:
    fields: dict[str, Any] = {}
    for tag, start, stop in ber.elements(content, 0, len(content)):
        if tag == ber.SEQUENCE:
            _read_item(content, start, stop, fields)
    return PrivateData(**fields)


def _read_item(data: bytes, start: int, stop: int, fields: dict[str, Any]) -> None:
    """Add what the item { OID, value } says to `fields`, if it is one of ours."""
    _, start, end = ber.first(data, start, stop)
    known = _READERS.get(data[start:end])
    if known is not None:
        tag, start, stop = ber.first(data, end, stop)
        if tag != ber.ABSENT:
            name, reader = known
            fields[name] = reader(data[start:stop])


def _read_name(content: bytes) -> str:
    """The first text of a name item. Its encoding is not documented: UTF-8 if it is that, else Latin-1."""
    tag, start, stop = ber.first(content, 0, len(content))
    if tag != _NAME_TEXT:
        return ""
    text = content[start:stop][:MAX_NAME_BYTES]
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        if stop - start > MAX_NAME_BYTES and error.reason == "unexpected end of data":
            return text[: error.start].decode()  # our own cut went through a character
        return text.decode("latin-1")


def _read_reference(content: bytes) -> bytes:
    return ber.as_octets(content, MAX_REFERENCE_OCTETS)


_READERS: Final[dict[bytes, tuple[str, Callable[[bytes], object]]]] = {
    _OUTSIDE: ("outside", ber.as_integer),
    _NAME: ("name", _read_name),
    _REFERENCE: ("call_reference", _read_reference),
    _SECOND_REFERENCE: ("second_reference", _read_reference),
}


def read_private(content: bytes) -> PrivateData:
    """Phase I private data: one item without a SEQUENCE around it."""
    fields: dict[str, Any] = {}
    _read_item(content, 0, len(content), fields)
    return PrivateData(**fields)


def write_common(local_time: str, private: PrivateData | None) -> bytes:
    """[APPLICATION 30] of both, or nothing if there is neither."""
    parts = b""
    if local_time:
        parts = ber.tlv(_TIME, ber.tlv(ber.UTC_TIME, local_time.encode("ascii")))
    if private is not None:
        items = (ber.sequence(ber.tlv(ber.OBJECT_IDENTIFIER, oid), value) for oid, value in _items(private))
        parts += ber.tlv(_ITEMS, b"".join(items))
    return ber.tlv(COMMON_ARGUMENTS, parts) if parts else b""


def write_private(private: PrivateData) -> bytes:
    """[APPLICATION 29] of the first item: phase I has room for one. Nothing if there is none."""
    for oid, value in _items(private):
        return ber.tlv(PRIVATE_DATA, ber.tlv(ber.OBJECT_IDENTIFIER, oid) + value)
    return b""


def _items(private: PrivateData) -> list[tuple[bytes, bytes]]:
    items: list[tuple[bytes, bytes]] = []
    if private.outside is not None:
        items.append((_OUTSIDE, ber.integer(private.outside)))
    if private.name:
        text = private.name.encode()[:MAX_NAME_BYTES].decode(errors="ignore").encode()
        name = ber.tlv(_NAME_TEXT, text) + ber.tlv(0x81, b"")
        items.append((_NAME, ber.sequence(name)))
    if private.call_reference:
        items.append((_REFERENCE, ber.tlv(ber.OCTET_STRING, private.call_reference)))
    if private.second_reference:
        items.append((_SECOND_REFERENCE, ber.tlv(ber.OCTET_STRING, private.second_reference)))
    return items
