"""One life of the link to the gateway: dial, log in, carry, end."""

import asyncio
import logging
import secrets
import ssl
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from connector.domain.call_model import LiveLeg
from connector.domain.cloud import CloudSink, ListOutcome
from connector.domain.credentials import Code
from connector.domain.devices import Device, DeviceDelta
from connector.domain.errors import ConnectorError, LinkClosed, LocalProtocolError, Overflow, Replaced
from connector.domain.faults import FaultId
from connector.domain.outbox import OutboxEntry
from connector.domain.ports import Clock
from connector.domain.presence import Presence
from connector.links.dialer import Dialer
from connector.links.pump import Pump
from connector.links.websocket import WebSocketAddress, open_websocket
from connector.uplink.rainbow.events import (
    AccessProposed,
    AllArrived,
    ChannelChanged,
    ChannelsOpened,
    DeviceListWanted,
    DisconnectOrdered,
    EventsAcknowledged,
    HashWanted,
    LoggedIn,
    LoginWeakened,
    SessionEvent,
    SessionFailed,
    SessionResumed,
    SnapshotWanted,
    StrangerIgnored,
)
from connector.uplink.rainbow.home import Home
from connector.uplink.rainbow.lists import ListTransfer, send_change
from connector.uplink.rainbow.presences import PresenceSender
from connector.uplink.rainbow.replies import Replies, Reply
from connector.uplink.rainbow.resumption import StreamMemory, Suspended, WriteAhead
from connector.uplink.rainbow.service import RequestService
from connector.uplink.rainbow.session import AgentSession
from connector.wire.pcg import csta
from connector.wire.pcg.conf import DisconnectReason
from connector.wire.xmpp import sasl
from connector.wire.xmpp.client import StreamClient, StreamConfig
from connector.wire.xmpp.limits import StreamLimits
from connector.wire.xmpp.mechanisms import BindingPolicy
from connector.wire.xmpp.stanzas import OwedRequest

