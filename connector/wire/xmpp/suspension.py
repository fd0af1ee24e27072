"""What outlives a cut connection (XEP-0198, 5): enough for a later stream to go on with the session.

A `SuspendedStream` is what an ended stream leaves and what the next one is given. All of it but
`open_requests` is flat text and numbers, so that a journal on disk can hold it too. Such a journal is kept
from checkpoints:

    units = stream.to_send()
    delta = stream.checkpoint()     # no await in between
    ... make `delta` durable ...
    ... then write `units` to the transport ...

This order makes a `kill -9` harmless:

- A stanza stands in the journal before its bytes leave. What the peer may have received is therefore known
  after the crash; what it did not receive is sent by the resumed stream, for the first time.
- Our count stands in the journal before an `<a/>` or `<resume/>` that carries it leaves. The peer forgets a
  stanza only for such a count; what came after the last one kept comes again, and is handled again.
- A request is owed from the checkpoint that counts it until the one that holds its answer. A request that the
  crash interrupted is therefore neither forgotten nor answered twice: it is owed in the resumed stream.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from connector.wire.xmpp.requests import OpenRequest
from connector.wire.xmpp.stanzas import OwedRequest

__all__ = ["Checkpoint", "OwedRequest", "SuspendedStream", "whole"]


@dataclass(frozen=True, slots=True)
class SuspendedStream:
    """A session without a connection.

    `id` is a secret: who knows it and the account's code takes the session over. `received` is how many of
    the peer's stanzas we have handled (modulo 2^32), `handled` how many of ours the peer has acknowledged;
    the latter is not reduced, so that stanza n of ours is `unacked[n - handled - 1]`. `uncounted` were sent
    before counting began. `open_requests` are our own requests with their ids; their deadlines are monotonic
    seconds of this process, so a journal leaves them out. `tries` counts the streams that ended without an
    answer to `<resume/>`.
    """

    id: str = field(repr=False)
    jid: str
    max_seconds: float
    received: int
    handled: int
    unacked: Sequence[str] = field(repr=False, default=())
    owed: Sequence[OwedRequest] = ()
    uncounted: int = 0
    open_requests: Sequence[tuple[str, OpenRequest]] = ()
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a journal has to know before the frames of the same moment leave.

    `sent` are stanzas that it does not have yet, the first of them number `first_number` (from 1, as
    `SuspendedStream.handled` counts); it may forget those up to `handled`. Writing one twice changes nothing.
    `owed` is the whole list, None if it is as it was.
    """

    id: str = field(repr=False)
    jid: str
    max_seconds: float
    received: int
    handled: int
    first_number: int
    sent: Sequence[str] = field(repr=False)
    owed: Sequence[OwedRequest] | None


def whole(session: SuspendedStream) -> Checkpoint:
    """All of `session`, for a journal that may not know any of it."""
    return Checkpoint(
        session.id,
        session.jid,
        session.max_seconds,
        session.received,
        session.handled,
        session.handled + 1,
        session.unacked,
        session.owed,
    )
