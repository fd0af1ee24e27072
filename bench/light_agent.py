"""An agent that costs little: our client machine on a bare connection. A process has thousands of them."""

import asyncio
import itertools
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic

from websockets.uri import WebSocketURI

from bench.websocket_client import WebSocketClient
from connector.wire.pcg import conf, csta, http
from connector.wire.xmpp import sasl
from connector.wire.xmpp.stanzas import Stanza, message, presence
from connector.wire.xmpp.stream import (
    SaltedPasswordWanted,
    StanzaReceived,
    StreamClient,
    StreamConfig,
    StreamLimits,
    StreamReady,
)

EPOCH = "9f3c"

# The far end of a burst sends as fast as it can.
_NO_LIMITS = StreamLimits(stanzas_per_second=None)
_STARTED = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
_HELLO = conf.hello_response(
    conf.HelloResponse(agent="bench/1", pbx="oxe", epoch=EPOCH, last=0, pbx_version="R101")
)
_NO_CALLS = csta.snapshot(csta.snapshot_pages([], _STARTED)[0])
_STATUS = http.response(http.HttpResponse(200, body="{}"))
_ANSWERS = {"hello": _HELLO, "snapshot": _NO_CALLS, "req": _STATUS}
# The last of what a gateway asks of an agent that has logged in.
_LAST_REQUEST = "req"


@dataclass(frozen=True, slots=True)
class Account:
    """Who logs in where. `domain` is the XMPP domain."""

    domain: str
    user: str
    code: str = field(repr=False)


class SaltedPasswords:
    """PBKDF2 once for each account, as a real agent does: a salt changes only with the code."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, bytes, int, str], bytes] = {}

    def of(self, code: str, wanted: SaltedPasswordWanted) -> bytes:
        """The salted password that `wanted` asks for."""
        key = (code, wanted.salt, wanted.iterations, wanted.hash_name)
        if key not in self._known:
            self._known[key] = sasl.salted_password(code, wanted.salt, wanted.iterations, wanted.hash_name)
        return self._known[key]


class LightAgent(WebSocketClient):
    """One connection of one account. `on_up` is called when it is logged in and, at our gateway, was greeted.

    `on_lost` is called when the connection is gone, also when it was never up.
    """

    def __init__(
        self,
        uri: WebSocketURI,
        account: Account,
        passwords: SaltedPasswords,
        *,
        on_up: Callable[["LightAgent"], None],
        on_lost: Callable[["LightAgent"], None],
        is_greeted: bool = True,
    ) -> None:
        super().__init__(uri)
        ids = itertools.count(1)
        config = StreamConfig(account.domain, account.user, account.code, limits=_NO_LIMITS)
        self.account = account
        self.machine = StreamClient(config, lambda: f"b{next(ids)}", lambda: secrets.token_hex(16))
        self.is_up = False
        self.jid = ""
        self.messages = 0
        self.acknowledged = 0
        # Set with whatever comes; who waits for something clears it.
        self.progress = asyncio.Event()
        self._passwords = passwords
        self._on_up = on_up
        self._on_lost = on_lost
        self._is_greeted = is_greeted

    def opened(self) -> None:
        """Begin the stream."""
        self.machine.start(monotonic())

    def heard(self, text: str) -> None:
        """Hand a frame to the machine."""
        now = monotonic()
        self.machine.receive(text, now)
        for event in self.machine.events():
            if isinstance(event, StanzaReceived):
                self._take(event.stanza)
            elif isinstance(event, SaltedPasswordWanted):
                self.machine.salted_password(self._passwords.of(self.account.code, event), now)
            elif isinstance(event, StreamReady):
                self.jid = event.jid
                self.machine.send(presence())
                if not self._is_greeted:
                    self._up()

    def paused(self) -> None:
        """Say what the machine has to say."""
        self.send_pending()
        self.progress.set()

    def send_pending(self) -> None:
        """Write what the machine has to say."""
        for frame in self.machine.to_send():
            self.say(frame)
        self.flush()
        if self.machine.is_closed:
            self.abort()

    def let_time_pass(self, now: float) -> None:
        """The machine's timers."""
        deadline = self.machine.deadline()
        if deadline is not None and deadline <= now and self.is_up:
            self.machine.tick(now)
            self.send_pending()

    def lost(self) -> None:
        """The connection is gone."""
        self.is_up = False
        self._on_lost(self)

    def post(self, payloads: Sequence[str], to: str = "") -> None:
        """Send messages in one write and ask for their acknowledgement."""
        for payload in payloads:
            self.machine.send(message("", to, payload))
        self.send_pending()

    def _take(self, stanza: Stanza) -> None:
        payload = stanza.payload
        if stanza.name == "message":
            self.messages += 1
            if payload is not None and payload.tag.endswith("}ack"):
                self.acknowledged = csta.read_acknowledgement(payload).seq
        elif stanza.is_request and payload is not None:
            name = payload.tag.rpartition("}")[2]
            if name not in _ANSWERS:
                self.machine.refuse(stanza, "service-unavailable")
                return
            self.machine.answer(stanza, _ANSWERS[name])
            if name == _LAST_REQUEST:
                self._up()

    def _up(self) -> None:
        if not self.is_up:
            self.is_up = True
            self._on_up(self)
