"""ECMA-323 event elements as our call events, from any edition that peers send.

Tolerant: children in any order, optional ones missing, unknown ones skipped. Only a connection that a kind of
event can't do without, or a text over its limit, is refused.
"""

from collections.abc import Callable
from datetime import datetime
from typing import NotRequired, TypedDict
from xml.etree.ElementTree import Element

from connector.domain.calls import (
    CallCleared,
    CallEvent,
    Cause,
    Conferenced,
    ConnectionCleared,
    ConnectionId,
    Delivered,
    Diverted,
    Established,
    Failed,
    Held,
    ListedConnection,
    LocalState,
    NetworkReached,
    Originated,
    Party,
    Presentation,
    Queued,
    Reach,
    Retrieved,
    ServiceInitiated,
    Transferred,
)
from connector.wire.pcg.ecma323.identifiers import connection_of, identifier_of, party_of
from connector.wire.pcg.fields import broken, local_name, optional_field
from connector.wire.pcg.names import (
    CSTA,
    ECMA323_ANY_EDITION,
    ECMA323_SECOND_EDITION,
    MAX_CONNECTIONS,
    MAX_NAME_CHARS,
)

_CLAUSE = "protocol, section 3; ECMA-323, 15.2"
_CAUSES = {cause.value: cause for cause in Cause}
_STATES = {state.value: state for state in LocalState}
_REACHES = {reach.value: reach for reach in Reach}
_PARTY = f"{{{CSTA}}}party"
# A queue longer than any PBX has; more digits are no number of calls.
_MAX_QUEUE_DIGITS = 6
# The fullest event of ed6, DeliveredEvent with all that is optional, has 26.
_MAX_CHILDREN = 64


def is_ecma323(element: Element) -> bool:
    """Whether `element` is of ECMA-323, in the second edition or any later one."""
    namespace = element.tag.rpartition("}")[0][1:]
    edition = namespace.removeprefix(ECMA323_ANY_EDITION)
    return namespace == ECMA323_SECOND_EDITION or (
        namespace.startswith(ECMA323_ANY_EDITION) and len(edition) == 1 and edition in "123456789"
    )


def event_word(element: Element) -> str:
    """The event's word in CSTA's monitor filter ("delivered", "connectionCleared"), else its own name."""
    name = local_name(element)
    entry = _READERS.get(name)
    return entry[0] if entry else name


def monitor_of(element: Element) -> str:
    """The event's monitorCrossRefID, empty if there is none."""
    for child in element:
        if local_name(child) == "monitorCrossRefID":
            return identifier_of(child)
    return ""


def call_event(element: Element, *, device: str, at: datetime) -> CallEvent | None:
    """The call event in `element`, or None when it is no call event that we have.

    `device` is the monitored device and `at` the time, which the element does not hold. A cause or state that
    we do not know is read as `normal` and as none. A missing connection or a text over its limit raises
    `RemoteProtocolError`.
    """
    entry = _READERS.get(local_name(element))
    if entry is None or not is_ecma323(element):
        return None
    return entry[1](_Reading(element, device, at))


class _Common(TypedDict):
    """What every call event has, as keyword arguments."""

    device: str
    connection: ConnectionId
    state: LocalState | None
    cause: Cause | None
    at: datetime
    correlation: NotRequired[str]


