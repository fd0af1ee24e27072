"""Runs our small HTTP applications inside the agent's event loop, each on a socket opened beforehand."""

import asyncio
import contextlib
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from connector.domain.errors import ConfigError
from connector.domain.faults import FaultId

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import ASGIApp

# Readers: a command line, a scraper, a few followers. Beyond that: 503.
MAX_CONNECTIONS: Final = 64
# What a request may still do after the stop was asked for; a whole stop takes some seconds more.
STOP_TIMEOUT_SECONDS: Final = 2
# A living agent accepts at once; this is for one that is being stopped in a debugger.
PROBE_TIMEOUT_SECONDS: Final = 1.0

_SOCKET_UMASK: Final = 0o117  # rw for the owner and the group, nothing for others


def unix_listener(path: Path) -> socket.socket:
    """A listening socket at `path` with mode 0660; a socket that nobody answers any more is removed first.

    Raises `ConfigError` if another agent answers there, or something stands there that is no socket.
    """
    _remove_stale(path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # The umask belongs to the whole process; nothing else runs between these lines at start-up.
    before = os.umask(_SOCKET_UMASK)
    try:
        listener.bind(os.fspath(path))
    except OSError as error:
        listener.close()
        raise ConfigError(FaultId.CONTROL_SOCKET_UNUSABLE, f"{path}: {error.strerror}") from error
    finally:
        os.umask(before)
    return _listening(listener)


def tcp_listener(host: str, port: int) -> socket.socket:
    """A listening socket at `host`:`port` (0: any free port). Raises `ConfigError` if that is not free."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigError(FaultId.HTTP_PORT_UNUSABLE, f"{host} port {port}: {error.strerror}") from error
    return _listening(listener)


def close_listener(listener: socket.socket) -> None:
    """Close `listener` unless its server has; a Unix socket's file goes too."""
    path = _path_of(listener)
    listener.close()
    _remove(path)


class HttpServer:
    """`app` on `listener`, which it closes. One life: `start`, then `aclose`."""

    def __init__(self, app: "ASGIApp", listener: socket.socket) -> None:
        self._listener = listener
        self._server = _server(app)
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int | None:
        """The TCP port, None on a Unix socket."""
        if self._listener.family == socket.AF_UNIX:
            return None
        port: int = self._listener.getsockname()[1]
        return port

    def start(self) -> None:
        """Serve from now on: the socket listens already, requests wait in its backlog."""
        self._task = asyncio.create_task(self._server.serve([self._listener]), name="http-server")

    async def aclose(self) -> None:
        """Stop accepting, let running requests end, then cut them; a Unix socket's file goes too."""
        path = _path_of(self._listener)
        self._server.should_exit = True
        if self._task is not None:
            await self._task  # uvicorn closes the socket, and knows nothing of its file
        self._listener.close()
        _remove(path)


def _server(app: "ASGIApp") -> "uvicorn.Server":
    """A server of `app`. uvicorn is loaded here: listeners are opened, or refused, without it."""
    import uvicorn

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:  # the agent owns the signals
            yield

    return Server(
        uvicorn.Config(
            app,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,  # the agent's own logging stands
            access_log=False,
            server_header=False,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=STOP_TIMEOUT_SECONDS,
        )
    )


def _path_of(listener: socket.socket) -> str:
    """The file of a Unix socket that is open, else ""."""
    is_file = listener.family == socket.AF_UNIX and listener.fileno() >= 0
    return str(listener.getsockname()) if is_file else ""


def _remove(path: str) -> None:
    if path:
        Path(path).unlink(missing_ok=True)


def _listening(listener: socket.socket) -> socket.socket:
    listener.listen(MAX_CONNECTIONS)
    listener.settimeout(0)
    return listener


def _remove_stale(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigError(FaultId.CONTROL_SOCKET_UNUSABLE, f"{path}: {error.strerror}") from error
    if not stat.S_ISSOCK(mode):
        raise ConfigError(FaultId.CONTROL_SOCKET_UNUSABLE, f"{path} is not a socket")
    if _answers(path):
        raise ConfigError(FaultId.AGENT_ALREADY_RUNNING, str(path))
    path.unlink(missing_ok=True)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(PROBE_TIMEOUT_SECONDS)
        try:
            probe.connect(os.fspath(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:  # it may live: a full backlog, or a socket that is not ours to open
            return True
        return True
