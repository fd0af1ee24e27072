"""The content of `<settings>` (docs/protocols/pcg.md, section 2): dial plan, rules, ping timeout.

Only form and size are judged here; whether the values can be used is the site's to say.
"""

from xml.etree.ElementTree import Element

from connector.domain.configuration import (
    MAX_DESCRIPTION_CHARS,
    MAX_RULE_CHARS,
    MAX_RULES,
    CloudSettings,
    RuleText,
)
from connector.domain.errors import LocalProtocolError
from connector.domain.faults import FaultId
from connector.domain.numbers import MAX_NUMBER_CHARS
from connector.wire.pcg.conf import Settings
from connector.wire.pcg.fields import boolean_field, broken, children, integer_field, text_field
from connector.wire.pcg.names import CONF, MAX_PAYLOAD_BYTES
from connector.wire.pcg.paging import size
from connector.wire.xmpp.xml import attributes

_CLAUSE = "protocol, section 2"
# A country is two letters, a prefix at most eight digits; the rest is room for a better error.
_MAX_PREFIX_CHARS = 16
# A day: what is in force has a narrower range, which the refusal names.
_MAX_SECONDS = 86_400


def settings(configured: CloudSettings) -> str:
    """G → A, set: the whole payload. The answer says whether it is in force.

    Raises `LocalProtocolError` when it fits no frame: a hundred full rules do, unless all is to be escaped.
    """
    dialling = attributes(
        country=configured.country,
        outbound_prefix=configured.outbound_prefix,
        use_outbound_prefix=None if configured.uses_outbound_prefix else "false",
        national_prefix=configured.national_prefix,
        international_prefix=configured.international_prefix,
        installation_number=configured.installation_number,
    )
    rules = "".join(map(_rule, configured.rules))
    timeout = configured.ping_timeout_seconds
    link = "" if timeout is None else f'<link ping-timeout="{timeout:.0f}"/>'
    content = f"<dialling{dialling}/><rules>{rules}</rules>{link}"
    payload = f'<settings xmlns="{CONF}" revision="{configured.revision}">{content}</settings>'
    if size(payload) > MAX_PAYLOAD_BYTES:
        raise LocalProtocolError(FaultId.OWN_PROTOCOL, "settings that fit no frame", link="cloud")
    return payload


def read_settings(given: Settings) -> CloudSettings:
    """The values of a set that `conf.read_command` read. Raises `RemoteProtocolError`.

    A missing element or attribute is a value that the cloud does not know; an empty prefix is none.
    """
    dialling = _only(given.content, "dialling")
    link = _only(given.content, "link")
    return CloudSettings(
        revision=given.revision,
        country=_text(dialling, "country", _MAX_PREFIX_CHARS),
        outbound_prefix=_text(dialling, "outbound-prefix", _MAX_PREFIX_CHARS),
        uses_outbound_prefix=boolean_field(dialling, "use-outbound-prefix", _CLAUSE, default=True),
        national_prefix=_text(dialling, "national-prefix", _MAX_PREFIX_CHARS),
        international_prefix=_text(dialling, "international-prefix", _MAX_PREFIX_CHARS),
        installation_number=_text(dialling, "installation-number", MAX_NUMBER_CHARS),
        rules=_rules(_only(given.content, "rules")),
        ping_timeout_seconds=_timeout(link),
    )


def _only(content: Element, name: str) -> Element:
    """The one child called `name`; an empty one in its place, because each is optional."""
    found = children(content, name, _CLAUSE, limit=1)
    return found[0] if found else Element(f"{{{CONF}}}{name}")


def _text(element: Element, name: str, limit: int) -> str | None:
    value = element.get(name)
    if value is not None and len(value) > limit:
        raise broken(element, f"has {name!r} over {limit} characters", _CLAUSE)
    return value


def _timeout(link: Element) -> float | None:
    if link.get("ping-timeout") is None:
        return None
    return float(integer_field(link, "ping-timeout", _CLAUSE, high=_MAX_SECONDS))


def _rules(holder: Element) -> tuple[RuleText, ...]:
    return tuple(map(_read_rule, children(holder, "rule", _CLAUSE, limit=MAX_RULES)))


def _read_rule(element: Element) -> RuleText:
    return RuleText(
        match=text_field(element, "match", _CLAUSE, limit=MAX_RULE_CHARS),
        replace=_text(element, "replace", MAX_RULE_CHARS) or "",
        description=(element.get("description") or "")[:MAX_DESCRIPTION_CHARS],
    )


def _rule(rule: RuleText) -> str:
    return (
        f"<rule{attributes(match=rule.match, replace=rule.replace, description=rule.description or None)}/>"
    )
