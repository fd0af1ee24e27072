"""Sends device lists page by page over a session: one page waits for the answer of the one before."""

from collections import deque
from collections.abc import Callable, Sequence

from connector.domain.cloud import ListOutcome
from connector.domain.devices import Device, DeviceDelta
from connector.uplink.rainbow.session import AgentSession
from connector.wire.pcg import devices
from connector.wire.xmpp.stanzas import StanzaError

Done = Callable[[ListOutcome], None]


class ListTransfer:
    """One list on its way. `done` is called once."""

    def __init__(self, session: AgentSession, listed: Sequence[Device], revision: int, done: Done) -> None:
        self._session = session
        self._pages = deque(devices.pages(listed, revision))
        self._done = done

    def send_next(self) -> None:
        """Send the next page."""
        self._session.send_device_page(self._pages.popleft(), self._settled)

    def _settled(self, error: StanzaError | None) -> None:
        if error is None and self._pages:
            self.send_next()
        else:
            self._done(outcome_of(error))


def send_change(session: AgentSession, change: DeviceDelta, revision: int, base: int, done: Done) -> None:
    """Send a change of the list; one that no stanza can hold is answered as if its base were unknown."""
    if not devices.fits_one_change(change):
        done(ListOutcome.BASE_UNKNOWN)
        return
    delta = devices.DevicesChange(revision, base, change)
    session.send_device_change(delta, lambda error: done(outcome_of(error)))


def outcome_of(error: StanzaError | None) -> ListOutcome:
    """What the gateway's answer means for the list."""
    if error is None:
        return ListOutcome.STORED
    return ListOutcome.BASE_UNKNOWN if error.condition == "item-not-found" else ListOutcome.REFUSED
