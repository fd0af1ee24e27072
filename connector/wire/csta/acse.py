"""The association that opens and ends a CSTA link (ACSE, X.227) and what both sides agree in it.

The user information is the form that ECMA-285, 8.2.2 keeps from the first editions: versions, the functions
one side requires, and the functions it supplies.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from connector.wire import ber

AARQ: Final = 0x60
AARE: Final = 0x61
RLRQ: Final = 0x62
RLRE: Final = 0x63
ABRT: Final = 0x64
TAGS: Final = frozenset((AARQ, AARE, RLRQ, RLRE, ABRT))

_PROTOCOL_VERSION_1: Final = ber.bit_string((0,), 1, 0x80)
# 1.3.12.0.180, the application context of CSTA.
_CONTEXT: Final = ber.tlv(0xA1, ber.tlv(ber.OBJECT_IDENTIFIER, bytes((0x2B, 0x0C, 0x00, 0x81, 0x34))))
# 1.3.12.0.218.200, the form of the user information.
_USER_INFORMATION_FORM: Final = ber.tlv(
    ber.OBJECT_IDENTIFIER, bytes((0x2B, 0x0C, 0x00, 0x81, 0x5A, 0x81, 0x48))
)
_USER_INFORMATION: Final = 0xBE
_EXTERNAL: Final = 0x28
_SINGLE_TYPE: Final = 0xA0
_RESULT: Final = 0xA2
_DIAGNOSTIC: Final = 0xA3
_SERVICE_USER: Final = 0xA1

# Editions that the first forms of the version set count.
_VERSION_BITS: Final = 5


class Version(IntEnum):
    """Bits of the version set."""

    ECMA_180 = 0  # phase I
    ECMA_218 = 1  # phase II
    ECMA_285 = 2  # phase III


class AssociationResult(IntEnum):
    """Result of an association request (X.227)."""

    ACCEPTED = 0
    REJECTED_PERMANENT = 1
    REJECTED_TRANSIENT = 2


@dataclass(frozen=True, slots=True)
class Functionality:
    """Numbers of the services (bits of each group of ECMA-285, CSTAFunctionality) that are meant."""

    switching: frozenset[int] = frozenset()
    event_reports: frozenset[int] = frozenset()
    computing: frozenset[int] = frozenset()
    bidirectional: frozenset[int] = frozenset()
    status_reporting: frozenset[int] = frozenset()


# Group: context tag, field, and how many bits the standard counts.
_GROUPS: Final = (
    (0x80, "switching", 21),
    (0x81, "event_reports", 38),
    (0x82, "computing", 5),
    (0x83, "bidirectional", 2),
    (0x84, "status_reporting", 5),
)
_GROUP_NAMES: Final = {tag: name for tag, name, _ in _GROUPS}


def _bits(*ranges: tuple[int, int]) -> frozenset[int]:
    return frozenset(bit for low, high in ranges for bit in range(low, high + 1))


# What the one client known from captures asks of an OXE: it is taken in the field, so we ask for the same.
CLIENT_REQUIRES: Final = Functionality(
    switching=_bits((0, 2), (5, 8), (10, 11), (13, 14), (17, 17), (20, 20)),
    event_reports=_bits((1, 1), (3, 13), (15, 15), (22, 30), (32, 32), (34, 34)),
    bidirectional=_bits((0, 1)),
    status_reporting=_bits((0, 3)),
)
CLIENT_SUPPLIES: Final = Functionality(
    computing=_bits((0, 1), (3, 4)),
    bidirectional=_bits((0, 1)),
)


@dataclass(frozen=True, slots=True)
class UserInformation:
    """Versions offered or chosen, functions required and supplied by the sender."""

    versions: frozenset[int]
    requires: Functionality = Functionality()
    supplies: Functionality = Functionality()


@dataclass(frozen=True, slots=True)
class AssociateRequest:
    """AARQ."""

    information: UserInformation | None


@dataclass(frozen=True, slots=True)
class AssociateResponse:
    """AARE. `diagnostic` is the service user's reason, 0 if there is none."""

    result: int
    diagnostic: int = 0
    information: UserInformation | None = None


@dataclass(frozen=True, slots=True)
class ReleaseRequest:
    """RLRQ."""


@dataclass(frozen=True, slots=True)
class ReleaseResponse:
    """RLRE."""


@dataclass(frozen=True, slots=True)
class Abort:
    """ABRT. `source` 0 is the service user, 1 the provider."""

    source: int = 0


Association = AssociateRequest | AssociateResponse | ReleaseRequest | ReleaseResponse | Abort


