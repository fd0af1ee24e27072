"""The state of a link as a person sees it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from connector.domain.errors import ConnectorError


class LinkState(StrEnum):
    """`connected` means authenticated and bound with the channels it needs, not "TCP is up"."""

    STOPPED = "stopped"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """`error` is why the last life ended, kept until the link is connected; times are UTC.

    `since` is when `state` began, `down_since` when the link was last connected (else the start); None if
    it is connected.
    """

    name: str
    state: LinkState
    since: datetime
    error: ConnectorError | None = None
    next_try_at: datetime | None = None
    reconnects: int = 0
    down_since: datetime | None = None
