"""Which code logs in, what a person at the terminal is told, and what is kept whatever happens."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from connector.agent import activation as module
from connector.agent.activation import Activator
from connector.agent.alarms import AlarmBoard
from connector.domain.credentials import NO_CODE, Activation, Code, CodeKind, Credentials, Voided
from connector.domain.errors import AuthError, ConnectorError, DialError, LinkClosed, StoreError
from connector.domain.faults import FaultId
from connector.store.credentials import CredentialsFile
from connector.store.sealing import Host, Sealer
from tests.agent.clocks import NOON, StillClock
from tests.store.hosts import MACHINE, PBX_ID, credentials_file

pytestmark = pytest.mark.usefixtures("no_task_left")

PUBLIC, OTHER, PRIVATE = "4711", "4712", "9f0c2ab1d3e4"
REFUSED = AuthError(FaultId.CLOUD_NOT_AUTHORIZED, link="cloud")
UNREACHABLE = DialError(FaultId.CLOUD_UNREACHABLE, "127.0.0.1", link="cloud")


class BrokenFile(CredentialsFile):
    """A disk that can be full."""

    is_full = False

    def save(self, credentials: Credentials) -> None:
        if self.is_full:
            raise StoreError(FaultId.STORE_UNUSABLE, "credentials.json: no space")
        super().save(credentials)


class Site:
    """An activator with its file; `tries` counts how often the link was told to try at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = StillClock()
        self.alarms = AlarmBoard(self.clock)
        self.file = BrokenFile(path, Sealer(path.parent, PBX_ID, Host(MACHINE)))
        self.tries = 0
        self._tried = asyncio.Event()
        self.activator = Activator(self.file, self._try, self.alarms)
        self.told: list[str] = []

    async def activate(self, code: str, *steps: Callable[[], Awaitable[None] | bool]) -> str:
        """Activate, with `steps` of the link once it was told to try."""
        self._tried.clear()
        waiting = asyncio.create_task(self.activator.activate(code, self.told.append))
        await asyncio.wait(
            [waiting, trying := asyncio.create_task(self._tried.wait())], return_when="FIRST_COMPLETED"
        )
        trying.cancel()
        for step in steps:
            result = step()
            if not isinstance(result, bool):
                await result
        return await waiting

    def shown(self) -> Activation:
        """The state that a person sees."""
        return self.activator.activation

    def login(self) -> Code:
        """What the link would log in with now."""
        return self.activator.next_code()

    def is_refused(self) -> bool:
        """The gateway refuses the code that comes next; whether another should be tried at once."""
        return self.activator.failed(REFUSED, self.login())

    async def accepted(self) -> None:
        """The gateway lets the code in that comes next."""
        await self.activator.logged_in(self.login())

    async def given(self) -> None:
        """The gateway proposes the private code."""
        await self.activator.keep_access_code(PRIVATE)

    def _try(self) -> None:
        self.tries += 1
        self._tried.set()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "credentials.json")


async def activated(site: Site) -> Site:
    """As after the first day: the private code has worked."""
    await site.activate(PUBLIC, site.accepted, site.given)
    await site.accepted()
    assert site.file.load(NOON).credentials == Credentials(None, PRIVATE, True)
    return site


async def test_the_first_activation(site: Site) -> None:
    with pytest.raises(AuthError) as missing:
        site.login()
    assert missing.value.fault is FaultId.NOT_ACTIVATED
    assert site.shown() is Activation.NOT_ACTIVATED
    sentence = await site.activate(PUBLIC, site.accepted, site.given)
    assert sentence == "This agent is activated."
    assert site.shown() is Activation.ACTIVATED
    assert site.tries == 1
    assert site.told == [
        "The code is stored. Connecting to the gateway…",
        "The gateway accepted the activation code.",
    ]


async def test_the_code_is_on_disk_before_the_link_is_told_to_try(site: Site) -> None:
    seen: list[Credentials] = []

    def look() -> bool:
        seen.append(site.file.load(NOON).credentials)
        return True

    await site.activate(PUBLIC, look, site.accepted, site.given)
    assert seen == [Credentials(PUBLIC, None)]


