"""The gateway as one object: its systems, its journal, and the agents that are connected now."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from connector.domain.errors import Overflow
from connector.domain.identifiers import Channel
from connector.domain.ports import Clock
from connector.wire.pcg.conf import DisconnectReason
from connector.wire.pcg.http import HttpRequest, HttpResponse
from connector.wire.xmpp.stream import ServerConfig, StreamLimits, StreamServer
from simulators.gateway import agent_http
from simulators.gateway.accounts import Accounts
from simulators.gateway.archive import Archive, NoArchive
from simulators.gateway.configuration import Taken, cloud_settings
from simulators.gateway.decoding import decoded_event
from simulators.gateway.faults import FaultName, Faults
from simulators.gateway.journal import MAX_ENTRIES, Journal, Kind
from simulators.gateway.limits import Admission, AdmissionLimits, Guesses, GuessLimits
from simulators.gateway.line import Line
from simulators.gateway.phonebook import Link, PhoneNumber
from simulators.gateway.resumption import Parked, Parking
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
    # The hash of the gateway's certificate: with it, logins can be bound to it (RFC 5929, 4.1).
    channel_binding: bytes | None = None
    # docs/protocols/pcg.md, section 1: an agent's burst of events and its backlog have to pass.
    limits: StreamLimits = field(
        default_factory=lambda: StreamLimits(stanzas_per_second=20_000, burst=40_000)
    )
    # A third of the default ping timeout of 120 s.
    ping_interval_seconds: float = 40.0
    journal_entries: int = MAX_ENTRIES
    # How long an agent may come back to its session after its connection broke; 0: never.
    resume_seconds: int = 300
    # Twice the fleet that the project's load tests simulate.
    max_sessions: int = 10_000
    # One address is a site, or a provider's address translation with some hundred sites behind it.
    max_per_address: int = 500
    # Logging in takes milliseconds, and agents that come back together are spread by their own delays.
    max_before_login: int = 500
    # A login takes five round trips and one hashing: on a slow site two seconds.
    login_seconds: float = 10.0
    guesses: GuessLimits = field(default_factory=GuessLimits)


class Gateway:
    """Makes sessions and is the desk that they report to. Lives in one event loop; nothing here blocks."""

    def __init__(
        self, options: Options, clock: Clock, random: RandomBytes, archive: Archive | None = None
    ) -> None:
        """`archive` keeps systems and events over restarts; without one all is forgotten at the end."""
        self.options = options
        self.systems = Systems(options.domain, random)
        self._clock = clock
        self.keeper = archive or NoArchive()
        if archive is not None:
            archive.restore(self.systems, self.wall())
        self.journal = Journal(_decoded, capacity=options.journal_entries)
        self.random = random
        # Made at each start: there is no default password to forget to change.
        self.admin_token = random(24).hex()
        self._accounts = Accounts(self.systems, random, options.mechanisms, self.wall)
        self.faults = Faults()
        self.guesses = Guesses(options.guesses)
        self.admission: Admission[AgentSession] = Admission(
            AdmissionLimits(options.max_sessions, options.max_per_address, options.max_before_login)
        )
        self._stream_config = ServerConfig(
            options.domain,
            fake_salt_secret=random(32),
            mechanisms=options.mechanisms,
            channel_binding=options.channel_binding,
            ping_interval_seconds=options.ping_interval_seconds,
            resume_seconds=options.resume_seconds,
            login_timeout_seconds=options.login_seconds,
            limits=options.limits,
        )
        self._live: dict[str, AgentSession] = {}
        self._parking: Parking[AgentSession] = Parking()
        self._wakers: dict[AgentSession, Callable[[], None]] = {}

    @property
    def longest_ping_seconds(self) -> float:
        """How often an agent is asked for a sign of life if nothing asks for more."""
        return self.options.ping_interval_seconds

    def wall(self) -> datetime:
        """The time of day, UTC."""
        return self._clock.now()

    def monotonic(self) -> float:
        """The time that sessions are driven by."""
        return self._clock.monotonic()

    def is_private(self, system: System, key_index: int) -> bool:
        """Whether a login used the system's private code."""
        return self._accounts.is_private(system, key_index)

    # -- administration

    def create_system(self, profile: Profile, *, pbx_id: str = "", activation_code: str = "") -> System:
        """A new system; see `Systems.create`."""
        system = self.systems.create(profile, self.wall(), pbx_id=pbx_id, activation_code=activation_code)
        self.keeper.keep_system(system)
        return system

    def reset(self, system: System) -> None:
        """Back to `created` with a new public code; a connected agent is told and put out."""
        system.reset(self.wall(), self.random)
        self.keeper.keep_system(system)
        self.journal.add(Kind.ACTIVATION, self.wall(), system.id, known={"name": "reset"})
        self.dismiss(system, DisconnectReason.RESET)

    def change(self, system: System, profile: Profile) -> None:
        """Put other settings in force; what concerns the agent is told to it."""
        before, system.profile = system.profile, profile
        is_news = cloud_settings(before, 0) != cloud_settings(profile, 0)
        system.revision += is_news
        self.keeper.keep_system(system)
        session = self._configurable(system) if is_news else None
        if session is not None:
            self._tell(session, lambda: session.send_settings(self.monotonic()))

    def link(self, system: System, entry: PhoneNumber, link: Link, taken: Taken) -> None:
        """Link a number to a user, and monitor it or not.

        `taken` is called when the agent has said what it thinks of it, at once if it need not be asked.
        """
        asks = (link.is_monitored, link.user_id) != (entry.link.is_monitored, entry.link.user_id)
        system.phone_book.link(entry, link)
        self.keeper.keep_numbers(system)
        session = self._configurable(system) if asks else None
        if session is None:
            taken("")
        else:
            self._tell(session, lambda: session.send_monitors(self.monotonic(), taken))

    def take_back(self, system: System, entry: PhoneNumber) -> None:
        """The agent did not take a change of the number: it is again what it was when `entry` was read."""
        system.phone_book.link(entry, entry.link)
        self.keeper.keep_numbers(system)

    def _configurable(self, system: System) -> AgentSession | None:
        """The session to tell of a change now; without one the agent is told when it is back."""
        session = self._live.get(system.id)
        if session is not None and session.has_conf:
            return session
        system.is_configuration_due = True
        return None

    def _tell(self, session: AgentSession, tell: Callable[[], None]) -> None:
        try:
            tell()
        except Overflow:  # it takes our stanzas without ever saying so
            session.fail("policy-violation", self.monotonic())
        self._wake(session)

    def delete(self, system: System) -> None:
        """Forget the system; a connected agent is told and put out."""
        self.systems.remove(system)
        self.keeper.forget(system)
        self._accounts.forget(system)
        self.dismiss(system, DisconnectReason.DELETE)

    def speak(self, system: System, say: Callable[[Line], None]) -> bool:
        """Let `say` send something to the system's agent; False when it is not there to be spoken to."""
        session = self._live.get(system.id)
        if session is None:
            return False
        try:
            return session.speak(say, self.monotonic())
        finally:
            self._wake(session)

    async def read(self, system: System, resource: str, method: str = "GET") -> HttpResponse:
        """One page of the system's agent, such as /status; see `agent_http.read`, also for errors."""
        return await agent_http.read(self, system, HttpRequest(method, resource))

    def dismiss(self, system: System, reason: DisconnectReason) -> None:
        """Tell a connected agent why it has to go; it is put out if it does not."""
        self._parking.forget(system.id)
        session = self._live.get(system.id)
        if session is not None:
            session.dismiss(reason, self.monotonic())
            self._wake(session)

    # -- sessions

    def refusal(self, address: str) -> str:
        """Why no session can be opened for `address`; empty if one can."""
        if FaultName.REFUSE_UPGRADE in self.faults:
            return "the fault refuse-upgrade is switched on"
        return self.admission.refusal(address)

    def open_session(self, wake: Callable[[], None], address: str = "") -> AgentSession:
        """A session for a new stream. `wake` is called when it has something to send though nothing came."""
        stream = StreamServer(
            self._stream_config,
            self._new_id,
            self._new_id,
            self._accounts.lookup,
            partial(self._verdict, address),
        )
        stream.start(self.monotonic())
        session = AgentSession(self, stream)
        self._wakers[session] = wake
        self.admission.opened(session, address)
        if FaultName.CLOSE_AFTER_ACCEPT in self.faults:
            session.receive_eof(self.monotonic())
        return session

    def _verdict(self, address: str, user: str, key_index: int | None) -> str:
        """What to answer a login with; see `Guesses`."""
        system = self.systems.by_pbx_id(user)
        is_private = system is not None and key_index is not None and self.is_private(system, key_index)
        return self.guesses.verdict(
            user, address, self.monotonic(), is_right=key_index is not None, is_guessable=not is_private
        )

    def wake_all(self) -> None:
        """Let every session look again: a fault was switched."""
        for session in list(self._wakers):
            self._wake(session)

    def arrived(self, session: AgentSession, system: System) -> None:
        """The session's agent is bound; an older one of the same system gets `conflict`."""
        self._parking.forget(system.id)
        self.admission.logged_in(session)
        older = self._live.get(system.id)
        self._live[system.id] = session
        if older is not None:
            older.fail("conflict", self.monotonic())
        system.disconnect(self.wall())
        system.set_channel(Channel.XMPP, self.wall(), is_up=True)
        self.keeper.keep_system(system)
        self.journal.add(Kind.CONNECTED, self.wall(), system.id, known={"conflict": older is not None})

    def reclaim(self, system: System, previd: str) -> Parked[AgentSession] | None:
        """The session to go on with; a stream that it seems to have still is half-open, and ends."""
        live = self._live.get(system.id)
        if live is not None:
            live.give_away(previd, self.monotonic())
        return self._parking.claim(system.id, previd, self.monotonic())

    def resumed(self, session: AgentSession, system: System) -> None:
        """The session goes on with another stream: neither greeting nor questions."""
        self._live[system.id] = session
        self.admission.logged_in(session)
        self.keeper.keep_system(system)
        self.journal.add(Kind.RESUMED, self.wall(), system.id)

    def _park(self, session: AgentSession, system: System) -> None:
        suspended = session.suspended()
        if suspended is not None:
            channels = tuple(channel for channel, is_up in system.channels.items() if is_up)
            now = self.monotonic()
            parked = Parked(suspended, session, channels, now + suspended.max_seconds)
            self._parking.park(system.id, parked, now)

    def left(self, session: AgentSession, system: System | None, reason: str) -> None:
        """The session is over. Only the newest one of a system decides about its channels."""
        self._wake(session)
        self._wakers.pop(session, None)
        self.admission.closed(session)
        if system is None:
            return
        if self._live.get(system.id) is session:
            del self._live[system.id]
            self._park(session, system)
            system.disconnect(self.wall())
            self.keeper.keep_system(system)
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
