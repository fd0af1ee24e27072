"""The agent's end of a session with the gateway: everything above the XMPP stream (protocol, 1 to 4).

A machine as `connector.wire.machine` has it, over the stream's own. It binds itself to the one gateway that
says hello and takes stanzas from nobody else.
"""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from xml.etree.ElementTree import Element

from connector.domain.call_model import LiveLeg
from connector.domain.errors import ConnectorError, LocalProtocolError, Overflow, RemoteProtocolError
from connector.domain.faults import FaultId
from connector.domain.identifiers import Channel
from connector.uplink.rainbow.events import (
    AllArrived,
    ChannelChanged,
    ChannelsOpened,
    DisconnectOrdered,
    EventsAcknowledged,
    HashWanted,
    HttpRequested,
    LoggedIn,
    LoginWeakened,
    SessionEvent,
    SessionFailed,
    SessionResumed,
    SnapshotWanted,
    StrangerIgnored,
)
from connector.uplink.rainbow.reception import Reception
from connector.wire.pcg import conf, csta, devices
from connector.wire.pcg.ecma323 import SystemStatus
from connector.wire.pcg.names import CONF, CSTA
from connector.wire.xmpp import stanzas
from connector.wire.xmpp.client import StreamClient
from connector.wire.xmpp.events import (
    Delivered,
    IqAnswered,
    IqTimedOut,
    MechanismDowngraded,
    SaltedPasswordWanted,
    StanzaReceived,
    StreamEvent,
    StreamFailed,
    StreamReady,
    StreamResumed,
)
from connector.wire.xmpp.jid import is_same_address, parse_jid
from connector.wire.xmpp.stanzas import OwedRequest, SentStanza, Stanza, StanzaError
from connector.wire.xmpp.suspension import Checkpoint, SuspendedStream

# protocol, section 1: `pbxpcg_<32 hex>@<domain>/pbxpcg`.
_GATEWAY_LOCAL_PREFIX = "pbxpcg_"
_GATEWAY_RESOURCE = "pbxpcg"

# What becomes of our request: the error that answered it, None for a result; a time-out is an error too.
Settled = Callable[[StanzaError | None], None]
# The id of the message that carries event 812 is e-812.
_EVENT_ID = re.compile(r"e-([0-9]{1,18})")
_NO_ANSWER = StanzaError("remote-server-timeout", "wait", "", None)


