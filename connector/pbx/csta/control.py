"""Call control on one CSTA link: domain commands into requests, the answers into outcomes.

A command is one request, sent once. Requests leave in the order of the commands, no faster than the PBX takes
them; one that can't leave soon is not sent at all, since its user has given up by then.
"""

import asyncio
import math
from collections.abc import Callable
from typing import Final

from connector.domain.calls import ConnectionId
from connector.domain.commands import Command, CommandDone, CommandRefused, Outcome, Refused
from connector.domain.errors import LocalProtocolError
from connector.domain.ports import Clock
from connector.pbx.csta import mapping
from connector.pbx.csta.requests import InvalidConnection, request_of
from connector.wire import rose
from connector.wire.csta import errors, switching
from connector.wire.csta import messages as m

# Longer, and the person who clicked has lifted the handset instead.
HOLD_SECONDS = 3.0
# More wait only for a PBX that hangs: its answers make room for the next ones.
MAX_WAITING = 30
# Commands in progress at one time: the PBX answers in tens of milliseconds, so more only hides that it hangs.
MAX_OPEN = 4

NO_PBX: Final = CommandRefused(Refused.NO_PBX)
UNKNOWN: Final = CommandRefused(Refused.UNKNOWN_OUTCOME)
_BUSY: Final = CommandRefused(Refused.BUSY)
_EXPIRED: Final = CommandRefused(Refused.EXPIRED)
_UNSUPPORTED: Final = CommandRefused(Refused.UNSUPPORTED)
# CSTA's numbers and names of agents are IA5 strings.
_NOT_WRITABLE: Final = CommandRefused(Refused.PBX, errors.VALUE_OUT_OF_RANGE.word)
_NO_CONNECTION: Final = CommandRefused(Refused.PBX, errors.INVALID_CONNECTION.word)

_Answer = asyncio.Future[Outcome]


class CallControl:
    """The commands of one link. `send` puts a request on it and returns its invoke id.

    `interval_seconds` lies between two requests: 0 for a PBX without a limit.
    """

    def __init__(
        self,
        send: Callable[[m.Request], int],
        clock: Clock,
        *,
        interval_seconds: float,
        max_open: int = MAX_OPEN,
    ) -> None:
        self._send = send
        self._clock = clock
        self._interval = interval_seconds
        self._next_at = 0.0
        self._waiting = 0
        self._turn = asyncio.Lock()
        self._room = asyncio.Semaphore(max_open)
        self._open: dict[int, _Answer] = {}

    async def execute(
        self, command: Command, phase: m.Phase, numbers: frozenset[str], until: float = math.inf
    ) -> Outcome:
        """Ask the PBX for `command`. `numbers` are its devices: a connection may name one as it is.

        Nothing is sent at or after `until`, monotonic seconds: a command that waited too long is not run.
        """
        try:
            request = request_of(command, phase, numbers)
        except InvalidConnection:
            return _NO_CONNECTION  # as the PBX would say: no event named that connection
        if request is None:
            return _UNSUPPORTED
        if self._waiting >= MAX_WAITING or self._wait_seconds() > HOLD_SECONDS:
            return _BUSY
        answer = await self._send_in_turn(request, until)
        return answer if not isinstance(answer, asyncio.Future) else await answer

    def _wait_seconds(self) -> float:
        """How long the pace alone holds back who comes now."""
        return self._next_at + self._waiting * self._interval - self._clock.monotonic()

    async def _send_in_turn(self, request: m.Request, until: float) -> _Answer | CommandRefused:
        """The answer to come, once `request` is sent, or why it was not."""
        self._waiting += 1
        try:
            async with asyncio.timeout(HOLD_SECONDS), self._turn:
                if (pause := self._next_at - self._clock.monotonic()) > 0:
                    await asyncio.sleep(pause)
                await self._room.acquire()
                if self._clock.monotonic() >= until:
                    self._room.release()
                    return _EXPIRED
                return self._sent(request)
        except TimeoutError:
            return _BUSY
        finally:
            self._waiting -= 1

    def _sent(self, request: m.Request) -> _Answer | CommandRefused:
        try:
            invoke_id = self._send(request)
        except LocalProtocolError:
            self._room.release()
            return NO_PBX  # the link ended meanwhile
        except UnicodeEncodeError:
            self._room.release()
            return _NOT_WRITABLE
        self._next_at = self._clock.monotonic() + self._interval
        answer: _Answer = asyncio.get_running_loop().create_future()
        self._open[invoke_id] = answer
        return answer

    def succeeded(self, invoke_id: int, result: m.Result) -> bool:
        """The PBX did it. False if `invoke_id` is no command's."""
        return self._settle(invoke_id, CommandDone(_connections(result)))

    def failed(self, invoke_id: int, error: errors.ServiceError | rose.Reject | None) -> bool:
        """The PBX refused, or stayed silent (None). False if `invoke_id` is no command's."""
        return self._settle(invoke_id, _refusal(error))

    def end(self) -> None:
        """The link is over: nobody will learn what became of the commands in progress."""
        for invoke_id in list(self._open):
            self._settle(invoke_id, UNKNOWN)

    def _settle(self, invoke_id: int, outcome: Outcome) -> bool:
        answer = self._open.pop(invoke_id, None)
        if answer is None:
            return False
        self._room.release()
        if not answer.done():  # whoever waited for it may have been cancelled
            answer.set_result(outcome)
        return True


def _connections(result: m.Result) -> tuple[ConnectionId, ...]:
    match result:
        case switching.CallInitiated(connection):
            return (mapping.connection_id(connection),)
        case switching.CallsJoined(connection, listed):
            own = mapping.connection_id(connection)
            others = (mapping.connection_id(entry.connection) for entry in listed)
            return (own, *(other for other in others if other != own))
        case _:
            return ()


def _refusal(error: errors.ServiceError | rose.Reject | None) -> CommandRefused:
    if error is None:
        return UNKNOWN
    if isinstance(error, errors.ServiceError):
        return CommandRefused(Refused.PBX, error.word)
    problem = (error.kind, error.problem)
    if problem == rose.UNRECOGNISED_OPERATION:
        return _UNSUPPORTED
    word = errors.RESOURCE_BUSY.word if problem == rose.RESOURCE_LIMITATION else errors.GENERIC.word
    return CommandRefused(Refused.PBX, word)
