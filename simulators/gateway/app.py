"""The gateway's application: REST and console. The agents' WebSocket on the same port is `websocket`'s."""

from fastapi import FastAPI
from starlette.types import ASGIApp

from simulators.gateway import rest_errors
from simulators.gateway.agent_http_rest import agent_http_router
from simulators.gateway.command_rest import command_router
from simulators.gateway.console import console_router
from simulators.gateway.fault_rest import fault_router
from simulators.gateway.gateway import Gateway
from simulators.gateway.guard import Guard
from simulators.gateway.rest import admin_router, health_router


def create_app(gateway: Gateway) -> ASGIApp:
    """Everything but the agents' WebSocket: HTTP requests through the guard."""
    return Guard(create_web(gateway), lambda: gateway.random(16).hex())


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
    app.include_router(command_router(gateway))
    app.include_router(agent_http_router(gateway))
    app.include_router(fault_router(gateway))
    app.include_router(console_router(gateway, app))
    return app