class AgentSession:
    """One session. `hello` gives our answer to the gateway's greeting at the moment it comes.

    `gateway` is the one that the stream's session was bound to, when `stream` resumes one.
    """

    def __init__(
        self, stream: StreamClient, domain: str, hello: Callable[[], conf.HelloResponse], gateway: str = ""
    ) -> None:
        self._stream = stream
        self._domain = domain
        self._hello = hello
        self._resumable_gateway = gateway
        self._gateway = ""
        self._jid = ""
        self._events: list[SessionEvent] = []
        self._pending: dict[str, Settled] = {}
        self._open_channels: set[Channel] = set()
        self._now = 0.0
        self._has_failed = False
        self._is_clear_wanted = False
        self._reception = Reception(stream, self._report)

    # The machine ---------------------------------------------------------------------------------------

    def start(self, now: float) -> None:
        """The WebSocket is open."""
        self._now = now
        self._stream.start(now)

    def receive(self, data: str, now: float) -> None:
        """Take one text message."""
        self._now = now
        self._stream.receive(data, now)
        self._take_stream_events()

    def receive_eof(self, now: float) -> None:
        """The WebSocket is gone."""
        self._now = now
        self._stream.receive_eof(now)
        self._take_stream_events()

    def to_send(self) -> Sequence[str]:
        """Take the text messages to send."""
        return self._stream.to_send()

    def events(self) -> Sequence[SessionEvent]:
        """Take what became known."""
        events, self._events = self._events, []
        return events

    def deadline(self) -> float | None:
        """When `tick` must be called at the latest."""
        return self._stream.deadline()

    def tick(self, now: float) -> None:
        """Let time pass."""
        self._now = now
        self._stream.tick(now)
        self._take_stream_events()

    @property
    def is_closed(self) -> bool:
        """Whether the session is over."""
        return self._stream.is_closed

    @property
    def is_open(self) -> bool:
        """Whether the gateway has said hello and stanzas may be sent."""
        return bool(self._gateway) and self._stream.is_ready

    @property
    def gateway(self) -> str:
        """The gateway that said hello, empty before."""
        return self._gateway

    @property
    def owed(self) -> Sequence[OwedRequest]:
        """The gateway's requests that were not answered yet."""
        return self._stream.owed

    def suspended(self) -> SuspendedStream | None:
        """What a later stream can go on with, once this session is over."""
        return self._stream.suspended()

    def checkpoint(self) -> Checkpoint | None:
        """What a journal has to know before the present units are sent."""
        return self._stream.checkpoint()

    # Commands ------------------------------------------------------------------------------------------

    def answer(self, request: Stanza | OwedRequest, payload: str = "") -> None:
        """Answer one of the gateway's requests with its result."""
        self._stream.answer(request, payload)

    def refuse(
        self, request: Stanza | OwedRequest, condition: str, text: str = "", payload: str = ""
    ) -> None:
        """Answer one of the gateway's requests with a stanza error (RFC 6120, 8.3.3)."""
        self._stream.refuse(request, condition, text, payload)

    def salted_password(self, value: bytes, now: float) -> None:
        """What `sasl.salted_password` made of the last `HashWanted`."""
        self._stream.salted_password(value, now)

    def close(self) -> None:
        """End the session in order."""
        self._stream.close()

    def bear_silence(self, seconds: float, now: float) -> None:
        """From now on the gateway may say nothing for so long."""
        self._stream.bear_silence(seconds, now)

    def send_event(self, head: csta.EventHead, body: str) -> None:
        """Send one event of the csta channel."""
        payload = csta.event_payload(head, body)
        self._stream.send(stanzas.message(f"e-{head.seq}", self._gateway, payload))

    def is_clear(self) -> bool:
        """Whether the gateway has handled every stanza of ours; when not, `AllArrived` will tell."""
        if not self._stream.unacked_count:
            return True
        if not self._is_clear_wanted:
            self._is_clear_wanted = True
            self._stream.ask_ack()
        return False

    def say(self, payload: str) -> None:
        """Send a message; nobody answers it."""
        self._stream.send(stanzas.message("", self._gateway, payload))

    def send_device_page(self, page: devices.DevicesPage, settled: Settled) -> None:
        """Send one page of the whole list."""
        self._request("set", devices.devices_page(page), settled)

    def send_device_change(self, change: devices.DevicesChange, settled: Settled) -> None:
        """Send a change of the list."""
        self._request("set", devices.devices_change(change), settled)

    def send_snapshot(self, legs: Sequence[LiveLeg], at: datetime) -> None:
        """Tell of ourselves who is in a call."""
        for page in csta.snapshot_pages(csta.snapshot_entries(legs), at):
            self._request("set", csta.snapshot(page), _nothing_follows)

    def answer_snapshot(self, wanted: SnapshotWanted, legs: Sequence[LiveLeg], at: datetime) -> None:
        """Tell who is in a call: the first page answers, the others follow."""
        first, *others = csta.snapshot_pages(csta.snapshot_entries(legs), at)
        self._stream.answer(wanted.stanza, csta.snapshot(first))
        for page in others:
            self._request("set", csta.snapshot(page), _nothing_follows)

    def send_pbx_state(self, *, is_up: bool) -> None:
        """Tell whether the PBX can be heard; the csta channel is open while it can."""
        status = SystemStatus.NORMAL if is_up else SystemStatus.DISABLED

        def settled(error: StanzaError | None) -> None:
            self._set_channel(Channel.CSTA, is_up=is_up and error is None)

        self._request("set", csta.system_status(status), settled)

    # The stream's events -------------------------------------------------------------------------------

    def _take_stream_events(self) -> None:
        for event in self._stream.events():
            try:
                self._on_stream_event(event)
            except (RemoteProtocolError, Overflow) as error:
                # A payload that breaks our dialect, or a peer that asks without end and acknowledges none of
                # our answers, costs the session at most.
                self._fail(error)

    def _on_stream_event(self, event: StreamEvent) -> None:
        match event:
            case StanzaReceived(stanza):
                self._on_stanza(stanza)
            case IqAnswered(id_, stanza):
                self._settle(id_, stanzas.error_of(stanza))
            case IqTimedOut(id_):
                self._settle(id_, _NO_ANSWER)
            case SaltedPasswordWanted(hash_name, salt, iterations):
                self._events.append(HashWanted(hash_name, salt, iterations))
            case StreamReady():
                self._log_in(event.jid, event.mechanism)
                self._stream.send(stanzas.presence())
            case StreamResumed():
                self._log_in(event.jid, event.mechanism)
                self._go_on()
            case MechanismDowngraded(known, offered):
                self._events.append(LoginWeakened(known, offered))
            case StreamFailed(error, blamed):
                self._report_failure(error, blamed)
            case Delivered():
                self._look_whether_clear()  # the application's own acknowledgement is what frees the disk

    def _log_in(self, jid: str, mechanism: str) -> None:
        self._jid = jid
        self._events.append(LoggedIn(jid, mechanism))
        self._set_channel(Channel.XMPP, is_up=True)

    def _go_on(self) -> None:
        """The gateway does not say hello again; if it had not yet, its hello comes now."""
        self._gateway = self._resumable_gateway
        if self._gateway:
            self._set_channel(Channel.CONF, is_up=True)
            self._set_channel(Channel.HTTP, is_up=True)
            self._events.append(SessionResumed())

    def _on_stanza(self, stanza: Stanza) -> None:
        if not self._is_heard(stanza):
            self._events.append(StrangerIgnored(stanza.from_))
            if stanza.is_request:
                self._stream.refuse(stanza, "service-unavailable")
        elif stanza.payload is None or stanza.type == "error" or stanza.name == "presence":
            return  # nothing of ours: an echo of our presence, a bounced message
        elif stanza.is_request:
            self._on_request(stanza, stanza.payload)
        elif stanza.payload.tag == f"{{{CSTA}}}ack":
            ack = csta.read_acknowledgement(stanza.payload)
            self._events.append(EventsAcknowledged(ack.epoch, ack.seq, ack.held))

    def _is_heard(self, stanza: Stanza) -> bool:
        """Whether it comes from the bound gateway or the domain; before that, from one that may be bound."""
        sender = stanza.from_
        if sender in ("", self._domain) or is_same_address(sender, self._domain):
            return True
        if self._gateway:
            return is_same_address(sender, self._gateway)
        # Our own presence comes back to us before the gateway speaks.
        return stanza.name == "presence" or self._may_be_gateway(sender)

    def _may_be_gateway(self, sender: str) -> bool:
        try:
            jid = parse_jid(sender)
        except RemoteProtocolError:
            return False
        return (
            jid.local.startswith(_GATEWAY_LOCAL_PREFIX)
            and jid.domain == self._domain.lower()
            and jid.resource == _GATEWAY_RESOURCE
        )

    def _on_request(self, stanza: Stanza, payload: Element) -> None:
        if payload.tag == f"{{{CONF}}}hello":
            self._on_hello(stanza, payload)
        elif not self._gateway:
            self._stream.refuse(stanza, "unexpected-request", "hello comes first")
        else:
            self._reception.take(stanza, payload)

    def _report(self, event: SessionEvent) -> None:
        self._events.append(event)
        if isinstance(event, HttpRequested):
            self._set_channel(Channel.HTTP, is_up=True)
        if isinstance(event, DisconnectOrdered):
            self._stream.close()

    def _on_hello(self, stanza: Stanza, payload: Element) -> None:
        try:
            hello = conf.read_hello_request(payload)
        except RemoteProtocolError as error:
            self._stream.refuse(stanza, "bad-request", error.detail[:200])
            return
        if not self._may_be_gateway(stanza.from_):
            self._stream.refuse(stanza, "forbidden", "the gateway says hello from its own address")
            return
        self._stream.answer(stanza, conf.hello_response(self._hello()))
        if self._gateway:
            return  # said twice: idempotent
        self._gateway = stanza.from_
        self._set_channel(Channel.CONF, is_up=True)
        self._events.append(ChannelsOpened(stanza.from_, hello.time))

    def _request(self, kind: stanzas.IqKind, payload: str, settled: Settled) -> None:
        if not self._gateway:
            raise LocalProtocolError(FaultId.OWN_PROTOCOL, "a request before hello", link="cloud")
        self._pending[self._stream.request(kind, self._gateway, payload, self._now)] = settled

    def _look_whether_clear(self) -> None:
        if not self._is_clear_wanted:
            return
        if self._stream.unacked_count:
            self._stream.ask_ack()  # others were sent meanwhile
        else:
            self._is_clear_wanted = False
            self._events.append(AllArrived())

    def _settle(self, id_: str, error: StanzaError | None) -> None:
        settled = self._pending.pop(id_, None)
        if settled is not None:
            settled(error)

    def _set_channel(self, channel: Channel, *, is_up: bool) -> None:
        if is_up is (channel in self._open_channels):
            return
        if is_up:
            self._open_channels.add(channel)
        else:
            self._open_channels.discard(channel)
        self._events.append(ChannelChanged(channel, is_up))

    def _fail(self, error: RemoteProtocolError | Overflow) -> None:
        self._report_failure(error)
        self._stream.close()

    def _report_failure(self, error: ConnectorError, blamed: SentStanza | None = None) -> None:
        """Once: what goes wrong while a failed session closes is nobody's news."""
        if not self._has_failed:
            self._has_failed = True
            event_id = None if blamed is None else _EVENT_ID.fullmatch(blamed.id)
            self._events.append(SessionFailed(error, blamed, int(event_id[1]) if event_id else 0))


def _nothing_follows(_error: StanzaError | None) -> None:
    """A snapshot that was refused is replaced by the next one."""
