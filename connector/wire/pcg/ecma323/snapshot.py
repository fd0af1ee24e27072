"""SnapshotDeviceResponse (ECMA-323, 14): the connections of one device at one moment."""

from xml.etree.ElementTree import Element

from connector.domain.calls import DeviceSnapshot, LiveConnection, LocalState
from connector.domain.errors import TranslationError
from connector.domain.faults import FaultId
from connector.wire.pcg.ecma323.identifiers import connection, connection_of, identifier_of
from connector.wire.pcg.fields import broken, local_name
from connector.wire.pcg.names import ECMA323, MAX_CALLS_PER_DEVICE

_CLAUSE = "protocol, section 3; ECMA-323, 14"
_STATES = {state.value: state for state in LocalState}

# ECMA-269 writes a simple call state as a pair of local states; this is the queried device's own half.
_SIMPLE_STATES = {
    "callNull": LocalState.NULL,
    "callPending": LocalState.INITIATED,
    "callOriginated": LocalState.CONNECTED,
    "callDelivered": LocalState.CONNECTED,
    "callDeliveredHeld": LocalState.HOLD,
    "callReceived": LocalState.ALERTING,
    "callReceivedOnHold": LocalState.ALERTING,
    "callEstablished": LocalState.CONNECTED,
    "callEstablishedHeld": LocalState.HOLD,
    "callEstablishedOnHold": LocalState.CONNECTED,
    "callQueued": LocalState.CONNECTED,
    "callQueuedHeld": LocalState.HOLD,
    "callFailed": LocalState.CONNECTED,
    "callFailedHeld": LocalState.HOLD,
    "callBlocked": LocalState.NULL,
}


def snapshot_element(snapshot: DeviceSnapshot) -> str:
    """`snapshot` as an element of the sixth edition; without connections its snapshotData is empty.

    Raises `TranslationError` when the device has more connections than a device can have.
    """
    if len(snapshot.connections) > MAX_CALLS_PER_DEVICE:
        raise TranslationError(
            FaultId.EVENT_NOT_TRANSLATABLE, f"a device with over {MAX_CALLS_PER_DEVICE} connections"
        )
    items = "".join(map(_item, snapshot.connections))
    return (
        f'<SnapshotDeviceResponse xmlns="{ECMA323}"><crossRefIDorSnapshotData>'
        f"<snapshotData>{items}</snapshotData></crossRefIDorSnapshotData></SnapshotDeviceResponse>"
    )


def device_snapshot(element: Element, *, device: str) -> DeviceSnapshot:
    """The connections in a SnapshotDeviceResponse of `device`, in the order given.

    Simple call states are read as the device's own half. An entry without a connection is skipped. More
    entries than a device can have calls raise `RemoteProtocolError`.
    """
    if local_name(element) != "SnapshotDeviceResponse":
        raise broken(element, "stands where <SnapshotDeviceResponse> is wanted", _CLAUSE)
    items = [child for child in element.iter() if local_name(child) == "snapshotDeviceResponseInfo"]
    if len(items) > MAX_CALLS_PER_DEVICE:
        raise broken(element, f"has over {MAX_CALLS_PER_DEVICE} connections", _CLAUSE)
    live = (_live_connection(item) for item in items)
    return DeviceSnapshot(device, tuple(entry for entry in live if entry is not None))


def _item(live: LiveConnection) -> str:
    # The order within compoundCallState is: the queried device first (ECMA-269, 16.1.2); we know no other.
    state = (
        "<unknown/>"
        if live.state is None
        else "<compoundCallState>"
        f"<localConnectionState>{live.state.value}</localConnectionState></compoundCallState>"
    )
    return (
        "<snapshotDeviceResponseInfo>"
        f"<connectionIdentifier>{connection(live.connection)}</connectionIdentifier>"
        f"<localCallState>{state}</localCallState></snapshotDeviceResponseInfo>"
    )


def _live_connection(item: Element) -> LiveConnection | None:
    parts = {local_name(child): child for child in item}
    found = connection_of(parts.get("connectionIdentifier"))
    if found is None:
        return None
    return LiveConnection(found, _state(parts.get("localCallState")))


def _state(element: Element | None) -> LocalState | None:
    if element is None:
        return None
    for child in element.iter():
        name = local_name(child)
        if name == "localConnectionState":
            return _STATES.get(identifier_of(child))
        if name == "simpleCallState":
            return _SIMPLE_STATES.get(identifier_of(child))
    return None
