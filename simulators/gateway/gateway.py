"""The gateway as one object: its systems, its journal, and the agents that are connected now."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from connector.domain.identifiers import Channel
from connector.domain.ports import Clock
from connector.wire.pcg.conf import DisconnectReason
from connector.wire.xmpp.stream import ServerConfig, StreamLimits, StreamServer
from simulators.gateway.accounts import Accounts
from simulators.gateway.decoding import decoded_event
from simulators.gateway.journal import MAX_ENTRIES, Journal, Kind
from simulators.gateway.session import AgentSession
from simulators.gateway.systems import Profile, RandomBytes, System, Systems


@dataclass(frozen=True, slots=True)
class Options:
    """How the gateway behaves.

    `domain` is the XMPP domain of all accounts; `mechanisms` are names of SCRAM; `limits` bound what an agent
    may send; above `max_sessions` a further stream is refused, logged in or not.
    """

    domain: str = "rainbow.test"
    mechanisms: Sequence[str] = ("SCRAM-SHA-256", "SCRAM-SHA-1")
    # docs/protocols/pcg.md, section 1: an agent's burst of events and its backlog have to pass.
    limits: StreamLimits = field(
        default_factory=lambda: StreamLimits(stanzas_per_second=20_000, burst=40_000)
    )
    # A third of the default ping timeout of 120 s.
    ping_interval_seconds: float = 40.0
    journal_entries: int = MAX_ENTRIES
    # Twice the fleet that the project's load tests simulate.
    max_sessions: int = 10_000


class Gateway:
    """Makes sessions and is the desk that they report to. Lives in one event loop; nothing here blocks."""

    def __init__(self, options: Options, clock: Clock, random: RandomBytes) -> None:
        self.options = options
        self.systems = Systems(options.domain, random)
        self.journal = Journal(_decoded, capacity=options.journal_entries)
        self.random = random
        # Made at each start: there is no default password to forget to change.
        self.admin_token = random(24).hex()
        self._clock = clock
        self._accounts = Accounts(self.systems, random, options.mechanisms)
        self._stream_config = ServerConfig(
            options.domain,
            fake_salt_secret=random(32),
            mechanisms=options.mechanisms,
            ping_interval_seconds=options.ping_interval_seconds,
            limits=options.limits,
        )
        self._live: dict[str, AgentSession] = {}
        self._wakers: dict[AgentSession, Callable[[], None]] = {}

    def wall(self) -> datetime:
        """The time of day, UTC."""
        return self._clock.now()

    def monotonic(self) -> float:
        """The time that sessions are driven by."""
        return self._clock.monotonic()

    def code_of(self, key_index: int) -> int:
        """Which of a system's codes a login used."""
        return self._accounts.code_of(key_index)

    # -- administration

    def create_system(self, profile: Profile, *, pbx_id: str = "", activation_code: str = "") -> System:
        """A new system; see `Systems.create`."""
        return self.systems.create(profile, self.wall(), pbx_id=pbx_id, activation_code=activation_code)

    def reset(self, system: System) -> None:
        """Back to `created` with a new public code; a connected agent is told and put out."""
        system.reset(self.wall(), self.random)
        self.journal.add(Kind.ACTIVATION, self.wall(), system.id, known={"name": "reset"})
        self._dismiss(system, DisconnectReason.RESET)

    def delete(self, system: System) -> None:
        """Forget the system; a connected agent is told and put out."""
        self.systems.remove(system)
        self._accounts.forget(system)
        self._dismiss(system, DisconnectReason.DELETE)

    def _dismiss(self, system: System, reason: DisconnectReason) -> None:
        session = self._live.get(system.id)
        if session is not None:
            session.dismiss(reason, self.monotonic())
            self._wake(session)

    # -- sessions

    @property
    def is_full(self) -> bool:
        """Whether no further session can be opened."""
        return len(self._wakers) >= self.options.max_sessions

    def open_session(self, wake: Callable[[], None]) -> AgentSession:
        """A session for a new stream. `wake` is called when it has something to send though nothing came."""
        stream = StreamServer(self._stream_config, self._new_id, self._new_id, self._accounts.lookup)
        stream.start(self.monotonic())
        session = AgentSession(self, stream)
        self._wakers[session] = wake
        return session

    def arrived(self, session: AgentSession, system: System) -> None:
        """The session's agent is bound; an older one of the same system gets `conflict`."""
        older = self._live.get(system.id)
        self._live[system.id] = session
        if older is not None:
            older.fail("conflict", self.monotonic())
        system.disconnect(self.wall())
        system.set_channel(Channel.XMPP, self.wall(), is_up=True)
        self.journal.add(Kind.CONNECTED, self.wall(), system.id, known={"conflict": older is not None})

    def left(self, session: AgentSession, system: System | None, reason: str) -> None:
        """The session is over. Only the newest one of a system decides about its channels."""
        self._wake(session)
        self._wakers.pop(session, None)
        if system is None:
            return
        if self._live.get(system.id) is session:
            del self._live[system.id]
            system.disconnect(self.wall())
        self.journal.add(Kind.DISCONNECTED, self.wall(), system.id, known={"reason": reason})

    def shut_down(self) -> None:
        """Tell every agent that the gateway goes; they come back with jitter."""
        for session in list(self._wakers):
            session.fail("system-shutdown", self.monotonic())

    def _wake(self, session: AgentSession) -> None:
        wake = self._wakers.get(session)
        if wake is not None:
            wake()

    def _new_id(self) -> str:
        return self.random(16).hex()


def _decoded(kind: Kind, raw: str) -> dict[str, object]:
    """Every frame that the journal keeps is an event message."""
    return dict(decoded_event(raw))
