"""Commands from the cloud: each is done at most once, never after its deadline, and answered exactly once.

    judged → claimed (its id is on disk) → looked at the clock again → executed → settled (on disk) → answered

A crash between claim and settlement leaves a row that runs, which the next start reads as an unknown outcome.
The ids of the last day are all in memory, so that a request that repeats one costs no disk.
"""

import asyncio
import hashlib
import logging
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from connector.bridge.command_judge import MINUTE_SECONDS, CommandJudge, CommandLimits, Surroundings
from connector.domain.calls import ConnectionId
from connector.domain.command_policy import CommandPolicy
from connector.domain.commands import (
    Answer,
    Command,
    CommandDone,
    CommandExecutor,
    CommandLedger,
    CommandRefused,
    CommandRequest,
    Outcome,
    Refused,
    Remembered,
    Verb,
    destination_of,
)
from connector.domain.errors import StoreError
from connector.domain.identifiers import masked
from connector.domain.numbers import DialPlan
from connector.domain.ports import Clock

__all__ = ["CommandDesk", "CommandLimits"]

# protocol, section 3: a day, far longer than any deadline lives.
KEEP_SECONDS = 86_400
# One command a second for a day, and some: what a gateway can fill memory with, at 500 bytes each.
MAX_REMEMBERED = 100_000
# Requests refused before they were begun, so that a repeated id gets the same answer. A gateway that sends
# more of them is judged anew.
MAX_TURNED_AWAY = 1_000
# Requests that repeat an id while it runs: a gateway repeats after seconds, and a PBX answers in seconds.
MAX_ANSWERS = 16

_BUSY = CommandRefused(Refused.BUSY)
_EXPIRED = CommandRefused(Refused.EXPIRED)
_STORE = CommandRefused(Refused.STORE)
_UNKNOWN = CommandRefused(Refused.UNKNOWN_OUTCOME)

_log = logging.getLogger(__name__)


def _is_named_so(device: str, connection: ConnectionId) -> bool:
    return connection.device == device


def _as_it_is(number: str) -> str:
    return number


def _is_none(_number: str) -> bool:
    return False


@dataclass(slots=True)
class _Running:
    """`until` is the deadline on the clock that never jumps."""

    request: CommandRequest
    command: Command
    begun: Remembered
    until: float
    answers: list[Answer] = field(default_factory=list)
    outcome: Outcome = _UNKNOWN


