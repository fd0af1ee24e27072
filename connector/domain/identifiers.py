"""Names that cross every wall of the house."""

import re
from enum import StrEnum

# A PBX takes the digits of a telephone keypad, and nothing longer than a public number with its prefixes.
_DEVICE_NUMBER = re.compile(r"[0-9*#A-D]{1,16}\Z")


class PbxKind(StrEnum):
    """The family of a PBX: it decides the CSTA phase and the limits."""

    OXO = "oxo"
    OXE = "oxe"


class Channel(StrEnum):
    """The four channels whose state the cloud reports of an agent."""

    XMPP = "xmpp"
    CONF = "conf"
    CSTA = "csta"
    HTTP = "http"


def is_device_number(text: str) -> bool:
    """Whether `text` can name a device of a PBX: 1 to 16 characters of 0-9 * # A-D."""
    return _DEVICE_NUMBER.match(text) is not None


def masked(number: str) -> str:
    """`number` as a log may show it: all but the last two characters hidden, at most eight stars."""
    if len(number) <= 2:
        return "*" * len(number)
    return "*" * min(len(number) - 2, 8) + number[-2:]
