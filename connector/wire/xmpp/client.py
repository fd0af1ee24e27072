"""The client's end of a stream: from `<open/>` to a bound, counted stream.

    open → features → SASL → open → features → bind → enable (if offered) → ready
                                             ↘ resume → ready, or bind if that is refused

Each step names the only element that it takes; anything else is a violation.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from xml.etree.ElementTree import Element

from connector.domain.errors import AuthError, LinkTimeout, ProtocolError
from connector.domain.faults import FaultId
from connector.wire.xmpp import conditions, mechanisms, rfc6120, rfc7395, sasl, stanzas, xep0198
from connector.wire.xmpp.channel_binding import END_POINT
from connector.wire.xmpp.events import (
    IqTimedOut,
    MechanismDowngraded,
    SaltedPasswordWanted,
    StreamReady,
)
from connector.wire.xmpp.exchange import Exchange
from connector.wire.xmpp.jid import Jid, is_same_address, parse_jid
from connector.wire.xmpp.lifecycle import Life, Timer, illegal
from connector.wire.xmpp.limits import DEFAULT_LIMITS, StreamLimits
from connector.wire.xmpp.mechanisms import BindingPolicy
from connector.wire.xmpp.resumable import DEFAULT_RESUME_SECONDS
from connector.wire.xmpp.rfc6120 import out_of_place
from connector.wire.xmpp.stanzas import OwedRequest, Stanza
from connector.wire.xmpp.suspension import Checkpoint, SuspendedStream, whole
from connector.wire.xmpp.xml import StreamViolation

# A server that dies of the question, as Prosody 0.12 does of a count that is too high, is not asked for ever.
MAX_RESUME_TRIES = 3


@dataclass(frozen=True, slots=True)
class StreamConfig:
    """What a client needs to know. `allow_plain` only on a transport whose certificate is verified.

    `channel_binding` is the hash of the server's certificate (RFC 5929, 4.1), None if it is not known;
    `known_best` the best mechanism that a login ever used; `resume_seconds` how long the session should
    outlive its connection, 0 for not at all.
    """

    domain: str
    user: str
    password: str = field(repr=False)
    resource: str = "pbxagent"
    allow_plain: bool = False
    channel_binding: bytes | None = field(repr=False, default=None)
    binding_policy: BindingPolicy = BindingPolicy.PREFER
    known_best: str = ""
    resume_seconds: int = DEFAULT_RESUME_SECONDS
    silence_timeout_seconds: float = 120.0
    step_timeout_seconds: float = 10.0
    limits: StreamLimits = DEFAULT_LIMITS


class StreamClient(Exchange):
    """One stream, from `start` to `is_closed`. `ids` and `nonce` give a new, unguessable text at each call.

    With `resume`, it goes on with that session, or with a new one if the server can't.

    Raises `LocalProtocolError` for a user that is not printable ASCII.
    """

    def __init__(
        self,
        config: StreamConfig,
        ids: Callable[[], str],
        nonce: Callable[[], str],
        resume: SuspendedStream | None = None,
    ) -> None:
        super().__init__(ids, config.limits, config.silence_timeout_seconds)
        if not sasl.is_plain_text(config.user) or not sasl.is_plain_text(config.password):
            raise illegal("a user or password outside printable ASCII")
        self._config = config
        self._nonce = nonce
        self._step: Callable[[Element, float], None] = self._on_open
        self._scram: sasl.ScramClient | None = None
        self._is_proved = False
        self._is_authenticated = False
        self._mechanism = ""
        # The session to go on with, until the server has said whether it does.
        self._resume = resume
        self._is_resume_told = False
        self._lost: Sequence[str] = ()
        self._features = rfc6120.Features()
        self._offers_management = False
        self._bind_id = ""
        # For whom the server answers: itself and our account, with or without a `from`.
        self._served: Sequence[str] = ("", config.domain)

    def start(self, now: float) -> None:
        """The WebSocket is open, with the subprotocol `xmpp`: begin."""
        if self._life is not Life.NEW:
            raise illegal("start")
        self._life = Life.NEGOTIATING
        self._now = now
        self._open(now)

    def salted_password(self, value: bytes, now: float) -> None:
        """What `sasl.salted_password` made of the last `SaltedPasswordWanted`."""
        if self._scram is None or self._step != self._on_nothing or self._life is not Life.NEGOTIATING:
            raise illegal("salted_password")
        self._say(rfc6120.sasl_frame("response", sasl.encoded(self._scram.proof(value))))
        self._await(self._on_verdict, now)

    def _open(self, now: float) -> None:
        self._say(rfc7395.open_frame(rfc7395.Open(to=self._config.domain)))
        self._await(self._on_open, now)

    def _say(self, frame: str) -> None:
        self._units.append(frame)

    def _await(self, step: Callable[[Element, float], None], now: float) -> None:
        self._step = step
        self._timers.start(Timer.STEP, now + self._config.step_timeout_seconds)

    def _on_step(self, element: Element, now: float) -> None:
        self._step(element, now)

    def _on_timer(self, timer: Timer, now: float) -> None:
        if timer is Timer.STEP:
            phase = self._step.__name__.removeprefix("_on_")
            raise LinkTimeout(FaultId.CLOUD_SILENT, f"waiting for {phase}", link="cloud")
        super()._on_timer(timer, now)

    def _on_open(self, element: Element, now: float) -> None:
        header = rfc7395.read_open(element)
        if header.from_ and not is_same_address(header.from_, self._config.domain):
            raise StreamViolation("host-unknown", "another domain answers", clause="RFC 6120, 4.7.1")
        self._await(self._on_features, now)

    def _on_features(self, element: Element, now: float) -> None:
        features = rfc6120.read_features(element)
        if self._is_authenticated:
            self._go_on(features, now)
        else:
            self._authenticate(features, now)

    def _authenticate(self, features: rfc6120.Features, now: float) -> None:
        choice = self._choose(features)
        self._mechanism = choice.mechanism
        if choice.mechanism == sasl.PLAIN:
            message = sasl.plain_message(self._config.user, self._config.password)
            step = self._on_verdict
        else:
            hash_name = mechanisms.hash_of(choice.mechanism)
            self._scram = sasl.ScramClient(hash_name, self._config.user, self._nonce(), choice.binding)
            message = self._scram.first()
            step = self._on_challenge
        self._say(rfc6120.sasl_frame("auth", sasl.encoded(message), choice.mechanism))
        self._await(step, now)

    def _choose(self, features: rfc6120.Features) -> mechanisms.Choice:
        config = self._config
        offered = mechanisms.downgrade(features, config.known_best)
        if offered is not None:
            self._events.append(MechanismDowngraded(config.known_best, offered))
        wishes = mechanisms.Wishes(config.allow_plain, config.binding_policy, config.channel_binding)
        choice = mechanisms.choose(features, wishes)
        if mechanisms.is_betrayal(choice.mechanism, config.known_best):
            detail = f"{choice.mechanism} after {config.known_best}"
            raise AuthError(FaultId.CLOUD_DOWNGRADED, detail, link="cloud")
        return choice

    def _on_challenge(self, element: Element, now: float) -> None:
        self._check_failure(element)
        if element.tag != rfc6120.CHALLENGE_TAG or self._scram is None:
            raise out_of_place(element, "a challenge was due")
        wanted = self._scram.challenged(sasl.decoded(element.text))
        self._events.append(SaltedPasswordWanted(self._scram.hash_name, wanted.salt, wanted.iterations))
        # It is our turn: the peer is not to blame for the time that this takes.
        self._step = self._on_nothing
        self._timers.stop(Timer.STEP)

    def _on_nothing(self, element: Element, now: float) -> None:
        self._check_failure(element)
        raise out_of_place(element, "it is our turn")

    def _on_verdict(self, element: Element, now: float) -> None:
        self._check_failure(element)
        if element.tag == rfc6120.CHALLENGE_TAG and self._scram is not None and not self._is_proved:
            # RFC 6120, 6.3.10: the server's last message may come in a challenge, before an empty success.
            self._prove(self._scram, element)
            self._say(rfc6120.sasl_frame("response"))
            self._await(self._on_verdict, now)
        elif element.tag == rfc6120.SUCCESS_TAG:
            if self._scram is not None and not self._is_proved:
                self._prove(self._scram, element)
            self._is_authenticated = True
            self._open(now)
        else:
            raise out_of_place(element, "a success was due")

    def _prove(self, scram: sasl.ScramClient, element: Element) -> None:
        scram.verify(sasl.decoded(element.text))
        self._is_proved = True

    def _check_failure(self, element: Element) -> None:
        if element.tag == rfc6120.FAILURE_TAG:
            # A wrong code and a TLS that somebody on the way has opened look alike here.
            is_bound = self._mechanism.endswith(mechanisms.PLUS)
            more = f", bound to the certificate ({END_POINT})" if is_bound else ""
            raise conditions.sasl_failure(rfc6120.read_sasl_failure(element), more)

    def _go_on(self, features: rfc6120.Features, now: float) -> None:
        """Authenticated: resume if there is something to resume, else bind."""
        self._features = features
        if self._resume is None or not features.has_stream_management:
            self._begin_anew(None)
            self._bind(features, now)
            return
        resume = xep0198.Resume(self._resume.id, self._resume.received)
        self._say(xep0198.resume_frame("resume", resume))
        self._await(self._on_resumed, now)

    def _on_resumed(self, element: Element, now: float) -> None:
        if element.tag == xep0198.FAILED_TAG:
            self._begin_anew(xep0198.read_failed(element).h)
            self._bind(self._features, now)
        elif element.tag == xep0198.RESUMED_TAG and self._resume is not None:
            self._take_up(self._resume, xep0198.read_resume(element), now)
        else:
            raise out_of_place(element, "the answer to resume was due")

    def _take_up(self, suspended: SuspendedStream, resumed: xep0198.Resume, now: float) -> None:
        if resumed.previd != suspended.id:
            raise StreamViolation("policy-violation", "another session goes on", clause="XEP-0198, 5")
        self._serve(parse_jid(suspended.jid))
        self._restore(suspended, resumed.h, self._mechanism)
        self._resume = None
        self._become_ready(now)
        self._resend()

    def _begin_anew(self, h: int | None) -> None:
        """The old session is over: what was open in it ends here. `h` of its stanzas were handled."""
        suspended, self._resume = self._resume, None
        if suspended is None:
            return
        window = xep0198.SentWindow(suspended.handled, suspended.unacked)
        with suppress(StreamViolation):  # a count that can't be is no news
            window.acknowledge(window.handled if h is None else h)
        self._lost = window.unacked
        self._events += [IqTimedOut(id_) for id_, open_ in suspended.open_requests if not open_.is_ping]

    def suspended(self) -> SuspendedStream | None:
        """As of every stream. One that ended before the server had decided about `resume` leaves that one.

        Not if the question itself ended it: with a stream error, or without a word `MAX_RESUME_TRIES` times.
        """
        if self._resume is None or isinstance(self._ended_by, ProtocolError):
            return super().suspended()
        if self._step != self._on_resumed:
            return self._resume
        again = replace(self._resume, tries=self._resume.tries + 1)
        return again if again.tries < MAX_RESUME_TRIES else None

    def checkpoint(self) -> Checkpoint | None:
        """As of every stream; first of all the session to resume, whose count `<resume/>` will tell."""
        if self._resume is None or self._is_resume_told:
            return super().checkpoint()
        self._is_resume_told = True
        return whole(self._resume)

    def _on_stream_error(self, error: rfc6120.StreamError) -> None:
        if self._step == self._on_resumed:
            self._resume = None
        super()._on_stream_error(error)

    def _bind(self, features: rfc6120.Features, now: float) -> None:
        if not features.has_bind:
            raise StreamViolation("unsupported-feature", "no bind is offered", clause="RFC 6120, 7.2")
        self._offers_management = features.has_stream_management
        self._bind_id = self._ids()
        self._say(stanzas.iq("set", self._bind_id, payload=rfc6120.bind_payload(self._config.resource)))
        self._await(self._on_bound, now)

    def _on_bound(self, element: Element, now: float) -> None:
        if not stanzas.is_stanza(element):
            raise out_of_place(element, "the answer to bind was due")
        stanza = stanzas.read_stanza(element)
        if stanza.name != "iq" or stanza.is_request or stanza.id != self._bind_id:
            raise out_of_place(element, "the answer to bind was due")
        refusal = stanzas.error_of(stanza)
        if refusal is not None:
            raise conditions.bind_failure(refusal.condition)
        jid = rfc6120.read_bound(stanza.payload)
        self._jid = str(jid)
        self._serve(jid)
        if self._offers_management:
            self._say(xep0198.enable_frame(self._config.resume_seconds))
            self._await(self._on_enabled, now)
        else:
            self._finish(now)

    def _serve(self, jid: Jid) -> None:
        self._served = ("", self._config.domain, jid.domain, jid.bare, str(jid))

    def _on_enabled(self, element: Element, now: float) -> None:
        if element.tag == xep0198.ENABLED_TAG:
            self._manage(xep0198.read_enabled(element))
        elif element.tag != xep0198.FAILED_TAG:
            raise out_of_place(element, "the answer to enable was due")
        self._finish(now)

    def _finish(self, now: float) -> None:
        self._become_ready(now)
        self._events.append(StreamReady(self._jid, self.has_stream_management, self._mechanism, self._lost))
        self._lost = ()

    def _is_answer_from(self, sender: str, to: str) -> bool:
        return is_same_address(sender, to) or (self._is_served(sender) and self._is_served(to))

    def _is_served(self, address: str) -> bool:
        return any(is_same_address(address, own) for own in self._served)

    def _reply_from(self, request: Stanza | OwedRequest) -> str:
        return ""

    def _ping_addresses(self) -> tuple[str, str]:
        return self._config.domain, ""
