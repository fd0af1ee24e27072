"""What the cloud configures on site: the dial plan, transformation rules, the ping timeout, monitored numbers.

The cloud's values replace the site's own settings while they are known, and are kept for starts without it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

# The administration takes at most 100 rules of 64 characters for each regular expression (pcg.md 6.2).
MAX_RULES = 100
MAX_RULE_CHARS = 64


@dataclass(frozen=True, slots=True)
class RuleText:
    """A transformation rule for numbers dialled from the cloud, as it was typed; not yet compiled."""

    match: str
    replace: str
    description: str = ""


@dataclass(frozen=True, slots=True)
class CloudSettings:
    """The whole set of `revision`. None is a field that the cloud does not know: the site's own value holds."""

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
# The same for monitored numbers, with those that can't be watched.
MonitorsApplied = Callable[[dict[str, MonitorRefusal] | None], None]
