"""One life of the link to the gateway: dial, log in, carry, end."""

import asyncio
import logging
import secrets
import ssl
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from connector.domain.call_model import LiveLeg
from connector.domain.cloud import CloudSink, ListOutcome
from connector.domain.credentials import Code
from connector.domain.devices import Device, DeviceDelta
from connector.domain.errors import ConnectorError, LinkClosed, LocalProtocolError, Overflow, Replaced
from connector.domain.faults import FaultId
from connector.domain.outbox import OutboxEntry
from connector.domain.ports import Clock
from connector.links.pump import Pump
from connector.links.websocket import WebSocketAddress, open_websocket
from connector.uplink.rainbow.events import (
    AccessProposed,
    ChannelChanged,
    ChannelsOpened,
    DeviceListWanted,
    DisconnectOrdered,
    EventsAcknowledged,
    HashWanted,
    HttpRequested,
    LoggedIn,
    SessionEvent,
    SessionFailed,
    SnapshotWanted,
    StrangerIgnored,
)
from connector.uplink.rainbow.lists import ListTransfer, send_change
from connector.uplink.rainbow.session import AgentSession
from connector.wire.pcg import conf, csta, http
from connector.wire.pcg.conf import DisconnectReason
from connector.wire.xmpp import sasl
from connector.wire.xmpp.client import StreamClient, StreamConfig
from connector.wire.xmpp.limits import StreamLimits

_DIAL_TIMEOUT_SECONDS = 10.0
# What is begun when the stream ends writes a small file: milliseconds, a second on a bad disk.
_FINISH_SECONDS = 2.0
# docs/protocols/pcg.md, section 1: each of our events may be acknowledged by itself, up to 1,000 a second.
_LIMITS = StreamLimits(stanzas_per_second=2_000, burst=4_000)
# 128 bits: ids of requests and SCRAM nonces must not be guessed.
_TOKEN_BYTES = 16

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """Where the gateway is and who we are there."""

    address: WebSocketAddress
    domain: str
    pbx_id: str
    allow_plain: bool
    silence_timeout_seconds: float


class Home(Protocol):
    """What the link needs from the process that it lives in."""

    def hello(self) -> conf.HelloResponse:
        """Who we are and what the outbox holds, at this moment."""

    def logged_in(self, code: Code) -> Awaitable[None]:
        """A login with `code` succeeded."""

    def keep_access_code(self, code: str) -> Awaitable[None]:
        """Store the proposed access code durably. Raises `StoreError`."""

    def disconnected(self, reason: DisconnectReason) -> Awaitable[None]:
        """The gateway ended the link for `reason`."""

    def serve(self, request: http.HttpRequest) -> http.HttpResponse:
        """Answer a read of one of our resources."""

    def clock_skew(self, seconds: float) -> None:
        """Our clock minus the gateway's."""

    def security_event(self) -> None:
        """Somebody who is not the gateway spoke to us."""


