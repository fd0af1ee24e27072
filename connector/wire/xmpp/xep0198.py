"""Stream management (XEP-0198 1.6): counting what was handled, both ways. Resumption is not asked for yet.

Counters are modulo 2^32 on the wire. A side's own count starts when it has sent <enable/> or <enabled/>, its
count of the other's stanzas when it has received one of them (section 4).
"""

from collections import deque
from collections.abc import Sequence
from xml.etree.ElementTree import Element

from connector.domain.errors import Overflow
from connector.domain.faults import FaultId
from connector.wire.xmpp.rfc6120 import SM
from connector.wire.xmpp.xml import StreamViolation

ENABLE_TAG = f"{{{SM}}}enable"
ENABLED_TAG = f"{{{SM}}}enabled"
FAILED_TAG = f"{{{SM}}}failed"
RESUME_TAG = f"{{{SM}}}resume"
REQUEST_TAG = f"{{{SM}}}r"
ACK_TAG = f"{{{SM}}}a"

ENABLE = f'<enable xmlns="{SM}"/>'
ENABLED = f'<enabled xmlns="{SM}"/>'
REQUEST = f'<r xmlns="{SM}"/>'

# Far over the 64 events that the gateway lets stand unacknowledged; at 64 KiB each it is 64 MiB at worst.
MAX_UNACKED = 1_024

_MODULUS = 1 << 32
_MAX_DIGITS = 10


class SentWindow:
    """Our stanzas that the peer has not said to have handled, oldest first."""

    __slots__ = ("_unacked", "handled")

    def __init__(self, handled: int = 0) -> None:
        self.handled = handled  # how many in total; not reduced modulo 2^32
        self._unacked: deque[str] = deque()

    @property
    def unacked(self) -> Sequence[str]:
        """What would have to be sent again."""
        return tuple(self._unacked)

    def __len__(self) -> int:
        return len(self._unacked)

    def sent(self, stanza: str) -> None:
        """One more was sent. Raises `Overflow` when `MAX_UNACKED` stand open: it must not be sent then."""
        if len(self._unacked) >= MAX_UNACKED:
            raise Overflow(FaultId.QUEUE_FULL, f"{MAX_UNACKED} stanzas are not acknowledged", link="cloud")
        self._unacked.append(stanza)

    def acknowledge(self, h: int) -> int:
        """The peer has handled `h` (modulo 2^32) in all; how many of them are new.

        Raises `StreamViolation` if that is more than was sent, or less than it said before.
        """
        new = (h - self.handled) % _MODULUS
        if new > len(self._unacked):
            raise self._too_high(h)
        for _ in range(new):
            self._unacked.popleft()
        self.handled += new
        return new

    def _too_high(self, h: int) -> StreamViolation:
        sent = (self.handled + len(self._unacked)) % _MODULUS
        return StreamViolation(
            "undefined-condition",
            f"{h} stanzas acknowledged, {sent} sent",
            clause="XEP-0198, 6",
            application=f'<handled-count-too-high xmlns="{SM}" h="{h}" send-count="{sent}"/>',
        )


class ReceivedCount:
    """How many of the peer's stanzas we have handled, modulo 2^32."""

    __slots__ = ("h",)

    def __init__(self, h: int = 0) -> None:
        self.h = h % _MODULUS

    def handled(self) -> None:
        """One more."""
        self.h = (self.h + 1) % _MODULUS


def ack_frame(h: int) -> str:
    """`<a/>` with our count."""
    return f'<a xmlns="{SM}" h="{h}"/>'


def failed_frame(condition: str) -> str:
    """`<failed/>` with a stanza error condition."""
    return f'<failed xmlns="{SM}"><{condition} xmlns="urn:ietf:params:xml:ns:xmpp-stanzas"/></failed>'


def read_h(element: Element) -> int:
    """The count in `<a/>`. Raises `StreamViolation` if it is no xs:unsignedInt."""
    text = element.attrib.get("h", "")
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS and int(text) < _MODULUS):
        raise StreamViolation("invalid-xml", "an <a/> whose h is no count", clause="XEP-0198, 4")
    return int(text)
