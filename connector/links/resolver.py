"""Names to addresses, so that a mute name server delays one dial and nothing else.

The system's resolver blocks its thread for half a minute when no server answers. asyncio lends it the pool
that everything else shares: after a few tries nothing else gets a thread. Here a lookup has a thread of its
own, at most two live at once, and the addresses that were good last time stand in for a late answer.
"""

import asyncio
import contextlib
import ipaddress
import socket
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence

# One for the gateway, one for the proxy or the hub. Each costs a thread while the name server is mute.
_LOOKUPS_AT_ONCE = 2
# A healthy name server answers in milliseconds; after that the last good addresses are as good a guess.
_PATIENCE_SECONDS = 2.0
# The names that an agent dials: gateway, proxy, hub, PBX. The rest is room for changed settings.
_MAX_NAMES = 64
# A name with more addresses is a mistake or a trick; a dial would not get through them in its time.
_MAX_ADDRESSES = 16

Lookup = Callable[[str], Sequence[str]]


class NameUnknown(OSError):
    """The name has no address, or nobody told one and none is known from before."""


def system_lookup(host: str) -> list[str]:
    """All addresses of `host` in the system's order of preference (RFC 6724). Blocks; raises OSError."""
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(info[4][0]) for info in found))


class Resolver:
    """Remembers what each name meant. Nothing to close: a thread lives as long as its lookup."""

    def __init__(
        self, lookup: Lookup = system_lookup, *, patience_seconds: float = _PATIENCE_SECONDS
    ) -> None:
        """`lookup` blocks in a thread of its own and raises OSError when it fails."""
        self._lookup = lookup
        self._patience_seconds = patience_seconds
        self._good: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self._running: dict[str, asyncio.Future[tuple[str, ...]]] = {}

    async def addresses(self, host: str) -> tuple[str, ...]:
        """The addresses of `host`, best first, at least one. A literal address is its own answer.

        Answers within the patience when the name was ever resolved; else as soon as the name server does:
        the caller's deadline bounds that. Raises `NameUnknown`.
        """
        if is_address(host):
            return (host,)
        answer = self._asked(host)
        known = self._good.get(host)
        try:
            # Shielded: a late answer is still worth keeping, and others may wait for the same one.
            async with asyncio.timeout(self._patience_seconds if known else None):
                return await asyncio.shield(answer)
        except (TimeoutError, OSError) as error:
            if known:
                return known
            raise NameUnknown(host) from error

    def _asked(self, host: str) -> asyncio.Future[tuple[str, ...]]:
        """The answer to come: of the lookup that runs for `host`, or of a new one."""
        running = self._running.get(host)
        if running is not None:
            return running
        answer: asyncio.Future[tuple[str, ...]] = asyncio.get_running_loop().create_future()
        if len(self._running) >= _LOOKUPS_AT_ONCE:
            answer.set_exception(NameUnknown(f"{host}: the name server does not answer"))
            return answer
        self._running[host] = answer
        # Nobody may be left to hear of a failure; that is no defect.
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())
        loop = asyncio.get_running_loop()
        threading.Thread(
            target=self._look_up, args=(host, loop), name=f"dns-{host[:40]}", daemon=True
        ).start()
        return answer

    def _look_up(self, host: str, loop: asyncio.AbstractEventLoop) -> None:
        """In the lookup's thread."""
        found: tuple[str, ...] | NameUnknown
        try:
            found = tuple(self._lookup(host)[:_MAX_ADDRESSES]) or NameUnknown(host)
        except (OSError, UnicodeError) as error:
            found = NameUnknown(getattr(error, "strerror", None) or type(error).__name__)
        # The agent may have ended while the name server was mute.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(self._finish, host, found, threading.current_thread())

    def _finish(self, host: str, found: tuple[str, ...] | NameUnknown, thread: threading.Thread) -> None:
        # To call us was the last that it did: it ends now, and nobody sees one more than there are lookups.
        thread.join()
        answer = self._running.pop(host)
        if isinstance(found, NameUnknown):
            answer.set_exception(found)
            return
        self._good[host] = found
        self._good.move_to_end(host)
        if len(self._good) > _MAX_NAMES:
            self._good.popitem(last=False)
        answer.set_result(found)


def is_address(host: str) -> bool:
    """Whether `host` is a literal IPv4 or IPv6 address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
