"""What is wrong with a configuration, told by name and line and never by value."""

import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from connector.agent.places import Places
from connector.domain.errors import ConfigError
from connector.domain.faults import FaultId


@dataclass(frozen=True, slots=True)
class Problem:
    """One complaint about `setting` ("cloud.port"; "" for the whole file).

    `line` is None where the file does not hold it; `variable` names the environment variable that does.
    """

    setting: str
    line: int | None
    message: str
    variable: str = ""

    def shown(self, path: Path) -> str:
        """`path:line: setting: message`, the form that editors and people know."""
        place = f"environment: {self.variable}" if self.variable else str(path)
        if self.line is not None:
            place = f"{place}:{self.line}"
        return f"{place}: {self.setting}: {self.message}" if self.setting else f"{place}: {self.message}"


class SettingsError(ConfigError):
    """The file can't be used. `problems` are all that was found, in the order of the file."""

    def __init__(self, fault: FaultId, path: Path, problems: Sequence[Problem]) -> None:
        super().__init__(fault, "; ".join(problem.shown(path) for problem in problems))
        self.path = path
        self.problems = tuple(problems)


def unknown_variables(model: type[BaseModel], prefix: str) -> Iterator[Problem]:
    """Variables that begin with `prefix` and name no section of `model`; pydantic passes over them."""
    for name in sorted(os.environ):
        if not name.startswith(prefix):
            continue
        section = name.removeprefix(prefix).split("__")[0].lower()
        if section not in model.model_fields:
            yield Problem(section, None, _unknown(section, model.model_fields), variable=name)


def problems_of(
    error: ValidationError, model: type[BaseModel], places: Places, prefix: str
) -> Iterator[Problem]:
    """What `error` says of `model`, with the line of each, or its variable (which begins with `prefix`)."""
    for details in error.errors(include_url=False):
        if details["type"] == "default_factory_not_called":
            continue  # follows from another problem, which is told
        location = details["loc"]
        setting = ".".join(str(part) for part in location)
        variable = _variable_of(location, prefix)
        line = None if variable else places.line_of(location)
        yield Problem(setting, line, _message(details, model), variable)


def _variable_of(location: Sequence[str | int], prefix: str) -> str:
    """The environment variable that gave the value at `location`, "" if it came from the file."""
    names = {name.upper(): name for name in os.environ}
    for length in range(len(location), 0, -1):
        name = prefix + "__".join(str(part) for part in location[:length]).upper()
        if name in names:
            return names[name]
    return ""


def _message(details: ErrorDetails, model: type[BaseModel]) -> str:
    location = details["loc"]
    if details["type"] == "extra_forbidden":
        return _unknown(str(location[-1]), _names_beside(location, model))
    if details["type"] == "missing":
        return "is missing"
    text = details["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    for value in _strings_in(details["input"]):
        text = text.replace(value, "…")
    return text[:1].lower() + text[1:]


def _unknown(name: str, known: Mapping[str, object] | Sequence[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f"unknown setting; did you mean {near[0]}?" if near else "unknown setting"


def _names_beside(location: Sequence[str | int], model: type[BaseModel]) -> Sequence[str]:
    """The settings that may stand where `location` is."""
    for part in location[:-1]:
        if isinstance(part, int):
            continue
        inner = _model_in(model.model_fields[part].annotation) if part in model.model_fields else None
        if inner is None:
            return ()
        model = inner
    return tuple(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that `annotation` is, or holds: `Model | None`, `list[Model]`, `tuple[Model, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for part in get_args(annotation) if (model := _model_in(part))), None)


def _strings_in(value: object) -> Iterator[str]:
    """Texts of the rejected value long enough to tell something, wherever a message might repeat them."""
    if isinstance(value, str) and len(value) > 2:
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _strings_in(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _strings_in(inner)
