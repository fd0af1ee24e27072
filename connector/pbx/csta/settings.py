"""Settings of the CSTA adapter: the [pbx] table of the configuration file."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from connector.domain.identifiers import PbxKind, is_device_number
from connector.domain.numbers import MAX_INTERNAL_RANGES, NumberRange
from connector.wire.csta.session_events import AssociationMode

# The largest OXE node; a longer list is a slip of the keyboard in a range.
MAX_DEVICES = 15_000
# Each entry is a number or a range; one entry a device is the worst case.
MAX_ENTRIES = MAX_DEVICES
# An OXO takes two switching requests a second; a tenth more keeps three out of any second as it counts them.
_OXO_SWITCHING_INTERVAL_SECONDS = 0.55


class CstaSettings(BaseModel):
    """Where the PBX is and which of its devices to watch: CSTA can't list them, so they are written here."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    kind: PbxKind
    host: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=253)]
    port: int = Field(default=2555, ge=1, le=65_535)
    devices: tuple[Annotated[str, StringConstraints(strip_whitespace=True)], ...] = Field(
        min_length=1, max_length=MAX_ENTRIES
    )
    association: AssociationMode = AssociationMode.AUTO
    request_timeout_seconds: float = Field(default=10.0, ge=1.0, le=120.0)
    # An OXO has room for 30 requests in progress.
    max_open_requests: int = Field(default=30, ge=2, le=200)
    # None is the kind's own: two a second on an OXO (its manual), no limit on an OXE (none is published).
    max_commands_per_second: float | None = Field(default=None, gt=0.0, le=1000.0)

    @field_validator("devices")
    @classmethod
    def _can_be_expanded(cls, entries: tuple[str, ...]) -> tuple[str, ...]:
        if len(_joined(expanded(entries))) > MAX_INTERNAL_RANGES:
            raise ValueError(f"more than {MAX_INTERNAL_RANGES} ranges of numbers; write neighbours as one")
        return entries

    @cached_property
    def numbers(self) -> tuple[str, ...]:
        """The numbers of `devices`, ranges written out, each once, in the order of the file."""
        return expanded(self.devices)

    @property
    def switching_interval_seconds(self) -> float:
        """What lies at least between two switching requests, 0 for nothing."""
        if self.max_commands_per_second is not None:
            return 1.0 / self.max_commands_per_second
        return _OXO_SWITCHING_INTERVAL_SECONDS if self.kind is PbxKind.OXO else 0.0

    @cached_property
    def ranges(self) -> tuple[NumberRange, ...]:
        """The numbers that are digits only, neighbours joined; one that stands alone is a range of one."""
        return _joined(self.numbers)


def expanded(entries: Sequence[str]) -> tuple[str, ...]:
    """The numbers that `entries` ("101", "110-129") name, each once.

    Raises ValueError, naming the entry's place and not its text, for one that is no number or range, and for
    more than `MAX_DEVICES` numbers.
    """
    found: dict[str, None] = {}
    for place, entry in enumerate(entries, start=1):
        for number in _numbers(entry, place):
            found[number] = None
            if len(found) > MAX_DEVICES:
                raise ValueError(f"more than {MAX_DEVICES} devices")
    return tuple(found)


def _numbers(entry: str, place: int) -> Iterator[str]:
    first, dash, last = (part.strip() for part in entry.partition("-"))
    if not dash:
        if not is_device_number(first):
            raise ValueError(f"entry {place} is no device number (1 to 16 of 0-9 * # A-D)")
        yield first
        return
    if not is_device_number(first) or not is_device_number(last):
        raise ValueError(f"entry {place} is no range of device numbers")
    try:
        NumberRange(first, last)
    except ValueError as error:
        raise ValueError(f"entry {place}: {error}") from None
    for value in range(int(first), int(last) + 1):
        yield f"{value:0{len(first)}d}"


def _joined(numbers: Sequence[str]) -> tuple[NumberRange, ...]:
    """`numbers` of digits only as the fewest ranges; each has numbers of one length."""
    ends: list[list[str]] = []
    for number in sorted((one for one in numbers if one.isdecimal()), key=lambda one: (len(one), one)):
        if ends and len(ends[-1][1]) == len(number) and int(ends[-1][1]) + 1 == int(number):
            ends[-1][1] = number
        else:
            ends.append([number, number])
    return tuple(NumberRange(first, last) for first, last in ends)
