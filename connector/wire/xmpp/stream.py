"""XMPP over WebSocket, both ends: the names that the rest of the house uses."""

from connector.wire.xmpp.client import StreamClient, StreamConfig
from connector.wire.xmpp.events import (
    Authenticated,
    AuthenticationFailed,
    BoundTo,
    Delivered,
    IqAnswered,
    IqTimedOut,
    PlainPasswordReceived,
    SaltedPasswordWanted,
    StanzaReceived,
    StreamEvent,
    StreamFailed,
    StreamReady,
)
from connector.wire.xmpp.limits import StreamLimits
from connector.wire.xmpp.sasl import ScramKeys
from connector.wire.xmpp.server import ServerConfig, StreamServer

__all__ = [
    "Authenticated",
    "AuthenticationFailed",
    "BoundTo",
    "Delivered",
    "IqAnswered",
    "IqTimedOut",
    "PlainPasswordReceived",
    "SaltedPasswordWanted",
    "ScramKeys",
    "ServerConfig",
    "StanzaReceived",
    "StreamClient",
    "StreamConfig",
    "StreamEvent",
    "StreamFailed",
    "StreamLimits",
    "StreamReady",
    "StreamServer",
]