class RainbowLink:
    """Implements `connector.domain.cloud.CloudLink`. Used once: `run`, then it is over."""

    def __init__(
        self,
        settings: GatewaySettings,
        code: Code,
        tls: ssl.SSLContext,
        *,
        sink: CloudSink,
        home: Home,
        clock: Clock,
    ) -> None:
        self._settings = settings
        self._code = code
        self._tls = tls
        self._sink = sink
        self._home = home
        self._clock = clock
        stream = StreamClient(
            StreamConfig(
                domain=settings.domain,
                user=settings.pbx_id.lower(),
                password=code.secret,
                allow_plain=settings.allow_plain,
                silence_timeout_seconds=settings.silence_timeout_seconds,
                limits=_LIMITS,
            ),
            ids=_token,
            nonce=_token,
        )
        self._session = AgentSession(stream, settings.domain, home.hello)
        self._pump: Pump[str, SessionEvent] | None = None
        # Functions, not coroutines: what is never begun leaves nothing behind. None is the end. The stream's
        # rate limit bounds it: each entry is a stanza of the gateway.
        self._work: asyncio.Queue[Callable[[], Awaitable[None]] | None] = asyncio.Queue()
        self._error: ConnectorError | None = None
        self._is_ready = False

    # One life --------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Dial, log in, carry until the link ends. Raises the `ConnectorError` that says why it ended."""
        transport = await open_websocket(
            self._settings.address, self._tls, subprotocol="xmpp", timeout_seconds=_DIAL_TIMEOUT_SECONDS
        )
        self._session.start(self._clock.monotonic())
        self._pump = Pump(self._session, transport, self._clock, self._on_event)
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
            if self._is_ready:
                self._sink.cloud_lost()
        raise self._error or LinkClosed(FaultId.CLOUD_CLOSED, "ended by us", link="cloud")

    def close(self) -> None:
        """End the link in order; `run` ends soon after."""
        self._session.close()
        self._wake()

    async def _do_work(self) -> None:
        """What takes time or a disk, one after the other, off the pump's way."""
        while (work := await self._work.get()) is not None:
            try:
                await work()
            except LocalProtocolError as error:
                if not self._session.is_closed:  # else the stream ended while we worked
                    _log.exception("work for the cloud link failed")
                    self._end(error)
            except ConnectorError as error:
                _log.warning("work for the cloud link failed: %s", error)
            self._wake()

    # What the session reports ----------------------------------------------------------------------------

    def _on_event(self, event: SessionEvent) -> None:
        match event:
            case EventsAcknowledged(epoch, seq):
                self._sink.events_acknowledged(epoch, seq)
            case ChannelChanged(channel, is_up):
                self._sink.channel_changed(channel, is_up=is_up)
            case ChannelsOpened(_, time):
                self._home.clock_skew((self._clock.now() - time).total_seconds())
                self._is_ready = True
                self._sink.cloud_ready(self)
            case DeviceListWanted():
                self._sink.device_list_wanted()
            case SnapshotWanted():
                legs = self._sink.live_legs()
                self._send(lambda: self._session.answer_snapshot(event, legs, self._clock.now()))
            case HttpRequested():
                response = self._home.serve(event.request)
                self._send(lambda: self._session.answer_http(event, response))
            case StrangerIgnored():
                self._home.security_event()
            case SessionFailed(error):
                lost_by = None if self._pump is None else self._pump.lost_by
                self._error = self._error or lost_by or error
                _log.debug("the session ended: %s", error)
            case _:
                self._on_slow_event(event)

    def _on_slow_event(self, event: SessionEvent) -> None:
        match event:
            case HashWanted():
                self._work.put_nowait(lambda: self._hash(event))
            case LoggedIn():
                self._work.put_nowait(lambda: self._home.logged_in(self._code))
            case AccessProposed():
                self._work.put_nowait(lambda: self._keep_access_code(event))
            case DisconnectOrdered(reason):
                if reason is DisconnectReason.REPLACED:
                    self._error = Replaced(FaultId.CLOUD_REPLACED, link="cloud")
                self._work.put_nowait(lambda: self._home.disconnected(reason))

    async def _hash(self, wanted: HashWanted) -> None:
        """PBKDF2 takes milliseconds, with a hostile count seconds: never on the loop."""
        salted = await asyncio.to_thread(
            sasl.salted_password, self._code.secret, wanted.salt, wanted.iterations, wanted.hash_name
        )
        self._session.salted_password(salted, self._clock.monotonic())

    async def _keep_access_code(self, proposal: AccessProposed) -> None:
        try:
            await self._home.keep_access_code(proposal.code)
        except ConnectorError as error:
            _log.error("the access code could not be stored: %s", error)
            self._session.refuse_access(proposal)
        else:
            self._session.accept_access(proposal)

    # What the bridge asks --------------------------------------------------------------------------------

    def send_event(self, entry: OutboxEntry, epoch: str, *, replayed: bool) -> None:
        """Send one event of the outbox."""
        head = csta.EventHead(
            epoch, entry.seq, entry.durable, entry.device, entry.call, entry.at, replayed, entry.end
        )
        self._send(lambda: self._session.send_event(head, entry.body))

    def send_gap(self, epoch: str, first_seq: int, last_seq: int, count: int) -> None:
        """Announce volatile events that will never come."""
        gap = csta.Gap(epoch, first_seq, last_seq, durable=False, count=count, reason="link-down")
        self._send(lambda: self._session.send_gap(gap))

    def send_device_list(
        self, devices: Sequence[Device], revision: int, done: Callable[[ListOutcome], None]
    ) -> None:
        """Send the whole list in pages."""
        self._send(ListTransfer(self._session, devices, revision, done).send_next)

    def send_device_delta(
        self, change: DeviceDelta, revision: int, base: int, done: Callable[[ListOutcome], None]
    ) -> None:
        """Send a change of the list."""
        self._send(lambda: send_change(self._session, change, revision, base, done))

    def send_snapshot(self, legs: Sequence[LiveLeg]) -> None:
        """Tell who is in a call."""
        self._send(lambda: self._session.send_snapshot(legs, self._clock.now()))

    def send_pbx_state(self, *, is_up: bool) -> None:
        """Tell whether the PBX can be heard."""
        self._send(lambda: self._session.send_pbx_state(is_up=is_up))

    def _send(self, send: Callable[[], None]) -> None:
        if not self._session.is_open:
            return  # the end of this life is on its way; what is durable stays in the outbox
        try:
            send()
        except Overflow as error:
            # The gateway takes our stanzas and acknowledges none: another stream may do better.
            self._end(error)
        self._wake()

    def _end(self, error: ConnectorError) -> None:
        self._error = self._error or error
        self._session.close()

    def _wake(self) -> None:
        if self._pump is not None:
            self._pump.wake()


def _token() -> str:
    return secrets.token_hex(_TOKEN_BYTES)