class _Reading:
    """One event element being read: its children by name, and our notes about its parties by role."""

    __slots__ = ("_at", "_device", "_element", "_notes", "_parts")

    def __init__(self, element: Element, device: str, at: datetime) -> None:
        if len(element) > _MAX_CHILDREN:
            raise broken(element, f"has over {_MAX_CHILDREN} children", _CLAUSE)
        self._element = element
        self._device = device
        self._at = at
        self._parts = {child.tag.rpartition("}")[2]: child for child in element}
        extensions = self._parts.get("extensions")
        self._notes = {} if extensions is None else _notes(extensions)

    def common(self, connection: str) -> _Common:
        """The common fields; `connection` names the child with the event's own connection."""
        return self.about(self.connection(connection))

    def about(self, connection: ConnectionId, *, has_state: bool = True) -> _Common:
        """The common fields of an event about `connection`; without a state of its own the call is gone."""
        parts = self._parts
        cause = parts.get("cause")
        state = parts.get("localConnectionInfo")
        return {
            "device": self._device or identifier_of(parts.get("monitorCrossRefID")),
            "connection": connection,
            "state": _STATES.get(identifier_of(state)) if has_state else LocalState.NULL,
            "cause": None if cause is None else _CAUSES.get(identifier_of(cause), Cause.NORMAL),
            "at": self._at,
            "correlation": self._correlation(),
        }

    def connection(self, name: str) -> ConnectionId:
        """A connection that the event can't do without."""
        found = connection_of(self._parts.get(name))
        if found is None:
            raise broken(self._element, f"lacks <{name}>", _CLAUSE)
        return found

    def optional_connection(self, name: str) -> ConnectionId | None:
        return connection_of(self._parts.get(name))

    def device_connection(self, name: str) -> ConnectionId:
        """A connection that some senders leave out: then only its device is known."""
        return connection_of(self._parts.get(name)) or ConnectionId("", self._device)

    def party(self, name: str) -> Party:
        """The party in the child `name`, with what our private data adds."""
        party = party_of(self._parts.get(name))
        note = self._notes.get(name.removesuffix("Device")) if self._notes else None
        return party if note is None else _annotated(party, note)

    def connections(self, name: str) -> tuple[ListedConnection, ...]:
        """The connection list in the child `name`; entries that name no connection are skipped."""
        holder = self._parts.get(name)
        if holder is None:
            return ()
        if len(holder) > MAX_CONNECTIONS:
            raise broken(holder, f"lists over {MAX_CONNECTIONS} connections", _CLAUSE)
        entries = (_listed(item) for item in holder)
        return tuple(entry for entry in entries if entry is not None)

    def count(self, name: str) -> int | None:
        text = identifier_of(self._parts.get(name))
        return int(text) if text.isascii() and text.isdigit() and len(text) <= _MAX_QUEUE_DIGITS else None

    def _correlation(self) -> str:
        """The new call's global linkage id, whichever of its two forms was sent."""
        holder = self._parts.get("callLinkageData")
        if holder is None:
            holder = self._parts.get("callLinkageDataList")
            if holder is None:
                return ""
        for element in holder.iter():
            if local_name(element) in {"subDomainCallLinkageID", "globallyUniqueCallLinkageID"}:
                return identifier_of(element)
        return ""


def _notes(extensions: Element) -> dict[str, Element]:
    return {note.get("role", ""): note for note in extensions.iter(_PARTY)}


def _annotated(party: Party, note: Element) -> Party:
    # A name beside a withheld number is withheld too, whoever sent it.
    is_withheld = party.presentation is Presentation.RESTRICTED
    name = "" if is_withheld else optional_field(note, "name", "protocol, section 3", limit=MAX_NAME_CHARS)
    reach = party.reach if party.number else _REACHES.get(note.get("reach", ""), party.reach)
    return Party(party.number, reach, party.presentation, name)


def _listed(item: Element) -> ListedConnection | None:
    parts = {local_name(child): child for child in item}
    connection = connection_of(parts.get("newConnection")) or connection_of(parts.get("oldConnection"))
    if connection is None:
        return None
    endpoint = parts.get("endpoint")
    return ListedConnection(connection, "" if endpoint is None else party_of(endpoint).number)


def _service_initiated(reading: _Reading) -> CallEvent:
    return ServiceInitiated(**reading.common("initiatedConnection"))


def _originated(reading: _Reading) -> CallEvent:
    return Originated(
        **reading.common("originatedConnection"),
        calling=reading.party("callingDevice"),
        called=reading.party("calledDevice"),
    )


