"""The agent's end of a session with the gateway: everything above the XMPP stream (protocol, 1 to 4).

A machine as `connector.wire.machine` has it, over the stream's own. It binds itself to the one gateway that
says hello and takes stanzas from nobody else.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import assert_never
from xml.etree.ElementTree import Element

from connector.domain.call_model import LiveLeg
from connector.domain.errors import ConnectorError, LocalProtocolError, Overflow, RemoteProtocolError
from connector.domain.faults import FaultId
from connector.domain.identifiers import Channel
from connector.domain.invitations import Refusal
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
from connector.wire.pcg import conf, csta, devices, http, rva
from connector.wire.pcg.ecma323 import SystemStatus
from connector.wire.pcg.names import CONF, CSTA, HTTP, RVA
from connector.wire.xmpp import stanzas
from connector.wire.xmpp.client import StreamClient
from connector.wire.xmpp.events import (
    Delivered,
    IqAnswered,
    IqTimedOut,
    SaltedPasswordWanted,
    StanzaReceived,
    StreamEvent,
    StreamFailed,
    StreamReady,
)
from connector.wire.xmpp.jid import is_same_address, parse_jid
from connector.wire.xmpp.stanzas import Stanza, StanzaError

# protocol, section 1: `pbxpcg_<32 hex>@<domain>/pbxpcg`.
_GATEWAY_LOCAL_PREFIX = "pbxpcg_"
_GATEWAY_RESOURCE = "pbxpcg"

# What becomes of our request: the error that answered it, None for a result; a time-out is an error too.
Settled = Callable[[StanzaError | None], None]
_NO_ANSWER = StanzaError("remote-server-timeout", "wait", "", None)


class AgentSession:
    """One session. `hello` gives our answer to the gateway's greeting at the moment it comes."""

    def __init__(self, stream: StreamClient, domain: str, hello: Callable[[], conf.HelloResponse]) -> None:
        self._stream = stream
        self._domain = domain
        self._hello = hello
        self._gateway = ""
        self._jid = ""
        self._events: list[SessionEvent] = []
        self._pending: dict[str, Settled] = {}
        self._open_channels: set[Channel] = set()
        self._now = 0.0
        self._has_failed = False

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

    # Commands ------------------------------------------------------------------------------------------

    def salted_password(self, value: bytes, now: float) -> None:
        """What `sasl.salted_password` made of the last `HashWanted`."""
        self._stream.salted_password(value, now)

    def close(self) -> None:
        """End the session in order."""
        self._stream.close()

    def accept_access(self, proposal: AccessProposed) -> None:
        """The proposed code is stored: from now on it is ours."""
        self._stream.answer(proposal.stanza)

    def refuse_access(self, proposal: AccessProposed) -> None:
        """The proposed code could not be stored: the old one stays."""
        self._stream.refuse(proposal.stanza, "internal-server-error", "the code could not be stored")

    def send_event(self, head: csta.EventHead, body: str) -> None:
        """Send one event of the csta channel."""
        payload = csta.event_payload(head, body)
        self._stream.send(stanzas.message(f"e-{head.seq}", self._gateway, payload))

    def send_gap(self, gap: csta.Gap) -> None:
        """Announce numbers that will never come."""
        self._stream.send(stanzas.message("", self._gateway, csta.gap(gap)))

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

    def answer_http(self, asked: HttpRequested, response: http.HttpResponse) -> None:
        """Answer a read of one of our resources."""
        self._stream.answer(asked.stanza, http.response(http.bounded(response)))
        self._set_channel(Channel.HTTP, is_up=True)

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
            case StreamReady(jid, _):
                self._jid = jid
                self._events.append(LoggedIn(jid))
                self._set_channel(Channel.XMPP, is_up=True)
                self._stream.send(stanzas.presence())
            case StreamFailed(error):
                self._report_failure(error)
            case Delivered():
                pass  # the application's own acknowledgement is what frees the disk

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
            self._events.append(EventsAcknowledged(ack.epoch, ack.seq))

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
        namespace = payload.tag[1:].partition("}")[0]
        try:
            if namespace == CONF:
                self._on_conf(stanza, conf.read_command(payload))
            elif not self._gateway:
                self._stream.refuse(stanza, "unexpected-request", "hello comes first")
            elif payload.tag == f"{{{CSTA}}}snapshot" and stanza.type == "get":
                csta.read_snapshot_request(payload)
                self._events.append(SnapshotWanted(stanza))
            elif namespace == HTTP:
                self._events.append(HttpRequested(stanza, http.read_request(payload)))
            elif namespace in (CSTA, RVA):
                self._stream.refuse(stanza, "feature-not-implemented", payload=self._not_yet(payload))
            else:
                self._stream.refuse(stanza, "service-unavailable")
        except RemoteProtocolError as error:
            self._stream.refuse(stanza, "bad-request", error.detail[:200])

    def _not_yet(self, payload: Element) -> str:
        """What an invitation asked for by the cloud is refused with, until the policy serves it."""
        return rva.refused(Refusal.NO_EXPERT) if payload.tag == f"{{{RVA}}}invite" else ""

    def _on_conf(self, stanza: Stanza, command: conf.Command) -> None:
        if isinstance(command, conf.HelloRequest):
            self._on_hello(stanza, command)
        elif not self._gateway:
            self._stream.refuse(stanza, "unexpected-request", "hello comes first")
        elif isinstance(command, conf.Access):
            self._events.append(AccessProposed(stanza, command.code))
        elif isinstance(command, devices.DevicesRequest):
            self._stream.answer(stanza)
            self._events.append(DeviceListWanted())
        elif isinstance(command, conf.Disconnect):
            self._stream.answer(stanza)
            self._events.append(DisconnectOrdered(command.reason))
            self._stream.close()
        elif isinstance(command, (conf.Settings, conf.MonitorsPage)):
            self._stream.refuse(stanza, "feature-not-implemented", "this agent is configured on site")
        else:
            assert_never(command)

    def _on_hello(self, stanza: Stanza, hello: conf.HelloRequest) -> None:
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

    def _report_failure(self, error: ConnectorError) -> None:
        """Once: what goes wrong while a failed session closes is nobody's news."""
        if not self._has_failed:
            self._has_failed = True
            self._events.append(SessionFailed(error))


def _nothing_follows(_error: StanzaError | None) -> None:
    """A snapshot that was refused is replaced by the next one."""
