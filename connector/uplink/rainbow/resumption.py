"""What one stream leaves for the next: its XEP-0198 session, in memory and in a journal.

The journal is written ahead of the socket: whatever the gateway may have seen of us is in it. So the process
after a `kill -9` can resume the session as the killed one would have.
"""

import json
import logging
import struct
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from connector.domain.errors import StoreError
from connector.links.websocket import WebSocketTransport
from connector.store.journal import RecordJournal
from connector.wire.xmpp.stream import Checkpoint, OwedRequest, SuspendedStream

# Begin the file anew when it has grown so far: a window of 1,024 events is a tenth of it.
_COMPACT_BYTES = 16 * 1024 * 1024

_SESSION, _GATEWAY, _STANZA, _COUNTS, _OWED = b"I", b"G", b"S", b"C", b"O"
# received, handled, number of the first stanza that belongs to it, newest event handed over
_COUNTS_FORM = struct.Struct(">QQQQ")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Suspended:
    """A session with the gateway that ended without a farewell.

    `sent_seq` is the newest event that was handed to its stream; `is_recalled` says that another process did.
    """

    stream: SuspendedStream
    gateway: str
    sent_seq: int
    is_recalled: bool = False


class StreamMemory:
    """Shared by all lives of the cloud link. `epoch` gives the outbox's: numbers of another mean nothing."""

    def __init__(self, journal: RecordJournal, epoch: Callable[[], str]) -> None:
        self._journal = journal
        self._epoch = epoch
        self._begun_epoch = ""
        # The session that `_window` and `_owed` are of, and whether the file tells of it.
        self._id = ""
        self._is_begun = False
        self._gateway = ""
        self._window: deque[tuple[int, bytes]] = deque()
        self._owed: Sequence[OwedRequest] = ()
        self.suspended: Suspended | None = None
        # Why nothing is kept for the next process, None while it is.
        self.trouble: StoreError | None = None

    def load(self) -> None:
        """Recall what the process before left, if it was of this boot and of this outbox. Blocking."""
        self.suspended = _recalled(self._journal.load(), self._epoch())

    def keep(self, suspended: Suspended) -> None:
        """The stream broke: the next one may go on with it."""
        self.suspended = suspended

    def forget(self) -> None:
        """There is nothing to go on with: the stream ended in order, or was refused."""
        self.suspended = None
        self._is_begun = False
        self._journal.forget()

    def close(self) -> None:
        """The process ends; the file stays for the next one."""
        self._journal.close()

    def note(self, checkpoint: Checkpoint, gateway: str, sent_seq: int) -> None:
        """Write down what the stream has done, before its units are sent. Never raises."""
        self._trim(checkpoint)
        try:
            self._write(checkpoint, gateway, sent_seq)
        except StoreError as error:
            if self.trouble is None:
                _log.error("the stream can't be resumed after a restart: %s", error)
            self.trouble = error
            self._is_begun = False

    def _trim(self, checkpoint: Checkpoint) -> None:
        if checkpoint.id != self._id:
            self._id, self._is_begun = checkpoint.id, False
            self._window.clear()
            self._owed = ()
        while self._window and self._window[0][0] <= checkpoint.handled:
            self._window.popleft()
        while self._window and self._window[-1][0] >= checkpoint.first_number:
            self._window.pop()
        for number, stanza in enumerate(checkpoint.sent, start=checkpoint.first_number):
            self._window.append((number, _STANZA + stanza.encode()))
        if checkpoint.owed is not None:
            self._owed = checkpoint.owed

    def _write(self, checkpoint: Checkpoint, gateway: str, sent_seq: int) -> None:
        if (
            not self._is_begun
            or self._epoch() != self._begun_epoch
            or self._journal.size_bytes > _COMPACT_BYTES
        ):
            self._begin(checkpoint, gateway, sent_seq)
            return
        records = [] if gateway == self._gateway else [_GATEWAY + gateway.encode()]
        self._gateway = gateway
        count = len(checkpoint.sent)
        records += [self._window[at][1] for at in range(-count, 0)]
        if checkpoint.owed is not None:
            records.append(_owed_record(self._owed))
        # Last: stanzas without it are of a write that a kill cut, and were sent to nobody.
        records.append(_counts(checkpoint, checkpoint.first_number, sent_seq))
        self._journal.append(records)

    def _begin(self, checkpoint: Checkpoint, gateway: str, sent_seq: int) -> None:
        epoch = self._epoch()
        head = [checkpoint.id, checkpoint.jid, checkpoint.max_seconds, epoch]
        first = self._window[0][0] if self._window else checkpoint.first_number
        self._journal.begin(
            [
                _SESSION + json.dumps(head).encode(),
                _GATEWAY + gateway.encode(),
                *(record for _, record in self._window),
                _owed_record(self._owed),
                _counts(checkpoint, first, sent_seq),
            ]
        )
        self._gateway, self._begun_epoch = gateway, epoch
        self._is_begun, self.trouble = True, None


