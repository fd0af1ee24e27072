"""Requests on their way, both ways: ours that wait for an answer, the peer's that we owe one."""

from collections.abc import Sequence
from dataclasses import dataclass

from connector.domain.errors import LocalProtocolError, Overflow
from connector.domain.faults import FaultId
from connector.wire.xmpp.stanzas import Stanza

# A page of devices and 64 commands are what is known to stand open together; a peer can't make us keep more.
MAX_OPEN_REQUESTS = 1_024


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """Ours: `to` is who has to answer until `deadline`; a ping is nobody's business but the stream's."""

    to: str
    deadline: float
    is_ping: bool = False


class OpenRequests:
    """Our requests by their id."""

    __slots__ = ("_by_id", "deadline")

    def __init__(self) -> None:
        self._by_id: dict[str, OpenRequest] = {}
        # Not later than the first deadline; it may be earlier when that request was answered meanwhile.
        self.deadline: float | None = None

    def add(self, id_: str, request: OpenRequest) -> None:
        """One more. Raises `Overflow` at the limit, `LocalProtocolError` for an id in use."""
        if id_ in self._by_id:
            raise LocalProtocolError(FaultId.OWN_PROTOCOL, "an id that is in use", link="cloud")
        if len(self._by_id) >= MAX_OPEN_REQUESTS:
            raise Overflow(FaultId.QUEUE_FULL, f"{MAX_OPEN_REQUESTS} requests are not answered", link="cloud")
        self._by_id[id_] = request
        self.deadline = request.deadline if self.deadline is None else min(self.deadline, request.deadline)

    def find(self, id_: str) -> OpenRequest | None:
        """The request that an answer with this id would close."""
        return self._by_id.get(id_)

    def remove(self, id_: str) -> None:
        """It is answered."""
        del self._by_id[id_]

    def expire(self, now: float) -> Sequence[tuple[str, OpenRequest]]:
        """Take the requests that waited too long."""
        late = [(id_, request) for id_, request in self._by_id.items() if request.deadline <= now]
        for id_, _ in late:
            del self._by_id[id_]
        self.deadline = min((request.deadline for request in self._by_id.values()), default=None)
        return late


class OwedAnswers:
    """The peer's requests that are not answered yet. Each is answered exactly once."""

    __slots__ = ("_stanzas",)

    def __init__(self) -> None:
        self._stanzas: set[Stanza] = set()

    def __contains__(self, stanza: Stanza) -> bool:
        return stanza in self._stanzas

    @property
    def is_full(self) -> bool:
        """Whether no further request can be taken."""
        return len(self._stanzas) >= MAX_OPEN_REQUESTS

    def add(self, stanza: Stanza) -> None:
        """One more to answer."""
        self._stanzas.add(stanza)

    def remove(self, stanza: Stanza) -> None:
        """It is answered."""
        self._stanzas.remove(stanza)
