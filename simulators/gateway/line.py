"""The gateway's end of one bound agent: who it is, and how it is spoken to. PURE."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol
from xml.etree.ElementTree import Element

from connector.domain.errors import Overflow, RemoteProtocolError
from connector.domain.identifiers import Channel
from connector.wire.xmpp.stanzas import IqKind, Stanza, message
from connector.wire.xmpp.stream import StreamServer
from simulators.gateway.journal import Journal, Kind
from simulators.gateway.systems import RandomBytes, System, Systems

# The gateway's resource, as the real one's stanzas show it.
RESOURCE = "pbxpcg"
# An agent reads a PBX and writes a disk before it answers; more than this is no answer.
ANSWER_SECONDS = 30.0

# Takes the answer, or None when there was none in time.
Answered = Callable[[Stanza | None], None]


class Desk(Protocol):
    """What the lines of a gateway share."""

    @property
    def systems(self) -> Systems:
        """All systems."""

    @property
    def journal(self) -> Journal:
        """What the gateway saw."""

    @property
    def random(self) -> RandomBytes:
        """The only source of randomness."""

    def wall(self) -> datetime:
        """The time of day, UTC."""


class Line:
    """One agent, logged in as `system` and bound as `agent_jid`. `now` is the time of the present step."""

    def __init__(self, desk: Desk, stream: StreamServer, system: System, agent_jid: str) -> None:
        self.desk = desk
        self.stream = stream
        self.system = system
        self.now = 0.0
        self._agent_jid = agent_jid
        self._gateway_jid = f"{system.gateway_jid}/{RESOURCE}"
        self._open: dict[str, Answered] = {}

    def ask(
        self, kind: IqKind, payload: str, answered: Answered, *, timeout_seconds: float = ANSWER_SECONDS
    ) -> None:
        """Send a request; `answered` is called once."""
        request = self.stream.request(
            kind, self._agent_jid, payload, self.now, timeout_seconds, from_=self._gateway_jid
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
            self.stream.send(message("", self._agent_jid, payload, from_=self._gateway_jid))
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
