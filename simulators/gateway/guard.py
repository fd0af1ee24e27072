"""What every HTTP request passes before the application: size, origin of console requests, answer headers."""

import ipaddress
from collections.abc import Callable

from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from simulators.gateway.rest_errors import RestError, answer

# The largest body of the interface: 100 numbering rules of some hundred characters each.
MAX_BODY_BYTES = 262_144
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})

# Nothing from elsewhere, nothing inline, no frames, no forms: the pages only show.
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
)


class Guard:
    """An ASGI application around another. `request_id` gives a new text for each answer."""

    def __init__(self, app: ASGIApp, request_id: Callable[[], str]) -> None:
        self._app = app
        self._request_id = request_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it here."""
        answering = self._with_headers(send)
        if _is_console(scope["path"]) and not _is_local(scope):
            refusal = answer(RestError(403, "the console is for this machine only"))
            await refusal(scope, receive, answering)
            return
        body = await _read(receive)
        if body is None:
            await _too_large()(scope, receive, answering)
            return
        await self._app(scope, _Replay(body, receive), answering)

    def _with_headers(self, send: Send) -> Send:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = (b"x-rainbow-request-id", self._request_id().encode())
                message["headers"] = [*message.get("headers", ()), *_HEADERS, own]
            await send(message)

        return sending


class _Replay:
    """Gives the body that was read, then whatever comes."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self._body: bytes | None = body
        self._receive = receive

    async def __call__(self) -> Message:
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}


async def _read(receive: Receive) -> bytes | None:
    """The whole body, or None when it is over the limit. A client that is gone leaves what it sent."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b"".join(parts)
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > MAX_BODY_BYTES:
            return None
        if not message.get("more_body", False):
            return b"".join(parts)


def _too_large() -> JSONResponse:
    refusal = answer(RestError(413, f"a body is over {MAX_BODY_BYTES} bytes"))
    # The rest of the body is not read: the connection can't be used again.
    refusal.headers["connection"] = "close"
    return refusal


def _is_console(path: str) -> bool:
    return path == "/" or path.startswith("/_sim")


def _is_local(scope: Scope) -> bool:
    """From this machine, and asked for by its name: a page elsewhere can make its own name point here."""
    client = scope.get("client")
    if client is None or not _is_loopback(client[0]):
        return False
    host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
    name = host.rpartition(":")[0] if host.rpartition("]")[2].find(":") >= 0 else host
    return name.lower() in LOOPBACK_NAMES


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
