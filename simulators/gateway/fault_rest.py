"""The switches of `faults` and the present limits, as JSON. Part of the console: for this machine only."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from simulators.gateway.faults import FAULTS, MAX_VALUE, FaultName
from simulators.gateway.gateway import Gateway
from simulators.gateway.rest_errors import error_responses


class FaultOut(BaseModel):
    """One switch. `value` is what it is set to, or would be; `unit` is empty where it takes no value."""

    name: FaultName
    what: str
    end: str
    on: bool
    value: float
    unit: str


class Switched(BaseModel):
    """The body of PUT /_sim/faults/{name}. Without a value the switch takes its own."""

    model_config = ConfigDict(strict=True)

    on: bool
    value: Annotated[float, Field(ge=0, le=MAX_VALUE)] = 0.0


class PausedOut(BaseModel):
    """A login whose public code is closed for so many seconds more."""

    user: str
    seconds: float


class LimitsOut(BaseModel):
    """Who was turned away, and how full the gateway is."""

    sessions: int
    before_login: int
    turned_away: dict[str, int]
    guesses_refused: int
    paused: list[PausedOut]


def fault_router(gateway: Gateway) -> APIRouter:
    """The calls that switch faults."""
    router = APIRouter(prefix="/_sim", tags=["simulator"], responses=error_responses(400, 403))

    @router.get("/faults")
    async def list_faults() -> list[FaultOut]:
        """Every switch: what it does, how it ends, whether it is on. Only from this machine."""
        return [fault_out(gateway, name) for name in FAULTS]

    @router.put("/faults/{name}")
    async def switch(name: FaultName, body: Switched) -> FaultOut:
        """Switch a fault on or off. On again does once more what is done once. Only from this machine."""
        if body.on:
            gateway.faults.switch_on(name, body.value)
        else:
            gateway.faults.switch_off(name)
        gateway.wake_all()
        return fault_out(gateway, name)

    @router.get("/limits")
    async def limits() -> LimitsOut:
        """The limits at work. Only from this machine."""
        return limits_out(gateway)

    return router


def fault_out(gateway: Gateway, name: FaultName) -> FaultOut:
    """One switch as it stands."""
    fault, faults = FAULTS[name], gateway.faults
    is_on = name in faults
    value = faults.value(name) if is_on else fault.value
    return FaultOut(name=name, what=fault.what, end=fault.end, on=is_on, value=value, unit=fault.unit)


def limits_out(gateway: Gateway) -> LimitsOut:
    """The limits as they stand."""
    paused = gateway.guesses.paused(gateway.monotonic())
    return LimitsOut(
        sessions=len(gateway.admission),
        before_login=gateway.admission.before_login,
        turned_away=dict(gateway.admission.refused),
        guesses_refused=gateway.guesses.refused,
        paused=[PausedOut(user=user, seconds=round(seconds, 1)) for user, seconds in paused[:100]],
    )
