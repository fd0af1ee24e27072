"""Requests on their way, both ways: ours that wait for an answer, the peer's that we owe one."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from connector.domain.errors import LocalProtocolError, Overflow
from connector.domain.faults import FaultId
from connector.wire.xmpp.stanzas import OwedRequest

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

    def __init__(self, requests: Iterable[tuple[str, OpenRequest]] = ()) -> None:
        self._by_id = dict(requests)
        # Not later than the first deadline; it may be earlier when that request was answered meanwhile.
        self.deadline = self._first_deadline()

    @property
    def requests(self) -> Sequence[tuple[str, OpenRequest]]:
        """All of them with their ids."""
        return tuple(self._by_id.items())

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
        self.deadline = self._first_deadline()
        return late

    def _first_deadline(self) -> float | None:
        return min((request.deadline for request in self._by_id.values()), default=None)


class OwedAnswers:
    """The peer's requests that are not answered yet. Each is answered exactly once.

    A peer may use an id twice at a time, against RFC 6120, 8.1.3: then each of the two is answered.
    """

    __slots__ = ("_times", "revision")

    def __init__(self, requests: Iterable[OwedRequest] = ()) -> None:
        self._times = Counter(requests)
        # Grows with each change, so that who keeps a copy sees that it is old.
        self.revision = 0

    def __contains__(self, request: OwedRequest) -> bool:
        return request in self._times

    @property
    def requests(self) -> Sequence[OwedRequest]:
        """All of them, the oldest first."""
        return tuple(self._times.elements())

    @property
    def is_full(self) -> bool:
        """Whether no further request can be taken."""
        return self._times.total() >= MAX_OPEN_REQUESTS

    def add(self, request: OwedRequest) -> None:
        """One more to answer."""
        self._times[request] += 1
        self.revision += 1

    def remove(self, request: OwedRequest) -> None:
        """It is answered."""
        self._times[request] -= 1
        if not self._times[request]:
            del self._times[request]
        self.revision += 1
