"""Our call events as ECMA-323 event elements (clause 15.2), in the order of the schema.

Every call-control event has one frame: what it is about, `localConnectionInfo`, `cause`, the call's linkage,
and `extensions` last. What is optional between these we never send. This is a hot path: templates, no tree.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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
from connector.domain.errors import TranslationError
from connector.domain.faults import FaultId
from connector.wire.pcg.ecma323.identifiers import NOT_SPECIFIED, connection, identifier, redirection, subject
from connector.wire.pcg.names import CSTA, ECMA323, MAX_CONNECTIONS, MAX_NAME_CHARS
from connector.wire.xmpp.xml import escaped

# Module names for members: looking one up on an Enum class costs more than rendering a short text.
_ALLOWED = Presentation.ALLOWED
_RESTRICTED = Presentation.RESTRICTED
_UNKNOWN_REACH = Reach.UNKNOWN

_CAUSES: dict[Cause | None, str] = {cause: f"<cause>{cause.value}</cause>" for cause in Cause}
# The schema wants a cause: a PBX that gave none had nothing out of the ordinary to say.
_CAUSES[None] = _CAUSES[Cause.NORMAL]
# A cause of phases I and II that the third phase took out of EventCause.
_CAUSES[Cause.VOICE_UNIT] = _CAUSES[Cause.NORMAL]

_STATES: dict[LocalState | None, str] = {
    state: f"<localConnectionInfo>{state.value}</localConnectionInfo>" for state in LocalState
}
_STATES[None] = ""


def event_element(event: CallEvent, monitor: str) -> str:
    """`event` as one ECMA-323 element; `monitor` becomes its monitorCrossRefID.

    A cause that is missing, or that ed6 does not have, is written `normal`. Names, and the side of a party
    without a number, have no place in the schema and go into private data; a withheld party's name goes
    nowhere.
    Raises `TranslationError` when a text is too long, or a list of connections too many.
    """
    writer = _WRITERS.get(type(event))
    if writer is None:
        raise TranslationError(FaultId.EVENT_NOT_TRANSLATABLE, type(event).__name__)
    state = _STATES[event.state] if writer.has_state else ""
    linkage = writer.linkage(event.correlation) if event.correlation else ""
    return (
        f"{writer.opening}{identifier(monitor)}</monitorCrossRefID>{writer.content(event)}{state}"
        f"{_CAUSES[event.cause]}{linkage}{_extensions(writer.roles, writer.parties(event))}{writer.closing}"
    )


def _extensions(roles: tuple[str, ...], parties: tuple[Party, ...]) -> str:
    """Private data about the parties, whom `roles` name in the same order; empty when there is none."""
    notes = ""
    for role, party in zip(roles, parties, strict=True):
        if party.name or not party.number:
            notes += _party_note(role, party)
    return f"<extensions><privateData><private>{notes}</private></privateData></extensions>" if notes else ""


def _party_note(role: str, party: Party) -> str:
    name = "" if party.presentation is _RESTRICTED else party.name[:MAX_NAME_CHARS]
    reach = "" if party.presentation is _ALLOWED and party.number else party.reach
    if not name and reach in {"", _UNKNOWN_REACH}:
        return ""
    name_attribute = f' name="{escaped(name)}"' if name else ""
    reach_attribute = f' reach="{reach}"' if reach not in {"", _UNKNOWN_REACH} else ""
    return f'<party xmlns="{CSTA}" role="{role}"{name_attribute}{reach_attribute}/>'


def _global_id(correlation: str) -> str:
    return (
        "<globalCallData><globalCallLinkageID>"
        f"<subDomainCallLinkageID>{identifier(correlation)}</subDomainCallLinkageID>"
        "</globalCallLinkageID></globalCallData>"
    )


def _linkage(correlation: str) -> str:
    return f"<callLinkageData>{_global_id(correlation)}</callLinkageData>"


def _joined_linkage(correlation: str) -> str:
    # Both are required; our key is the one that survives the join.
    data = _global_id(correlation)
    return (
        f"<callLinkageDataList><newCallLinkageData>{data}</newCallLinkageData>"
        f"<oldCallLinkageData>{data}</oldCallLinkageData></callLinkageDataList>"
    )


def _service_initiated(event: ServiceInitiated) -> str:
    return (
        f"<initiatedConnection>{connection(event.connection)}</initiatedConnection>"
        f"<initiatingDevice><deviceIdentifier>{identifier(event.device)}</deviceIdentifier></initiatingDevice>"
    )


def _originated(event: Originated) -> str:
    return (
        f"<originatedConnection>{connection(event.connection)}</originatedConnection>"
        f"<callingDevice>{subject(event.calling)}</callingDevice>"
        f"<calledDevice>{subject(event.called)}</calledDevice>"
    )


def _network_reached(event: NetworkReached) -> str:
    return (
        f"<outboundConnection>{connection(event.connection)}</outboundConnection>"
        f"<networkInterfaceUsed>{subject(event.trunk)}</networkInterfaceUsed>"
        "<callingDevice><notKnown/></callingDevice>"
        f"<calledDevice>{subject(event.called)}</calledDevice>{NOT_SPECIFIED}"
    )


def _delivered(event: Delivered) -> str:
    return (
        f"<connection>{connection(event.connection)}</connection>"
        f"<alertingDevice>{subject(event.alerting)}</alertingDevice>"
        f"<callingDevice>{subject(event.calling)}</callingDevice>"
        f"<calledDevice>{subject(event.called)}</calledDevice>"
        f"<lastRedirectionDevice>{redirection(event.last_redirection)}</lastRedirectionDevice>"
    )


def _established(event: Established) -> str:
    return (
        f"<establishedConnection>{connection(event.connection)}</establishedConnection>"
        f"<answeringDevice>{subject(event.answering)}</answeringDevice>"
        f"<callingDevice>{subject(event.calling)}</callingDevice>"
        f"<calledDevice>{subject(event.called)}</calledDevice>"
        f"<lastRedirectionDevice>{redirection(event.last_redirection)}</lastRedirectionDevice>"
    )


def _held(event: Held) -> str:
    return (
        f"<heldConnection>{connection(event.connection)}</heldConnection>"
        f"<holdingDevice>{subject(event.by)}</holdingDevice>"
    )


def _retrieved(event: Retrieved) -> str:
    return (
        f"<retrievedConnection>{connection(event.connection)}</retrievedConnection>"
        f"<retrievingDevice>{subject(event.by)}</retrievingDevice>"
    )


def _diverted(event: Diverted) -> str:
    return (
        f"<connection>{connection(event.connection)}</connection>"
        f"<divertingDevice>{subject(event.diverting)}</divertingDevice>"
        f"<newDestination>{subject(event.destination)}</newDestination>{NOT_SPECIFIED}"
    )


def _queued(event: Queued) -> str:
    waiting = f"<numberQueued>{event.waiting}</numberQueued>" if event.waiting is not None else ""
    return (
        f"<queuedConnection>{connection(event.connection)}</queuedConnection>"
        f"<queue>{subject(event.queue)}</queue>"
        f"<callingDevice>{subject(event.calling)}</callingDevice>"
        f"<calledDevice>{subject(event.called)}</calledDevice>"
        f"<lastRedirectionDevice>{redirection(event.last_redirection)}</lastRedirectionDevice>{waiting}"
    )


def _failed(event: Failed) -> str:
    return (
        f"<failedConnection>{connection(event.connection)}</failedConnection>"
        f"<failingDevice>{subject(event.failing)}</failingDevice>"
        "<callingDevice><notKnown/></callingDevice>"
        f"<calledDevice>{subject(event.called)}</calledDevice>{NOT_SPECIFIED}"
    )


def _transferred(event: Transferred) -> str:
    return (
        f"{_old_calls(event.primary_old, event.secondary_old)}"
        f"<transferringDevice>{subject(event.transferring)}</transferringDevice>"
        f"<transferredToDevice>{subject(event.transferred)}</transferredToDevice>"
        f"<transferredConnections>{_listed(event.connections)}</transferredConnections>"
    )


def _conferenced(event: Conferenced) -> str:
    return (
        f"{_old_calls(event.primary_old, event.secondary_old)}"
        f"<conferencingDevice>{subject(event.controller)}</conferencingDevice>"
        f"<addedParty>{subject(event.added)}</addedParty>"
        f"<conferenceConnections>{_listed(event.connections)}</conferenceConnections>"
    )


def _connection_cleared(event: ConnectionCleared) -> str:
    return (
        f"<droppedConnection>{connection(event.connection)}</droppedConnection>"
        f"<releasingDevice>{subject(event.releasing)}</releasingDevice>"
    )


def _call_cleared(event: CallCleared) -> str:
    return f"<clearedCall>{connection(event.connection)}</clearedCall>"


def _old_calls(primary: ConnectionId, secondary: ConnectionId | None) -> str:
    first = f"<primaryOldCall>{connection(primary)}</primaryOldCall>"
    if secondary is None:
        return first
    return f"{first}<secondaryOldCall>{connection(secondary)}</secondaryOldCall>"


def _listed(connections: tuple[ListedConnection, ...]) -> str:
    if len(connections) > MAX_CONNECTIONS:
        raise TranslationError(
            FaultId.EVENT_NOT_TRANSLATABLE, f"over {MAX_CONNECTIONS} connections in one list"
        )
    return "".join(map(_listed_connection, connections))


def _listed_connection(listed: ListedConnection) -> str:
    number = listed.number
    endpoint = f"<endpoint><deviceID>{identifier(number)}</deviceID></endpoint>" if number else ""
    return (
        f"<connectionListItem><newConnection>{connection(listed.connection)}</newConnection>{endpoint}"
        "</connectionListItem>"
    )


@dataclass(frozen=True, slots=True)
class _Writer:
    """How one kind of event is written; `roles` name its `parties` in private data."""

    opening: str
    closing: str
    content: Callable[[Any], str]
    roles: tuple[str, ...]
    parties: Callable[[Any], tuple[Party, ...]]
    linkage: Callable[[str], str] = _linkage
    has_state: bool = True


def _writer(
    element: str,
    content: Callable[[Any], str],
    roles: str,
    parties: Callable[[Any], tuple[Party, ...]],
    **rest: Any,
) -> _Writer:
    opening = f'<{element} xmlns="{ECMA323}"><monitorCrossRefID>'
    return _Writer(opening, f"</{element}>", content, tuple(roles.split()), parties, **rest)


# A role is the party's element without "Device".
_WRITERS: dict[type[CallEvent], _Writer] = {
    ServiceInitiated: _writer("ServiceInitiatedEvent", _service_initiated, "", lambda _: ()),
    Originated: _writer("OriginatedEvent", _originated, "calling called", lambda e: (e.calling, e.called)),
    NetworkReached: _writer(
        "NetworkReachedEvent", _network_reached, "networkInterfaceUsed called", lambda e: (e.trunk, e.called)
    ),
    Delivered: _writer(
        "DeliveredEvent",
        _delivered,
        "alerting calling called lastRedirection",
        lambda e: (e.alerting, e.calling, e.called, e.last_redirection),
    ),
    Established: _writer(
        "EstablishedEvent",
        _established,
        "answering calling called lastRedirection",
        lambda e: (e.answering, e.calling, e.called, e.last_redirection),
    ),
    Held: _writer("HeldEvent", _held, "holding", lambda e: (e.by,)),
    Retrieved: _writer("RetrievedEvent", _retrieved, "retrieving", lambda e: (e.by,)),
    Diverted: _writer(
        "DivertedEvent", _diverted, "diverting newDestination", lambda e: (e.diverting, e.destination)
    ),
    Queued: _writer(
        "QueuedEvent",
        _queued,
        "queue calling called lastRedirection",
        lambda e: (e.queue, e.calling, e.called, e.last_redirection),
    ),
    Failed: _writer("FailedEvent", _failed, "failing called", lambda e: (e.failing, e.called)),
    Transferred: _writer(
        "TransferedEvent",  # so spelled in the schema
        _transferred,
        "transferring transferredTo",
        lambda e: (e.transferring, e.transferred),
        linkage=_joined_linkage,
    ),
    Conferenced: _writer(
        "ConferencedEvent",
        _conferenced,
        "conferencing addedParty",
        lambda e: (e.controller, e.added),
        linkage=_joined_linkage,
    ),
    ConnectionCleared: _writer(
        "ConnectionClearedEvent", _connection_cleared, "releasing", lambda e: (e.releasing,)
    ),
    CallCleared: _writer("CallClearedEvent", _call_cleared, "", lambda _: (), has_state=False),
}
