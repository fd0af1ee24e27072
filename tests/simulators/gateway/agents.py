"""An agent for tests: the client machine and the codecs, with answers that a test can change."""

import itertools
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from xml.etree.ElementTree import Element

from connector.domain.calls import ConnectionId, Delivered, LocalState, Party, Reach
from connector.domain.configuration import CloudSettings, MonitorRefusal
from connector.domain.devices import Device
from connector.wire.pcg import conf, csta, devices, ecma323, http
from connector.wire.pcg.settings import read_settings
from connector.wire.xmpp import sasl
from connector.wire.xmpp.stanzas import Stanza, message, presence
from connector.wire.xmpp.stream import (
    IqAnswered,
    SaltedPasswordWanted,
    StanzaReceived,
    StreamClient,
    StreamConfig,
    StreamEvent,
    StreamReady,
)

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DOMAIN = "rainbow.test"
EPOCH = "9f3c"


class VirtualClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def now(self) -> datetime:
        """Wall time."""
        return NOON + timedelta(seconds=self.seconds - 1_000)

    def monotonic(self) -> float:
        """Seconds."""
        return self.seconds


def event_payload(seq: int, *, epoch: str = EPOCH, number: str = "0639980001") -> str:
    """A call from outside rings at 3001."""
    event = Delivered(
        device="3001",
        connection=ConnectionId("77", "3001"),
        state=LocalState.ALERTING,
        cause=None,
        at=NOON,
        alerting=Party("3001", Reach.INTERNAL),
        calling=Party(number, Reach.EXTERNAL),
        called=Party("3001", Reach.INTERNAL),
    )
    head = csta.EventHead(epoch, seq, durable=False, device="3001", call="c-1", time=NOON)
    return csta.event_payload(head, csta.event_body(event))


class Agent:
    """Plays an agent over any transport: `client` is its machine; `follow` handles what it reports."""

    def __init__(self, user: str, code: str, *, resource: str = "pbxagent") -> None:
        ids = itertools.count(1)
        config = StreamConfig(DOMAIN, user, code, resource=resource)
        self.client = StreamClient(config, lambda: f"a{next(ids)}", lambda: f"nonce{next(ids)}")
        self.events: list[StreamEvent] = []
        self.messages: list[Element] = []
        self.asked: list[str] = []
        self.codes: list[str] = []
        self.takes_codes = True
        self.settings: list[CloudSettings] = []
        self.monitors: list[conf.MonitorsPage] = []
        self.refuses: dict[str, MonitorRefusal] = {}
        # Requests by name that are not answered; the stanza to answer later.
        self.withheld: dict[str, Stanza | None] = {}
        self.status_answer = http.HttpResponse(200, body="{}")
        self.answers: dict[str, Callable[[Stanza, Element], str | None]] = {
            "hello": self._hello,
            "access": self._access,
            "snapshot": self._snapshot,
            "req": self._request,
            "settings": self._settings,
            "monitors": self._monitors,
            "disconnect": lambda *_: "",
        }

    def follow(self, now: float) -> None:
        """Handle what the machine reports."""
        for event in self.client.events():
            self.events.append(event)
            if isinstance(event, SaltedPasswordWanted):
                password = self.client._config.password
                salted = sasl.salted_password(password, event.salt, event.iterations, event.hash_name)
                self.client.salted_password(salted, now)
            elif isinstance(event, StreamReady):
                self.client.send(presence())
            elif isinstance(event, StanzaReceived):
                self._take(event.stanza)

    def say(self, payload: str) -> None:
        """Send a message to the gateway."""
        self.client.send(message("", "", payload))

    def ask(self, payload: str, now: float) -> str:
        """Send an iq set."""
        return self.client.request("set", DOMAIN, payload, now)

    def answer_to(self, request: str) -> Stanza:
        """The answer that came to one of our requests."""
        return next(
            event.stanza for event in self.events if isinstance(event, IqAnswered) and event.id == request
        )

    def acknowledged(self) -> list[tuple[str, int]]:
        """All acknowledgements, in order."""
        acks = [csta.read_acknowledgement(one) for one in self.messages if one.tag.endswith("}ack")]
        return [(ack.epoch, ack.seq) for ack in acks]

    def _take(self, stanza: Stanza) -> None:
        payload = stanza.payload
        if payload is None:
            return
        if stanza.name == "message":
            self.messages.append(payload)
            return
        name = payload.tag.rpartition("}")[2]
        self.asked.append(name)
        if name in self.withheld:
            self.withheld[name] = stanza
            return
        answer = self.answers[name](stanza, payload)
        if answer is None:
            self.client.refuse(stanza, "internal-server-error")
        else:
            self.client.answer(stanza, answer)

    def _hello(self, _stanza: Stanza, _payload: Element) -> str:
        return conf.hello_response(
            conf.HelloResponse(agent="oxbridge/0.1.0", pbx="oxe", epoch=EPOCH, last=0, pbx_version="R101")
        )

    def _access(self, _stanza: Stanza, payload: Element) -> str | None:
        proposal = conf.read_command(payload)
        assert isinstance(proposal, conf.Access)
        self.codes.append(proposal.code)
        return "" if self.takes_codes else None

    def _settings(self, _stanza: Stanza, payload: Element) -> str | None:
        command = conf.read_command(payload)
        assert isinstance(command, conf.Settings)
        self.settings.append(read_settings(command))
        return ""

    def _monitors(self, _stanza: Stanza, payload: Element) -> str | None:
        page = conf.read_command(payload)
        assert isinstance(page, conf.MonitorsPage)
        self.monitors.append(page)
        numbers = {one.number for one in page.monitors}
        refused = [
            conf.RefusedMonitor(number, why) for number, why in self.refuses.items() if number in numbers
        ]
        return conf.monitors_result(conf.MonitorsResult(tuple(refused)))

    def _snapshot(self, _stanza: Stanza, _payload: Element) -> str:
        return csta.snapshot(csta.snapshot_pages([], NOON)[0])

    def _request(self, _stanza: Stanza, _payload: Element) -> str:
        return http.response(self.status_answer)


def device_pages(known: Sequence[Device], revision: int) -> list[str]:
    """The payloads of a full list."""
    return [devices.devices_page(page) for page in devices.pages(known, revision)]


def status_payload(status: ecma323.SystemStatus) -> str:
    """The state of the PBX link."""
    return csta.system_status(status)
