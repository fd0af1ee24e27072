"""Generated call events, with every text that a PBX might send, and what is left of one on the wire."""

import dataclasses
import re
from datetime import UTC, datetime
from typing import Any, get_type_hints

from hypothesis import strategies as st

from connector.domain.calls import (
    UNKNOWN_PARTY,
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
from connector.wire.pcg.names import MAX_NAME_CHARS

KINDS: tuple[type[CallEvent], ...] = (
    ServiceInitiated,
    Originated,
    NetworkReached,
    Delivered,
    Established,
    Held,
    Retrieved,
    Diverted,
    Queued,
    Failed,
    Transferred,
    Conferenced,
    ConnectionCleared,
    CallCleared,
)

_NASTY = st.sampled_from("\x00\x07\x1b\x7f\r\n\t\"'&<>]\u200f\u202e\u2066\ufffe\uffff\ud800é漢\U0001f4de")
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

names = st.text(st.one_of(_NASTY, st.characters()), max_size=200)
# A number or reference keeps no white space at its ends.
numbers = names.map(lambda text: text.strip()[:60].strip())
references = numbers.filter(bool)
connections = st.builds(ConnectionId, references, numbers)
parties = st.one_of(
    st.builds(Party, references, st.sampled_from(Reach), st.just(Presentation.ALLOWED), names),
    st.builds(Party, st.just(""), st.sampled_from(Reach), st.sampled_from(Presentation), names),
)
moments = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)).map(  # noqa: DTZ001 - the zone comes next
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000, tzinfo=UTC)
)
_BY_TYPE: dict[Any, st.SearchStrategy[Any]] = {
    str: numbers,
    datetime: moments,
    Party: parties,
    ConnectionId: connections,
    ConnectionId | None: st.none() | connections,
    LocalState | None: st.none() | st.sampled_from(LocalState),
    Cause | None: st.none() | st.sampled_from(Cause),
    int | None: st.none() | st.integers(0, 999_999),
    tuple[ListedConnection, ...]: st.lists(st.builds(ListedConnection, connections, numbers), max_size=4).map(
        tuple
    ),
}


def events(kind: type[CallEvent]) -> st.SearchStrategy[CallEvent]:
    """Events of one kind, every field drawn."""
    hints = get_type_hints(kind)
    fields = {field.name: _BY_TYPE[hints[field.name]] for field in dataclasses.fields(kind)}
    return st.builds(kind, **(fields | {"device": references}))


def as_carried(event: CallEvent) -> CallEvent:
    """What the far end reads of `event`: the losses that docs/protocols/pcg.md admits, and no others."""
    changes = {
        field.name: _carried(field.name, getattr(event, field.name)) for field in dataclasses.fields(event)
    }
    changes["cause"] = Cause.NORMAL if event.cause in {None, Cause.VOICE_UNIT} else event.cause
    if isinstance(event, CallCleared):
        changes["state"] = LocalState.NULL
    if isinstance(event, Transferred | Conferenced):
        changes["connection"] = changes["primary_old"]
    changes["device"] = event.device
    return dataclasses.replace(event, **changes)


def _carried(field: str, value: Any) -> Any:
    match value:
        case Party():
            return _carried_party(value, is_redirection=field == "last_redirection")
        case ConnectionId(call, device):
            return ConnectionId(cleaned(call), cleaned(device))
        case ListedConnection(connection, number):
            return ListedConnection(_carried("", connection), cleaned(number))
        case tuple():
            return tuple(_carried("", item) for item in value)
        case str() if type(value) is str:
            return cleaned(value)
        case _:
            return value


def _carried_party(party: Party, *, is_redirection: bool) -> Party:
    presentation = party.presentation
    if not party.number and presentation is Presentation.ALLOWED:
        presentation = UNKNOWN_PARTY.presentation
    if presentation is Presentation.NOT_REQUIRED and not is_redirection:
        presentation = UNKNOWN_PARTY.presentation
    name = "" if presentation is Presentation.RESTRICTED else cleaned(party.name[:MAX_NAME_CHARS])
    return Party(cleaned(party.number), party.reach, presentation, name)


def cleaned(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
