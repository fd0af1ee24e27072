"""The server's end of a stream: from the client's `<open/>` to a bound stream.

    open → features → SASL → open → features → bind → ready (→ enable)
                                             ↘ resume → ready, or bind if it is refused

The gateway simulator plays this role; so it is as strict as the client would wish a gateway to be.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from connector.domain.errors import LinkTimeout
from connector.domain.faults import FaultId
from connector.wire.xmpp import mechanisms, rfc6120, rfc7395, sasl, stanzas, xep0198
from connector.wire.xmpp.channel_binding import END_POINT
from connector.wire.xmpp.events import (
    Authenticated,
    AuthenticationFailed,
    BoundTo,
    PlainPasswordReceived,
    ResumeAsked,
)
from connector.wire.xmpp.exchange import Exchange
from connector.wire.xmpp.jid import Jid, is_same_address, parse_jid
from connector.wire.xmpp.lifecycle import Life, Timer, illegal
from connector.wire.xmpp.limits import DEFAULT_LIMITS, StreamLimits
from connector.wire.xmpp.rfc6120 import out_of_place
from connector.wire.xmpp.stanzas import OwedRequest, Stanza
from connector.wire.xmpp.suspension import SuspendedStream
from connector.wire.xmpp.xml import StreamViolation

# RFC 6120, 6.4.5 wants two retries at least and five at most.
MAX_LOGIN_TRIES = 3

# The user, and the index of the key that was proved, or None → the SASL failure, empty for welcome.
Verdict = Callable[[str, int | None], str]

_WRONG = "not-authorized"


def _as_proved(_user: str, key_index: int | None) -> str:
    return _WRONG if key_index is None else ""


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """What a server needs to know.

    `fake_salt_secret` makes the salts of unknown users; `fake_iterations` must be what real users have.
    `login_timeout_seconds` covers everything before the stream is bound. `resume_seconds` is how long a
    session may outlive its connection, 0 for not at all: then nobody has to answer `ResumeAsked`.
    `channel_binding` is the hash of the server's own certificate (RFC 5929, 4.1); with it the bound
    mechanisms are offered too.
    """

    domain: str
    fake_salt_secret: bytes = field(repr=False)
    fake_iterations: int = sasl.MIN_ITERATIONS
    mechanisms: Sequence[str] = tuple(sasl.SCRAM_HASHES)
    channel_binding: bytes | None = field(repr=False, default=None)
    resume_seconds: int = 0
    login_timeout_seconds: float = 30.0
    silence_timeout_seconds: float = 120.0
    ping_interval_seconds: float = 40.0
    limits: StreamLimits = DEFAULT_LIMITS


class StreamServer(Exchange):
    """One stream, from `start` to `is_closed`.

    `ids` and `nonce` give a new, unguessable text at each call. `lookup` gives all keys that open a user's
    account now, none for an unknown user; those of one hash share salt and iterations. The user's name comes
    in lower case. `verdict` has the last word about a login: the SASL failure to answer with, empty for none.
    """

    def __init__(
        self,
        config: ServerConfig,
        ids: Callable[[], str],
        nonce: Callable[[], str],
        lookup: sasl.Lookup,
        verdict: Verdict = _as_proved,
    ) -> None:
        super().__init__(ids, config.limits, config.silence_timeout_seconds, config.ping_interval_seconds)
        self._config = config
        self._nonce = nonce
        self._lookup = lookup
        self._verdict = verdict
        self._decoy = sasl.Decoy(config.fake_salt_secret, config.fake_iterations)
        self._step: Callable[[Element, float], None] = self._on_open
        self._is_open = False
        self._scram: sasl.ScramServer | None = None
        self._plain: sasl.Credentials | None = None
        self._tries = 0
        self._user = ""
        self._mechanisms = config.mechanisms
        if config.channel_binding is not None:
            self._mechanisms = mechanisms.with_binding(config.mechanisms)
        self._asked: xep0198.Resume | None = None
        # Whom an answer may name as its sender: only the bound client is at the other end.
        self._bound: Sequence[str] = ()

    def start(self, now: float) -> None:
        """The WebSocket is open, with the subprotocol `xmpp`: the time to log in begins."""
        if self._life is not Life.NEW:
            raise illegal("start")
        self._now = now
        self._life = Life.NEGOTIATING
        self._timers.start(Timer.STEP, now + self._config.login_timeout_seconds)

    def salted_password(self, value: bytes, now: float) -> None:
        """What `sasl.salted_password` made of the last `PlainPasswordReceived`."""
        if self._plain is None or self._life is not Life.NEGOTIATING:
            raise illegal("salted_password")
        self._now = now
        account, self._plain = self._plain, None
        index = sasl.plain_verdict(account, value)
        try:
            self._judge(account.user, index)
        except StreamViolation as violation:
            self._fail(violation)

    def accept_resume(self, suspended: SuspendedStream) -> None:
        """The answer to `ResumeAsked`: the session goes on. Who calls has seen that it is this user's."""
        asked = self._take_asked()
        try:
            self._begin_resumed(suspended, asked.h)
        except StreamViolation as violation:  # it claims to have handled more than it was sent
            self._fail(violation)

    def refuse_resume(self, condition: str = "item-not-found", h: int | None = None) -> None:
        """The other answer to `ResumeAsked`: the client may bind. `h` is what of its stanzas was handled."""
        self._take_asked()
        self._units.append(xep0198.failed_frame(condition, h))
        self._step = self._on_bind

    def take_over(self) -> SuspendedStream | None:
        """The client came back while this stream seemed alive: end it (`conflict`), give its session away."""
        session = self._snapshot() if self._is_resumable and self.is_ready else self.suspended()
        self.fail("conflict")
        return session

    def fail(self, condition: str, text: str = "") -> None:
        """End the stream with a stream error, such as `conflict`, `reset` or `system-shutdown`."""
        if self._life is not Life.CLOSED:
            self._say_error(condition, text)
            self._end()

    def _header(self) -> Sequence[str]:
        if self._is_open:
            return ()
        self._is_open = True
        header = rfc7395.Open(from_=self._config.domain, stream_id=self._ids(), lang="en")
        return (rfc7395.open_frame(header),)

    def _on_step(self, element: Element, now: float) -> None:
        self._step(element, now)

    def _on_timer(self, timer: Timer, now: float) -> None:
        if timer is not Timer.STEP:
            super()._on_timer(timer, now)
            return
        self._say_error("connection-timeout")
        self._end(LinkTimeout(FaultId.CLOUD_SILENT, "no login", link="cloud"))

    def _on_open(self, element: Element, now: float) -> None:
        header = rfc7395.read_open(element)
        if not is_same_address(header.to, self._config.domain):
            raise StreamViolation("host-unknown", "another domain is wanted", clause="RFC 6120, 4.7.2")
        self._is_open = False
        self._units += self._header()
        if self._user:
            features = rfc6120.Features(has_bind=True, has_stream_management=True)
            self._step = self._on_bind
        else:
            types = () if self._config.channel_binding is None else (END_POINT,)
            features = rfc6120.Features(self._mechanisms, channel_bindings=types)
            self._step = self._on_auth
        self._units.append(rfc6120.features_frame(features))

    def _on_auth(self, element: Element, now: float) -> None:
        if element.tag != rfc6120.AUTH_TAG:
            raise out_of_place(element, "<auth/> was due")
        mechanism = element.attrib.get("mechanism", "")
        if mechanism not in self._mechanisms:
            self._reject("", "invalid-mechanism")
            return
        try:
            self._begin(mechanism, sasl.decoded(element.text))
        except sasl.SaslRefused as refused:
            self._reject("", refused.failure)

    def _begin(self, mechanism: str, message: str) -> None:
        if mechanism == sasl.PLAIN:
            self._begin_plain(message)
            return
        self._scram = sasl.ScramServer(
            mechanisms.hash_of(mechanism),
            self._lookup,
            self._decoy,
            self._nonce(),
            channel=self._config.channel_binding,
            is_bound=mechanism.endswith(mechanisms.PLUS),
        )
        challenge = self._scram.challenge(message)
        self._units.append(rfc6120.sasl_frame("challenge", sasl.encoded(challenge)))
        self._step = self._on_response

    def _begin_plain(self, message: str) -> None:
        user, password = sasl.read_plain(message)
        self._plain = sasl.plain_credentials(user, self._lookup, self._decoy)
        wanted = self._plain.challenge
        event = PlainPasswordReceived(password, self._plain.hash_name, wanted.salt, wanted.iterations)
        self._events.append(event)
        self._step = self._on_nothing

    def _on_response(self, element: Element, now: float) -> None:
        if element.tag == rfc6120.ABORT_TAG:
            self._reject(self._scram.user if self._scram else "", "aborted")
            return
        if element.tag != rfc6120.RESPONSE_TAG or self._scram is None:
            raise out_of_place(element, "<response/> was due")
        try:
            verdict = self._scram.verdict(sasl.decoded(element.text))
        except sasl.SaslRefused as refused:
            self._reject(self._scram.user, refused.failure)
            return
        self._judge(self._scram.user, verdict.key_index, sasl.encoded(verdict.message))

    def _on_nothing(self, element: Element, now: float) -> None:
        raise out_of_place(element, "it is our turn")

    def _judge(self, user: str, key_index: int | None, content: str = "") -> None:
        failure = self._verdict(user, key_index)
        if key_index is None or failure:
            self._reject(user, failure or _WRONG)
            return
        self._user = user
        self._units.append(rfc6120.sasl_frame("success", content))
        self._events.append(Authenticated(user, key_index))
        self._step = self._on_open

    def _reject(self, user: str, failure: str) -> None:
        self._tries += 1
        self._scram = None
        self._units.append(rfc6120.sasl_failure_frame(failure))
        self._events.append(AuthenticationFailed(user))
        self._step = self._on_auth
        if self._tries >= MAX_LOGIN_TRIES:
            raise StreamViolation("policy-violation", "too many logins failed", clause="RFC 6120, 6.4.5")

    def _on_bind(self, element: Element, now: float) -> None:
        if element.tag == xep0198.RESUME_TAG:
            self._on_resume(xep0198.read_resume(element))
            return
        stanza = stanzas.read_stanza(element) if stanzas.is_stanza(element) else None
        if stanza is None or stanza.payload is None or stanza.payload.tag != rfc6120.BIND_TAG:
            raise out_of_place(element, "bind was due")
        if stanza.name != "iq" or stanza.type != "set":
            raise out_of_place(element, "bind was due")
        resource = rfc6120.read_bind(stanza.payload) or self._ids()
        jid = parse_jid(f"{self._user}@{self._config.domain}/{resource}")
        self._be_bound(jid)
        self._units.append(stanzas.result_reply(stanza, rfc6120.bound_payload(jid)))
        self._become_ready(now)
        self._events.append(BoundTo(self._jid))

    def _be_bound(self, jid: Jid) -> None:
        self._jid, self._bound = str(jid), ("", str(jid), jid.bare)

    def _on_resume(self, resume: xep0198.Resume) -> None:
        if not self._config.resume_seconds:  # XEP-0198, 5: not offered; the client goes on with bind
            self._units.append(xep0198.failed_frame("feature-not-implemented"))
            return
        self._asked = resume
        self._step = self._on_nothing
        self._events.append(ResumeAsked(resume.previd, resume.h, self._user))

    def _take_asked(self) -> xep0198.Resume:
        if self._asked is None or self._life is not Life.NEGOTIATING:
            raise illegal("an answer to resume")
        asked, self._asked = self._asked, None
        return asked

    def _begin_resumed(self, suspended: SuspendedStream, h: int) -> None:
        self._be_bound(parse_jid(suspended.jid))
        self._restore(suspended, h)
        resumed = xep0198.Resume(suspended.id, self._received.h)
        self._units.append(xep0198.resume_frame("resumed", resumed))
        self._become_ready(self._now)
        self._resend()

    def _on_request(self, stanza: Stanza) -> None:
        if stanza.payload is not None and stanza.payload.tag == rfc6120.BIND_TAG:
            raise out_of_place(stanza.payload, "the stream is bound")
        super()._on_request(stanza)

    def _on_other(self, element: Element) -> None:
        if element.tag != xep0198.ENABLE_TAG or self.has_stream_management:
            super()._on_other(element)
        wanted, most = xep0198.read_enable(element), self._config.resume_seconds
        seconds = most if wanted is None else min(wanted, most)
        session = xep0198.Enabled(self._ids(), seconds) if seconds else xep0198.Enabled()
        self._units.append(xep0198.enabled_frame(session))
        self._manage(session)

    def _is_answer_from(self, sender: str, to: str) -> bool:
        return any(is_same_address(sender, own) for own in self._bound)

    def _reply_from(self, request: Stanza | OwedRequest) -> str:
        return request.to or self._config.domain

    def _ping_addresses(self) -> tuple[str, str]:
        return self._jid, self._config.domain
