"""A far end that does what a test says, connection by connection."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

_END_SECONDS = 5.0


@asynccontextmanager
async def listening(serve: Serve, tls: ssl.SSLContext | None = None, *, port: int = 0) -> AsyncIterator[int]:
    """The port on loopback where `serve` gets each connection, which is closed after it.

    At the end every connection is cut; `serve` must not outlive its own.
    """
    writers: set[asyncio.StreamWriter] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await serve(reader, writer)
        finally:
            writers.discard(writer)
            writer.transport.abort()

    server = await asyncio.start_server(handle, "127.0.0.1", port, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await server.wait_closed()
        if left := _tasks_of_servers():
            await asyncio.wait(left, timeout=_END_SECONDS)


def _tasks_of_servers() -> list[asyncio.Task[object]]:
    """What asyncio runs for the connections that servers accepted: handlers, and handshakes under way."""
    names = ("listening.<locals>.handle", "_accept_connection2")
    return [task for task in asyncio.all_tasks() if task.get_coro().__qualname__.endswith(names)]  # type: ignore[union-attr]


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take everything and say nothing."""
    while await reader.read(65_536):
        pass
