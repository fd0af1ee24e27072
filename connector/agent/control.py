"""The control API: what the command line asks of the running agent, over a Unix socket of mode 0660.

| Request | Answer |
|---|---|
| GET /status | `Status.as_json()` |
| GET /devices | {"schema_version", "revision", "devices": [device]} |
| GET /calls | {"schema_version", "calls": [call]} |
| GET /calls/follow | one JSON object a line: call events as they happen, {"lost": n} where n were dropped |
| GET /configuration | {"schema_version", "values": [{"setting", "value", "source"}]} |
| POST /enable, /disable, /reset | {"result": sentence} |
| POST /activate {"code"} | one JSON object a line: {"progress": sentence}…, then {"result"} or {"error"} |

device: {number, name, first_name, type, state, source}
call: {call, device, state, caller, called, started_at}
call event: {time, call, device, event, state, caller, called, end}

An error is {"error": {fault, sentence, cause, remedy, detail}} with status 409 or 503. Who may open the
socket may do all this: its mode and group are the only access control.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final, Protocol

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from connector.agent.followers import Follower, Record
from connector.agent.status import SCHEMA_VERSION, Status, device_json
from connector.domain.configuration import Effective
from connector.domain.devices import Device
from connector.domain.errors import ConnectorError, Overflow, RequestRefused
from connector.domain.faults import FAULTS, FaultId

# The only body that comes in is a code.
MAX_BODY_BYTES: Final = 4_096
# The console shows four digits today; the private code has 32 characters.
MAX_CODE_CHARS: Final = 64
# An activation reports a handful of steps.
MAX_PROGRESS_LINES: Final = 64

NDJSON: Final = "application/x-ndjson"

log = logging.getLogger(__name__)


class Controlled(Protocol):
    """The running agent, as far as its control API and its health pages need it."""

    def status(self) -> Status:
        """The agent at this moment."""

    def devices(self) -> tuple[int, Sequence[Device]]:
        """The revision and content of the present device list."""

    def calls(self) -> Sequence[Record]:
        """The live calls, one record a device that takes part."""

    def follow_calls(self) -> Follower:
        """Call events from now on. Raises `Overflow` if too many follow."""

    async def activate(self, code: str, progress: Callable[[str], None]) -> str:
        """Make the agent known to the cloud with `code`; returns the sentence that says how it ended.

        `progress` takes one sentence a step. Raises a `ConnectorError` if it failed. Cancelled when the
        person who waits goes away: what was begun must be safe to leave.
        """

    def configuration(self) -> Sequence[Effective]:
        """Every value that the cloud can set, as it is in force, and where it comes from."""

    async def enable(self) -> str:
        """Switch the agent on; returns what happened, as a sentence. Raises `StoreError`."""

    async def disable(self) -> str:
        """Close every connection and stay off, also over restarts. Raises `StoreError`."""

    async def reset(self) -> str:
        """Forget the codes and nothing else. Raises `StoreError`."""

    def is_ready(self) -> tuple[bool, list[str]]:
        """Whether calls reach the cloud now, and if not, why: one sentence a reason."""

    async def is_healthy(self) -> tuple[bool, list[str]]:
        """Whether the process itself works (its store writes), whatever the far ends do; reasons as above."""


def control_app(agent: Controlled) -> Starlette:
    """The ASGI application of the control API of `agent`."""

    async def status(_request: Request) -> Response:
        return JSONResponse(agent.status().as_json())

    async def devices(_request: Request) -> Response:
        revision, listed = agent.devices()
        rows = [device_json(device) for device in listed]
        return JSONResponse({"schema_version": SCHEMA_VERSION, "revision": revision, "devices": rows})

    async def calls(_request: Request) -> Response:
        return JSONResponse({"schema_version": SCHEMA_VERSION, "calls": list(agent.calls())})

    async def follow(_request: Request) -> Response:
        follower = agent.follow_calls()

        async def leave() -> None:
            follower.close()

        return _Lines(follower, leave)

    async def configuration(_request: Request) -> Response:
        rows = [asdict(value) for value in agent.configuration()]
        return JSONResponse({"schema_version": SCHEMA_VERSION, "values": rows})

    async def activate(request: Request) -> Response:
        code = await _code_of(request)
        activation = _Activation(agent, code)
        return _Lines(activation.lines(), activation.aclose)

    return Starlette(
        routes=[
            Route("/status", status, methods=["GET"]),
            Route("/devices", devices, methods=["GET"]),
            Route("/calls", calls, methods=["GET"]),
            Route("/calls/follow", follow, methods=["GET"]),
            Route("/configuration", configuration, methods=["GET"]),
            Route("/enable", _order(agent.enable), methods=["POST"]),
            Route("/disable", _order(agent.disable), methods=["POST"]),
            Route("/reset", _order(agent.reset), methods=["POST"]),
            Route("/activate", activate, methods=["POST"]),
        ],
        exception_handlers={ConnectorError: _refusal},
    )


def error_json(error: ConnectorError) -> dict[str, Any]:
    """`error` in the catalogue's words."""
    words = FAULTS[error.fault]
    return {
        "error": {
            "fault": error.fault.value,
            "sentence": words.sentence,
            "cause": words.cause,
            "remedy": words.remedy,
            "detail": error.detail,
        }
    }


