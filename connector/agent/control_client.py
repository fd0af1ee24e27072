"""Talks to the running agent over its Unix socket, with nothing but the standard library: start-up counts."""

import json
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse, IncompleteRead
from typing import Any, Final

from connector.domain.errors import ConnectorError, LinkTimeout, RequestRefused
from connector.domain.faults import FaultId

DEFAULT_SOCKET: Final = "/run/oxbridge/control.sock"

# 15,000 devices of an OXE at about 150 bytes each are 2 MB; names make it more.
MAX_ANSWER_BYTES: Final = 16 * 1_048_576
# One call event or progress line.
MAX_LINE_BYTES: Final = 65_536
# An idle agent answers in milliseconds; one that writes 15,000 devices in less than a second.
TIMEOUT_SECONDS: Final = 10.0
# The agent bounds its own steps; the whole of dialling, login and acknowledgement fits in this.
ACTIVATION_TIMEOUT_SECONDS: Final = 120.0


class ControlClient:
    """The agent behind the socket at `path`. Every method raises `ConnectorError` with the agent's fault."""

    def __init__(self, path: str) -> None:
        self._path = path

    def get(self, resource: str) -> dict[str, Any]:
        """The JSON object at `resource`, such as "/status"."""
        return self._whole("GET", resource)

    def post(self, resource: str) -> str:
        """The sentence that says what `resource`, such as "/disable", did."""
        return str(self._whole("POST", resource).get("result", ""))

    def _whole(self, method: str, resource: str) -> dict[str, Any]:
        with self._answer(method, resource, None, TIMEOUT_SECONDS) as response:
            body = response.read(MAX_ANSWER_BYTES + 1)
            if response.length and len(body) <= MAX_ANSWER_BYTES:  # it closed before the promised length
                raise IncompleteRead(body, response.length)
        if len(body) > MAX_ANSWER_BYTES:
            raise self._not_ours("an answer of more than 16 MiB")
        return self._object(body)

    def follow(self, resource: str) -> Iterator[dict[str, Any]]:
        """The objects that `resource` sends, one by one, for as long as the agent runs."""
        return self._lines("GET", resource, None, None)

    def activate(self, code: str) -> Iterator[dict[str, Any]]:
        """{"progress"} lines and then {"result"}; raises the agent's error where it failed."""
        body = json.dumps({"code": code}).encode()
        for line in self._lines("POST", "/activate", body, ACTIVATION_TIMEOUT_SECONDS):
            if "error" in line:
                raise _error_of(line)
            yield line

    def _lines(
        self, method: str, resource: str, body: bytes | None, timeout_seconds: float | None
    ) -> Iterator[dict[str, Any]]:
        with self._answer(method, resource, body, timeout_seconds) as response:
            while line := response.readline(MAX_LINE_BYTES + 1):
                if len(line) > MAX_LINE_BYTES:
                    raise self._not_ours("a line of more than 64 KiB")
                yield self._object(line)

    @contextmanager
    def _answer(
        self, method: str, resource: str, body: bytes | None, timeout_seconds: float | None
    ) -> Iterator[HTTPResponse]:
        """An accepted request's answer, to be read inside; what goes wrong there becomes our error too."""
        connection = _UnixConnection(self._path, timeout_seconds)
        try:
            with closing(connection):
                connection.request(method, resource, body)
                with connection.getresponse() as response:
                    if response.status >= 400:
                        raise self._refusal(response)
                    yield response
        except TimeoutError as error:
            raise LinkTimeout(FaultId.AGENT_SILENT, self._path) from error
        except PermissionError as error:
            raise ConnectorError(FaultId.CONTROL_SOCKET_UNUSABLE, f"{self._path}: no permission") from error
        except (OSError, IncompleteRead) as error:
            reason = getattr(error, "strerror", None) or "it stopped answering"
            raise ConnectorError(FaultId.AGENT_NOT_RUNNING, f"{self._path}: {reason}") from error
        except HTTPException as error:
            raise self._not_ours(type(error).__name__) from error

    def _refusal(self, response: HTTPResponse) -> ConnectorError:
        if response.headers.get_content_type() != "application/json":
            return self._not_ours(f"HTTP {response.status}")
        return _error_of(self._object(response.read(MAX_LINE_BYTES)))

    def _object(self, body: bytes) -> dict[str, Any]:
        try:
            content = json.loads(body)
        except (ValueError, RecursionError):
            content = None
        if not isinstance(content, dict):
            raise self._not_ours("an answer that is no JSON object")
        return content

    def _not_ours(self, detail: str) -> RequestRefused:
        return RequestRefused(FaultId.CONTROL_REFUSED, "not-ours", f"{self._path}: {detail}")


class _UnixConnection(HTTPConnection):
    def __init__(self, path: str, timeout_seconds: float | None) -> None:
        super().__init__("localhost")
        self._path = path
        self._timeout_seconds = timeout_seconds

    def connect(self) -> None:
        """Open the Unix socket; the host name above only fills the Host header."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT_SECONDS)
        self.sock.connect(self._path)
        self.sock.settimeout(self._timeout_seconds)


def _error_of(answer: dict[str, Any]) -> ConnectorError:
    """The agent's error in our words, so that a newer agent's fault still reads well."""
    told = answer.get("error")
    if not isinstance(told, dict):
        return RequestRefused(FaultId.CONTROL_REFUSED, "unexplained")
    detail = str(told.get("detail", ""))
    try:
        return ConnectorError(FaultId(str(told.get("fault"))), detail)
    except ValueError:
        return RequestRefused(FaultId.CONTROL_REFUSED, "newer", str(told.get("sentence", detail)))
