"""Values as JSON shows them, so that a vector can state what its XML means."""

import dataclasses
from datetime import datetime
from enum import Enum
from typing import Any
from xml.etree.ElementTree import Element


def plain(value: object) -> Any:
    """`value` in JSON's types: a dataclass is its type's name and the fields that are not at a default."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {"type": type(value).__name__} | {
            # "type" is taken by the name.
            ("device_type" if field.name == "type" else field.name): plain(getattr(value, field.name))
            for field in dataclasses.fields(value)
            if getattr(value, field.name) != field.default
        }
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds")
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return shape(value) if isinstance(value, Element) else value


def shape(element: Element) -> dict[str, Any]:
    """What an element says, whatever its prefixes and quotes; white space around text is no part of it."""
    parts = {
        "attributes": dict(element.attrib),
        "text": (element.text or "").strip(),
        "children": [shape(child) for child in element],
    }
    return {"element": element.tag} | {name: part for name, part in parts.items() if part}