def _order(obeyed: Callable[[], Awaitable[str]]) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint of something that is done, or refused, as a whole."""

    async def order(_request: Request) -> Response:
        return JSONResponse({"result": await obeyed()})

    return order


class _Lines(StreamingResponse):
    """Records as NDJSON. `release` is called however the response ends, even before its first line."""

    def __init__(self, records: AsyncIterator[Record], release: Callable[[], Awaitable[None]]) -> None:
        super().__init__(_encoded(records), media_type=NDJSON)
        self._release = release

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._release()


class _Activation:
    """One run of `agent.activate`, in a task that ends with the response that reports it."""

    def __init__(self, agent: Controlled, code: str) -> None:
        self._lines: asyncio.Queue[Record] = asyncio.Queue(MAX_PROGRESS_LINES)
        self._task = asyncio.create_task(self._run(agent, code))

    async def lines(self) -> AsyncIterator[Record]:
        is_running = True
        while is_running:
            record = await self._lines.get()
            is_running = "progress" in record
            yield record

    async def aclose(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _run(self, agent: Controlled, code: str) -> None:
        try:
            sentence = await agent.activate(code, self._progress)
        except ConnectorError as error:
            await self._lines.put(error_json(error))
        except Exception:  # the person who waits gets an answer whatever broke
            log.exception("activation-broke")
            await self._lines.put(error_json(RequestRefused(FaultId.OWN_PROTOCOL, "activation")))
        else:
            await self._lines.put({"result": sentence})

    def _progress(self, sentence: str) -> None:
        if not self._lines.full():  # a step nobody reads is not worth stopping the activation
            self._lines.put_nowait({"progress": sentence})


async def _encoded(records: AsyncIterator[Record]) -> AsyncIterator[bytes]:
    async for record in records:
        yield json.dumps(record).encode() + b"\n"


async def _code_of(request: Request) -> str:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            raise RequestRefused(FaultId.CONTROL_REFUSED, "body-too-large")
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        content = None
    code = content.get("code") if isinstance(content, Mapping) else None
    if not isinstance(code, str) or not is_code(code):
        raise RequestRefused(FaultId.CONTROL_REFUSED, "bad-code", "a code has 1 to 64 letters and digits")
    return code


def is_code(text: str) -> bool:
    """Whether `text` has the form of an activation code. What it is worth only the gateway knows."""
    return 1 <= len(text) <= MAX_CODE_CHARS and text.isascii() and text.isalnum()


async def _refusal(_request: Request, error: Exception) -> Response:
    if not isinstance(error, ConnectorError):  # registered for nothing else
        raise error
    status = 503 if isinstance(error, Overflow) else 409
    return JSONResponse(error_json(error), status_code=status)
