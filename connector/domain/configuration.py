"""What the cloud configures on site: dial plan, transformation rules, ping timeout, monitored numbers.

The cloud's values replace the site's own settings while they are known, and are kept for starts without it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from connector.domain.numbers import DialPlan

# The administration takes at most 100 rules of 64 characters for each regular expression (pcg.md 6.2).
MAX_RULES = 100
MAX_RULE_CHARS = 64
# A description is for people; the administration's field is one line.
MAX_DESCRIPTION_CHARS = 128
# Shorter cuts links on a slow site, longer leaves a dead one unseen; the gateway pings at a third of it.
MIN_PING_TIMEOUT_SECONDS = 30.0
MAX_PING_TIMEOUT_SECONDS = 3_600.0
# The largest OXE node serves 15,000 sets; each is linked to one user.
MAX_MONITORED = 15_000


@dataclass(frozen=True, slots=True)
class RuleText:
    """A transformation rule for numbers dialled from the cloud, as it was typed; not yet compiled."""

    match: str
    replace: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class CloudSettings:
    """The whole set of `revision`. None is a field that the cloud does not know: the site's own value holds.

    `country` is ISO 3166-1 alpha-2.
    """

    revision: int
    country: str | None = None
    outbound_prefix: str | None = None
    uses_outbound_prefix: bool = True
    national_prefix: str | None = None
    international_prefix: str | None = None
    installation_number: str | None = None
    rules: tuple[RuleText, ...] = ()
    ping_timeout_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Monitored:
    """A number of the PBX that the cloud wants watched, and the user linked to it, empty if there is none."""

    number: str
    user: str = ""


class MonitorRefusal(StrEnum):
    """Why a number can't be watched."""

    UNKNOWN_NUMBER = "unknown-number"
    LIMIT = "limit"
    REFUSED = "refused"
    NO_LINK = "no-link"


# Called once when a set is stored and in force: None, or a sentence that says what is wrong with it.
Applied = Callable[[str | None], None]
# The same for monitored numbers: those that can't be watched, or None if the set could not be stored.
MonitorsApplied = Callable[[dict[str, MonitorRefusal] | None], None]


@dataclass(frozen=True, slots=True)
class OwnConfiguration:
    """The site's own settings, which hold where the cloud says nothing.

    `written` are the names, as in the file ("site.country"), that somebody wrote: others are defaults.
    """

    plan: DialPlan
    ping_timeout_seconds: float
    written: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Effective:
    """A value in force. `source` is "site", "default" or "cloud revision 17"."""

    setting: str
    value: str
    source: str


# Field of the dial plan and of `CloudSettings` → name of the setting.
_PLAN_SETTINGS = {
    "country": "site.country",
    "outbound_prefix": "site.outbound_prefix",
    "national_prefix": "site.national_prefix",
    "international_prefix": "site.international_prefix",
    "installation_number": "site.installation_number",
}
_PING_TIMEOUT_SETTING = "cloud.ping_timeout_seconds"


def dial_plan(own: DialPlan, cloud: CloudSettings | None) -> DialPlan:
    """`own` with what the cloud knows better. Raises ValueError, naming the field and not its value."""
    if cloud is None:
        return own
    known = {name: value for name in _PLAN_SETTINGS if (value := getattr(cloud, name)) is not None}
    if not cloud.uses_outbound_prefix:
        known["outbound_prefix"] = ""
    return replace(own, **known)


def effective(
    own: OwnConfiguration, cloud: CloudSettings | None, monitored: frozenset[str] | None
) -> tuple[Effective, ...]:
    """Every value that the cloud can set, as it is in force, and where it comes from."""
    plan = dial_plan(own.plan, cloud)
    rows = [
        Effective(
            setting, _shown(getattr(plan, name)), _source(own, setting, cloud, is_set=_sets(cloud, name))
        )
        for name, setting in _PLAN_SETTINGS.items()
    ]
    timeout = cloud.ping_timeout_seconds if cloud else None
    seconds = own.ping_timeout_seconds if timeout is None else timeout
    source = _source(own, _PING_TIMEOUT_SETTING, cloud, is_set=timeout is not None)
    rows.append(Effective(_PING_TIMEOUT_SETTING, f"{seconds:g}", source))
    rules = cloud.rules if cloud else ()
    rows += [
        Effective(f"rule {number}", f"{rule.match} → {rule.replace}", _cloud(cloud))
        for number, rule in enumerate(rules, start=1)
    ]
    numbers = "all of [pbx] devices" if monitored is None else f"{len(monitored)} numbers"
    rows.append(Effective("monitored", numbers, "default" if monitored is None else "cloud"))
    return tuple(rows)


def _sets(cloud: CloudSettings | None, name: str) -> bool:
    if cloud is None:
        return False
    is_unused_prefix = name == "outbound_prefix" and not cloud.uses_outbound_prefix
    return is_unused_prefix or getattr(cloud, name) is not None


def _source(own: OwnConfiguration, setting: str, cloud: CloudSettings | None, *, is_set: bool) -> str:
    if is_set:
        return _cloud(cloud)
    return "site" if setting in own.written else "default"


def _cloud(cloud: CloudSettings | None) -> str:
    return f"cloud revision {cloud.revision}" if cloud else ""


def _shown(value: str | None) -> str:
    return "the country's own" if value is None else value
