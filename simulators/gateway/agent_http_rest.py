"""The simulator's own call that reads a page of an agent, for integrators and tests."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from connector.domain.errors import LocalProtocolError, Overflow
from connector.wire.pcg.http import MAX_RESOURCE_CHARS, Body, HttpResponse
from simulators.gateway.agent_http import AgentAbsent, NotRead
from simulators.gateway.gateway import Gateway
from simulators.gateway.rest import administrator
from simulators.gateway.rest_errors import RestError, error_responses
from simulators.gateway.rest_paging import Id, known_system
from simulators.gateway.schemas import One
from simulators.gateway.systems import System

_Resource = Annotated[
    str,
    Query(
        pattern="^/[!-~]*$",
        max_length=MAX_RESOURCE_CHARS,
        description="the path, such as /status, /devices, /calls or /metrics",
    ),
]
_Method = Annotated[str, Query(pattern="^[A-Z]{1,20}$", description="an agent serves GET only")]


class HeaderOut(BaseModel):
    """One header of the agent's response."""

    name: str
    value: str


class AgentPageOut(BaseModel):
    """What the agent answered; `status` is its own, so this call can succeed with a 403 in it."""

    status: int
    message: str
    headers: list[HeaderOut]
    body: str


def agent_http_router(gateway: Gateway) -> APIRouter:
    """The call; it needs the administrator's token, for the pages name people and calls."""
    router = APIRouter(
        prefix="/_sim/systems/{system_id}/agent",
        tags=["simulator"],
        dependencies=[Depends(administrator(gateway))],
        responses=error_responses(400, 401, 404, 409, 502, 504),
    )

    @router.get("")
    async def read_agent(
        system_id: Id, resource: _Resource = "/status", method: _Method = "GET"
    ) -> One[AgentPageOut]:
        """Ask the system's agent over the http channel and wait for the whole answer.

        502 if what came can't be read, 504 if too little came in time.
        """
        return One(data=_out(await _read(gateway, known_system(gateway, system_id), resource, method)))

    return router


async def _read(gateway: Gateway, system: System, resource: str, method: str) -> HttpResponse:
    try:
        return await gateway.read(system, resource, method)
    except AgentAbsent as absence:
        raise RestError(409, str(absence)) from None
    except NotRead as failure:
        raise RestError(502, str(failure)) from None
    except TimeoutError:
        raise RestError(504, "the agent did not answer in time") from None
    except LocalProtocolError as error:
        raise RestError(400, error.detail) from None
    except Overflow:
        raise RestError(409, "too many requests wait for the agent") from None


def _out(response: HttpResponse) -> AgentPageOut:
    headers = [HeaderOut(name=name, value=value) for name, value in response.headers]
    body = _text(response.body)
    return AgentPageOut(status=response.status, message=response.message, headers=headers, body=body)


def _text(body: Body) -> str:
    return body.decode(errors="replace") if isinstance(body, bytes) else body or ""
