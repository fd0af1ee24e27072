"""What the two ends of a stream report, as past facts."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from connector.domain.errors import ConnectorError
from connector.wire.xmpp.stanzas import SentStanza, Stanza


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """Base of all of them."""


@dataclass(frozen=True, slots=True)
class StanzaReceived(StreamEvent):
    """A message, a presence, or a request that `answer` or `refuse` has to answer."""

    stanza: Stanza


@dataclass(frozen=True, slots=True)
class IqAnswered(StreamEvent):
    """The peer answered our request `id`: a result, or an error that `stanzas.error_of` reads."""

    id: str
    stanza: Stanza


@dataclass(frozen=True, slots=True)
class IqTimedOut(StreamEvent):
    """Our request `id` stayed without an answer for its time; a later answer is dropped."""

    id: str


@dataclass(frozen=True, slots=True)
class Delivered(StreamEvent):
    """The peer has handled the first `count` of our stanzas, as `send` numbers them (XEP-0198)."""

    count: int


@dataclass(frozen=True, slots=True)
class StreamFailed(StreamEvent):
    """The stream is over, and not by our wish. Nothing follows.

    `blamed` is the last stanza that we sent, when the peer ended the stream because of what we send: with
    others on their way it may be one of those before it (`unacked` of them), so one time proves nothing.
    """

    error: ConnectorError
    blamed: SentStanza | None = None


@dataclass(frozen=True, slots=True)
class SaltedPasswordWanted(StreamEvent):
    """Client: run `sasl.salted_password` with these outside the loop, then call `salted_password`."""

    hash_name: str
    salt: bytes
    iterations: int


@dataclass(frozen=True, slots=True)
class StreamReady(StreamEvent):
    """Client: authenticated by `mechanism` and bound as `jid`; stanzas may be sent.

    If an older stream was to be resumed, that was refused: `lost` are its stanzas that the peer never
    handled, its open requests have timed out, and what it owed can't be answered any more.
    """

    jid: str
    has_stream_management: bool
    mechanism: str = ""
    lost: Sequence[str] = field(repr=False, default=())


@dataclass(frozen=True, slots=True)
class StreamResumed(StreamEvent):
    """Either end: the session of an older stream goes on as `jid`.

    What the peer had not handled is sent again; numbers, open requests and owed answers are as they were.
    """

    jid: str
    mechanism: str = ""


@dataclass(frozen=True, slots=True)
class MechanismDowngraded(StreamEvent):
    """Client: the best mechanism `offered` now is weaker than the best one `known` from earlier logins."""

    known: str
    offered: str


@dataclass(frozen=True, slots=True)
class ResumeAsked(StreamEvent):
    """Server: `user` wants to go on with the session `previd`; `accept_resume` or `refuse_resume` answers."""

    previd: str = field(repr=False)
    h: int
    user: str


@dataclass(frozen=True, slots=True)
class PlainPasswordReceived(StreamEvent):
    """Server: run `sasl.salted_password` on `password` outside the loop, then call `salted_password`."""

    password: str = field(repr=False)
    hash_name: str
    salt: bytes
    iterations: int


@dataclass(frozen=True, slots=True)
class Authenticated(StreamEvent):
    """Server: `user` proved the password whose keys stand at `key_index` in the lookup's answer."""

    user: str
    key_index: int


@dataclass(frozen=True, slots=True)
class AuthenticationFailed(StreamEvent):
    """Server: `user` did not. The name is the peer's claim, empty if it made none that can be read."""

    user: str


@dataclass(frozen=True, slots=True)
class BoundTo(StreamEvent):
    """Server: the client has the address `jid`; stanzas may be sent."""

    jid: str
