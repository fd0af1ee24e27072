"""A client and a server joined in virtual time, without any I/O."""

from collections.abc import Callable, Sequence
from itertools import count

from connector.wire.xmpp import sasl
from connector.wire.xmpp.client import StreamClient, StreamConfig
from connector.wire.xmpp.events import (
    PlainPasswordReceived,
    SaltedPasswordWanted,
    StreamEvent,
    StreamFailed,
)
from connector.wire.xmpp.sasl import ScramKeys, derive_keys
from connector.wire.xmpp.server import ServerConfig, StreamServer
from connector.wire.xmpp.suspension import SuspendedStream

DOMAIN = "cloud.example"
USER = "pbx834e-41da"
CODE = "4711"
PRIVATE_CODE = "9f0c2ab1d3e4"
SALT = bytes(range(16))
START = 1_000.0

KEYS = derive_keys(CODE, SALT, sasl.MIN_ITERATIONS)
PRIVATE_KEYS = derive_keys(PRIVATE_CODE, SALT, sasl.MIN_ITERATIONS)


def numbered(prefix: str) -> Callable[[], str]:
    """A source of distinct texts."""
    numbers = count(1)
    return lambda: f"{prefix}{next(numbers)}"


def known(*keys: ScramKeys) -> Callable[[str], Sequence[ScramKeys]]:
    """A lookup that knows `USER` by `keys`, and nobody else."""
    return lambda user: keys if user == USER else ()


def make_client(config: StreamConfig | None = None, resume: SuspendedStream | None = None) -> StreamClient:
    config = config or StreamConfig(DOMAIN, USER, CODE)
    client = StreamClient(config, numbered("c"), numbered("cnonce"), resume)
    client.start(START)
    return client


def make_server(config: ServerConfig | None = None, *keys: ScramKeys) -> StreamServer:
    server = StreamServer(
        config or ServerConfig(DOMAIN, b"secret"),
        numbered("s"),
        numbered("snonce"),
        known(*(keys or (KEYS,))),
    )
    server.start(START)
    return server


class Pair:
    """Both ends, what each reported, and the frames that went over, newest last."""

    def __init__(
        self,
        client: StreamClient | None = None,
        server: StreamServer | None = None,
        password: str = CODE,
    ) -> None:
        self.client = client or make_client()
        self.server = server or make_server()
        self.password = password
        self.now = START
        self.at_client: list[StreamEvent] = []
        self.at_server: list[StreamEvent] = []
        self.to_server: list[str] = []
        self.to_client: list[str] = []

    def run(self) -> None:
        """Carry frames until both have nothing to say."""
        while self._carry():
            pass

    def advance(self, seconds: float) -> None:
        """Let time pass from deadline to deadline, carrying what comes of it."""
        end = self.now + seconds
        self.run()
        while True:
            moments = [
                moment for moment in (self.client.deadline(), self.server.deadline()) if moment is not None
            ]
            if not moments or min(moments) > end:
                break
            self.now = max(self.now, min(moments))
            self._tick()
        self.now = end
        self._tick()

    def _tick(self) -> None:
        self.client.tick(self.now)
        self.server.tick(self.now)
        self.run()

    def _carry(self) -> bool:
        outgoing, incoming = self.client.to_send(), self.server.to_send()
        self.to_server += outgoing
        self.to_client += incoming
        for frame in outgoing:
            self.server.receive(frame, self.now)
        for frame in incoming:
            self.client.receive(frame, self.now)
        self._collect()
        return bool(outgoing or incoming)

    def _collect(self) -> None:
        for event in self.client.events():
            self.at_client.append(event)
            if isinstance(event, SaltedPasswordWanted):
                salted = sasl.salted_password(self.password, event.salt, event.iterations, event.hash_name)
                self.client.salted_password(salted, self.now)
        for event in self.server.events():
            self.at_server.append(event)
            if isinstance(event, PlainPasswordReceived):
                salted = sasl.salted_password(event.password, event.salt, event.iterations, event.hash_name)
                self.server.salted_password(salted, self.now)


def ready_pair(server: StreamServer | None = None) -> Pair:
    """Both ends ready, with what led there forgotten."""
    pair = Pair(server=server)
    pair.run()
    assert pair.client.is_ready
    assert pair.server.is_ready
    for record in (pair.at_client, pair.at_server):
        record.clear()
    for frames in (pair.to_client, pair.to_server):
        frames.clear()
    return pair


def failure(events: Sequence[StreamEvent]) -> Exception:
    """The error of the one failure among `events`."""
    errors = [event.error for event in events if isinstance(event, StreamFailed)]
    assert len(errors) == 1, events
    return errors[0]
