"""Which code logs in next, and the activation that a person follows on the command line."""

import asyncio
import logging
from collections.abc import Callable

from connector.domain.credentials import Activation, Code, CodeKind, Credentials
from connector.domain.errors import AuthError, ConnectorError
from connector.domain.faults import FaultId
from connector.store.credentials import CredentialsFile

# A person waits in front of a terminal; the agent itself goes on trying.
PATIENCE_SECONDS = 60.0

_log = logging.getLogger(__name__)


class Activator:
    """Owns the credentials. `retry_now` makes the cloud link try at once."""

    def __init__(self, file: CredentialsFile, retry_now: Callable[[], None]) -> None:
        self._file = file
        self._retry_now = retry_now
        self._credentials = Credentials.none()
        self._refused: set[CodeKind] = set()
        self._watchers: set[asyncio.Queue[str | ConnectorError]] = set()
        self._one_at_a_time = asyncio.Lock()
        self._changing: set[asyncio.Task[None]] = set()

    async def load(self) -> None:
        """Read the stored codes. Raises `StoreError`."""
        self._credentials = await asyncio.to_thread(self._file.load)

    @property
    def activation(self) -> Activation:
        """The state as shown."""
        return self._credentials.activation

    def next_code(self) -> Code:
        """The code for the next login: the best one that was not refused yet.

        Raises `AuthError` (not-activated) when there is none at all.
        """
        candidates = self._credentials.candidates()
        if not candidates:
            raise AuthError(FaultId.NOT_ACTIVATED, link="cloud")
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

    async def forget(self) -> None:
        """A reset or delete from the cloud: the codes go, every other parameter stays."""
        await self._change(lambda _: Credentials.none())

    def failed(self, error: ConnectorError, used: Code | None) -> bool:
        """A life of the cloud link ended with `error`; True when another code should be tried at once."""
        if error.fault is not FaultId.CLOUD_NOT_AUTHORIZED or used is None:
            self._tell(error)
            return False
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

    def _tell(self, event: str | ConnectorError) -> None:
        """An empty sentence is the end: the access code is stored."""
        for watcher in self._watchers:
            watcher.put_nowait(event)
