"""What a session with the gateway reports, beside what its stream reports."""

from dataclasses import dataclass, field
from datetime import datetime

from connector.domain.errors import ConnectorError
from connector.domain.identifiers import Channel
from connector.wire.pcg.conf import DisconnectReason
from connector.wire.pcg.http import HttpRequest
from connector.wire.xmpp.stanzas import Stanza


@dataclass(frozen=True, slots=True)
class SessionEvent:
    """Base of all of them."""


@dataclass(frozen=True, slots=True)
class HashWanted(SessionEvent):
    """Run `sasl.salted_password` with these outside the loop, then call `salted_password`."""

    hash_name: str
    salt: bytes
    iterations: int


@dataclass(frozen=True, slots=True)
class LoggedIn(SessionEvent):
    """The gateway accepted our code, and proved that it knows it."""

    jid: str


@dataclass(frozen=True, slots=True)
class ChannelsOpened(SessionEvent):
    """The gateway said hello: lists and events may be sent. `time` is its clock."""

    gateway: str
    time: datetime


@dataclass(frozen=True, slots=True)
class ChannelChanged(SessionEvent):
    """One of the four channels opened or closed."""

    channel: Channel
    is_up: bool


@dataclass(frozen=True, slots=True)
class AccessProposed(SessionEvent):
    """Store `code` durably, then call `accept_access`; on failure `refuse_access`."""

    stanza: Stanza
    code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class EventsAcknowledged(SessionEvent):
    """The gateway holds all events of `epoch` up to `seq`."""

    epoch: str
    seq: int


@dataclass(frozen=True, slots=True)
class DeviceListWanted(SessionEvent):
    """The gateway asks for the whole list of devices."""


@dataclass(frozen=True, slots=True)
class SnapshotWanted(SessionEvent):
    """The gateway asks who is in a call: `answer_snapshot`."""

    stanza: Stanza


@dataclass(frozen=True, slots=True)
class HttpRequested(SessionEvent):
    """The gateway reads a resource of the agent: `answer_http`."""

    stanza: Stanza
    request: HttpRequest


@dataclass(frozen=True, slots=True)
class DisconnectOrdered(SessionEvent):
    """The gateway ends the link for `reason`; it has been answered and the stream is closing."""

    reason: DisconnectReason


@dataclass(frozen=True, slots=True)
class StrangerIgnored(SessionEvent):
    """A stanza came from somebody who is not the gateway: dropped, a security event."""

    sender: str


@dataclass(frozen=True, slots=True)
class SessionFailed(SessionEvent):
    """The session is over, and not by our wish."""

    error: ConnectorError
