"""What the lists and objects of the administration's calls have in common: formats, pages, ids."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import Path, Query

from simulators.gateway.gateway import Gateway
from simulators.gateway.rest_errors import RestError
from simulators.gateway.schemas import Format, Many
from simulators.gateway.systems import System

# The real interface takes 1,000; a list of more is read in pages.
MAX_LIMIT = 1_000

Flag = Literal["true", "false"]
Id = Annotated[str, Path(pattern="^[0-9a-f]{24}$", description="24 hexadecimal digits")]


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is wanted, and how much of each item."""

    format: Annotated[Format, Query(description="how much of each item is sent")] = "small"
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 100
    offset: Annotated[int, Query(ge=0, le=2**31)] = 0
    sort_order: Annotated[Literal["1", "-1"], Query(alias="sortOrder")] = "1"

    def cut(self, items: list[Any], key: Callable[[Any], Any], out: Callable[[Any], Any]) -> Many[Any]:
        """The wanted part of `items`; an offset beyond the end gives an empty list."""
        items.sort(key=key, reverse=self.sort_order == "-1")
        part = items[self.offset : self.offset + self.limit]
        return Many(data=[out(item) for item in part], total=len(items), limit=self.limit, offset=self.offset)


def known_system(gateway: Gateway, system_id: str) -> System:
    """The system with this id. Raises `RestError` 404."""
    system = gateway.systems.get(system_id)
    if system is None:
        raise RestError(404, "no such system")
    return system
