"""XMPP over WebSocket, both ends: the names that the rest of the house uses."""

from connector.wire.xmpp.client import StreamClient, StreamConfig
from connector.wire.xmpp.events import (
    Authenticated,
    AuthenticationFailed,
    BoundTo,
    Delivered,
    IqAnswered,
    IqTimedOut,
    MechanismDowngraded,
    PlainPasswordReceived,
    ResumeAsked,
    SaltedPasswordWanted,
    StanzaReceived,
    StreamEvent,
    StreamFailed,
    StreamReady,
    StreamResumed,
)
from connector.wire.xmpp.limits import StreamLimits
from connector.wire.xmpp.mechanisms import BindingPolicy
from connector.wire.xmpp.sasl import ScramKeys
from connector.wire.xmpp.server import ServerConfig, StreamServer
from connector.wire.xmpp.stanzas import OwedRequest, SentStanza
from connector.wire.xmpp.suspension import Checkpoint, SuspendedStream

__all__ = [
    "Authenticated",
    "AuthenticationFailed",
    "BindingPolicy",
    "BoundTo",
    "Checkpoint",
    "Delivered",
    "IqAnswered",
    "IqTimedOut",
    "MechanismDowngraded",
    "OwedRequest",
    "PlainPasswordReceived",
    "ResumeAsked",
    "SaltedPasswordWanted",
    "ScramKeys",
    "SentStanza",
    "ServerConfig",
    "StanzaReceived",
    "StreamClient",
    "StreamConfig",
    "StreamEvent",
    "StreamFailed",
    "StreamLimits",
    "StreamReady",
    "StreamResumed",
    "StreamServer",
    "SuspendedStream",
]
