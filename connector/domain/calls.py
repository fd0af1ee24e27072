"""Call events as past facts, in the words of CSTA (ECMA-269) but free of any encoding.

Each event is what one monitored device reports: `state` is the local connection state at that device after
the event. Fields keep the standard's names; a party whose number the PBX withholds stays withheld.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class LocalState(StrEnum):
    """Local connection state (ECMA-269, 6.1.5; ECMA-323 LocalConnectionState)."""

    NULL = "null"
    INITIATED = "initiated"
    ALERTING = "alerting"
    CONNECTED = "connected"
    HOLD = "hold"
    QUEUED = "queued"
    FAIL = "fail"


class Cause(StrEnum):
    """Event causes of CSTA phases I and II, spelled as ECMA-323 EventCause."""

    ACTIVE_PARTICIPATION = "activeParticipation"
    ALTERNATE = "alternate"
    BLOCKED = "blocked"
    BUSY = "busy"
    CALL_BACK = "callBack"
    CALL_CANCELLED = "callCancelled"
    CALL_FORWARD = "callForward"
    CALL_FORWARD_BUSY = "callForwardBusy"
    CALL_FORWARD_IMMEDIATE = "callForwardImmediate"
    CALL_FORWARD_NO_ANSWER = "callForwardNoAnswer"
    CALL_NOT_ANSWERED = "callNotAnswered"
    CALL_PICKUP = "callPickup"
    CAMP_ON = "campOn"
    CHARACTER_COUNT_REACHED = "characterCountReached"
    CONSULTATION = "consultation"
    DEST_NOT_OBTAINABLE = "destNotObtainable"
    DISTRIBUTED = "distributed"
    DO_NOT_DISTURB = "doNotDisturb"
    INCOMPATIBLE_DESTINATION = "incompatibleDestination"
    INVALID_ACCOUNT_CODE = "invalidAccountCode"
    KEY_OPERATION = "keyOperation"
    LOCKOUT = "lockout"
    MAINTENANCE = "maintenance"
    MAKE_CALL = "makeCall"
    NETWORK_CONGESTION = "networkCongestion"
    NETWORK_NOT_OBTAINABLE = "networkNotObtainable"
    NETWORK_SIGNAL = "networkSignal"
    NEW_CALL = "newCall"
    NEXT_MESSAGE = "nextMessage"
    NO_AVAILABLE_AGENTS = "noAvailableAgents"
    NORMAL = "normal"
    NORMAL_CLEARING = "normalClearing"
    NUMBER_CHANGED = "numberChanged"
    OVERFLOW = "overflow"
    OVERRIDE = "override"
    PARK = "park"
    RECALL = "recall"
    REDIRECTED = "redirected"
    REORDER_TONE = "reorderTone"
    RESOURCES_NOT_AVAILABLE = "resourcesNotAvailable"
    SILENT_PARTICIPATION = "silentParticipation"
    SINGLE_STEP_CONFERENCE = "singleStepConference"
    SINGLE_STEP_TRANSFER = "singleStepTransfer"
    TIMEOUT = "timeout"
    TRANSFER = "transfer"
    TRUNKS_BUSY = "trunksBusy"
    VOICE_UNIT = "voiceUnit"


class Reach(StrEnum):
    """Which side of the PBX a party is on, as far as the PBX says."""

    INTERNAL = "internal"
    EXTERNAL = "external"
    UNKNOWN = "unknown"


class Presentation(StrEnum):
    """Why a party's number is there or not."""

    ALLOWED = "allowed"
    RESTRICTED = "restricted"  # withheld by its owner
    UNAVAILABLE = "unavailable"  # the PBX does not know it
    NOT_REQUIRED = "not-required"  # the field does not apply to this call


@dataclass(frozen=True, slots=True)
class Party:
    """One end of a call. `number` is the PBX's own text, empty unless presentation is allowed."""

    number: str = ""
    reach: Reach = Reach.UNKNOWN
    presentation: Presentation = Presentation.ALLOWED
    name: str = ""


UNKNOWN_PARTY = Party(presentation=Presentation.UNAVAILABLE)
NO_PARTY = Party(presentation=Presentation.NOT_REQUIRED)


@dataclass(frozen=True, slots=True)
class ConnectionId:
    """One leg: the PBX's reference of the call (opaque text) and of the device in it."""

    call: str
    device: str


@dataclass(frozen=True, slots=True)
class ListedConnection:
    """An entry of the connection list that a transfer or conference leaves behind."""

    connection: ConnectionId
    number: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallEvent:
    """What every call event has.

    `device` is the number of the monitored device that reports; `correlation` the PBX's own key of the
    whole call, empty where it gives none; `at` is when we received it (UTC).
    """

    device: str
    connection: ConnectionId
    state: LocalState | None
    cause: Cause | None
    at: datetime
    correlation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceInitiated(CallEvent):
    """The device went off hook or was prompted to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Originated(CallEvent):
    """A call attempt was made from the device."""

    calling: Party
    called: Party


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkReached(CallEvent):
    """The call left by a trunk; little more will be known of its far end."""

    trunk: Party
    called: Party


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered(CallEvent):
    """The call rings at `alerting`."""

    alerting: Party
    calling: Party
    called: Party
    last_redirection: Party = NO_PARTY


@dataclass(frozen=True, slots=True, kw_only=True)
class Established(CallEvent):
    """`answering` joined the call."""

    answering: Party
    calling: Party
    called: Party
    last_redirection: Party = NO_PARTY


@dataclass(frozen=True, slots=True, kw_only=True)
class Held(CallEvent):
    """`by` put the call on hold."""

    by: Party


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieved(CallEvent):
    """`by` took the call back from hold."""

    by: Party


@dataclass(frozen=True, slots=True, kw_only=True)
class Diverted(CallEvent):
    """The call left `diverting` for `destination`."""

    diverting: Party
    destination: Party


@dataclass(frozen=True, slots=True, kw_only=True)
class Queued(CallEvent):
    """The call waits at `queue`."""

    queue: Party
    calling: Party
    called: Party
    last_redirection: Party = NO_PARTY
    waiting: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed(CallEvent):
    """The call could not be completed."""

    failing: Party
    called: Party


@dataclass(frozen=True, slots=True, kw_only=True)
class _Joined(CallEvent):
    primary_old: ConnectionId
    secondary_old: ConnectionId | None
    connections: tuple[ListedConnection, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Transferred(_Joined):
    """`transferring` left two calls joined; `transferred` is the party they now reach."""

    transferring: Party
    transferred: Party


@dataclass(frozen=True, slots=True, kw_only=True)
class Conferenced(_Joined):
    """`controller` joined two calls and stays in them; `added` is the new party."""

    controller: Party
    added: Party


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionCleared(CallEvent):
    """`releasing` left the call."""

    releasing: Party


@dataclass(frozen=True, slots=True, kw_only=True)
class CallCleared(CallEvent):
    """The whole call ended."""


@dataclass(frozen=True, slots=True)
class LiveConnection:
    """One entry of a device's snapshot."""

    connection: ConnectionId
    state: LocalState | None


@dataclass(frozen=True, slots=True)
class DeviceSnapshot:
    """All connections of one device at one moment; empty when it is idle."""

    device: str
    connections: Sequence[LiveConnection]
