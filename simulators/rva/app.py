"""The RVA far end as one web application: the hub's request, the SMS inbox and the guest's page."""

from pathlib import Path as FilePath
from typing import Annotated, Literal

from fastapi import FastAPI, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates
from jinja2 import Environment, FileSystemLoader
from pydantic import AwareDatetime, BaseModel
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.types import Message as AsgiMessage

from connector.domain.invitations import InvitationOptions
from simulators.rva import hub as hub_request
from simulators.rva.hub import Hub
from simulators.rva.inbox import MAX_SEARCH_CHARS, Message

_HERE = FilePath(__file__).parent

# Everything a page needs comes from here; nothing of it may be framed, and a guest's link leaks to nobody.
_SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

# How a guest's page names the nine switches.
_OPTION_NAMES = {
    "auto_answer": "Joins without ringing",
    "answer_in_video": "Video from the start",
    "use_rear_camera": "Rear camera",
    "use_screen_sharing": "Screen sharing",
    "hide_switch_in_video": "No chat/video switch",
    "enable_chat": "Chat",
    "mute_conference": "Conference muted",
    "auto_start": "Starts by itself",
    "mirror_mode": "Mirrored picture",
}

Search = Annotated[str, Query(max_length=MAX_SEARCH_CHARS, description="part of a number, text or expert")]
Token = Annotated[str, Path(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


class InboxMessage(BaseModel):
    """One SMS as the JSON interface shows it."""

    id: str
    to: str
    agent: str
    at: AwareDatetime
    text: str
    link: str
    state: Literal["accepted", "delivered"]


class InboxList(BaseModel):
    """The messages found, newest first, and how many the inbox holds."""

    total: int
    messages: list[InboxMessage]


def create_app(hub: Hub) -> FastAPI:
    """The application around `hub`. /openapi.json describes its interface; nothing is loaded from afar."""
    app = FastAPI(
        title="Oxbridge RVA simulator",
        summary="The hub of Rainbow Visual Assistance, for tests: no real SMS is sent.",
        version="1",
        docs_url=None,
        redoc_url=None,
        exception_handlers={RequestValidationError: hub_request.refused},
    )
    app.include_router(hub_request.router(hub))
    app.mount("/static", StaticFiles(directory=_HERE / "static"), name="static")
    app.add_middleware(_SecurityHeaders)
    _add_inbox(app, hub)
    _add_guest(app, hub)
    return app


def _pages() -> Jinja2Templates:
    environment = Environment(loader=FileSystemLoader(_HERE / "pages"), autoescape=True)
    return Jinja2Templates(env=environment)


def _add_inbox(app: FastAPI, hub: Hub) -> None:
    pages = _pages()

    def found(search: str) -> dict[str, object]:
        return {"messages": hub.inbox.messages(search), "total": len(hub.inbox), "search": search}

    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def inbox_page(request: Request, search: Search = "") -> HTMLResponse:
        return pages.TemplateResponse(request, "inbox.html", found(search))

    @app.get("/messages", response_class=HTMLResponse, include_in_schema=False)
    async def message_list(request: Request, search: Search = "") -> HTMLResponse:
        """The list alone, for the page to refresh itself."""
        return pages.TemplateResponse(request, "messages.html", found(search))

    @app.get("/api/inbox", tags=["inbox"], responses={400: {"model": hub_request.Refused}})
    async def inbox_list(search: Search = "") -> InboxList:
        """The SMS inbox of the whole simulated world."""
        return InboxList(total=len(hub.inbox), messages=[_shown(one) for one in hub.inbox.messages(search)])


def _add_guest(app: FastAPI, hub: Hub) -> None:
    pages = _pages()

    @app.get("/guest/{token}", response_class=HTMLResponse, include_in_schema=False)
    async def guest_page(request: Request, token: Token) -> HTMLResponse:
        message = hub.inbox.by_token(token)
        if message is None:
            return pages.TemplateResponse(request, "unknown_guest.html", {}, status_code=404)
        return pages.TemplateResponse(
            request, "guest.html", {"message": message, "options": _options(message.options)}
        )


def _shown(message: Message) -> InboxMessage:
    return InboxMessage(
        id=message.id,
        to=message.to,
        agent=message.agent,
        at=message.at,
        text=message.text,
        link=message.link,
        state=message.state.value,
    )


def _options(options: InvitationOptions) -> list[tuple[str, bool]]:
    return [(name, bool(getattr(options, field))) for field, name in _OPTION_NAMES.items()]


class _SecurityHeaders:
    """Adds the headers to every HTTP answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: AsgiMessage) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_SECURITY_HEADERS)
            await send(message)

        await self._app(scope, receive, send_with_headers)
