"""The agent's own switch, the product's "Rainbow enabled" box: on, or off since when and by whom."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class SwitchedBy(StrEnum):
    """Who switched the agent off."""

    SITE = "site"  # `oxbridge disable`
    CLOUD = "cloud"  # a remote request to stop


@dataclass(frozen=True, slots=True)
class Disabled:
    """The agent is off since `since` (UTC). It keeps every parameter, and no connection."""

    since: datetime
    by: SwitchedBy
