"""Long lists cut into payloads that fit a frame."""

from collections.abc import Callable, Iterable
from typing import TypeVar
from xml.etree.ElementTree import Element

from connector.wire.pcg.fields import integer_field
from connector.wire.pcg.names import MAX_PAGES, MAX_PAYLOAD_BYTES

Item = TypeVar("Item")

# Room for the element around the items of a page.
_WRAPPER_BYTES = 512
_ROOM_BYTES = MAX_PAYLOAD_BYTES - _WRAPPER_BYTES


def paged(items: Iterable[Item], rendered: Callable[[Item], str], *, limit: int) -> list[list[Item]]:
    """`items` in order, at most `limit` a page, each page within the payload limit; at least one page."""
    pages: list[list[Item]] = [[]]
    used_bytes = 0
    for item in items:
        size_bytes = size(rendered(item))
        if pages[-1] and (len(pages[-1]) == limit or used_bytes + size_bytes > _ROOM_BYTES):
            pages.append([])
            used_bytes = 0
        pages[-1].append(item)
        used_bytes += size_bytes
    return pages


def size(text: str) -> int:
    """Bytes of `text` on the wire."""
    return len(text) if text.isascii() else len(text.encode())


def page_of(payload: Element, clause: str) -> tuple[int, int]:
    """The number of a page, from 1, and of all pages; a payload that names neither is the only one."""
    of_pages = integer_field(payload, "pages", clause, low=1, high=MAX_PAGES, default=1)
    return integer_field(payload, "page", clause, low=1, high=of_pages, default=1), of_pages
