"""What a simulated PBX consists of: the text a person may write, checked."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from connector.domain.identifiers import PbxKind, is_device_number
from connector.wire.csta.messages import Phase
from simulators.pbx.exchange import MAX_SETS, MAX_TRUNK_LINES

# An OXO serves 25 applications at once (vendor's CSTA page); more would only hide a leak of connections.
MAX_CLIENTS = 25
# Active monitors of an OXO node. No limit of an OXE is published: one for each set of the largest node.
OXO_MAX_MONITORS = 208
OXE_MAX_MONITORS = MAX_SETS

# Names as a display shows them; one outside ASCII, so that encodings are tried in every run.
_PEOPLE = (
    "Camille Roux",
    "Hugo Martin",
    "Zoé Lefèvre",
    "Adam Keller",
    "Ines Moreau",
    "Noah Bernard",
    "Lina Fontaine",
    "Theo Girard",
    "Mila Caron",
    "Louis Perrin",
    "Jade Marchal",
    "Reception",
)
_OXO_TYPES = ("4039", "4019", "8242", "Z")
_OXE_TYPES = ("4068(IP)", "4034(MR2)", "4019", "4020(LE_3G)")

Port = Annotated[int, Field(ge=0, le=65_535)]


class SetSettings(BaseModel):
    """One set. `lines` is how many calls it takes before it is busy."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: str
    name: str = Field(default="", max_length=40)
    type: str = Field(default="", max_length=30)
    lines: int = Field(default=2, ge=1, le=8)

    @model_validator(mode="after")
    def _is_dialable(self) -> "SetSettings":
        if not is_device_number(self.number):
            raise ValueError("number: 1 to 16 characters of 0-9 * # A-D")
        return self


class AssociationAnswer(StrEnum):
    """What the PBX does with a request for an association."""

    ACCEPT = "accept"
    REJECT = "reject"
    SILENCE = "silence"


class SwitchingAnswer(StrEnum):
    """When the PBX answers a switching request, which it obeys at once in any case."""

    PROMPT = "prompt"
    LATE = "late"
    NEVER = "never"


class CstaBehaviour(BaseModel):
    """How the CSTA link behaves, also badly. `greeting` is the byte that answers the client's: "P" serves,
    another is a standby CPU's, none is silence. `phase` replaces that of the kind. `late_seconds` is how late
    it answers switching requests with `switching = "late"`; `switching_per_second` replaces the kind's limit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    greeting: str = Field(default="P", max_length=1, pattern=r"^[\x00-\x7f]?$")
    association: AssociationAnswer = AssociationAnswer.ACCEPT
    phase: Phase | None = None
    answers_heartbeats: bool = True
    sends_heartbeats: bool = True
    switching: SwitchingAnswer = SwitchingAnswer.PROMPT
    late_seconds: float = Field(default=5.0, ge=0.0, le=60.0)
    switching_per_second: int | None = Field(default=None, ge=1, le=1000)


class PbxWorld(BaseModel):
    """One PBX and where it listens. Without `sets` it gets those of `default_sets`.

    `port` 0 lets the system choose; `last_call_id` is where the 16-bit counter stands; `utc_offset_minutes`
    is the local time an OXE writes into its events; `max_monitors` replaces the limit of the kind.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: PbxKind = PbxKind.OXO
    host: str = "127.0.0.1"
    port: Port = 0
    sets: tuple[SetSettings, ...] = Field(default=(), max_length=MAX_SETS)
    node: int = Field(default=1, ge=1, le=65_535)
    trunk_prefix: str = Field(default="0", pattern=r"^[0-9*#]{1,4}$")
    trunk_lines: int = Field(default=30, ge=0, le=MAX_TRUNK_LINES)
    last_call_id: int = Field(default=0, ge=0, le=65_535)
    utc_offset_minutes: int = Field(default=60, ge=-720, le=840)
    csta: CstaBehaviour = CstaBehaviour()
    max_clients: int = Field(default=MAX_CLIENTS, ge=1, le=1000)
    max_monitors: int | None = Field(default=None, ge=0, le=OXE_MAX_MONITORS)

    @model_validator(mode="after")
    def _has_distinct_numbers(self) -> "PbxWorld":
        numbers = [phone.number for phone in self.sets]
        if len(numbers) != len(set(numbers)):
            raise ValueError("sets: two have the same number")
        return self

    @property
    def phones(self) -> tuple[SetSettings, ...]:
        """The sets there are."""
        return self.sets or default_sets(self.kind)

    @property
    def phase(self) -> Phase:
        """The edition in which CSTA events are written."""
        return self.csta.phase or (Phase.ONE if self.kind is PbxKind.OXO else Phase.TWO)

    @property
    def monitor_limit(self) -> int:
        """Monitors that this PBX allows to all its clients together."""
        if self.max_monitors is not None:
            return self.max_monitors
        return OXO_MAX_MONITORS if self.kind is PbxKind.OXO else OXE_MAX_MONITORS


def default_sets(kind: PbxKind, count: int | None = None) -> tuple[SetSettings, ...]:
    """The sets of a small office: OXO 101 to 108, OXE 3001 to 3012; or `count` from the same number on."""
    is_oxo = kind is PbxKind.OXO
    first, usual, types = (101, 8, _OXO_TYPES) if is_oxo else (3001, 12, _OXE_TYPES)
    return tuple(
        SetSettings(
            number=str(first + index),
            name=_PEOPLE[index % len(_PEOPLE)],
            type=types[index % len(types)],
        )
        for index in range(usual if count is None else count)
    )