def decode(payload: bytes) -> Association:
    """The association PDU that fills `payload`. Raises `RemoteProtocolError`."""
    tag, start, stop = ber.single(payload)
    parts = ber.elements(payload, start, stop)
    if tag == AARQ:
        return AssociateRequest(_information(payload, parts))
    if tag == AARE:
        result = _wrapped_integer(payload, parts, _RESULT)
        if result is None:
            raise ber.broken(payload, 0, "an association response without result", "X.227, 9.1")
        return AssociateResponse(result, _diagnostic(payload, parts), _information(payload, parts))
    if tag == RLRQ:
        return ReleaseRequest()
    if tag == RLRE:
        return ReleaseResponse()
    if tag == ABRT:
        return Abort(next((ber.as_integer(payload[s:e]) for inner, s, e in parts if inner == 0x80), 0))
    raise ber.broken(payload, 0, f"tag {tag:X} is no association PDU", "X.227, 9.1")


def _wrapped_integer(data: bytes, parts: list[ber.Element], wanted: int) -> int | None:
    for tag, start, stop in parts:
        if tag == wanted:
            _, inner_start, inner_stop = ber.first(data, start, stop)
            return ber.as_integer(data[inner_start:inner_stop])
    return None


def _diagnostic(data: bytes, parts: list[ber.Element]) -> int:
    for tag, start, stop in parts:
        if tag == _DIAGNOSTIC:
            return _wrapped_integer(data, ber.elements(data, start, stop), _SERVICE_USER) or 0
    return 0


def _information(data: bytes, parts: list[ber.Element]) -> UserInformation | None:
    """What stands in [30] { EXTERNAL { form, [0] { SEQUENCE } } }; None if a wrapping is missing."""
    for wrapping in (_USER_INFORMATION, _EXTERNAL, _SINGLE_TYPE, ber.SEQUENCE):
        found = next((element for element in parts if element[0] == wrapping), None)
        if found is None:
            return None
        parts = ber.elements(data, found[1], found[2])
    versions: frozenset[int] = frozenset()
    functions: list[Functionality] = []
    for tag, start, stop in parts:
        if tag == ber.BIT_STRING:
            versions = ber.as_bits(data[start:stop])
        elif tag == ber.SEQUENCE:
            functions.append(_functionality(data, start, stop))
    return UserInformation(versions, *functions[:2])


def _functionality(data: bytes, start: int, stop: int) -> Functionality:
    groups = {
        _GROUP_NAMES[tag]: ber.as_bits(data[inner_start:inner_stop])
        for tag, inner_start, inner_stop in ber.elements(data, start, stop)
        if tag in _GROUP_NAMES
    }
    return Functionality(**groups)


def encode(message: Association) -> bytes:
    """`message` as one element."""
    match message:
        case AssociateRequest(information):
            offer = b"" if information is None else _write_information(information, _VERSION_BITS)
            return ber.tlv(AARQ, _PROTOCOL_VERSION_1 + _CONTEXT + offer)
        case AssociateResponse():
            return ber.tlv(AARE, _PROTOCOL_VERSION_1 + _CONTEXT + _write_response(message))
        case ReleaseRequest():
            return ber.tlv(RLRQ, ber.integer(0, 0x80))
        case ReleaseResponse():
            return ber.tlv(RLRE, ber.integer(0, 0x80))
        case Abort(source):
            return ber.tlv(ABRT, ber.integer(source, 0x80))


def _write_response(message: AssociateResponse) -> bytes:
    result = ber.tlv(_RESULT, ber.integer(message.result))
    diagnostic = ber.tlv(_DIAGNOSTIC, ber.tlv(_SERVICE_USER, ber.integer(message.diagnostic)))
    if message.information is None:
        return result + diagnostic
    # An answer names only the chosen version, so its set ends there.
    return result + diagnostic + _write_information(message.information, 0)


def _write_information(information: UserInformation, width: int) -> bytes:
    """User information whose version set has `width` bits, or as many as it needs."""
    needed = max(width, max(information.versions, default=0) + 1)
    content = ber.sequence(
        ber.bit_string(information.versions, needed),
        _write_functionality(information.requires),
        _write_functionality(information.supplies),
    )
    external = ber.tlv(_EXTERNAL, _USER_INFORMATION_FORM + ber.tlv(_SINGLE_TYPE, content))
    return ber.tlv(_USER_INFORMATION, external)


def _write_functionality(functions: Functionality) -> bytes:
    groups = ((tag, getattr(functions, name), width) for tag, name, width in _GROUPS)
    return ber.sequence(*(ber.bit_string(bits, width, tag) for tag, bits, width in groups if bits))