# With a proxy that asks for a login, and its TLS around ours; a dial that takes longer is no link.
_DIAL_TIMEOUT_SECONDS = 20.0
# What is begun when the stream ends writes a small file: milliseconds, a second on a bad disk.
_FINISH_SECONDS = 2.0
# docs/protocols/pcg.md, section 1: each of our events may be acknowledged by itself, up to 1,000 a second.
_LIMITS = StreamLimits(stanzas_per_second=2_000, burst=4_000)
# 128 bits: ids of requests and SCRAM nonces must not be guessed.
_TOKEN_BYTES = 16

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """Where the gateway is and who we are there. `pins` are of RFC 7469, 2.4; none means any trusted key."""

    address: WebSocketAddress
    domain: str
    pbx_id: str
    allow_plain: bool
    silence_timeout_seconds: float
    pins: tuple[str, ...] = ()
    binding_policy: BindingPolicy = BindingPolicy.PREFER


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What all lives of the link share."""

    tls: ssl.SSLContext
    dialer: Dialer
    sink: CloudSink
    home: Home
    clock: Clock
    memory: StreamMemory
    replies: Replies


class RainbowLink:
    """Implements `connector.domain.cloud.CloudLink`. Used once: `run`, then it is over."""

    def __init__(self, settings: GatewaySettings, code: Code, around: Surroundings) -> None:
        self._settings = settings
        self._code = code
        self._around = around
        self._sink = around.sink
        self._clock = around.clock
        self._continues = around.memory.suspended
        self._service = RequestService(around.sink, around.home, around.replies)
        # Made when the transport is there: only then the gateway's certificate is known.
        self._session: AgentSession | None = None
        self._pump: Pump[str, SessionEvent] | None = None
        # Functions, not coroutines: what is never begun leaves nothing behind. None is the end. The stream's
        # rate limit bounds it: each entry is a stanza of the gateway.
        self._work: asyncio.Queue[Callable[[], Awaitable[None]] | None] = asyncio.Queue()
        self._error: ConnectorError | None = None
        self._is_ready = False
        self._presences = PresenceSender(lambda payload: self._send(lambda session: session.say(payload)))

    # One life --------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Dial, log in, carry until the link ends. Raises the `ConnectorError` that says why it ended."""
        transport = await open_websocket(
            self._settings.address,
            self._around.tls,
            subprotocol="xmpp",
            timeout_seconds=_DIAL_TIMEOUT_SECONDS,
            dialer=self._around.dialer,
            pins=self._settings.pins,
            known_time=self._around.home.known_time(),
        )
        self._around.home.certificate_seen(transport.peer_certificate)
        self._session = session = self._new_session(transport.peer_certificate.end_point)
        session.start(self._clock.monotonic())
        self._pump = Pump(session, WriteAhead(transport, self._note), self._clock, self._on_event)
        worker = asyncio.create_task(self._do_work(), name="cloud-link-work")
        try:
            await self._pump.run()
            # A reset's farewell is quicker than the disk that forgets the code.
            self._work.put_nowait(None)
            await asyncio.wait([worker], timeout=_FINISH_SECONDS)
        finally:
            worker.cancel()
            with suppress(asyncio.CancelledError):
                await worker
            self._leave(session)
        raise self._error or LinkClosed(FaultId.CLOUD_CLOSED, "ended by us", link="cloud")

    def close(self) -> None:
        """End the link in order; `run` ends soon after."""
        if self._session is not None:
            self._session.close()
            self._wake()

    def bear_silence(self, seconds: float) -> None:
        """From now on the gateway may say nothing for so long; before it said hello nothing is changed."""
        if self._session is not None and self._session.is_open:
            self._session.bear_silence(seconds, self._clock.monotonic())
            self._wake()

    def _new_session(self, end_point: bytes) -> AgentSession:
        settings, home = self._settings, self._around.home
        config = StreamConfig(
            domain=settings.domain,
            user=settings.pbx_id.lower(),
            password=self._code.secret,
            allow_plain=settings.allow_plain,
            silence_timeout_seconds=settings.silence_timeout_seconds,
            limits=_LIMITS,
            channel_binding=end_point or None,
            binding_policy=settings.binding_policy,
            known_best=home.known_mechanism(),
        )
        continues = self._continues
        stream = StreamClient(config, _token, _token, resume=continues.stream if continues else None)
        return AgentSession(stream, settings.domain, home.hello, continues.gateway if continues else "")

    def _leave(self, session: AgentSession) -> None:
        """Hand over to the next life what it can go on with."""
        self._presences.cancel()
        stream = session.suspended()
        memory = self._around.memory
        if stream is None:
            memory.forget()
        else:
            is_recalled = self._continues is not None and self._continues.is_recalled and not self._is_ready
            gateway = session.gateway or (self._continues.gateway if self._continues else "")
            memory.keep(Suspended(stream, gateway, self._sink.told_seq, is_recalled=is_recalled))
        if self._is_ready:
            self._around.replies.detach()
        if stream is not None and self._is_ready:
            self._sink.cloud_paused()
        elif stream is None and (self._is_ready or self._continues is not None):
            self._sink.cloud_lost()

    def _note(self) -> None:
        """Write ahead: the journal knows what is about to be sent."""
        checkpoint = None if self._session is None else self._session.checkpoint()
        if checkpoint is None or self._session is None:
            return
        gateway, continues = self._session.gateway, self._continues
        if not gateway and continues is not None and checkpoint.id == continues.stream.id:
            gateway = continues.gateway  # asked to go on, not answered yet: the session is still bound to it
        self._around.memory.note(checkpoint, gateway, self._sink.told_seq)

    async def _do_work(self) -> None:
        """What takes time or a disk, one after the other, off the pump's way."""
        while (work := await self._work.get()) is not None:
            try:
                await work()
            except LocalProtocolError as error:
                if self._session is not None and not self._session.is_closed:  # else it ended while we worked
                    _log.exception("work for the cloud link failed")
                    self._end(error)
            except ConnectorError as error:
                _log.warning("work for the cloud link failed: %s", error)
            self._wake()

    # What the session reports ----------------------------------------------------------------------------

    def _on_event(self, event: SessionEvent) -> None:
        match event:
            case EventsAcknowledged() | AllArrived():
                self._on_arrival(event)
            case ChannelChanged(channel, is_up):
                self._sink.channel_changed(channel, is_up=is_up)
            case ChannelsOpened(_, time):
                self._around.home.gateway_time(time)
                self._begin()
            case SessionResumed():
                self._go_on()
            case DeviceListWanted():
                self._sink.device_list_wanted()
            case SnapshotWanted():
                legs = self._sink.live_legs()
                self._send(lambda session: session.answer_snapshot(event, legs, self._clock.now()))
            case StrangerIgnored():
                self._around.home.security_event()
            case LoginWeakened(known, offered):
                self._around.home.login_weakened(known, offered)
            case SessionFailed(error):
                self._blame(event)
                lost_by = None if self._pump is None else self._pump.lost_by
                self._error = self._error or lost_by or error
                _log.debug("the session ended: %s", error)
            case _:
                self._on_slow_event(event)

    def _on_arrival(self, event: EventsAcknowledged | AllArrived) -> None:
        if isinstance(event, AllArrived):
            self._sink.cloud_clear()
        else:
            self._sink.events_acknowledged(event.epoch, event.seq, event.held)

    def _on_slow_event(self, event: SessionEvent) -> None:
        home = self._around.home
        match event:
            case HashWanted():
                self._work.put_nowait(lambda: self._hash(event))
            case LoggedIn(_, mechanism):
                self._work.put_nowait(lambda: home.logged_in(self._code, mechanism))
            case AccessProposed():
                self._work.put_nowait(lambda: self._service.keep_access_code(event))
            case DisconnectOrdered(reason):
                if reason is DisconnectReason.REPLACED:
                    self._error = Replaced(FaultId.CLOUD_REPLACED, link="cloud")
                self._work.put_nowait(lambda: home.disconnected(reason))
            case _:
                self._service.serve(event)

    def _begin(self) -> None:
        """The gateway said hello in a new session: it may have forgotten everything."""
        self._is_ready = True
        self._around.replies.attach(self, goes_on=False)
        self._sink.cloud_ready(self)

    def _go_on(self) -> None:
        """The session of the stream before goes on: nothing is repeated."""
        self._is_ready = True
        self._around.replies.attach(self, goes_on=True)
        continues, session = self._continues, self._session
        if continues is None or session is None:
            return
        if continues.is_recalled:
            self._service.recall(session.owed)
        self._sink.cloud_resumed(self, continues.sent_seq if continues.is_recalled else None)

    def _blame(self, failed: SessionFailed) -> None:
        """The gateway ended the session because of what we sent: the outbox learns from it."""
        if (blamed := failed.blamed) is None or not self._is_ready:
            return
        known = {
            "stanza": blamed.kind,
            "bytes": blamed.size_bytes,
            "id": blamed.id,
            "unacked": blamed.unacked,
        }
        _log.warning("the gateway was offended by what we sent", extra=known)
        self._sink.stanza_blamed(failed.blamed_seq, failed.error.detail, alone=blamed.unacked == 1)

    async def _hash(self, wanted: HashWanted) -> None:
        """PBKDF2 takes milliseconds, with a hostile count seconds: never on the loop."""
        salted = await asyncio.to_thread(
            sasl.salted_password, self._code.secret, wanted.salt, wanted.iterations, wanted.hash_name
        )
        if self._session is not None:
            self._session.salted_password(salted, self._clock.monotonic())

    # What is asked of the link -----------------------------------------------------------------------------

    def reply(self, owed: OwedRequest, reply: Reply) -> None:
        """Implements `connector.uplink.rainbow.replies.Replier`."""

        def send(session: AgentSession) -> None:
            if owed not in session.owed:
                return
            if reply.condition:
                session.refuse(owed, reply.condition, reply.text, reply.payload)
            else:
                session.answer(owed, reply.payload)
            for message in reply.followed_by:
                session.say(message)

        self._send(send)

    def send_event(self, entry: OutboxEntry, epoch: str, *, replayed: bool) -> None:
        """Send one event of the outbox."""
        head = csta.EventHead(
            epoch, entry.seq, entry.durable, entry.device, entry.call, entry.at, replayed, entry.end
        )
        self._send(lambda session: session.send_event(head, entry.body))

    def send_gap(
        self,
        epoch: str,
        first_seq: int,
        last_seq: int,
        count: int,
        *,
        durable: bool = False,
        quarantined: bool = False,
    ) -> None:
        """Announce events that will never come; durable ones are lost only when the disk refused them."""
        reason = "quarantined" if quarantined else "store" if durable else "link-down"
        gap = csta.Gap(epoch, first_seq, last_seq, durable=durable, count=count, reason=reason)
        self._send(lambda session: session.say(csta.gap(gap)))

    def is_clear(self) -> bool:
        """Whether the gateway has all that it was sent; when not, it is asked."""
        session = self._session
        if session is None or not session.is_open:
            return False
        is_clear = session.is_clear()
        self._wake()
        return is_clear

    def send_device_list(
        self, devices: Sequence[Device], revision: int, done: Callable[[ListOutcome], None]
    ) -> None:
        """Send the whole list in pages."""
        self._send(lambda session: ListTransfer(session, devices, revision, done).send_next())

    def send_device_delta(
        self, change: DeviceDelta, revision: int, base: int, done: Callable[[ListOutcome], None]
    ) -> None:
        """Send a change of the list."""
        self._send(lambda session: send_change(session, change, revision, base, done))

    def send_snapshot(self, legs: Sequence[LiveLeg]) -> None:
        """Tell who is in a call."""
        self._send(lambda session: session.send_snapshot(legs, self._clock.now()))

    def send_pbx_state(self, *, is_up: bool) -> None:
        """Tell whether the PBX can be heard."""
        self._send(lambda session: session.send_pbx_state(is_up=is_up))

    def send_presences(self, presences: Sequence[Presence]) -> None:
        """Tell who is free, busy or away from service."""
        self._presences.add(presences)

    def _send(self, send: Callable[[AgentSession], None]) -> None:
        session = self._session
        if session is None or not session.is_open:
            return  # the end of this life is on its way; what is durable stays in the outbox
        try:
            send(session)
        except Overflow as error:
            # The gateway takes our stanzas and acknowledges none: another stream may do better.
            self._end(error)
        self._wake()

    def _end(self, error: ConnectorError) -> None:
        self._error = self._error or error
        if self._session is not None:
            self._session.close()

    def _wake(self) -> None:
        if self._pump is not None:
            self._pump.wake()


def _token() -> str:
    return secrets.token_hex(_TOKEN_BYTES)
