"""Devices, connections and states: the parts that all CSTA services and events are made of.

Decoders read the content data[start:stop]. They take every form that phases I to III know and skip what is
unknown inside it; encoders write the one form that the captures show.
"""

from functools import lru_cache
from typing import Final

from connector.domain.calls import LocalState
from connector.wire import ber
from connector.wire.csta.messages import (
    NOT_KNOWN,
    NOT_REQUIRED,
    Connection,
    DeviceForm,
    DeviceId,
    ListedConnection,
)

# A public number with every prefix has under 25 digits. A longer one is not cut: it would be another number.
MAX_NUMBER_CHARS = 64
# Call ids have 2 octets, dynamic devices and cross references 4; the standard leaves their size free.
MAX_OPAQUE_OCTETS = 32
# A device or connection with everything that phase III may add to it. Nothing longer is remembered below.
MAX_PARTY_OCTETS = 256
# A set's number stands in each of its events, a connection in three to six: decoding one costs five times as
# much as finding it again. So many are the sets and calls that are busy at one time on the largest node.
MAX_REMEMBERED = 4_096

CALLING: Final = 0x61
CALLED: Final = 0x62
SUBJECT: Final = 0x63
REDIRECTION: Final = 0x64
CONNECTION: Final = 0x6B
CONNECTION_LIST: Final = 0x6C
LOCAL_STATE: Final = 0x4E
CROSS_REF: Final = 0x55
_ROLES: Final = frozenset((CALLING, CALLED, SUBJECT, REDIRECTION))
# What an OXE puts around each entry of a connection list.
LISTED: Final = 0xA3

_CALL_ID: Final = 0x82
_DYNAMIC_DEVICE: Final = 0x83
_SHORT_CALL: Final = bytes((_CALL_ID, 2))
_SHORT_DEVICE: Final = bytes((_DYNAMIC_DEVICE, 4))

_FORMS: Final = {
    0x80: DeviceForm.DIALING,
    0x82: DeviceForm.IMPLICIT_PUBLIC,
    0x84: DeviceForm.IMPLICIT_PRIVATE,
    0x86: DeviceForm.OTHER,
}
_EXPLICIT_FORMS: Final = {0xA3: DeviceForm.EXPLICIT_PUBLIC, 0xA5: DeviceForm.EXPLICIT_PRIVATE}
_ABSENCES: Final = {0x87: NOT_KNOWN, 0x88: NOT_REQUIRED, 0x89: DeviceId(DeviceForm.NOT_SPECIFIED)}
_TAGS: Final = {form: tag for tag, form in (_FORMS | _EXPLICIT_FORMS).items()}

_STATES: Final = (
    LocalState.NULL,
    LocalState.INITIATED,
    LocalState.ALERTING,
    LocalState.CONNECTED,
    LocalState.HOLD,
    LocalState.QUEUED,
    LocalState.FAIL,
)


@lru_cache(MAX_REMEMBERED)
def read_device(content: bytes) -> DeviceId:
    """The device of a role (calling, called, subject …) whose content is one device id."""
    _check_size(content)
    tag, start, stop = ber.first(content, 0, len(content))
    return device_of(tag, content[start:stop])


def device_of(tag: int, content: bytes) -> DeviceId:
    """The device that an element is. A form that is not known counts as a device not known."""
    form = _FORMS.get(tag)
    if form is not None:
        return DeviceId(form, _number(content))
    if tag in _ABSENCES:
        return _ABSENCES[tag]
    if tag == 0x81:
        return DeviceId(DeviceForm.DEVICE_NUMBER, str(ber.as_integer(content)))
    form = _EXPLICIT_FORMS.get(tag)
    if form is not None:
        inner, start, stop = ber.first(content, 0, len(content))
        return DeviceId(form, _number(content[start:stop]), inner & 0x1F)
    return NOT_KNOWN


def _number(content: bytes) -> str:
    if len(content) > MAX_NUMBER_CHARS:
        raise ber.broken(content, 0, f"a number of {len(content)} characters", "ECMA-180, DeviceID")
    return content.decode("latin-1")


