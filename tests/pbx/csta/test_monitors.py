"""Which numbers are watched changes while the link lives; the list of devices stays whole."""

import asyncio
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.domain.configuration import MonitorRefusal
from connector.domain.errors import DialError, LinkClosed
from connector.domain.identifiers import PbxKind
from connector.links.clock import SystemClock
from connector.pbx.csta.adapter import CstaLink
from connector.pbx.csta.settings import CstaSettings
from connector.wire.csta import errors
from connector.wire.csta import messages as m
from connector.wire.csta.errors import ServiceError
from simulators.pbx.server import PbxSimulator
from simulators.pbx.settings import PbxWorld
from tests.pbx.csta.fake_pbx import Answer, FakePbx, RecordingSink
from tests.pbx.csta.plant import Plant, plant

pytestmark = pytest.mark.usefixtures("no_task_left")


class Verdicts:
    """Takes what `set_monitored` reports; counts, since once is what is promised."""

    def __init__(self) -> None:
        self.given: list[dict[str, MonitorRefusal]] = []
        self._is_given = asyncio.Event()

    def __call__(self, refused: Mapping[str, MonitorRefusal]) -> None:
        self.given.append(dict(refused))
        self._is_given.set()

    async def one(self) -> dict[str, MonitorRefusal]:
        await self._is_given.wait()
        [only] = self.given
        return only


async def watched(site: Plant, *numbers: str) -> dict[str, MonitorRefusal]:
    verdicts = Verdicts()
    site.link.set_monitored(frozenset(numbers), verdicts)
    return await verdicts.one()


@pytest.mark.parametrize("kind", [PbxKind.OXO, PbxKind.OXE])
async def test_monitors_follow_what_is_wanted(kind: PbxKind) -> None:
    async with plant(kind) as site:
        assert await watched(site, site.a) == {}
        assert site.pbx.monitored == [site.a]
        assert site.sink.of("snapshot")[3:] == [site.b, site.c]  # nothing is known of them any more
        site.pbx.ring_from_outside("0199001234", site.b)
        site.pbx.ring_from_outside("0199001234", site.a)
        assert [event.device for event in await site.events(1)] == [site.a]
        assert await watched(site, site.b, site.c) == {}
        assert sorted(site.pbx.monitored) == [site.b, site.c]
        # What runs at a set is read when it comes to be watched.
        assert (await site.sink.until("snapshot", 8))[5:] == [site.a, site.b, site.c]
        assert site.sink.of("devices") == [[site.a, site.b, site.c]]
        everything = Verdicts()
        site.link.set_monitored(None, everything)
        assert await everything.one() == {}
        assert sorted(site.pbx.monitored) == [site.a, site.b, site.c]
        assert site.link.dropped_events == 0


async def test_a_number_that_is_not_configured_is_not_known() -> None:
    async with plant(PbxKind.OXE) as site:
        assert await watched(site, site.a, "3004") == {"3004": MonitorRefusal.UNKNOWN_NUMBER}
        assert site.pbx.monitored == [site.a]


def link_to(port: int, sink: RecordingSink) -> CstaLink:
    given = {"kind": "oxo", "host": "127.0.0.1", "port": port, "devices": ["101-104"]}
    return CstaLink(CstaSettings.model_validate(given), sink, SystemClock())


