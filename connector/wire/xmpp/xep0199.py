"""XMPP ping (XEP-0199): the payload, and knowing one."""

from connector.wire.xmpp.stanzas import Stanza

PING_TAG = "{urn:xmpp:ping}ping"
PING = '<ping xmlns="urn:xmpp:ping"/>'


def is_ping(stanza: Stanza) -> bool:
    """Whether `stanza` asks for nothing but a sign of life."""
    return stanza.type == "get" and stanza.payload is not None and stanza.payload.tag == PING_TAG
