"""The administration's REST calls under /api/rainbow/admin/v1.0, and the two open health calls.

Shapes are those of the public documentation. Our choices where it is silent: 201 for a created system, 409
for a PBX-ID that is taken, 404000 as detail code, a token of this start instead of a portal login.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from simulators.gateway.gateway import Gateway
from simulators.gateway.phonebook import PhoneNumber
from simulators.gateway.rest_errors import RestError, error_responses
from simulators.gateway.schemas import (
    Format,
    Many,
    NewSystem,
    One,
    PhoneNumberOut,
    StateOut,
    StatusOut,
    SystemOut,
)
from simulators.gateway.systems import System, SystemRefused

ADMIN = "/api/rainbow/admin/v1.0"
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


@dataclass(frozen=True, slots=True)
class SystemFilter:
    """Which systems are wanted; what is not given does not filter."""

    name: Annotated[str | None, Query(description="part of the name, in any case")] = None
    type: Annotated[list[str] | None, Query()] = None
    status: Annotated[list[Literal["created", "activating", "activated", "terminated"]] | None, Query()] = (
        None
    )
    site_id: Annotated[str | None, Query(alias="siteId")] = None
    is_shared: Annotated[Flag | None, Query(alias="isShared")] = None
    is_centrex: Annotated[Flag | None, Query(alias="isCentrex")] = None

    def takes(self, system: System) -> bool:
        """Whether `system` passes every given filter."""
        profile = system.profile
        types = [word.replace(" ", "_") for word in self.type or ()]
        return (
            (self.name is None or self.name.lower() in profile.name.lower())
            and (not types or profile.type in types)
            and (not self.status or system.status in self.status)
            and (self.site_id is None or self.site_id == profile.site_id)
            and (self.is_shared is None or (self.is_shared == "true") == profile.is_shared)
            and (self.is_centrex is None or (self.is_centrex == "true") == profile.is_centrex)
        )


def _system_key(field: str) -> Callable[[System], str | datetime]:
    keys: dict[str, Callable[[System], str | datetime]] = {
        "pbxId": lambda system: system.pbx_id,
        "name": lambda system: system.profile.name,
        "creationDate": lambda system: system.created_at,
        "status": lambda system: system.status,
    }
    return keys[field]


def admin_router(gateway: Gateway) -> APIRouter:
    """The calls that need the administrator's token."""
    bearer = HTTPBearer(auto_error=False, description="the token printed when the simulator starts")

    async def authorised(
        credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    ) -> None:
        given = credentials.credentials if credentials else ""
        if not secrets.compare_digest(given.encode(), gateway.admin_token.encode()):
            raise RestError(401, "invalid token", code=401202)

    router = APIRouter(
        prefix=ADMIN,
        tags=["administration"],
        dependencies=[Depends(authorised)],
        responses=error_responses(400, 401, 404, 409, 413),
    )
    _add_systems(router, gateway)
    _add_life_cycle(router, gateway)
    _add_phone_numbers(router, gateway)
    return router


def health_router() -> APIRouter:
    """The calls that need no token."""
    router = APIRouter(tags=["health"])

    @router.get("/api/rainbow/ping")
    async def ping() -> StatusOut:
        """Whether the portal answers."""
        return StatusOut(status="OK")

    @router.get(f"{ADMIN}/about")
    async def about() -> dict[str, str]:
        """The portal's version and what it is."""
        return {"version": "1.0", "description": "Oxbridge gateway simulator, administration portal"}

    return router


