"""Health and metrics over HTTP on a loopback port, for load balancers, supervisors and Prometheus.

`/-/ready` and `/-/healthy` answer different questions: an agent whose cloud link is down is not ready (503),
but healthy (200): a restart would not help it. 500 asks for one.
"""

import asyncio
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from connector.agent.control import Controlled
from connector.agent.metrics import Metrics

# A commit takes milliseconds, on a slow disk a second. Whoever asks for health gives up after five to ten.
CHECK_TIMEOUT_SECONDS: Final = 3.0


def health_app(
    agent: Controlled, metrics: Metrics, *, check_timeout_seconds: float = CHECK_TIMEOUT_SECONDS
) -> Starlette:
    """The ASGI application of `/-/ready`, `/-/healthy` and `/metrics`."""

    async def ready(_request: Request) -> Response:
        is_ready, reasons = agent.is_ready()
        return JSONResponse({"ready": is_ready, "reasons": reasons}, status_code=200 if is_ready else 503)

    async def healthy(_request: Request) -> Response:
        try:
            async with asyncio.timeout(check_timeout_seconds):
                is_healthy, reasons = await agent.is_healthy()
        except TimeoutError:
            is_healthy, reasons = False, ["The local store does not answer."]
        return JSONResponse(
            {"healthy": is_healthy, "reasons": reasons}, status_code=200 if is_healthy else 500
        )

    async def page(_request: Request) -> Response:
        return Response(metrics.page(), media_type=metrics.content_type)

    return Starlette(
        routes=[
            Route("/-/ready", ready, methods=["GET"]),
            Route("/-/healthy", healthy, methods=["GET"]),
            Route("/metrics", page, methods=["GET"]),
        ]
    )
