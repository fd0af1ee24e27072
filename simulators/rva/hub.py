"""The RVA hub's `link/custo`: takes an invitation and turns it into an SMS.

It checks more than the real hub is known to, so that a wrong request of ours is seen here and not in the
field. The vendor's spelling stands here a second time: sharing the connector's table would hide a slip in it.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, BackgroundTasks, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from connector.domain.invitations import InvitationOptions
from simulators.rva.inbox import Message, SmsInbox

PATH = "/server/api/link/custo"
SESSION_NAME = "Video assistance"

Switch = Literal["true", "false"]


class InvitationQuery(BaseModel):
    """The request's parameters. An absent switch is off."""

    model_config = ConfigDict(extra="forbid")

    agent_id: str = Field(alias="agentID", pattern=r"^[A-Za-z0-9_-]{1,64}$")
    client_phone: str = Field(alias="clientPhone", pattern=r"^\+[1-9][0-9]{6,14}$")
    auto_answer: Switch = Field("false", alias="autoAnswer")
    answer_in_video: Switch = Field("false", alias="answerInVideo")
    use_rear_camera: Switch = Field("false", alias="useRearCamera")
    use_screen_sharing: Switch = Field("false", alias="useScreenSharing")
    hide_switch_in_video: Switch = Field("false", alias="hideSwitchInVideo")
    enable_chat: Switch = Field("false", alias="enableChat")
    mute_conference: Switch = Field("false", alias="muteConference")
    auto_start: Switch = Field("false", alias="autoStart")
    mirror_mode: Switch = Field("false", alias="mirrorMode")

    def options(self) -> InvitationOptions:
        """The nine switches."""
        switches = self.model_dump(exclude={"agent_id", "client_phone"})
        return InvitationOptions(**{name: value == "true" for name, value in switches.items()})


class Accepted(BaseModel):
    """The answer to an invitation that will be sent."""

    id: str
    status: Literal["accepted"] = "accepted"


class Problem(BaseModel):
    """One parameter or header that is wrong."""

    name: str
    problem: str


class Refused(BaseModel):
    """The answer to a request that sends nothing."""

    error: Literal["invalid-request"] = "invalid-request"
    problems: list[Problem]


class Hub:
    """The hub behind the request: `new_token` makes texts that can't be guessed, for ids and links.

    `base_url` is where guests reach the hub; the server sets it once it knows its port.
    """

    def __init__(self, inbox: SmsInbox, now: Callable[[], datetime], new_token: Callable[[], str]) -> None:
        self.inbox = inbox
        self.base_url = ""
        self._now = now
        self._new_token = new_token

    def invite(self, query: InvitationQuery) -> Message:
        """Send one SMS. Asking twice sends two: the vendor's request has no key to tell a repetition."""
        token = self._new_token()
        link = f"{self.base_url}/guest/{token}"
        message = Message(
            id=self._new_token(),
            to=query.client_phone,
            agent=query.agent_id,
            options=query.options(),
            at=self._now(),
            token=token,
            link=link,
            text=f"{SESSION_NAME}: show the expert what you see. Open {link}",
        )
        self.inbox.accept(message)
        return message


def router(hub: Hub) -> APIRouter:
    """The hub's one public request."""
    routes = APIRouter(tags=["hub"])

    @routes.post(PATH, summary="Invite a caller by SMS", responses={400: {"model": Refused}})
    async def link_custo(
        request: Request, query: Annotated[InvitationQuery, Query()], background: BackgroundTasks
    ) -> Accepted:
        _check_request(request)
        message = hub.invite(query)
        # The network reports a delivery after the hub has answered.
        background.add_task(hub.inbox.deliver, message.id)
        return Accepted(id=message.id)

    return routes


def _check_request(request: Request) -> None:
    """What a model of the parameters can't see: a parameter given twice, and the content type."""
    names = [name for name, _ in request.query_params.multi_items()]
    problems = [
        ("query", name, "given more than once") for name in sorted(set(names)) if names.count(name) > 1
    ]
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        problems.append(("header", "Content-Type", "application/json is needed"))
    if problems:
        raise RequestValidationError(
            [{"loc": (place, name), "msg": text, "type": "invalid"} for place, name, text in problems]
        )


async def refused(_request: Request, error: Exception) -> JSONResponse:
    """The 400 answer for a request that does not validate. It repeats no value."""
    if not isinstance(error, RequestValidationError):
        raise error
    problems = [
        Problem(name=".".join(str(part) for part in item["loc"][1:]), problem=str(item["msg"]))
        for item in error.errors()
    ]
    return JSONResponse(Refused(problems=problems).model_dump(), status_code=400)