def write_device(device: DeviceId) -> bytes:
    """`device` as a device id, without a role."""
    if device.form >= DeviceForm.NOT_KNOWN:
        return bytes((0x80 | device.form, 0))
    if device.form is DeviceForm.DEVICE_NUMBER:
        return ber.integer(int(device.number), 0x81)
    number = device.number.encode("latin-1")
    if device.form in (DeviceForm.EXPLICIT_PUBLIC, DeviceForm.EXPLICIT_PRIVATE):
        number = ber.tlv(0x80 | (device.type_of_number or 0), number)
    return ber.tlv(_TAGS[device.form], number)


@lru_cache(MAX_REMEMBERED)
def read_connection(content: bytes) -> Connection:
    """A connection: call [2] and dynamic device [3]; phase I may name a static device [0] instead.

    Phase III numbers the two [0] and [1]; without a [2] they are taken so.
    """
    if len(content) == 10 and content[:2] == _SHORT_CALL and content[4:6] == _SHORT_DEVICE:
        return Connection(content[2:4], content[6:])  # as every capture has it
    _check_size(content)
    parts = {tag: content[start:stop] for tag, start, stop in ber.elements(content, 0, len(content))}
    call = parts.get(_CALL_ID)
    if call is None:
        device = parts.get(0x81, parts.get(0xA1, b""))
        return Connection(_opaque(parts.get(0x80, b"")), _opaque(device))
    if _DYNAMIC_DEVICE in parts:
        return Connection(_opaque(call), _opaque(parts[_DYNAMIC_DEVICE]))
    if 0xA0 in parts:
        return Connection(_opaque(call), static=read_device(parts[0xA0]))
    if 0x80 in parts:
        return Connection(_opaque(call), static=device_of(0x80, parts[0x80]))
    return Connection(_opaque(call))


def _check_size(content: bytes) -> None:
    if len(content) > MAX_PARTY_OCTETS:
        raise ber.broken(content, 0, f"a device or connection of {len(content)} octets", "ECMA-180, DeviceID")


def _opaque(octets: bytes) -> bytes:
    return ber.as_octets(octets, MAX_OPAQUE_OCTETS)


@lru_cache(MAX_REMEMBERED)
def read_cross_ref(content: bytes) -> bytes:
    """A monitor's cross reference."""
    return _opaque(content)


def write_connection(connection: Connection) -> bytes:
    """`connection` as [APPLICATION 11]."""
    call = ber.tlv(_CALL_ID, connection.call)
    if connection.static is not None:
        return ber.tlv(CONNECTION, call + ber.tlv(0xA0, write_device(connection.static)))
    return ber.tlv(CONNECTION, call + ber.tlv(_DYNAMIC_DEVICE, connection.device))


def read_list(content: bytes) -> tuple[ListedConnection, ...]:
    """The connection list of a transfer or conference; entries that name no connection are left out."""
    entries = (
        _listed(tag, content[start:stop]) for tag, start, stop in ber.elements(content, 0, len(content))
    )
    return tuple(entry for entry in entries if entry is not None)


def _listed(tag: int, content: bytes) -> ListedConnection | None:
    """An entry: [3] around a SEQUENCE (OXE), the SEQUENCE itself, or a bare connection (phase I)."""
    if tag == CONNECTION:
        return ListedConnection(read_connection(content))
    if tag == LISTED:
        inner, start, stop = ber.first(content, 0, len(content))
        return _listed(inner, content[start:stop]) if inner == ber.SEQUENCE else None
    if tag != ber.SEQUENCE:
        return None
    connection: Connection | None = None
    device: DeviceId | None = None
    for inner, start, stop in ber.elements(content, 0, len(content)):
        part = content[start:stop]
        if inner == CONNECTION:
            connection = read_connection(part)
        elif device is None:
            device = read_device(part) if inner in _ROLES else device_of(inner, part)
    return None if connection is None else ListedConnection(connection, device)


def write_entry(entry: ListedConnection) -> bytes:
    """An entry of the list, as a SEQUENCE."""
    device = b"" if entry.device is None else write_device(entry.device)
    return ber.sequence(write_connection(entry.connection), device)


@lru_cache(MAX_REMEMBERED)
def read_state(content: bytes) -> LocalState | None:
    """A local connection state, or None for a value the standard does not have."""
    value = ber.as_integer(content)
    return _STATES[value] if 0 <= value < len(_STATES) else None


def write_state(state: LocalState) -> bytes:
    """`state` as [APPLICATION 14]."""
    return ber.integer(_STATES.index(state), LOCAL_STATE)
