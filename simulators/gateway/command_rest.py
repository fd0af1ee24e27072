"""The simulator's own calls that give commands to an agent: for integrators and tests, on this machine only.

The vendor's call control is a REST interface of users with their own logins (facts of section 8 of the
dialect's text); there are no users here, so this is no copy of it.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Path

from connector.domain.commands import CommandRefused, CommandRequest, Outcome, Refused
from connector.domain.errors import LocalProtocolError, Overflow
from simulators.gateway import commands
from simulators.gateway.command_schemas import CommandIn, CommandOut, FloodIn, FloodOut, Leg
from simulators.gateway.gateway import Gateway
from simulators.gateway.line import ANSWER_SECONDS, Line
from simulators.gateway.rest import administrator
from simulators.gateway.rest_errors import RestError, error_responses
from simulators.gateway.schemas import One
from simulators.gateway.systems import System

Id = Annotated[str, Path(pattern="^[0-9a-f]{24}$", description="24 hexadecimal digits")]
# The agent is waited for by the stream; a stream that ends takes its open requests with it.
_PATIENCE_SECONDS = ANSWER_SECONDS + 1.0


def command_router(gateway: Gateway) -> APIRouter:
    """The calls; they need the administrator's token, for they make telephones ring."""
    router = APIRouter(
        prefix="/_sim/systems/{system_id}/commands",
        tags=["simulator"],
        dependencies=[Depends(administrator(gateway))],
        responses=error_responses(400, 401, 403, 404, 409, 413),
    )

    @router.post("")
    async def give_command(system_id: Id, body: CommandIn) -> One[CommandOut]:
        """Give one command to the system's agent and wait for its answer."""
        ended: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        request = _send(gateway, _known(gateway, system_id), body, _once(ended))
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                outcome = await ended
        except TimeoutError:
            outcome = CommandRefused(Refused.UNKNOWN_OUTCOME)
        return One(data=_out(request, outcome))

    @router.post("/flood")
    async def flood(system_id: Id, body: FloodIn) -> One[FloodOut]:
        """Give the same command many times at once and wait for no answer."""
        sent = 0

        def say(line: Line) -> None:
            nonlocal sent
            requests = [_request(gateway, line, body.request, is_repeated=False) for _ in range(body.count)]
            sent = commands.flood(line, requests)

        if not gateway.speak(_known(gateway, system_id), say):
            raise _absent()
        return One(data=FloodOut(sent=sent))

    return router


def _send(gateway: Gateway, system: System, body: CommandIn, ended: commands.Ended) -> CommandRequest:
    given: list[CommandRequest] = []

    def say(line: Line) -> None:
        request = _request(gateway, line, body)
        commands.give(line, request, ended, sender=body.sender or "")
        given.append(request)

    try:
        if not gateway.speak(system, say):
            raise _absent()
    except LocalProtocolError:
        raise RestError(409, "a command with this id waits for its answer") from None
    except Overflow:
        raise RestError(409, "too many requests wait for the agent") from None
    return given[0]


def _request(gateway: Gateway, line: Line, body: CommandIn, *, is_repeated: bool = True) -> CommandRequest:
    deadline = gateway.wall() + timedelta(seconds=body.deadline_seconds)
    id_ = body.id if is_repeated and body.id else line.new_id()
    return CommandRequest(id_, body.device, body.user, deadline, body.command.command(body.device))


def _once(ended: "asyncio.Future[Outcome]") -> Callable[[Outcome], None]:
    def tell(outcome: Outcome) -> None:
        if not ended.done():  # whoever asked may have gone
            ended.set_result(outcome)

    return tell


def _out(request: CommandRequest, outcome: Outcome) -> CommandOut:
    if isinstance(outcome, CommandRefused):
        reason, error = outcome.reason.value, outcome.error
        return CommandOut(id=request.id, outcome="refused", reason=reason, error=error, connections=[])
    legs = [Leg.model_construct(call=leg.call, device=leg.device) for leg in outcome.connections]
    return CommandOut(id=request.id, outcome="done", reason="", error="", connections=legs)


def _known(gateway: Gateway, system_id: str) -> System:
    system = gateway.systems.get(system_id)
    if system is None:
        raise RestError(404, "no such system")
    return system


def _absent() -> RestError:
    return RestError(409, "the agent is not connected")
