"""The configuration that agents are given: dial data and rules, and which numbers to monitor. PURE.

Both go out after hello and at each change, whole; what the agent says of them is kept to be shown. A gateway
that was never told to monitor anything sends no set: the site then monitors what its own settings say.
"""

from collections.abc import Callable
from xml.etree.ElementTree import Element

from connector.domain.configuration import CloudSettings, MonitorRefusal, RuleText
from connector.domain.errors import LocalProtocolError, RemoteProtocolError
from connector.wire.pcg import conf
from connector.wire.pcg.settings import settings
from connector.wire.xmpp.stanzas import Stanza, error_of
from simulators.gateway.countries import ALPHA_2
from simulators.gateway.journal import Kind
from simulators.gateway.line import Line, payload_of
from simulators.gateway.systems import Profile, System

# A gateway asks for a sign of life at a third of what the agent bears (docs/protocols/pcg.md, section 1).
PINGS_PER_TIMEOUT = 3

# Called once, with what the agent has against it: empty for nothing.
Taken = Callable[[str], None]


def cloud_settings(profile: Profile, revision: int) -> CloudSettings:
    """What the administration knows of a system, as its agent is told. What is not given stays the site's."""
    prefixes = profile.main_bundle_prefixes
    return CloudSettings(
        revision=revision,
        country=ALPHA_2.get(profile.country),
        outbound_prefix=prefixes[0] if prefixes else None,
        uses_outbound_prefix=profile.uses_main_bundle_prefix or not prefixes,
        national_prefix=profile.national_prefix or None,
        international_prefix=profile.international_prefix or None,
        rules=tuple(RuleText(rule.match, rule.replace, rule.description) for rule in profile.numbering_rules),
        ping_timeout_seconds=float(profile.server_ping_timeout_seconds),
    )


def monitored(system: System) -> list[conf.Monitor] | None:
    """The whole set, ordered by number; None if nobody ever said what to monitor."""
    if not system.phone_book.is_linked:
        return None
    return [
        conf.Monitor(entry.device.number, entry.link.user_id or "")
        for entry in system.phone_book.numbers()
        if entry.link.is_monitored
    ]


def configure(line: Line) -> None:
    """Send everything: after hello, and after a resumption when something has changed meanwhile."""
    line.system.is_configuration_due = False
    send_settings(line)
    send_monitors(line, lambda _wrong: None)


def send_settings(line: Line) -> None:
    """Send the settings; the present stream keeps to their ping timeout at once."""
    system, answers = line.system, line.system.answers
    answers.settings = ""
    seconds = system.profile.server_ping_timeout_seconds / PINGS_PER_TIMEOUT
    line.stream.ping_every(min(seconds, line.desk.longest_ping_seconds), line.now)
    try:
        payload = settings(cloud_settings(system.profile, system.revision))
    except LocalProtocolError as error:
        answers.settings = error.detail
        line.note(Kind.CONFIGURATION, {"name": "not-sent", "reason": error.detail})
        return
    revision = system.revision

    def answered(stanza: Stanza | None) -> None:
        verdict = _verdict(stanza)
        line.note(Kind.CONFIGURATION, {"name": "settings", "revision": revision, "reason": verdict})
        if revision == system.revision:
            answers.settings = verdict or "in force"
            line.desk.keeper.keep_system(system)

    line.ask("set", payload, answered)


def send_monitors(line: Line, taken: Taken) -> None:
    """Send the whole set in pages; `taken` is called when all are answered, or one is refused."""
    wanted = monitored(line.system)
    if wanted is None:
        taken("")
        return
    pages = conf.monitor_pages(wanted)
    _Sending(line, len(pages), taken).send(pages)


class _Sending:
    """One set on its way. Pages are sent together; the refused numbers stand in any answer."""

    def __init__(self, line: Line, pages: int, taken: Taken) -> None:
        self._line = line
        self._open = pages
        self._taken = taken
        self._wrong = ""
        self._refused: dict[str, MonitorRefusal] = {}

    def send(self, pages: list[conf.MonitorsPage]) -> None:
        """Ask the agent to take every page."""
        for page in pages:
            self._line.ask("set", conf.monitors(page), self._answered)

    def _answered(self, stanza: Stanza | None) -> None:
        self._open -= 1
        payload = payload_of(stanza)
        if payload is None:
            self._wrong = self._wrong or _verdict(stanza)
        else:
            self._read(payload)
        if not self._open:
            self._end()

    def _read(self, payload: Element) -> None:
        try:
            result = conf.read_monitors_result(payload)
        except RemoteProtocolError as error:
            self._wrong = self._wrong or error.detail
        else:
            self._refused |= {one.number: one.reason for one in result.refused}

    def _end(self) -> None:
        answers = self._line.system.answers
        answers.monitors, answers.refused = self._wrong or "in force", self._refused
        self._line.desk.keeper.keep_system(self._line.system)
        refused = [f"{number} {reason}" for number, reason in self._refused.items()]
        told = {"name": "monitors", "reason": self._wrong, "refused": refused}
        self._line.note(Kind.CONFIGURATION, told)
        self._taken(self._wrong)


def _verdict(stanza: Stanza | None) -> str:
    """What the agent has against it; empty for nothing."""
    if stanza is None:
        return "no answer"
    error = error_of(stanza)
    if error is None:
        return ""
    return f"{error.condition}: {error.text}" if error.text else error.condition
