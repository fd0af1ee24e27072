"""[commands]: what the cloud may do with the telephones of this site."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from connector.domain.command_policy import CommandPolicy
from connector.domain.commands import Verb
from connector.domain.numbers import NumberRange

MAX_ENTRIES = 1_000

_Entry = Annotated[str, StringConstraints(max_length=40)]


def _range(entry: str) -> NumberRange:
    first, _, last = entry.partition("-")
    return NumberRange(first.strip(), (last or first).strip())


def _devices(entry: str) -> str:
    _range(entry)
    return entry


def _destination(entry: str) -> str:
    CommandPolicy(destinations=(entry,))
    return entry


class CommandSettings(BaseModel):
    """The [commands] table. Nothing outside the PBX can be dialled unless `destinations` lists it.

    `devices` empty: every device of [pbx].
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    verbs: Annotated[tuple[Verb, ...], Field(max_length=len(Verb))] = tuple(Verb)
    devices: Annotated[
        tuple[Annotated[_Entry, AfterValidator(_devices)], ...], Field(max_length=MAX_ENTRIES)
    ] = ()
    destinations: Annotated[
        tuple[Annotated[_Entry, AfterValidator(_destination)], ...], Field(max_length=MAX_ENTRIES)
    ] = ()

    def policy(self, all_devices: tuple[NumberRange, ...]) -> CommandPolicy:
        """The same for the domain."""
        ranges = tuple(_range(entry) for entry in self.devices) or all_devices
        return CommandPolicy(frozenset(self.verbs), ranges, self.destinations)