def _network_reached(reading: _Reading) -> CallEvent:
    return NetworkReached(
        **reading.common("outboundConnection"),
        trunk=reading.party("networkInterfaceUsed"),
        called=reading.party("calledDevice"),
    )


def _delivered(reading: _Reading) -> CallEvent:
    return Delivered(
        **reading.common("connection"),
        alerting=reading.party("alertingDevice"),
        calling=reading.party("callingDevice"),
        called=reading.party("calledDevice"),
        last_redirection=reading.party("lastRedirectionDevice"),
    )


def _established(reading: _Reading) -> CallEvent:
    return Established(
        **reading.common("establishedConnection"),
        answering=reading.party("answeringDevice"),
        calling=reading.party("callingDevice"),
        called=reading.party("calledDevice"),
        last_redirection=reading.party("lastRedirectionDevice"),
    )


def _held(reading: _Reading) -> CallEvent:
    return Held(**reading.common("heldConnection"), by=reading.party("holdingDevice"))


def _retrieved(reading: _Reading) -> CallEvent:
    return Retrieved(**reading.common("retrievedConnection"), by=reading.party("retrievingDevice"))


def _diverted(reading: _Reading) -> CallEvent:
    return Diverted(
        **reading.about(reading.device_connection("connection")),
        diverting=reading.party("divertingDevice"),
        destination=reading.party("newDestination"),
    )


def _queued(reading: _Reading) -> CallEvent:
    return Queued(
        **reading.common("queuedConnection"),
        queue=reading.party("queue"),
        calling=reading.party("callingDevice"),
        called=reading.party("calledDevice"),
        last_redirection=reading.party("lastRedirectionDevice"),
        waiting=reading.count("numberQueued"),
    )


def _failed(reading: _Reading) -> CallEvent:
    return Failed(
        **reading.common("failedConnection"),
        failing=reading.party("failingDevice"),
        called=reading.party("calledDevice"),
    )


def _transferred(reading: _Reading) -> CallEvent:
    primary = reading.connection("primaryOldCall")
    return Transferred(
        **reading.about(primary),
        primary_old=primary,
        secondary_old=reading.optional_connection("secondaryOldCall"),
        connections=reading.connections("transferredConnections"),
        transferring=reading.party("transferringDevice"),
        transferred=reading.party("transferredToDevice"),
    )


def _conferenced(reading: _Reading) -> CallEvent:
    primary = reading.connection("primaryOldCall")
    return Conferenced(
        **reading.about(primary),
        primary_old=primary,
        secondary_old=reading.optional_connection("secondaryOldCall"),
        connections=reading.connections("conferenceConnections"),
        controller=reading.party("conferencingDevice"),
        added=reading.party("addedParty"),
    )


def _connection_cleared(reading: _Reading) -> CallEvent:
    return ConnectionCleared(
        **reading.common("droppedConnection"), releasing=reading.party("releasingDevice")
    )


def _call_cleared(reading: _Reading) -> CallEvent:
    return CallCleared(**reading.about(reading.connection("clearedCall"), has_state=False))


_READERS: dict[str, tuple[str, Callable[[_Reading], CallEvent]]] = {
    "ServiceInitiatedEvent": ("serviceInitiated", _service_initiated),
    "OriginatedEvent": ("originated", _originated),
    "NetworkReachedEvent": ("networkReached", _network_reached),
    "DeliveredEvent": ("delivered", _delivered),
    "EstablishedEvent": ("established", _established),
    "HeldEvent": ("held", _held),
    "RetrievedEvent": ("retrieved", _retrieved),
    "DivertedEvent": ("diverted", _diverted),
    "QueuedEvent": ("queued", _queued),
    "FailedEvent": ("failed", _failed),
    "TransferedEvent": ("transferred", _transferred),
    # Not the schema's spelling, but one that senders use.
    "TransferredEvent": ("transferred", _transferred),
    "ConferencedEvent": ("conferenced", _conferenced),
    "ConnectionClearedEvent": ("connectionCleared", _connection_cleared),
    "CallClearedEvent": ("callCleared", _call_cleared),
}
