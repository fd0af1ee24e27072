"""Errors of the REST interface, all with one body: errorCode, errorMsg, errorDetails, errorDetailsCode."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from simulators.gateway.schemas import ErrorDetail, ErrorOut

# A body with a thousand wrong fields is answered with the first ones.
MAX_DETAILS = 20
MAX_DETAIL_CHARS = 200


class RestError(Exception):
    """A request that is answered with `status`. `code` is the detail code: status and 000 unless given."""

    def __init__(self, status: int, details: str | list[ErrorDetail], *, code: int = 0) -> None:
        super().__init__(status)
        self.status = status
        self.details = details
        self.code = code or status * 1000


def error_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI description of errors with these statuses, and of any other that the caller can cause."""
    responses: dict[int | str, dict[str, Any]] = {
        status: {"model": ErrorOut, "description": HTTPStatus(status).phrase} for status in statuses
    }
    return {**responses, "4XX": {"model": ErrorOut, "description": "Any other error of the caller"}}


def install(app: FastAPI) -> None:
    """Give every error of `app` the one body."""

    @app.exception_handler(RestError)
    async def refused(_request: Request, error: RestError) -> JSONResponse:
        return answer(error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        """Says what is wrong with which field, never the value: it may be a code."""
        if _is_mistaken(app, request):
            response = answer(RestError(405, "Method Not Allowed"))
            response.headers["allow"] = _allowed(app, request.url.path)
            return response
        details = [
            ErrorDetail(msg=str(item["msg"])[:MAX_DETAIL_CHARS], param=_place(item["loc"]))
            for item in error.errors()[:MAX_DETAILS]
        ]
        return answer(RestError(400, details))

    @app.exception_handler(HTTPException)
    async def http_error(request: Request, error: HTTPException) -> JSONResponse:
        response = answer(RestError(error.status_code, str(error.detail)))
        response.headers.update(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            response.headers["allow"] = _allowed(app, request.url.path) or response.headers["allow"]
        return response


def _allowed(app: FastAPI, path: str) -> str:
    """The methods described for `path`: the framework itself names those of the first route only."""
    described: dict[str, dict[str, Any]] = app.openapi()["paths"]
    own = (described[path],) if path in described else ()
    fitting = own or (
        methods for template, methods in described.items() if compile_path(template)[0].match(path)
    )
    return ", ".join(sorted({method.upper() for methods in fitting for method in methods}))


def _is_mistaken(app: FastAPI, request: Request) -> bool:
    """Whether a word of ours was read as an id: /systems/countries knows fewer methods than ids do."""
    described: dict[str, dict[str, Any]] = app.openapi()["paths"]
    methods = described.get(request.url.path)
    return methods is not None and request.method.lower() not in methods


def _place(location: tuple[str | int, ...]) -> str:
    """Where a field stands: ("body", "name") is name."""
    return ".".join(str(part) for part in location[1:])[:MAX_DETAIL_CHARS]


def answer(error: RestError) -> JSONResponse:
    """The response for `error`."""
    body = ErrorOut(
        error_code=error.status,
        error_msg=HTTPStatus(error.status).phrase,
        error_details=error.details,
        error_details_code=error.code,
    )
    headers = {"WWW-Authenticate": "Bearer"} if error.status == HTTPStatus.UNAUTHORIZED else None
    return JSONResponse(body.model_dump(by_alias=True), error.status, headers)
