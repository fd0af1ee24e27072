"""The administration's REST calls under /api/rainbow/admin/v1.0, and the two open health calls.

Shapes are those of the public documentation. Our choices where it is silent: 201 for a created system, 409
for a PBX-ID that is taken, 404000 as detail code, a token of this start instead of a portal login.
"""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from connector.wire.pcg.conf import DisconnectReason
from simulators.gateway.countries import ALPHA_2
from simulators.gateway.faults import FaultName
from simulators.gateway.gateway import Gateway
from simulators.gateway.journal import Entry, Kind
from simulators.gateway.rest_errors import RestError, error_responses
from simulators.gateway.rest_numbers import CONFIRM_SECONDS, add_phone_numbers
from simulators.gateway.rest_paging import Flag, Id, Page, known_system
from simulators.gateway.schemas import (
    ChangedSystem,
    Format,
    Many,
    NewSystem,
    One,
    StateOut,
    StatusOut,
    SystemOut,
)
from simulators.gateway.systems import Profile, System, SystemRefused

ADMIN = "/api/rainbow/admin/v1.0"


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


def administrator(gateway: Gateway) -> Callable[..., Awaitable[None]]:
    """A dependency that lets only the administrator's token pass."""
    bearer = HTTPBearer(auto_error=False, description="the token printed when the simulator starts")

    async def authorised(
        credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    ) -> None:
        given = credentials.credentials if credentials else ""
        if not secrets.compare_digest(given.encode(), gateway.admin_token.encode()):
            raise RestError(401, "invalid token", code=401202)

    return authorised


def admin_router(gateway: Gateway) -> APIRouter:
    """The calls that need the administrator's token."""
    router = APIRouter(
        prefix=ADMIN,
        tags=["administration"],
        dependencies=[Depends(administrator(gateway))],
        responses=error_responses(400, 401, 404, 409, 413),
    )
    _add_systems(router, gateway)
    _add_life_cycle(router, gateway)
    add_phone_numbers(router, gateway)
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
        profile = body.profile()
        _check_profile(profile)
        try:
            system = gateway.create_system(
                profile, pbx_id=body.pbx_id or "", activation_code=body.activation_code or ""
            )
        except SystemRefused as refusal:
            raise RestError(409, str(refusal)) from None
        return One(data=SystemOut.of(system))

    # Before /systems/{system_id}, whose pattern would refuse the word.
    @router.get("/systems/countries")
    async def list_countries() -> One[list[str]]:
        """The countries that a system may be in, ISO 3166-1 alpha-3."""
        return One(data=sorted(ALPHA_2))

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
        system = known_system(gateway, system_id)
        return One(data=SystemOut.of(system, with_history=connection_history == "true"))


def _add_life_cycle(router: APIRouter, gateway: Gateway) -> None:
    @router.get("/systems/{system_id}/state", response_model_exclude_unset=True)
    async def read_state(
        system_id: Id,
        form: Annotated[Format, Query(alias="format")] = "small",
        connection_history: Annotated[Flag, Query(alias="connectionHistory")] = "false",
    ) -> One[StateOut]:
        """The state of the system's link and channels, all values as texts."""
        system = known_system(gateway, system_id)
        return One(data=StateOut.of(system, form, with_history=connection_history == "true"))

    @router.put("/systems/{system_id}")
    async def change_system(system_id: Id, body: ChangedSystem) -> One[SystemOut]:
        """Change settings; what concerns the agent is sent to it, or waits until it is back."""
        system = known_system(gateway, system_id)
        profile = body.applied(system.profile)
        _check_profile(profile)
        gateway.change(system, profile)
        return One(data=SystemOut.of(system))

    @router.post("/systems/{system_id}/reset-password")
    async def reset_password(system_id: Id) -> One[SystemOut]:
        """Disconnect the agent and make a new public code; back to status created."""
        system = known_system(gateway, system_id)
        gateway.reset(system)
        return One(data=SystemOut.of(system))

    @router.delete("/systems/{system_id}", responses=error_responses(500))
    async def delete_system(system_id: Id) -> StatusOut:
        """Disconnect the agent and forget the system with its phone numbers.

        Answered when the gateway has let the agent go; if that takes over 10 s nothing is deleted: 500 with
        details code 500600.
        """
        system = known_system(gateway, system_id)
        if not await _is_let_go(gateway, system):
            raise RestError(500, "the gateway did not confirm", code=500600)
        gateway.delete(system)
        return StatusOut(status=f"System {system.id} successfully deleted")


async def _is_let_go(gateway: Gateway, system: System) -> bool:
    """Whether the system's agent has gone after it was asked to."""
    since = gateway.journal.last_id
    is_confirmed = FaultName.UNANSWERED_DELETE not in gateway.faults
    if is_confirmed:
        gateway.dismiss(system, DisconnectReason.DELETE)
        if not system.is_connected:
            return True

    def is_gone(entry: Entry) -> bool:
        return is_confirmed and entry.kind is Kind.DISCONNECTED and entry.system == system.id

    try:
        await gateway.journal.wait_for(is_gone, CONFIRM_SECONDS, since=since)
    except TimeoutError:
        return False
    return True


def _check_profile(profile: Profile) -> None:
    """Rules across fields."""
    if profile.is_centrex and profile.is_shared:
        raise RestError(409, "a centrex system can't be shared")
    if profile.national_prefix and profile.national_prefix == profile.international_prefix:
        raise RestError(400, "national and international prefixes are identical", code=400601)