def _counts(checkpoint: Checkpoint, first_number: int, sent_seq: int) -> bytes:
    numbers = (checkpoint.received, checkpoint.handled, first_number, sent_seq)
    return _COUNTS + _COUNTS_FORM.pack(*numbers)


def _owed_record(owed: Sequence[OwedRequest]) -> bytes:
    rows = [(one.id, one.type, one.from_, one.to, one.payload_tag) for one in owed]
    return _OWED + json.dumps(rows).encode()


class _Recall:
    """Reads the records of one session in their order."""

    def __init__(self) -> None:
        self.epoch = ""
        self._stream: SuspendedStream | None = None
        self._gateway = ""
        self._counts: tuple[int, int, int] | None = None
        self._owed: tuple[OwedRequest, ...] = ()
        self._next_owed: tuple[OwedRequest, ...] = ()
        self._window: deque[tuple[int, str]] = deque()
        self._stanzas: list[str] = []

    def take(self, record: bytes) -> None:
        kind, content = record[:1], record[1:]
        if kind == _SESSION:
            id_, jid, max_seconds, self.epoch = json.loads(content)
            self._stream = SuspendedStream(id_, jid, max_seconds, 0, 0)
        elif kind == _GATEWAY:
            self._gateway = content.decode()
        elif kind == _STANZA:
            self._stanzas.append(content.decode())
        elif kind == _OWED:
            self._next_owed = tuple(OwedRequest(*row) for row in json.loads(content))
        elif kind == _COUNTS:
            self._count(*_COUNTS_FORM.unpack(content))

    def _count(self, received: int, handled: int, first_number: int, sent_seq: int) -> None:
        self._counts = (received, handled, sent_seq)
        while self._window and self._window[-1][0] >= first_number:
            self._window.pop()
        self._window.extend(enumerate(self._stanzas, start=first_number))
        self._stanzas.clear()
        self._owed = self._next_owed
        while self._window and self._window[0][0] <= handled:
            self._window.popleft()

    def found(self) -> Suspended | None:
        """The session as its last whole write left it."""
        if self._stream is None or self._counts is None:
            return None
        received, handled, sent_seq = self._counts
        unacked = tuple(stanza for _, stanza in self._window)
        stream = replace(self._stream, received=received, handled=handled, unacked=unacked, owed=self._owed)
        return Suspended(stream, self._gateway, sent_seq, is_recalled=True)


def _recalled(records: Sequence[bytes], epoch: str) -> Suspended | None:
    recall = _Recall()
    try:
        for record in records:
            recall.take(record)
    except (ValueError, TypeError, struct.error):  # of another version of ours
        return None
    return recall.found() if recall.epoch == epoch else None


class WriteAhead:
    """A transport before which `note` is called: what it writes is in the journal before it leaves."""

    def __init__(self, transport: WebSocketTransport, note: Callable[[], None]) -> None:
        self._transport = transport
        self._note = note
        self.read = transport.read
        self.aclose = transport.aclose

    async def write(self, units: Sequence[str]) -> None:
        """Implements `connector.links.pump.Transport`; no other task runs between the two steps."""
        self._note()
        await self._transport.write(units)
