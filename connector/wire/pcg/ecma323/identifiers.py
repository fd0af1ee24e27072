"""Devices, parties and connections of ECMA-323 (clause 9): written by its schema, read with tolerance.

Writing raises `TranslationError` for a text too long to be an identifier. Reading raises
`RemoteProtocolError` for the same, and takes what real senders send: children in any order, text where an
element should stand.
"""

from xml.etree.ElementTree import Element

from connector.domain.calls import NO_PARTY, UNKNOWN_PARTY, ConnectionId, Party, Presentation, Reach
from connector.domain.errors import TranslationError
from connector.domain.faults import FaultId
from connector.wire.pcg.fields import broken, local_name
from connector.wire.pcg.names import MAX_NUMBER_CHARS
from connector.wire.xmpp.xml import escaped

_CLAUSE = "protocol, section 3; ECMA-323, 9"

# Module names for members: looking one up on an Enum class costs more than rendering a short text.
_ALLOWED = Presentation.ALLOWED
_RESTRICTED = Presentation.RESTRICTED

# ECMA-269, 12.3.6: implicit* says on which side the number is, and no more; without a type it may be either.
_NUMBER_TYPES = {
    Reach.INTERNAL: ' typeOfNumber="implicitPrivate"',
    Reach.EXTERNAL: ' typeOfNumber="implicitPublic"',
    Reach.UNKNOWN: "",
}
_IDENTIFIER = {reach: f"<deviceIdentifier{kind}>" for reach, kind in _NUMBER_TYPES.items()}
_DIALLED = {reach: f"<numberDialed{kind}>" for reach, kind in _NUMBER_TYPES.items()}
# SubjectDeviceID has no "not required": such a party is written, and read back, as unknown.
_NO_SUBJECT = {
    Presentation.ALLOWED: "<notKnown/>",
    Presentation.RESTRICTED: "<restricted/>",
    Presentation.UNAVAILABLE: "<notKnown/>",
    Presentation.NOT_REQUIRED: "<notKnown/>",
}
_NO_REDIRECTION = {**_NO_SUBJECT, Presentation.NOT_REQUIRED: "<notRequired/>"}

# What stands for a redirecting party that our events do not have: ECMA-269's "can't be determined".
NOT_SPECIFIED = "<lastRedirectionDevice><notSpecified/></lastRedirectionDevice>"


def identifier(value: str) -> str:
    """`value` as element text."""
    if len(value) > MAX_NUMBER_CHARS:
        raise TranslationError(
            FaultId.EVENT_NOT_TRANSLATABLE,
            f"an identifier of {len(value)} characters is over {MAX_NUMBER_CHARS}",
        )
    # Nearly every number and reference is alphanumeric, and then nothing needs a search.
    return value if value.isalnum() else escaped(value)


def connection(value: ConnectionId) -> str:
    """The content of a ConnectionID: callID first; either part may be absent, not both."""
    call, device = value.call, value.device
    if not device:
        return f"<callID>{identifier(call)}</callID>"
    if not call:
        return f"<deviceID>{identifier(device)}</deviceID>"
    return f"<callID>{identifier(call)}</callID><deviceID>{identifier(device)}</deviceID>"


def subject(party: Party) -> str:
    """The content of a SubjectDeviceID, CallingDeviceID or CalledDeviceID."""
    number = party.number
    if number and party.presentation is _ALLOWED:
        return f"{_IDENTIFIER[party.reach]}{identifier(number)}</deviceIdentifier>"
    return _NO_SUBJECT[party.presentation]


def redirection(party: Party) -> str:
    """The content of a RedirectionDeviceID: `numberDialed` where the others say `deviceIdentifier`."""
    number = party.number
    if number and party.presentation is _ALLOWED:
        return f"{_DIALLED[party.reach]}{identifier(number)}</numberDialed>"
    return _NO_REDIRECTION[party.presentation]


def identifier_of(element: Element | None) -> str:
    """The text of an identifier without white space around it; empty when there is no element."""
    if element is None or element.text is None:
        return ""
    text = element.text.strip()
    if len(text) > MAX_NUMBER_CHARS:
        raise broken(element, f"is over {MAX_NUMBER_CHARS} characters", _CLAUSE)
    return text


def connection_of(element: Element | None) -> ConnectionId | None:
    """The connection in `element`, or None when it has none. Bare text is taken for the call's reference."""
    if element is None:
        return None
    call = device = ""
    for child in element:
        name = local_name(child)
        if name == "callID":
            call = identifier_of(child)
        elif name == "deviceID":
            device = identifier_of(child)
    call = call or ("" if device else identifier_of(element))
    return ConnectionId(call, device) if call or device else None


def party_of(element: Element | None) -> Party:
    """The party in a SubjectDeviceID or RedirectionDeviceID; unknown when there is none."""
    if element is None:
        return UNKNOWN_PARTY
    for child in element:
        name = local_name(child)
        if name == "restricted":
            return Party(presentation=_RESTRICTED)
        if name == "notRequired":
            return NO_PARTY
        if name in {"deviceIdentifier", "numberDialed", "deviceID"}:
            return _numbered(child)
    return _numbered(element)


def _numbered(element: Element) -> Party:
    # ed6: a number that is delivered for routing but must not be shown.
    if element.get("privateNumber") in {"true", "1"}:
        return Party(reach=_reach_of(element), presentation=_RESTRICTED)
    number = identifier_of(element)
    return Party(number, _reach_of(element)) if number else UNKNOWN_PARTY


def _reach_of(element: Element) -> Reach:
    kind = element.get("typeOfNumber", "").partition(":")[0]
    if kind in {"implicitPublic", "explicitPublic"}:
        return Reach.EXTERNAL
    if kind in {"implicitPrivate", "explicitPrivate"}:
        return Reach.INTERNAL
    return Reach.UNKNOWN
