"""Whether a command may be done now: deadline, lists, numbers, rates. Decides at once, keeps only rates."""

from collections.abc import Callable
from dataclasses import dataclass

from connector.domain.calls import ConnectionId
from connector.domain.command_policy import DESTINATION_INVALID, DEVICE_REFUSED, CommandPolicy
from connector.domain.commands import (
    Command,
    CommandRefused,
    CommandRequest,
    Refused,
    Verb,
    connections_of,
    destination_of,
    device_of,
    with_destination,
)
from connector.domain.numbers import DialPlan
from connector.domain.ports import Clock
from connector.domain.rates import SlidingWindow

MINUTE_SECONDS = 60.0
# What makes the PBX dial: now, or for every later caller.
_DIALLING = frozenset({Verb.MAKE_CALL, Verb.CONSULTATION_CALL, Verb.DEFLECT_CALL, Verb.SET_FORWARDING})


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandLimits:
    """How much, and how long.

    A deadline further ahead than `max_ahead_seconds` is cut to it: nobody waits longer at a telephone.
    `execution_seconds` is over the PBX link's own time-out for a request.
    """

    commands_per_user_minute: int = 60
    # What peers let a user dial: more is a machine, not a person.
    dials_per_user_minute: int = 5
    # A PBX takes 30 open requests at most; more would only wait.
    in_flight: int = 32
    max_ahead_seconds: float = 300.0
    execution_seconds: float = 20.0
    grace_seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the rest of the agent knows.

    `plan` is the present dial plan; `dialled` makes of a number what goes to the PBX, "" for nothing that can
    be dialled; `owns` says whether a connection is one of a device; `is_device` whether the PBX has a device
    with that number.
    """

    plan: Callable[[], DialPlan]
    dialled: Callable[[str], str]
    owns: Callable[[str, ConnectionId], bool]
    is_device: Callable[[str], bool]


class CommandJudge:
    """Applies the site's lists and limits."""

    def __init__(
        self, policy: CommandPolicy, surroundings: Surroundings, limits: CommandLimits, clock: Clock
    ) -> None:
        self._policy = policy
        self._surroundings = surroundings
        self._clock = clock
        self._commands = SlidingWindow(limits.commands_per_user_minute, MINUTE_SECONDS)
        self._dials = SlidingWindow(limits.dials_per_user_minute, MINUTE_SECONDS)

    def judge(self, request: CommandRequest) -> Command | CommandRefused:
        """What to execute for `request`, or why nothing. What passes does not count before `count`."""
        if request.deadline <= self._clock.now():
            return CommandRefused(Refused.EXPIRED)
        number = destination_of(request.command)
        dialled = self._surroundings.dialled(number) if number else ""
        command = with_destination(request.command, dialled) if number else request.command
        word = self._refusal_of_use(request) or (self._refusal_of_number(command) if number else "")
        if word:
            return CommandRefused(Refused.FORBIDDEN, word)
        return command if self._has_room(request.verb, request.user) else CommandRefused(Refused.BUSY)

    def count(self, verb: Verb, user: str, monotonic: float) -> None:
        """`user` began a command at `monotonic`."""
        self._commands.take(user, monotonic)
        if verb in _DIALLING:
            self._dials.take(user, monotonic)

    def _refusal_of_use(self, request: CommandRequest) -> str:
        word = self._policy.refusal_of_use(request.device, request.verb)
        if word:
            return word
        command, device = request.command, request.device
        is_own = device_of(command) in ("", device) and all(
            self._surroundings.owns(device, connection) for connection in connections_of(command)
        )
        return "" if is_own else DEVICE_REFUSED

    def _refusal_of_number(self, command: Command) -> str:
        number = destination_of(command)
        if not number:
            return DESTINATION_INVALID
        is_device = self._surroundings.is_device(number)
        return self._policy.refusal_of_destination(command, self._surroundings.plan(), is_device=is_device)

    def _has_room(self, verb: Verb, user: str) -> bool:
        now = self._clock.monotonic()
        return self._commands.has_room(user, now) and (
            verb not in _DIALLING or self._dials.has_room(user, now)
        )