async def test_both_codes_are_kept_until_the_private_one_has_worked(site: Site) -> None:
    await site.activate(PUBLIC, site.accepted, site.given)
    assert site.file.load(NOON).credentials == Credentials(PUBLIC, PRIVATE)
    assert site.login() == Code(CodeKind.ACCESS, PRIVATE)
    # The acknowledgement was lost and the gateway knows only the public code.
    assert site.is_refused()
    assert site.login() == Code(CodeKind.ACTIVATION, PUBLIC)
    assert not site.is_refused(), "both were refused: wait"
    assert site.login() == Code(CodeKind.ACCESS, PRIVATE), "after the wait both get their chance again"
    await site.accepted()
    assert site.file.load(NOON).credentials == Credentials(None, PRIVATE, True)


async def test_a_restart_goes_on_where_the_last_process_stopped(site: Site, tmp_path: Path) -> None:
    await activated(site)
    again = Site(tmp_path / "credentials.json")
    await again.activator.load(NOON)
    assert again.login() == Code(CodeKind.ACCESS, PRIVATE)
    assert again.activator.activation is Activation.ACTIVATED


async def test_a_wrong_first_code_is_told_and_the_agent_goes_on_with_what_it_has(site: Site) -> None:
    with pytest.raises(AuthError) as refused:
        await site.activate(PUBLIC, site.is_refused)
    assert refused.value.fault is FaultId.CLOUD_NOT_AUTHORIZED
    assert site.shown() is Activation.ACTIVATING
    assert await site.activate(OTHER, site.accepted, site.given) == "This agent is activated."


async def test_a_wrong_code_on_an_activated_agent_leaves_the_one_that_works(site: Site) -> None:
    await activated(site)
    with pytest.raises(AuthError):
        await site.activate(OTHER, site.is_refused)
    assert site.file.load(NOON).credentials == Credentials(None, PRIVATE, True)
    assert site.login() == Code(CodeKind.ACCESS, PRIVATE)
    assert site.tries == 2, "the link that comes back with the code that works is not cut again"


async def test_a_new_code_after_a_reset_replaces_the_old_access(site: Site) -> None:
    await activated(site)
    await site.activate(OTHER, site.accepted, site.given)
    await site.accepted()
    assert site.file.load(NOON).credentials == Credentials(None, PRIVATE, True)


async def test_other_failures_are_told_and_waited_out(site: Site) -> None:
    def fails() -> bool:
        return site.activator.failed(UNREACHABLE, site.login())

    await site.activate(PUBLIC, fails, fails, site.accepted, site.given)
    assert site.told[1] == f"{UNREACHABLE} Trying again…"
    assert len(site.told) == 4


@pytest.mark.parametrize(
    ("happens", "fault"), [(True, FaultId.CLOUD_UNREACHABLE), (False, FaultId.CLOUD_SILENT)]
)
async def test_patience_ends_with_the_last_failure(
    site: Site, monkeypatch: pytest.MonkeyPatch, happens: bool, fault: FaultId
) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.02)
    steps = [lambda: site.activator.failed(UNREACHABLE, site.login())] if happens else []
    with pytest.raises(ConnectorError) as given_up:
        await site.activate(PUBLIC, *steps)
    assert given_up.value.fault is fault
    assert site.login().secret == PUBLIC, "the agent itself goes on trying"


async def test_a_full_disk_is_told_before_anything_is_tried(site: Site) -> None:
    await activated(site)
    site.file.is_full = True
    tries = site.tries
    with pytest.raises(StoreError):
        await site.activate(OTHER)
    assert site.tries == tries
    assert site.login() == Code(CodeKind.ACCESS, PRIVATE)


async def test_a_code_that_could_not_be_stored_is_not_used(site: Site) -> None:
    await site.activate(PUBLIC, site.accepted, site.given)
    site.file.is_full = True
    with pytest.raises(StoreError):
        await site.activator.keep_access_code("another")
    assert site.login() == Code(CodeKind.ACCESS, PRIVATE)


