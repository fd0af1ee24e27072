"""Stream management (XEP-0198 1.6): counting what was handled, both ways, and the words of resumption.

Counters are modulo 2^32 on the wire. A side's own count starts when it has sent <enable/> or <enabled/>, its
count of the other's stanzas when it has received one of them (section 4).
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal
from xml.etree.ElementTree import Element

from connector.domain.errors import Overflow
from connector.domain.faults import FaultId
from connector.wire.xmpp.rfc6120 import SM
from connector.wire.xmpp.stanzas import STANZA_ERRORS
from connector.wire.xmpp.xml import StreamViolation, attributes

ENABLE_TAG = f"{{{SM}}}enable"
ENABLED_TAG = f"{{{SM}}}enabled"
FAILED_TAG = f"{{{SM}}}failed"
RESUME_TAG = f"{{{SM}}}resume"
RESUMED_TAG = f"{{{SM}}}resumed"
REQUEST_TAG = f"{{{SM}}}r"
ACK_TAG = f"{{{SM}}}a"

ENABLE = f'<enable xmlns="{SM}"/>'
ENABLED = f'<enabled xmlns="{SM}"/>'
REQUEST = f'<r xmlns="{SM}"/>'

# Far over the 64 events that the gateway lets stand unacknowledged; at 64 KiB each it is 64 MiB at worst.
MAX_UNACKED = 1_024

# A session's id of ours has 32 characters; other servers put an address into theirs.
MAX_ID_CHARS = 1_024

_MODULUS = 1 << 32
_MAX_DIGITS = 10
_MAX_CONDITION_CHARS = 64


@dataclass(frozen=True, slots=True)
class Enabled:
    """Counting is on; with an id the session can be resumed within `max_seconds`.

    A `location` to come back to is not read: a connection goes where the settings say, and nowhere else.
    """

    id: str = field(repr=False, default="")
    max_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Resume:
    """`<resume/>` or `<resumed/>`: the session, and how many stanzas its sender has handled."""

    previd: str = field(repr=False)
    h: int


@dataclass(frozen=True, slots=True)
class Failed:
    """No, because of `condition`; `h` is what the server had handled of a session that is no more."""

    condition: str
    h: int | None = None


class SentWindow:
    """Our stanzas that the peer has not said to have handled, oldest first."""

    __slots__ = ("_unacked", "handled")

    def __init__(self, handled: int = 0, unacked: Iterable[str] = ()) -> None:
        self.handled = handled  # how many in total; not reduced modulo 2^32
        self._unacked = deque(unacked)

    @property
    def total(self) -> int:
        """How many were sent, not reduced modulo 2^32."""
        return self.handled + len(self._unacked)

    @property
    def unacked(self) -> Sequence[str]:
        """What would have to be sent again."""
        return tuple(self._unacked)

    def after(self, number: int) -> Sequence[str]:
        """The stanzas after the first `number`, less those that are acknowledged."""
        return tuple(islice(self._unacked, max(0, number - self.handled), None))

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


def enable_frame(max_seconds: int) -> str:
    """`<enable/>` that asks to be able to resume within `max_seconds`; 0 asks for counting alone."""
    if not max_seconds:
        return ENABLE
    return f'<enable xmlns="{SM}" resume="true" max="{max_seconds}"/>'


def read_enable(element: Element) -> int | None:
    """Within how many seconds the client wants to be able to resume: 0 for not at all, None for no word."""
    if element.attrib.get("resume", "") not in ("true", "1"):
        return 0
    return _seconds(element)


def enabled_frame(enabled: Enabled) -> str:
    """`<enabled/>`."""
    if not enabled.id:
        return ENABLED
    seconds = None if enabled.max_seconds is None else str(enabled.max_seconds)
    return f'<enabled xmlns="{SM}"{attributes(resume="true", id=enabled.id, max=seconds)}/>'


def read_enabled(element: Element) -> Enabled:
    """What `<enabled/>` says. An id over its limit is none: that session can't be resumed."""
    field_ = element.attrib.get
    id_ = field_("id", "")
    if field_("resume", "") not in ("true", "1") or len(id_) > MAX_ID_CHARS:
        return Enabled()
    return Enabled(id_, _seconds(element))


def resume_frame(name: Literal["resume", "resumed"], resume: Resume) -> str:
    """`<resume/>` or `<resumed/>`."""
    return f'<{name} xmlns="{SM}"{attributes(previd=resume.previd, h=str(resume.h))}/>'


def read_resume(element: Element) -> Resume:
    """What `<resume/>` or `<resumed/>` says. Raises `StreamViolation` without an id or a count."""
    previd = element.attrib.get("previd", "")
    if not previd or len(previd) > MAX_ID_CHARS:
        raise StreamViolation("invalid-xml", "no previd, or one too long", clause="XEP-0198, 5")
    return Resume(previd, read_h(element))


def failed_frame(condition: str, h: int | None = None) -> str:
    """`<failed/>` with a stanza error condition."""
    count = "" if h is None else f' h="{h}"'
    return f'<failed xmlns="{SM}"{count}><{condition} xmlns="{STANZA_ERRORS}"/></failed>'


def read_failed(element: Element) -> Failed:
    """What `<failed/>` says. Raises `StreamViolation` for an `h` that is no count."""
    conditions = [child.tag.rpartition("}")[2] for child in element if not child.tag.endswith("}text")]
    condition = conditions[0][:_MAX_CONDITION_CHARS] if conditions else "undefined-condition"
    return Failed(condition, read_h(element) if "h" in element.attrib else None)


def read_h(element: Element) -> int:
    """The count in `element`. Raises `StreamViolation` if it is no xs:unsignedInt."""
    h = _count(element.attrib.get("h", ""))
    if h is None:
        raise StreamViolation("invalid-xml", "an h that is no count", clause="XEP-0198, 4")
    return h


def _seconds(element: Element) -> int | None:
    """`max`, None if it is left out or no count: then the other side's own limit holds."""
    return _count(element.attrib.get("max", ""))


def _count(text: str) -> int | None:
    is_count = text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS and int(text) < _MODULUS
    return int(text) if is_count else None