async def closed(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_what_is_wanted_before_the_start_is_watched_from_the_start() -> None:
    """A PBX that allows two monitors is no obstacle: a probe gives its monitor back."""
    pbx = PbxSimulator(PbxWorld(kind=PbxKind.OXO, max_monitors=2), clock=SystemClock())
    await pbx.start()
    sink, verdicts = RecordingSink(), Verdicts()
    given = {"kind": "oxo", "host": "127.0.0.1", "port": pbx.port, "devices": ["101-104"]}
    settings_ = CstaSettings.model_validate(given | {"max_open_requests": 2})
    link = CstaLink(settings_, sink, SystemClock())
    link.set_monitored(frozenset(("104",)), verdicts)
    task = asyncio.create_task(link.run())
    async with asyncio.timeout(4):
        assert await sink.until("devices") == [["101", "102", "103", "104"]]
        assert await sink.until("snapshot") == ["104"]
        assert await verdicts.one() == {}
    assert pbx.monitored == ["104"]
    await closed(task)
    await pbx.aclose()


async def test_why_a_number_is_not_watched() -> None:
    pbx = FakePbx(["101", "102", "103", "104"])
    why: dict[str, ServiceError] = {
        "102": errors.OBJECT_NOT_KNOWN,
        "103": errors.GENERIC,
        "104": errors.OVERALL_MONITOR_LIMIT,
    }

    def strict(request: m.Request) -> Answer:
        is_refused = isinstance(request, m.MonitorStart) and request.device.number in why
        return why[request.device.number] if is_refused else pbx.answer(request)  # type: ignore[union-attr]

    pbx.answers = strict
    sink, verdicts, again = RecordingSink(), Verdicts(), Verdicts()
    async with pbx:
        link = link_to(pbx.port, sink)
        link.set_monitored(frozenset(("101", "102", "103", "104")), verdicts)
        task = asyncio.create_task(link.run())
        assert await verdicts.one() == {
            "102": MonitorRefusal.UNKNOWN_NUMBER,
            "103": MonitorRefusal.REFUSED,
            "104": MonitorRefusal.LIMIT,
        }
        # Later there is room, and a set more; the list of devices says so.
        why.clear()
        link.set_monitored(frozenset(("101", "102", "104")), again)
        assert await again.one() == {}
        assert sink.of("devices") == [["101"], ["101", "102", "104"]]
        await closed(task)


async def test_without_a_link_nothing_is_watched() -> None:
    async with FakePbx(["101"]) as pbx:
        pbx.answers = lambda _: None
        before, after = Verdicts(), Verdicts()
        link = link_to(pbx.port, RecordingSink())
        link.set_monitored(frozenset(("101", "102")), before)
        task = asyncio.create_task(link.run())
        await pbx.until_asked(4)
        pbx.hang_up()
        with pytest.raises(LinkClosed):
            await task
        no_link = {"101": MonitorRefusal.NO_LINK, "102": MonitorRefusal.NO_LINK}
        assert await before.one() == no_link
        link.set_monitored(frozenset(("101",)), after)
        assert await after.one() == {"101": MonitorRefusal.NO_LINK}
        assert before.given == [no_link]


async def test_a_pbx_that_can_not_be_reached_watches_nothing() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = int(server.sockets[0].getsockname()[1])
    server.close()
    await server.wait_closed()
    verdicts = Verdicts()
    link = link_to(port, RecordingSink())
    link.set_monitored(frozenset(("101",)), verdicts)
    with pytest.raises(DialError):
        await link.run()
    assert await verdicts.one() == {"101": MonitorRefusal.NO_LINK}


async def test_a_monitor_that_is_gone_when_it_is_to_be_stopped_is_stopped() -> None:
    pbx = FakePbx(["101", "102"])

    def forgetful(request: m.Request) -> Answer:
        return errors.INVALID_CROSS_REF if isinstance(request, m.MonitorStop) else pbx.answer(request)

    pbx.answers = forgetful
    verdicts = Verdicts()
    sink = RecordingSink()
    async with pbx:
        link = link_to(pbx.port, sink)
        task = asyncio.create_task(link.run())
        await sink.until("snapshot", 2)
        link.set_monitored(frozenset(("101",)), verdicts)
        assert await verdicts.one() == {}
        assert sink.of("state") == []
        await closed(task)


WANTED = st.lists(st.none() | st.frozensets(st.integers(0, 3)), min_size=1, max_size=6)


@settings(deadline=None, max_examples=20)
@given(WANTED, st.lists(st.integers(0, 3), max_size=6))
def test_whatever_was_wanted_before_the_last_word_holds(
    wanted: list[frozenset[int] | None], pauses: list[int]
) -> None:
    async def follow() -> None:
        async with plant(PbxKind.OXE) as site:
            sets = (site.a, site.b, site.c, "3999")
            all_verdicts = []
            for index, places in enumerate(wanted):
                verdicts = Verdicts()
                all_verdicts.append(verdicts)
                numbers = None if places is None else frozenset(sets[place] for place in places)
                site.link.set_monitored(numbers, verdicts)
                for _ in range(pauses[index] if index < len(pauses) else 0):
                    await asyncio.sleep(0)
            for verdicts in all_verdicts:
                await verdicts.one()
            last = wanted[-1]
            expected = {0, 1, 2} if last is None else last - {3}
            assert sorted(site.pbx.monitored) == sorted(sets[place] for place in expected)
            assert site.link.dropped_events == 0

    asyncio.run(follow())
