"""Which code logs in next, and the activation that a person follows on the command line."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime

from connector.agent.alarms import AlarmBoard
from connector.domain.credentials import NO_CODE, Activation, Code, CodeKind, Credentials, Voided
from connector.domain.errors import AuthError, ConnectorError, StoreError
from connector.domain.faults import FaultId
from connector.store.credentials import CredentialsFile

# A person waits in front of a terminal; the agent itself goes on trying.
PATIENCE_SECONDS = 60.0

_log = logging.getLogger(__name__)


class Activator:
    """Owns the credentials. `retry_now` makes the cloud link try at once."""

    def __init__(self, file: CredentialsFile, retry_now: Callable[[], None], alarms: AlarmBoard) -> None:
        self._file = file
        self._retry_now = retry_now
        self._alarms = alarms
        self._trouble: StoreError | None = None
        self._credentials = Credentials.none()
        self._refused: set[CodeKind] = set()
        self._watchers: set[asyncio.Queue[str | ConnectorError]] = set()
        self._one_at_a_time = asyncio.Lock()
        self._changing: set[asyncio.Task[None]] = set()

    async def load(self, at: datetime) -> None:
        """Read the stored codes at the start, `at` (UTC). What is wrong with them is an alarm."""
        loaded = await asyncio.to_thread(self._file.load, at)
        self._credentials, self._trouble = loaded.credentials, loaded.trouble
        if self._trouble is not None:
            self._alarms.report(self._trouble.fault, self._trouble.detail)

    @property
    def activation(self) -> Activation:
        """The state as shown."""
        return self._credentials.activation

    def next_code(self) -> Code:
        """The code for the next login: the best one that was not refused yet.

        Raises `AuthError` when there is none at all, with the fault that says why: one of `NO_CODE`.
        """
        candidates = self._credentials.candidates()
        if not candidates:
            raise self._no_code()
        fresh = [code for code in candidates if code.kind not in self._refused]
        return (fresh or candidates)[0]

    async def logged_in(self, code: Code) -> None:
        """A login with `code` succeeded."""
        self._refused.clear()
        self._tell(f"The gateway accepted the {code.kind.value} code.")
        await self._change(lambda known: known.proven(code.kind))

    async def keep_access_code(self, code: str) -> None:
        """The gateway proposed an access code: store it before it is acknowledged. Raises `StoreError`."""
        await self._change(lambda known: known.with_access_code(code))
        _log.info("access code stored")
        self._tell("")

    async def forget(self, voided: Voided) -> None:
        """A reset or delete: the codes go, every other parameter stays. Raises `StoreError`."""
        await self._change(lambda _: Credentials.none(voided))

    async def reset(self) -> None:
        """`oxbridge reset`: forget the codes and end the link that they opened. Raises `StoreError`."""
        await self.forget(Voided.ON_SITE)
        self._retry_now()

    def failed(self, error: ConnectorError, used: Code | None) -> bool:
        """A life of the cloud link ended with `error`; True when there is no reason to wait.

        That is: another code should be tried, or there is none any more, which the next life will tell.
        """
        if error.fault is FaultId.ENDED_ON_SITE:
            return False  # our own doing is nobody's news
        if error.fault is not FaultId.CLOUD_NOT_AUTHORIZED or used is None:
            self._tell(error)
            # A reset just took the last code: say so now, not after a wait.
            return not self._credentials.candidates() and error.fault not in NO_CODE
        self._refused.add(used.kind)
        untried = {code.kind for code in self._credentials.candidates()} - self._refused
        if used.kind is CodeKind.ACTIVATION or not untried:
            self._tell(error)
        if not untried:
            self._refused.clear()  # after the wait both get their chance again
        return bool(untried)

    async def activate(self, code: str, progress: Callable[[str], None]) -> str:
        """Log in with a code that a person typed; returns when the access code is stored.

        Raises `AuthError` when the gateway refuses it, or the last failure after `PATIENCE_SECONDS`.
        """
        events: asyncio.Queue[str | ConnectorError] = asyncio.Queue()
        self._watchers.add(events)
        try:
            self._refused.clear()
            await self._change(lambda known: known.with_activation_code(code))
            progress("The code is stored. Connecting to the gateway…")
            self._retry_now()
            return await self._follow(events, progress)
        finally:
            self._watchers.discard(events)

    def _no_code(self) -> AuthError:
        voided = self._credentials.voided
        if voided is not None:
            return AuthError(voided.fault, link="cloud")
        if self._trouble is not None and self._trouble.fault in NO_CODE:
            return AuthError(self._trouble.fault, self._trouble.detail, link="cloud")
        return AuthError(FaultId.NOT_ACTIVATED, link="cloud")

    async def _follow(
        self, events: "asyncio.Queue[str | ConnectorError]", progress: Callable[[str], None]
    ) -> str:
        last: ConnectorError | None = None
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while event := await events.get():
                    if isinstance(event, ConnectorError):
                        last = event
                        await self._give_up_if_refused(event)
                        progress(f"{event} Trying again…")
                    else:
                        progress(event)
        except TimeoutError:
            raise last or AuthError(FaultId.CLOUD_SILENT, link="cloud") from None
        return "This agent is activated."

    async def _give_up_if_refused(self, error: ConnectorError) -> None:
        if error.fault is not FaultId.CLOUD_NOT_AUTHORIZED:
            return
        if self._credentials.is_proven:
            # The access code that works stays, and is tried by now; the mistyped one goes.
            await self._change(lambda known: known.without_activation_code())
        raise error

    async def _change(self, change: Callable[[Credentials], Credentials]) -> None:
        """Save what `change` makes of the credentials, then use it. Raises `StoreError`.

        Whoever waits for it may go away half-way; the change goes on, so that memory and disk stay alike.
        """
        changing = asyncio.create_task(self._make(change), name="credentials-change")
        self._changing.add(changing)
        changing.add_done_callback(self._changing.discard)
        await asyncio.shield(changing)

    async def _make(self, change: Callable[[Credentials], Credentials]) -> None:
        async with self._one_at_a_time:
            changed = change(self._credentials)
            if changed != self._credentials:
                await asyncio.to_thread(self._file.save, changed)
                self._credentials = changed
                self._end_trouble()

    def _end_trouble(self) -> None:
        """What stands on disk now is ours and whole."""
        if self._trouble is not None:
            self._alarms.clear(self._trouble.fault)
            self._trouble = None

    def _tell(self, event: str | ConnectorError) -> None:
        """An empty sentence is the end: the access code is stored."""
        for watcher in self._watchers:
            watcher.put_nowait(event)
