"""What a session with the gateway reports, beside what its stream reports."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from connector.domain.commands import CommandRequest
from connector.domain.configuration import CloudSettings
from connector.domain.errors import ConnectorError
from connector.domain.identifiers import Channel
from connector.wire.pcg.conf import DisconnectReason, Monitor
from connector.wire.pcg.http import HttpRequest
from connector.wire.xmpp.stanzas import SentStanza, Stanza


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
    """The gateway accepted our code, and proved that it knows it, by `mechanism`."""

    jid: str
    mechanism: str = ""


@dataclass(frozen=True, slots=True)
class ChannelsOpened(SessionEvent):
    """The gateway said hello: lists and events may be sent. `time` is its clock."""

    gateway: str
    time: datetime


@dataclass(frozen=True, slots=True)
class SessionResumed(SessionEvent):
    """The session of the stream before goes on: the gateway knows what it knew, nothing is repeated."""


@dataclass(frozen=True, slots=True)
class LoginWeakened(SessionEvent):
    """The gateway offers a weaker login than it once did: `known`, now `offered`."""

    known: str
    offered: str


@dataclass(frozen=True, slots=True)
class ChannelChanged(SessionEvent):
    """One of the four channels opened or closed."""

    channel: Channel
    is_up: bool


@dataclass(frozen=True, slots=True)
class AccessProposed(SessionEvent):
    """Store `code` durably, then answer `stanza`; on failure refuse it: the old code stays."""

    stanza: Stanza
    code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class EventsAcknowledged(SessionEvent):
    """The gateway holds all events of `epoch` up to `seq`, and those of the ranges `held` above it."""

    epoch: str
    seq: int
    held: Sequence[tuple[int, int]] = ()


@dataclass(frozen=True, slots=True)
class DeviceListWanted(SessionEvent):
    """The gateway asks for the whole list of devices."""


@dataclass(frozen=True, slots=True)
class SnapshotWanted(SessionEvent):
    """The gateway asks who is in a call: `answer_snapshot`."""

    stanza: Stanza


@dataclass(frozen=True, slots=True)
class HttpRequested(SessionEvent):
    """The gateway reads a resource of the agent."""

    stanza: Stanza
    request: HttpRequest


@dataclass(frozen=True, slots=True)
class CommandAsked(SessionEvent):
    """Call control: `stanza` is to be answered exactly once."""

    stanza: Stanza
    request: CommandRequest


@dataclass(frozen=True, slots=True)
class SettingsGiven(SessionEvent):
    """The cloud's configuration, whole: store and apply it, then answer or refuse `stanza`."""

    stanza: Stanza
    settings: CloudSettings


@dataclass(frozen=True, slots=True)
class MonitorsGiven(SessionEvent):
    """The whole set of monitored numbers: store and apply it, then answer or refuse `stanza`."""

    stanza: Stanza
    monitors: tuple[Monitor, ...]


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
    """The session is over, and not by our wish.

    `blamed` is what we sent last, when it ended because of what we send; `blamed_seq` its number, 0 if that
    was no event.
    """

    error: ConnectorError
    blamed: SentStanza | None = None
    blamed_seq: int = 0


@dataclass(frozen=True, slots=True)
class AllArrived(SessionEvent):
    """The gateway has handled every stanza of ours; `is_clear` had asked."""
