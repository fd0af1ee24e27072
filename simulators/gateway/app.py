"""The gateway's application: REST, console and the agents' WebSocket on one port."""

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from simulators.gateway import rest_errors
from simulators.gateway.console import console_router
from simulators.gateway.gateway import Gateway
from simulators.gateway.guard import Guard
from simulators.gateway.rest import admin_router, health_router
from simulators.gateway.websocket import AgentEndpoint

# Where agents connect: our choice, since the real path is not public.
AGENT_PATH = "/websocket"


def create_app(gateway: Gateway) -> ASGIApp:
    """The whole application: WebSocket requests to the agents' endpoint, the rest through the guard."""
    web = Guard(create_web(gateway), lambda: gateway.random(16).hex())
    agents = AgentEndpoint(gateway)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await web(scope, receive, send)
        elif scope["path"] == AGENT_PATH:
            await agents(scope, receive, send)
        else:
            await _no_websocket_here(receive, send)

    return application


def create_web(gateway: Gateway) -> FastAPI:
    """The HTTP part, described by /openapi.json."""
    app = FastAPI(
        title="Oxbridge gateway simulator",
        summary="The cloud's side of a PBX: administration of systems, and what their agents bring.",
        version="1.0",
        # FastAPI's own pages load their scripts from elsewhere; /docs is ours.
        docs_url=None,
        redoc_url=None,
    )
    rest_errors.install(app)
    app.include_router(health_router())
    app.include_router(admin_router(gateway))
    app.include_router(console_router(gateway, app))
    return app


async def _no_websocket_here(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.http.response.start", "status": 404, "headers": []})
    await send({"type": "websocket.http.response.body", "body": b""})
