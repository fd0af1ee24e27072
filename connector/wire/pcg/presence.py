"""Telephony presence on the csta channel (docs/protocols/pcg.md, section 3): who can be called now."""

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from connector.domain.presence import Presence, PresenceState
from connector.wire.pcg.fields import children, expect, text_field, time_field, timestamp
from connector.wire.pcg.names import CSTA, MAX_DEVICES_PER_PAGE, MAX_NUMBER_CHARS, MAX_WORD_CHARS
from connector.wire.pcg.paging import paged
from connector.wire.xmpp.xml import attributes

_CLAUSE = "protocol, section 3"
_STATES = {state.value: state for state in PresenceState}


def presences(told: Sequence[Presence]) -> list[str]:
    """A → G: the payloads of messages, each with at most 200 devices."""
    pages = paged(told, _device, limit=MAX_DEVICES_PER_PAGE)
    return [f'<presences xmlns="{CSTA}">{"".join(map(_device, page))}</presences>' for page in pages if page]


def read_presences(payload: Element) -> list[Presence]:
    """What `presences` wrote. A state that we do not know is read as unknown."""
    expect(payload, CSTA, "presences", _CLAUSE)
    return [_read(one) for one in children(payload, "device", _CLAUSE, limit=MAX_DEVICES_PER_PAGE)]


def _device(told: Presence) -> str:
    fields = attributes(number=told.device, state=told.state.value, since=timestamp(told.since))
    return f"<device{fields}/>"


def _read(element: Element) -> Presence:
    number = text_field(element, "number", _CLAUSE, limit=MAX_NUMBER_CHARS)
    state = text_field(element, "state", _CLAUSE, limit=MAX_WORD_CHARS)
    return Presence(number, _STATES.get(state, PresenceState.UNKNOWN), time_field(element, "since", _CLAUSE))