@pytest.mark.parametrize(
    ("voided", "fault"),
    [
        (Voided.RESET, FaultId.CLOUD_RESET),
        (Voided.DELETED, FaultId.CLOUD_DELETED),
        (Voided.ON_SITE, FaultId.NOT_ACTIVATED),
    ],
)
async def test_a_reset_forgets_every_code_and_says_whose_it_was_after_a_restart_too(
    site: Site, voided: Voided, fault: FaultId
) -> None:
    await activated(site)
    await site.activator.forget(voided)
    again = Site(site.path)
    await again.activator.load(NOON)
    for one in (site, again):
        assert one.shown() is Activation.NOT_ACTIVATED
        with pytest.raises(AuthError) as asked:
            one.login()
        assert asked.value.fault is fault
        assert fault in NO_CODE
    await again.activate(OTHER, again.accepted, again.given)
    assert again.file.load(NOON).credentials == Credentials(OTHER, PRIVATE)


async def test_a_reset_is_told_at_once_and_only_once(site: Site) -> None:
    await activated(site)
    used = site.login()
    await site.activator.forget(Voided.RESET)
    assert site.activator.failed(LinkClosed(FaultId.CLOUD_CLOSED, link="cloud"), used)
    assert not site.activator.failed(AuthError(FaultId.CLOUD_RESET, link="cloud"), None), "now it waits"


async def test_a_reset_on_site_ends_the_link_that_the_code_opened(site: Site) -> None:
    await activated(site)
    tries = site.tries
    await site.activator.reset()
    assert site.tries == tries + 1
    assert site.shown() is Activation.NOT_ACTIVATED


async def test_a_damaged_file_is_an_alarm_and_the_reason_until_a_code_is_given(site: Site) -> None:
    site.path.write_text("{")
    await site.activator.load(NOON)
    assert [alarm.fault for alarm in site.alarms.raised()] == [FaultId.CREDENTIALS_DAMAGED]
    with pytest.raises(AuthError) as asked:
        site.login()
    assert asked.value.fault is FaultId.CREDENTIALS_DAMAGED
    await site.activate(PUBLIC, site.accepted, site.given)
    assert site.alarms.raised() == ()


async def test_a_clone_says_that_it_is_one(site: Site, tmp_path: Path) -> None:
    credentials_file(tmp_path, machine="f" * 32).save(Credentials(None, PRIVATE, is_proven=True))
    await site.activator.load(NOON)
    assert site.shown() is Activation.NOT_ACTIVATED
    with pytest.raises(AuthError) as asked:
        site.login()
    assert asked.value.fault is FaultId.CREDENTIALS_FOREIGN
    assert [alarm.detail for alarm in site.alarms.raised()] == ["sealed on another machine"]


async def test_the_end_of_the_life_that_was_cut_for_this_activation_is_not_told(site: Site) -> None:
    cut = LinkClosed(FaultId.ENDED_ON_SITE, link="cloud")
    await site.activate(PUBLIC, lambda: site.activator.failed(cut, None), site.accepted, site.given)
    assert not any("ended on site" in told for told in site.told)


async def test_who_goes_away_leaves_memory_and_disk_alike(site: Site) -> None:
    """Ctrl-C at the terminal while the code is on its way to the disk."""
    for turns in range(12):
        waiting = asyncio.create_task(site.activator.activate(f"{turns:04}", site.told.append))
        for _ in range(turns):
            await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.wait([waiting])
        await site.activator.logged_in(Code(CodeKind.ACTIVATION, "any"))
        on_disk = await asyncio.to_thread(site.file.load, NOON)
        assert on_disk.credentials.candidates() == site.activator._credentials.candidates()


async def test_changes_at_the_same_moment_are_made_one_after_the_other(site: Site) -> None:
    await site.activate(PUBLIC, site.accepted, site.given)
    typed = asyncio.create_task(site.activator.activate(OTHER, site.told.append))
    await asyncio.sleep(0)
    await site.activator.logged_in(Code(CodeKind.ACCESS, PRIVATE))
    await asyncio.sleep(0)
    site.activator.failed(REFUSED, Code(CodeKind.ACTIVATION, OTHER))
    with pytest.raises(AuthError):
        await typed
    assert (await asyncio.to_thread(site.file.load, NOON)).credentials == site.activator._credentials


async def test_no_code_is_ever_shown(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    await activated(site)
    shown = repr(site.activator.__dict__) + repr(site.login()) + caplog.text + " ".join(site.told)
    assert PUBLIC not in shown
    assert PRIVATE not in shown
