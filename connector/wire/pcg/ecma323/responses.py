"""Positive answers to the requests of call control (ECMA-323, 15): the service's name with `Response`."""

from xml.etree.ElementTree import Element

from connector.domain.calls import ConnectionId
from connector.domain.commands import Verb
from connector.domain.errors import TranslationError
from connector.domain.faults import FaultId
from connector.wire.pcg.ecma323.event_reader import is_ecma323
from connector.wire.pcg.ecma323.identifiers import connection, connection_of
from connector.wire.pcg.fields import broken, local_name
from connector.wire.pcg.names import ECMA323, MAX_CONNECTIONS

_CLAUSE = "protocol, section 3; ECMA-323, 15"

# ECMA-323 writes SET_DO_NOT_DISTURB as SetDoNotDisturb: so for every verb.
_SERVICES = {verb: "".join(word.capitalize() for word in verb.value.split("-")) for verb in Verb}
_VERBS = {f"{service}Response": verb for verb, service in _SERVICES.items()}
# The child that holds the connection of the new call.
_NEW_CALL = {
    Verb.MAKE_CALL: "callingDevice",
    Verb.CONSULTATION_CALL: "initiatedCall",
    Verb.TRANSFER_CALL: "transferredCall",
    Verb.CONFERENCE_CALL: "conferenceCall",
}
_LISTING = frozenset({Verb.TRANSFER_CALL, Verb.CONFERENCE_CALL})
# The schema wants a connection, and some PBXs name none: one whose call is not known.
_UNKNOWN_CONNECTION = "<callID/>"


def response_element(verb: Verb, connections: tuple[ConnectionId, ...] = ()) -> str:
    """The answer to a request of `verb`; `connections` are the new call's own, then those it was joined from.

    Those for which a response has no place are left out. Raises `TranslationError` for too many.
    """
    if len(connections) > MAX_CONNECTIONS:
        raise TranslationError(
            FaultId.EVENT_NOT_TRANSLATABLE, f"an answer with over {MAX_CONNECTIONS} connections"
        )
    name = f"{_SERVICES[verb]}Response"
    holder = _NEW_CALL.get(verb)
    if holder is None:
        return f'<{name} xmlns="{ECMA323}"/>'
    own = connection(connections[0]) if connections else _UNKNOWN_CONNECTION
    others = _listed(connections[1:]) if verb in _LISTING else ""
    return f'<{name} xmlns="{ECMA323}"><{holder}>{own}</{holder}>{others}</{name}>'


def response_connections(element: Element) -> tuple[Verb, tuple[ConnectionId, ...]]:
    """The verb that a response answers, and the connections in it, the new call's own first.

    Raises `RemoteProtocolError` for another element, or too many connections.
    """
    verb = _VERBS.get(local_name(element))
    if verb is None or not is_ecma323(element):
        raise broken(element, "is no answer to a command", _CLAUSE)
    holders = [child for child in element if local_name(child) == _NEW_CALL.get(verb)]
    items = [child for child in element.iter() if local_name(child) == "newConnection"]
    if len(holders) + len(items) > MAX_CONNECTIONS:
        raise broken(element, f"has over {MAX_CONNECTIONS} connections", _CLAUSE)
    found = (connection_of(part) for part in [*holders[:1], *items])
    return verb, tuple(one for one in found if one is not None)


def _listed(connections: tuple[ConnectionId, ...]) -> str:
    items = "".join(
        f"<connectionListItem><newConnection>{connection(one)}</newConnection></connectionListItem>"
        for one in connections
    )
    return f"<connections>{items}</connections>" if items else ""