def _add_systems(router: APIRouter, gateway: Gateway) -> None:
    @router.post("/systems", status_code=201, response_model_exclude_unset=True)
    async def create_system(body: NewSystem) -> One[SystemOut]:
        """Create a system. The answer holds its PBX-ID and public activation code."""
        _check(body)
        try:
            system = gateway.create_system(
                body.profile(), pbx_id=body.pbx_id or "", activation_code=body.activation_code or ""
            )
        except SystemRefused as refusal:
            raise RestError(409, str(refusal)) from None
        return One(data=SystemOut.of(system))

    @router.get("/systems", response_model_exclude_unset=True)
    async def list_systems(
        page: Annotated[Page, Depends()],
        wanted: Annotated[SystemFilter, Depends()],
        sort_field: Annotated[
            Literal["pbxId", "name", "creationDate", "status"], Query(alias="sortField")
        ] = "pbxId",
        connection_history: Annotated[Flag, Query(alias="connectionHistory")] = "false",
    ) -> Many[SystemOut]:
        """The systems that pass the filters, in pages."""

        def out(system: System) -> SystemOut:
            return SystemOut.of(system, page.format, with_history=connection_history == "true")

        return page.cut(
            [system for system in gateway.systems if wanted.takes(system)], _system_key(sort_field), out
        )

    # Before /systems/{system_id}, whose pattern would refuse the PBX-ID's path.
    @router.get("/systems/pbxid/{pbx_id}", response_model_exclude_unset=True)
    async def read_system_by_pbx_id(
        pbx_id: Annotated[str, Path(max_length=128)],
        connection_history: Annotated[Flag, Query(alias="connectionHistory")] = "false",
    ) -> One[SystemOut]:
        """One system by its PBX-ID, in any case of letters."""
        system = gateway.systems.by_pbx_id(pbx_id)
        if system is None:
            raise RestError(404, "no system has this PBX-ID")
        return One(data=SystemOut.of(system, with_history=connection_history == "true"))

    @router.get("/systems/{system_id}", response_model_exclude_unset=True)
    async def read_system(
        system_id: Id, connection_history: Annotated[Flag, Query(alias="connectionHistory")] = "false"
    ) -> One[SystemOut]:
        """One system."""
        system = _known(gateway, system_id)
        return One(data=SystemOut.of(system, with_history=connection_history == "true"))


def _add_life_cycle(router: APIRouter, gateway: Gateway) -> None:
    @router.get("/systems/{system_id}/state", response_model_exclude_unset=True)
    async def read_state(
        system_id: Id,
        form: Annotated[Format, Query(alias="format")] = "small",
        connection_history: Annotated[Flag, Query(alias="connectionHistory")] = "false",
    ) -> One[StateOut]:
        """The state of the system's link and channels, all values as texts."""
        system = _known(gateway, system_id)
        return One(data=StateOut.of(system, form, with_history=connection_history == "true"))

    @router.post("/systems/{system_id}/reset-password")
    async def reset_password(system_id: Id) -> One[SystemOut]:
        """Disconnect the agent and make a new public code; back to status created."""
        system = _known(gateway, system_id)
        gateway.reset(system)
        return One(data=SystemOut.of(system))

    @router.delete("/systems/{system_id}")
    async def delete_system(system_id: Id) -> StatusOut:
        """Disconnect the agent and forget the system with its phone numbers."""
        system = _known(gateway, system_id)
        gateway.delete(system)
        return StatusOut(status=f"System {system.id} successfully deleted")


def _add_phone_numbers(router: APIRouter, gateway: Gateway) -> None:
    @router.get("/systems/{system_id}/phone-numbers", response_model_exclude_unset=True)
    async def list_phone_numbers(
        system_id: Id,
        page: Annotated[Page, Depends()],
        short_number: Annotated[str | None, Query(alias="shortNumber")] = None,
        name: Annotated[str | None, Query(description="start of the first or last name")] = None,
        sort_field: Annotated[Literal["shortNumber"], Query(alias="sortField")] = "shortNumber",
    ) -> Many[PhoneNumberOut]:
        """The phone numbers made from the device list that the agent sent."""
        system = _known(gateway, system_id)

        def takes(entry: PhoneNumber) -> bool:
            device = entry.device
            if short_number is not None and not device.number.startswith(short_number):
                return False
            names = (device.first_name.lower(), device.name.lower())
            return name is None or any(known.startswith(name.lower()) for known in names)

        return page.cut(
            [entry for entry in system.phone_book.numbers() if takes(entry)],
            lambda entry: entry.device.number,
            lambda entry: PhoneNumberOut.of(system, entry, page.format),
        )

    @router.get("/systems/{system_id}/phone-numbers/{number_id}", response_model_exclude_unset=True)
    async def read_phone_number(system_id: Id, number_id: Id) -> One[PhoneNumberOut]:
        """One phone number."""
        system = _known(gateway, system_id)
        entry = system.phone_book.find(number_id)
        if entry is None:
            raise RestError(404, "no such phone number")
        return One(data=PhoneNumberOut.of(system, entry, "full"))


def _known(gateway: Gateway, system_id: str) -> System:
    system = gateway.systems.get(system_id)
    if system is None:
        raise RestError(404, "no such system")
    return system


def _check(body: NewSystem) -> None:
    """Rules across fields."""
    if body.is_centrex and body.is_shared:
        raise RestError(409, "a centrex system can't be shared")
    if body.pbx_national_prefix and body.pbx_national_prefix == body.pbx_international_prefix:
        raise RestError(400, "national and international prefixes are identical", code=400601)
