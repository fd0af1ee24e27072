"""The ways in which the gateway can be made to misbehave, and which of them are switched on. PURE.

One table says what each does and how it ends; `spoiling`, the session, the socket and the calls of the
administration ask whether theirs is on.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

# The greatest that any switch makes sense with: rounds of hashing.
MAX_VALUE = 2**31


class FaultName(StrEnum):
    """What a switch is called on the console, in REST and on the command line."""

    REFUSE_UPGRADE = "refuse-upgrade"
    CLOSE_AFTER_ACCEPT = "close-after-accept"
    TORN = "torn"
    HALF_OPEN = "half-open"
    SLOW = "slow"
    DELAY = "delay"
    NO_EVENT_ACK = "no-event-ack"
    NO_STREAM_ACK = "no-stream-ack"
    EARLY_EVENT_ACK = "early-event-ack"
    OFFENDED = "offended"
    EARLY_STREAM_ACK = "early-stream-ack"
    CONFLICT = "conflict"
    SHUTDOWN = "shutdown"
    RESET = "reset"
    SEE_OTHER_HOST = "see-other-host"
    SEE_OTHER_URI = "see-other-uri"
    GARBAGE = "garbage"
    HUGE_FRAME = "huge-frame"
    ENTITY_BOMB = "entity-bomb"
    PING_FLOOD = "ping-flood"
    SCRAM_ROUNDS = "scram-rounds"
    FORGED_SENDER = "forged-sender"
    WRONG_TIME = "wrong-time"
    REFUSE_DEVICES = "refuse-devices"
    UNANSWERED_DELETE = "unanswered-delete"


@dataclass(frozen=True, slots=True)
class Fault:
    """One row of the table. `value` is what the switch is set to unless told otherwise, in `unit`."""

    name: FaultName
    what: str
    end: str = "Switch it off; the agent comes back at its next try."
    value: float = 0.0
    unit: str = ""


_GOES_ON = "Switch it off; the link goes on."
_NEXT_STREAM = "Switch it off; the next stream is sound."

_TABLE = (
    Fault(FaultName.REFUSE_UPGRADE, "Each WebSocket request is answered with 503."),
    Fault(FaultName.CLOSE_AFTER_ACCEPT, "Each WebSocket is accepted and closed at once."),
    Fault(FaultName.TORN, "Each agent's connection is cut without a word, as soon as it is bound."),
    Fault(
        FaultName.HALF_OPEN,
        "Nothing is read or written, nothing is closed: as if the network had gone.",
        "Switch it off; connections that were silent are cut.",
    ),
    Fault(FaultName.SLOW, "So many bytes a second are sent to each agent.", _GOES_ON, 1_000, "bytes/s"),
    Fault(FaultName.DELAY, "Each frame to an agent is sent so much later.", _GOES_ON, 2, "s"),
    Fault(FaultName.NO_EVENT_ACK, "No event is acknowledged; each is kept, once.", _GOES_ON),
    Fault(FaultName.NO_STREAM_ACK, "No stanza is acknowledged (XEP-0198).", _NEXT_STREAM),
    Fault(
        FaultName.EARLY_EVENT_ACK, "Events are acknowledged that were never sent.", _GOES_ON, 1_000, "events"
    ),
    Fault(
        FaultName.OFFENDED,
        "The event of this number ends the stream with policy-violation.",
        "Nothing to do: after three streams the agent puts the event aside.",
        1,
        "number of the event",
    ),
    Fault(
        FaultName.EARLY_STREAM_ACK,
        "Stanzas are acknowledged that were never sent (XEP-0198).",
        _NEXT_STREAM,
        1_000,
        "stanzas",
    ),
    Fault(FaultName.CONFLICT, "Each stream ends with conflict, as if a second agent had logged in."),
    Fault(FaultName.SHUTDOWN, "Each stream ends with system-shutdown, as before a restart."),
    Fault(FaultName.RESET, "Each stream ends with reset."),
    Fault(FaultName.SEE_OTHER_HOST, "Each stream ends with see-other-host, which names a stranger."),
    Fault(FaultName.SEE_OTHER_URI, "Each stream is closed with see-other-uri, which names a stranger."),
    Fault(FaultName.GARBAGE, "A frame is sent that is no XML.", _NEXT_STREAM),
    Fault(
        FaultName.HUGE_FRAME, "A frame of so many MiB is sent; the limit is 64 KiB.", _NEXT_STREAM, 16, "MiB"
    ),
    Fault(FaultName.ENTITY_BOMB, "A frame is sent whose entities would grow to gigabytes.", _NEXT_STREAM),
    Fault(FaultName.PING_FLOOD, "So many pings are sent at once.", _NEXT_STREAM, 20_000, "pings"),
    Fault(
        FaultName.SCRAM_ROUNDS, "The login asks for so many rounds of hashing.", value=2**31, unit="rounds"
    ),
    Fault(FaultName.FORGED_SENDER, "A stranger orders the agent to forget its code.", _GOES_ON),
    Fault(FaultName.WRONG_TIME, "hello tells a time that is so far ahead.", _NEXT_STREAM, 3_600, "s"),
    Fault(FaultName.REFUSE_DEVICES, "Device lists are refused with resource-constraint.", _NEXT_STREAM),
    Fault(
        FaultName.UNANSWERED_DELETE,
        "Deleting a system is never confirmed: 500 with details code 500600 after 10 s.",
        "Switch it off; the system is still there.",
    ),
)
FAULTS = {fault.name: fault for fault in _TABLE}


def is_fault(name: str) -> bool:
    """Whether a switch is called so."""
    return name in set(FaultName)


class Faults:
    """Which switches are on, and what they are set to."""

    def __init__(self) -> None:
        # How often each was switched on, to do once a stream what is done once.
        self._turns: dict[FaultName, int] = {}
        self._values: dict[FaultName, float] = {}

    def __contains__(self, name: FaultName) -> bool:
        return name in self._values

    def __bool__(self) -> bool:
        """Whether any is on: what the hot path asks first."""
        return bool(self._values)

    def __iter__(self) -> Iterator[FaultName]:
        return iter(self._values)

    def switch_on(self, name: FaultName, value: float = 0.0) -> None:
        """Switch on; `value` 0 takes the table's. Once more does once more what is done once."""
        self._values[name] = value or FAULTS[name].value
        self._turns[name] = self._turns.get(name, 0) + 1

    def switch_off(self, name: FaultName) -> None:
        """Switch off; off already is no error."""
        self._values.pop(name, None)

    def value(self, name: FaultName) -> float:
        """What the switch is set to; 0 while it is off."""
        return self._values.get(name, 0.0)

    def turn(self, name: FaultName) -> int:
        """How often it was switched on."""
        return self._turns.get(name, 0)

    def offends(self, seq: int) -> bool:
        """Whether event `seq` is more than the gateway bears."""
        return FaultName.OFFENDED in self and seq == int(self.value(FaultName.OFFENDED))

    def acknowledged(self, seq: int) -> int | None:
        """The number that is told to an agent instead of `seq`; None for none."""
        if FaultName.NO_EVENT_ACK in self:
            return None
        return seq + int(self.value(FaultName.EARLY_EVENT_ACK))