class CommandDesk:
    """Takes requests of the bound gateway. `attach` says who executes them; `recover` comes first of all.

    For `plan`, `dialled`, `owns` and `is_device` see `connector.bridge.command_judge.Surroundings`.
    """

    def __init__(
        self,
        policy: CommandPolicy,
        ledger: CommandLedger,
        clock: Clock,
        *,
        plan: Callable[[], DialPlan],
        dialled: Callable[[str], str] = _as_it_is,
        owns: Callable[[str, ConnectionId], bool] = _is_named_so,
        is_device: Callable[[str], bool] = _is_none,
        limits: CommandLimits | None = None,
    ) -> None:
        self._limits = limits or CommandLimits()
        surroundings = Surroundings(plan, dialled, owns, is_device)
        self._judge = CommandJudge(policy, surroundings, self._limits, clock)
        self._ledger = ledger
        self._clock = clock
        self._executor: CommandExecutor | None = None
        # What every new command is refused with now: at first because nobody knows what was begun before.
        self._closed: CommandRefused | None = _STORE
        self._known: OrderedDict[str, Remembered] = OrderedDict()
        self._turned_away: OrderedDict[str, tuple[str, Outcome]] = OrderedDict()
        self._running: dict[str, _Running] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._counts: Counter[tuple[Verb, str]] = Counter()

    @property
    def counts(self) -> Mapping[tuple[Verb, str], int]:
        """How many requests of a verb ended as "done", as a word of `Refused`, or were "repeated"."""
        return self._counts

    async def recover(self) -> Sequence[str]:
        """Read what is remembered; the ids that ran when the last process ended. Raises `StoreError`."""
        now, monotonic = self._clock.now(), self._clock.monotonic()
        recovery = await self._ledger.recover(now)
        for entry in recovery.commands:
            self._known[entry.id] = entry
            age_seconds = (now - entry.at).total_seconds()
            if 0 <= age_seconds < MINUTE_SECONDS:  # a restart gives nobody a fresh minute
                self._judge.count(entry.verb, entry.user, monotonic - age_seconds)
        self._closed = None
        return recovery.interrupted

    def remembered(self, id_: str) -> Remembered | None:
        """A command that was begun within the last day, by this process or another one."""
        running = self._running.get(id_)
        return self._known.get(id_) if running is None else running.begun

    def attach(self, executor: CommandExecutor) -> None:
        """The PBX can be commanded."""
        self._executor = executor

    def detach(self) -> None:
        """It can't any more; commands under way end by themselves."""
        self._executor = None

    def received(self, request: CommandRequest, answer: Answer) -> None:
        """Take one request; returns at once. `answer` is called exactly once, perhaps before that."""
        self._forget_old()
        fingerprint = _fingerprint(request)
        if self._repeat(request, fingerprint, answer):
            return
        command = self._verdict(request)
        if isinstance(command, CommandRefused):
            self._turn_away(request, fingerprint, command)
            self._account(request, command)
            _tell(answer, command)
        else:
            self._begin(request, command, fingerprint, answer)

    async def aclose(self) -> None:
        """Take nothing new; let what runs end within the grace period; what is left is unknown."""
        self._closed = _BUSY
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._limits.grace_seconds)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # What was seen before ------------------------------------------------------------------------------

    def _repeat(self, request: CommandRequest, fingerprint: str, answer: Answer) -> bool:
        """Answer a request whose id was seen before, or let it wait for what it repeats."""
        begun = self.remembered(request.id)
        known = (begun.fingerprint, begun.outcome) if begun else self._turned_away.get(request.id)
        if known is None:
            return False
        running = self._running.get(request.id)
        if known[0] != fingerprint:
            self._account(request, CommandRefused(Refused.CONFLICT))
            _tell(answer, CommandRefused(Refused.CONFLICT))
            return True
        self._counts[request.verb, "repeated"] += 1
        if running is not None and len(running.answers) < MAX_ANSWERS:
            running.answers.append(answer)
        else:
            _tell(answer, known[1] or _UNKNOWN)
        return True

    def _turn_away(self, request: CommandRequest, fingerprint: str, outcome: Outcome) -> None:
        self._turned_away[request.id] = (fingerprint, outcome)
        if len(self._turned_away) > MAX_TURNED_AWAY:
            self._turned_away.popitem(last=False)

    def _forget_old(self) -> None:
        oldest = self._clock.now() - timedelta(seconds=KEEP_SECONDS)
        while self._known and next(iter(self._known.values())).at < oldest:
            self._known.popitem(last=False)

    # One command ---------------------------------------------------------------------------------------

    def _verdict(self, request: CommandRequest) -> Command | CommandRefused:
        verdict = self._judge.judge(request)
        if isinstance(verdict, CommandRefused):
            return verdict
        if self._closed is not None:
            return self._closed
        is_full = len(self._known) + len(self._running) >= MAX_REMEMBERED
        if is_full or len(self._running) >= self._limits.in_flight:
            return _BUSY
        return CommandRefused(Refused.NO_PBX) if self._executor is None else verdict

    def _begin(self, request: CommandRequest, command: Command, fingerprint: str, answer: Answer) -> None:
        now, monotonic = self._clock.now(), self._clock.monotonic()
        self._judge.count(request.verb, request.user, monotonic)
        ahead_seconds = (request.deadline - now).total_seconds()
        until = monotonic + min(ahead_seconds, self._limits.max_ahead_seconds)
        begun = Remembered(
            id=request.id,
            verb=request.verb,
            device=request.device,
            user=request.user,
            fingerprint=fingerprint,
            at=now,
            deadline=request.deadline,
        )
        running = _Running(request, command, begun, until, [answer])
        self._running[request.id] = running
        task = asyncio.create_task(self._run(running), name=f"command {request.verb.value}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, running: _Running) -> None:
        is_claimed = False
        try:
            await self._ledger.claim(running.begun)
            is_claimed = True
            running.outcome = await self._execute(running)
            await self._ledger.settle(running.begun.id, running.outcome)
        except StoreError as error:
            # Before the claim nothing was asked. After it the outcome is known here, and unknown to the next
            # process.
            running.outcome = running.outcome if is_claimed else _STORE
            _log.warning("command not written down", extra={"id": running.begun.id, "reason": str(error)})
        finally:
            self._end(running, is_claimed=is_claimed)

    async def _execute(self, running: _Running) -> Outcome:
        """Ask the PBX, if there is still time: the disk may have taken a while, and the clock jumped."""
        if self._clock.now() >= running.begun.deadline or self._clock.monotonic() >= running.until:
            return _EXPIRED
        if self._executor is None:
            return CommandRefused(Refused.NO_PBX)
        try:
            async with asyncio.timeout(self._limits.execution_seconds):
                return await self._executor.execute(running.command, running.until)
        except TimeoutError:
            return _UNKNOWN
        except Exception:  # a defect of the adapter: nobody knows what the PBX was told
            _log.exception("a command failed by a defect")
            return _UNKNOWN

    def _end(self, running: _Running, *, is_claimed: bool) -> None:
        request, outcome = running.request, running.outcome
        del self._running[request.id]
        if is_claimed:
            self._known[request.id] = replace(running.begun, outcome=outcome)
        else:
            self._turn_away(request, running.begun.fingerprint, outcome)
        self._account(request, outcome)
        for answer in running.answers:
            _tell(answer, outcome)

    def _account(self, request: CommandRequest, outcome: Outcome) -> None:
        """Count, and write a line for the audit: the device is an internal number, what it dials is not."""
        word, error = _words(outcome)
        self._counts[request.verb, word] += 1
        _log.info(
            "command",
            extra={
                "id": request.id,
                "verb": request.verb.value,
                "device": request.device,
                "user": request.user,
                "to": masked(destination_of(request.command)),
                "outcome": word,
                "reason": error,
            },
        )


def _tell(answer: Answer, outcome: Outcome) -> None:
    try:
        answer(outcome)
    except Exception:  # the link of one request must not cost the others their answers
        _log.exception("an answer to a command could not be given")


def _words(outcome: Outcome) -> tuple[str, str]:
    if isinstance(outcome, CommandDone):
        return "done", ""
    return outcome.reason.value, outcome.error


def _fingerprint(request: CommandRequest) -> str:
    """Tells two commands with one id apart. Passwords and digits are not in their text, hence not in it."""
    text = repr((request.device, request.user, request.command))
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]
