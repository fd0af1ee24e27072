"""Who may connect, and how often codes may be guessed. PURE: times are monotonic seconds.

Only the public activation code can be guessed: it is four digits. A private one is 128 random bits, so it is
let in whatever else was tried: nobody is kept out by other people's guesses for longer than an activation.
"""

from collections import Counter, OrderedDict, deque
from dataclasses import dataclass
from typing import Generic, TypeVar

# Names and addresses that are remembered for their wrong codes. Each address has twenty tries an hour, so
# that pushing one name out takes five hundred addresses.
MAX_REMEMBERED = 10_000
_HOUR_SECONDS = 3_600.0

WRONG_CODE = "not-authorized"
# RFC 6120, 6.5.10: an agent with the right code waits, instead of taking its code for a wrong one.
TOO_MANY_GUESSES = "temporary-auth-failure"


@dataclass(frozen=True, slots=True)
class GuessLimits:
    """After `per_name` wrong codes a name's public code is closed for `pause_seconds`.

    Never for good, because that would let anybody lock anybody out. An address has `per_address_hourly` tries
    at any names.
    """

    per_name: int = 5
    pause_seconds: float = 900.0
    per_address_hourly: int = 20


@dataclass(slots=True)
class _Name:
    wrong: int = 0
    paused_until: float = 0.0


class Guesses:
    """The wrong codes of the last hour. Names that nobody has are counted like others: they answer alike."""

    def __init__(self, limits: GuessLimits, capacity: int = MAX_REMEMBERED) -> None:
        self._limits = limits
        self._capacity = capacity
        self._names: OrderedDict[str, _Name] = OrderedDict()
        self._addresses: OrderedDict[str, deque[float]] = OrderedDict()
        self.refused = 0

    def verdict(self, name: str, address: str, now: float, *, is_right: bool, is_guessable: bool) -> str:
        """The SASL failure to answer a login with, empty for welcome.

        `is_guessable` is False only for a right code that is private.
        """
        if is_right and not is_guessable:
            return ""
        if self.is_paused(name, now) or self._tries_left(address, now) <= 0:
            self.refused += 1
            return TOO_MANY_GUESSES
        if is_right:
            self._names.pop(name, None)
            return ""
        self._count(name, address, now)
        return WRONG_CODE

    def is_paused(self, name: str, now: float) -> bool:
        """Whether the name's public code is closed."""
        known = self._names.get(name)
        return known is not None and now < known.paused_until

    def paused(self, now: float) -> list[tuple[str, float]]:
        """The names that are closed now, with the seconds left."""
        return [(name, one.paused_until - now) for name, one in self._names.items() if now < one.paused_until]

    def _tries_left(self, address: str, now: float) -> int:
        tries = self._addresses.get(address)
        if tries is None:
            return self._limits.per_address_hourly
        while tries and tries[0] <= now - _HOUR_SECONDS:
            tries.popleft()
        return self._limits.per_address_hourly - len(tries)

    def _count(self, name: str, address: str, now: float) -> None:
        known = self._names.setdefault(name, _Name())
        known.wrong += 1
        if known.wrong >= self._limits.per_name:
            known.wrong, known.paused_until = 0, now + self._limits.pause_seconds
        self._addresses.setdefault(address, deque()).append(now)
        self._names.move_to_end(name)
        self._addresses.move_to_end(address)
        while len(self._names) > self._capacity:
            self._names.popitem(last=False)
        while len(self._addresses) > self._capacity:
            self._addresses.popitem(last=False)


@dataclass(frozen=True, slots=True)
class AdmissionLimits:
    """How many sessions there may be: in all, from one address, and before they have logged in.

    `gateway.Options` has the numbers and their reasons.
    """

    in_all: int
    per_address: int
    before_login: int


Session = TypeVar("Session")


class Admission(Generic[Session]):
    """Counts sessions and says no."""

    def __init__(self, limits: AdmissionLimits) -> None:
        self._limits = limits
        self._addresses: dict[Session, str] = {}
        self._per_address: Counter[str] = Counter()
        self._before_login: set[Session] = set()
        self.refused: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._addresses)

    @property
    def before_login(self) -> int:
        """How many have not logged in yet."""
        return len(self._before_login)

    def refusal(self, address: str) -> str:
        """Why one more from `address` can't be taken; empty if it can."""
        reason = ""
        if len(self) >= self._limits.in_all:
            reason = "too many agents"
        elif self._per_address.get(address, 0) >= self._limits.per_address:
            reason = "too many agents of this address"
        elif len(self._before_login) >= self._limits.before_login:
            reason = "too many that do not log in"
        if reason:
            self.refused[reason] += 1
        return reason

    def opened(self, session: Session, address: str) -> None:
        """One more."""
        self._addresses[session] = address
        self._per_address[address] += 1
        self._before_login.add(session)

    def logged_in(self, session: Session) -> None:
        """It is one of ours."""
        self._before_login.discard(session)

    def closed(self, session: Session) -> None:
        """One less."""
        address = self._addresses.pop(session, None)
        self._before_login.discard(session)
        if address is None:
            return
        self._per_address[address] -= 1
        if not self._per_address[address]:
            del self._per_address[address]
