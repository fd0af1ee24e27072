"""Connecting to whichever of a name's addresses answers first (RFC 8305, 5), given the addresses."""

import asyncio
from collections.abc import Sequence

from connector.links.stream import ByteStream, connect

# RFC 8305, 8: the next address gets its chance after that, the earlier ones keep theirs.
_NEXT_ADDRESS_SECONDS = 0.25


async def connect_first(addresses: Sequence[str], port: int) -> ByteStream:
    """The first connection that one of `addresses` gives (RFC 8305, 5). Raises the first one's OSError."""
    tries: list[asyncio.Task[ByteStream]] = []
    won: asyncio.Task[ByteStream] | None = None
    try:
        for address in addresses:
            tries.append(asyncio.create_task(connect(address, port), name=f"dial-{port}"))
            won = await _first_success(tries, _NEXT_ADDRESS_SECONDS)
            if won is not None:
                return won.result()
        won = await _first_success(tries, None)
        return (won or tries[0]).result()
    finally:
        for one in tries:
            await _give_up(one, keep=one is won)


async def _first_success(
    tries: Sequence[asyncio.Task[ByteStream]], timeout_seconds: float | None
) -> asyncio.Task[ByteStream] | None:
    """The first try that succeeds in time; None when the time is over or all have failed."""
    pending = {one for one in tries if not one.done()}
    loop = asyncio.get_running_loop()
    end = loop.time() + timeout_seconds if timeout_seconds is not None else None
    while pending:
        left = end - loop.time() if end is not None else None
        done, pending = await asyncio.wait(pending, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        for one in done:
            if not one.cancelled() and one.exception() is None:
                return one
        if not done:
            return None
    return None


async def _give_up(one: asyncio.Task[ByteStream], *, keep: bool) -> None:
    """Cancel a try that lost, or close what it brought in the meantime."""
    if keep:
        return
    one.cancel()
    await asyncio.wait([one])
    if not one.cancelled() and one.exception() is None:
        one.result().abort()
