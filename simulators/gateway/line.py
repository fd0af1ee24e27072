"""The gateway's end of one bound agent: who it is, and how it is spoken to. PURE."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol
from xml.etree.ElementTree import Element

from connector.domain.errors import Overflow, RemoteProtocolError
from connector.domain.identifiers import Channel
from connector.wire.xmpp.stanzas import IqKind, Stanza, message
from connector.wire.xmpp.stream import StreamServer
from simulators.gateway.bodies import AwaitedBodies
from simulators.gateway.faults import Faults
from simulators.gateway.journal import Journal, Kind
from simulators.gateway.sequence import Gap
from simulators.gateway.systems import RandomBytes, System, Systems

# The gateway's resource, as the real one's stanzas show it.
RESOURCE = "pbxpcg"
# An agent reads a PBX and writes a disk before it answers; more than this is no answer.
ANSWER_SECONDS = 30.0

# Takes the answer, or None when there was none in time.
Answered = Callable[[Stanza | None], None]


class Keeper(Protocol):
    """What outlives a restart of the gateway, where it was asked to keep anything."""

    def keep_system(self, system: System) -> None:
        """Something of `system` has changed: keep it, before its agent is told."""

    def keep_numbers(self, system: System) -> None:
        """Its numbers have changed: keep them, before its agent is answered."""

    def keep_event(self, system: str, epoch: str, seq: int, frame: str) -> None:
        """An event that was not here before."""

    def keep_gap(self, system: str, epoch: str, gap: Gap) -> None:
        """A gap that was not known before."""

    def flush(self) -> None:
        """An acknowledgement is about to go out."""


class Desk(Protocol):
    """What the lines of a gateway share."""

    @property
    def systems(self) -> Systems:
        """All systems."""

    @property
    def journal(self) -> Journal:
        """What the gateway saw."""

    @property
    def faults(self) -> Faults:
        """The switches that make the gateway misbehave."""

    @property
    def longest_ping_seconds(self) -> float:
        """How often an agent is asked for a sign of life if nothing asks for more."""

    @property
    def random(self) -> RandomBytes:
        """The only source of randomness."""

    @property
    def keeper(self) -> Keeper:
        """Where events go before they are acknowledged."""

    def wall(self) -> datetime:
        """The time of day, UTC."""


class Line:
    """One agent, logged in as `system` and bound as `agent_jid`. `now` is the time of the present step."""

    def __init__(self, desk: Desk, stream: StreamServer, system: System, agent_jid: str) -> None:
        self.desk = desk
        self.stream = stream
        self.system = system
        self.now = 0.0
        self.agent_jid = agent_jid
        self.gateway_address = f"{system.gateway_jid}/{RESOURCE}"
        self.bodies = AwaitedBodies()
        self._open: dict[str, Answered] = {}

    def ask(
        self,
        kind: IqKind,
        payload: str,
        answered: Answered,
        *,
        timeout_seconds: float = ANSWER_SECONDS,
        id_: str = "",
        sender: str = "",
    ) -> None:
        """Send a request; `answered` is called once. `sender` is who it claims to be from: usually we."""
        from_ = sender or self.gateway_address
        request = self.stream.request(
            kind, self.agent_jid, payload, self.now, timeout_seconds, from_=from_, id_=id_
        )
        self._open[request] = answered

    def hand_over(self, request: str, stanza: Stanza | None) -> None:
        """The answer to one of our requests, or None when none came."""
        answered = self._open.pop(request, None)
        if answered is None:
            return
        try:
            answered(stanza)
        except RemoteProtocolError as error:
            self.note(Kind.REFUSED, {"name": "answer", "reason": error.detail})

    def say(self, payload: str) -> None:
        """Send a message; nobody answers it. An agent that confirms no stanza any more is put out."""
        if not self.stream.is_ready:
            return
        try:
            self.stream.send(message("", self.agent_jid, payload, from_=self.gateway_address))
        except Overflow:
            self.stream.fail("policy-violation")

    def note(self, kind: Kind, known: Mapping[str, object], raw: str = "") -> None:
        """Write a fact about this agent into the journal."""
        self.desk.journal.add(kind, self.desk.wall(), self.system.id, raw, known)

    def set_channel(self, channel: Channel, *, is_up: bool) -> None:
        """A channel of this agent came up or went down."""
        self.system.set_channel(channel, self.desk.wall(), is_up=is_up)

    def new_id(self) -> str:
        """24 hexadecimal digits, as the administration's objects have them."""
        return self.desk.random(12).hex()


def payload_of(stanza: Stanza | None) -> Element | None:
    """What a result carries; None for an error, an empty result and no answer."""
    return None if stanza is None or stanza.type == "error" else stanza.payload
