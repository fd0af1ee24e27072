"""The adapter against a PBX on a real socket."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC
from typing import Any

import pytest

from connector.domain import calls
from connector.domain.devices import DeviceState
from connector.domain.errors import ConnectorError, DialError, LinkClosed, LinkError, RemoteProtocolError
from connector.domain.faults import FaultId
from connector.links.clock import SystemClock
from connector.pbx.csta import roster
from connector.pbx.csta.adapter import CstaLink
from connector.pbx.csta.settings import CstaSettings
from connector.wire.csta import errors
from connector.wire.csta import messages as m
from connector.wire.csta.messages import DeviceForm, DeviceId, Phase
from connector.wire.csta.session_events import ServerOptions
from tests.pbx.csta.fake_pbx import Answer, FakePbx, RecordingSink

pytestmark = pytest.mark.usefixtures("no_task_left")

LEG = m.Connection(b"\x00\x11", b"\x01")


def link_to(port: int, sink: RecordingSink, **changed: Any) -> CstaLink:
    given = {"kind": "oxe", "host": "127.0.0.1", "port": port, "devices": ["101-104"]}
    return CstaLink(CstaSettings.model_validate(given | changed), sink, SystemClock())


@asynccontextmanager
async def running(pbx: FakePbx, **changed: Any) -> AsyncIterator[RecordingSink]:
    """A link to `pbx` for as long as the block lasts; then it is cancelled, unless it ended."""
    sink = RecordingSink()
    link = link_to(pbx.port, sink, **changed)
    task = asyncio.create_task(link.run())
    try:
        async with asyncio.timeout(4):
            yield sink
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def failure_of(pbx: FakePbx, **changed: Any) -> ConnectorError:
    async with asyncio.timeout(4):
        with pytest.raises(ConnectorError) as caught:
            await link_to(pbx.port, RecordingSink(), **changed).run()
    return caught.value


async def test_devices_are_probed_listed_and_read_before_anything_else() -> None:
    async with FakePbx(["101", "103"]) as pbx, running(pbx) as sink:
        await sink.until("snapshot", 2)
        assert sink.facts == [
            ("connected", "CSTA phase II"),
            ("devices", ["101", "103"]),
            ("snapshot", "101"),
            ("snapshot", "103"),
        ]
        asked = [request.device.number for request in pbx.requests if isinstance(request, m.MonitorStart)]
        assert asked == ["101", "102", "103", "104"]


async def test_an_oxo_is_served_in_phase_one() -> None:
    options = ServerOptions(phase=Phase.ONE)
    async with FakePbx(["101"], options) as pbx, running(pbx, kind="oxo") as sink:
        assert await sink.until("connected") == ["CSTA phase I"]
        await sink.until("snapshot")
        pbx.report(
            "101", m.Delivered(connection=LEG, calling=DeviceId(DeviceForm.IMPLICIT_PUBLIC, "0199001234"))
        )
        pbx.report("101", m.OutOfService(DeviceId(DeviceForm.IMPLICIT_PRIVATE, "101")))
        pbx.report("101", m.BackInService(DeviceId(DeviceForm.IMPLICIT_PRIVATE, "101")))
        states = await sink.until("state", 2)
        assert states == [("101", DeviceState.OUT_OF_SERVICE), ("101", DeviceState.IN_SERVICE)]
        [event] = sink.of("event")
        assert isinstance(event, calls.Delivered)
        assert (event.device, event.calling.number) == ("101", "0199001234")
        assert event.at.tzinfo is UTC


async def test_events_go_on_after_one_that_nobody_can_use(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    sink = RecordingSink()
    async with FakePbx(["101"]) as pbx:
        link = link_to(pbx.port, sink)
        task = asyncio.create_task(link.run())
        await sink.until("snapshot")
        for _ in range(2):
            pbx.report("101", m.Delivered())
        pbx.report("999", m.ServiceInitiated(connection=LEG))
        pbx.report("101", m.ServiceInitiated(connection=LEG))
        [event] = await sink.until("event")
        assert isinstance(event, calls.ServiceInitiated)
        assert link.dropped_events == 3
        skipped = [record for record in caplog.records if record.message == "pbx event skipped"]
        assert len(skipped) == 2
        pbx.hang_up()
        with pytest.raises(LinkClosed):
            await task


async def test_requests_in_progress_are_bounded() -> None:
    pbx = FakePbx([f"{number}" for number in range(100, 200)])
    pbx.batch = 4  # three of the seven are kept for commands
    async with pbx, running(pbx, devices=["100-199"], max_open_requests=7) as sink:
        await pbx.until_asked(96)
        pbx.batch = 1
        pbx.answer_waiting()
        pbx.flush()
        await sink.until("snapshot", 100)
        assert pbx.most_open == 4


async def test_at_the_monitor_limit_the_others_are_kept(caplog: pytest.LogCaptureFixture) -> None:
    pbx = FakePbx(["101", "102", "103", "104"])

    def limited(request: m.Request) -> Answer:
        is_over = isinstance(request, m.MonitorStart) and request.device.number > "102"
        return errors.OVERALL_MONITOR_LIMIT if is_over else pbx.answer(request)

    pbx.answers = limited
    async with pbx, running(pbx) as sink:
        await sink.until("snapshot", 2)
        assert sink.of("devices") == [["101", "102"]]
    faults = [getattr(record, "fault", None) for record in caplog.records]
    assert faults == [FaultId.PBX_MONITOR_LIMIT.value]


async def test_a_busy_pbx_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roster, "FIRST_PAUSE_SECONDS", 0.0)
    pbx = FakePbx(["101", "102", "103", "104"])
    refused: set[str] = set()

    def busy_once(request: m.Request) -> Answer:
        if isinstance(request, m.MonitorStart) and request.device.number not in refused:
            refused.add(request.device.number)
            return errors.OUTSTANDING_REQUEST_LIMIT
        return pbx.answer(request)

    pbx.answers = busy_once
    async with pbx, running(pbx) as sink:
        await sink.until("snapshot", 4)
        assert sink.of("devices") == [["101", "102", "103", "104"]]


async def test_numbers_in_the_log_are_masked(caplog: pytest.LogCaptureFixture) -> None:
    pbx = FakePbx([])
    pbx.answers = lambda _: errors.ServiceError(errors.ErrorClass.OPERATION, 8)
    async with pbx, running(pbx, devices=["3001"]) as sink:
        assert await sink.until("devices") == [[]]
    refused, none = caplog.records
    assert (refused.__dict__["fault"], refused.__dict__["device"]) == ("pbx-request-refused", "**01")
    assert none.__dict__["fault"] == "pbx-no-device"


async def test_a_monitor_that_the_pbx_ends_is_started_again() -> None:
    async with FakePbx(["101"]) as pbx, running(pbx) as sink:
        await sink.until("snapshot")
        pbx.machine.end_monitor(b"101", 0.0)
        pbx.flush()
        await sink.until("snapshot", 2)
        assert sink.of("state") == [("101", DeviceState.UNKNOWN), ("101", DeviceState.IN_SERVICE)]
        pbx.numbers.clear()
        pbx.machine.end_monitor(b"101", 0.0)
        pbx.flush()
        await sink.until("state", 4)
        assert sink.of("state")[2:] == [("101", DeviceState.UNKNOWN), ("101", DeviceState.OUT_OF_SERVICE)]


async def test_lost_messages_are_made_good_by_snapshots(caplog: pytest.LogCaptureFixture) -> None:
    async with FakePbx(["101", "102"]) as pbx, running(pbx) as sink:
        await sink.until("snapshot", 2)
        pbx.machine.send_status(m.SystemStatus.NORMAL, 0.0)
        pbx.machine.send_status(m.SystemStatus.MESSAGES_LOST, 0.0)
        pbx.flush()
        assert await sink.until("snapshot", 4) == ["101", "102", "101", "102"]
    assert [record.__dict__["status"] for record in caplog.records] == [3]


async def test_a_standby_is_not_serving() -> None:
    async with FakePbx([], ServerOptions(greeting=b"S")) as pbx:
        error = await failure_of(pbx)
    assert isinstance(error, LinkError)
    assert error.fault is FaultId.PBX_NOT_SERVING


async def test_the_end_of_the_link_is_an_error() -> None:
    async with FakePbx(["101"]) as pbx:
        sink = RecordingSink()
        task = asyncio.create_task(link_to(pbx.port, sink).run())
        await sink.until("snapshot")
        pbx.hang_up()
        with pytest.raises(LinkClosed) as caught:
            await task
    assert caught.value.fault is FaultId.PBX_CLOSED


async def test_a_link_that_is_closed_asks_nothing_more() -> None:
    pbx = FakePbx(["101", "102", "103", "104"])
    async with pbx:
        pbx.batch = 3  # so that the two of the window stay without answer
        link = link_to(pbx.port, RecordingSink(), max_open_requests=4)
        task = asyncio.create_task(link.run())
        await pbx.until_asked(2)
        link.close()
        pbx.answer_waiting()
        pbx.flush()
        with pytest.raises(LinkClosed):
            await task
        assert len(pbx.requests) == 2


async def test_another_service_on_the_port_is_an_error() -> None:
    async def babble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"P\x00\x04\xff\xff\xff\xff")
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    async with server:
        port = int(server.sockets[0].getsockname()[1])
        with pytest.raises(RemoteProtocolError) as caught:
            await link_to(port, RecordingSink()).run()
    assert caught.value.fault is FaultId.PBX_PROTOCOL


async def test_nobody_there() -> None:
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = int(server.sockets[0].getsockname()[1])
    server.close()
    await server.wait_closed()
    with pytest.raises(DialError):
        await link_to(port, RecordingSink()).run()


async def test_a_cancelled_link_closes_its_connection() -> None:
    async with FakePbx(["101"]) as pbx:
        async with running(pbx) as sink:
            await sink.until("devices")
        async with asyncio.timeout(4):
            await pbx.is_closed.wait()


async def test_without_an_association_a_first_answer_shows_that_the_pbx_serves_us() -> None:
    async with FakePbx(["101"]) as pbx, running(pbx, association="none") as sink:
        await sink.until("snapshot")
        assert sink.facts[:2] == [("connected", ""), ("devices", ["101"])]


async def test_a_pbx_that_greets_and_then_says_nothing_was_never_connected() -> None:
    async with FakePbx([]) as pbx:
        pbx.answers = lambda _: None
        sink = RecordingSink()
        link = link_to(pbx.port, sink, association="none", request_timeout_seconds=1)
        async with asyncio.timeout(4):
            with pytest.raises(ConnectorError) as caught:
                await link.run()
    assert caught.value.fault is FaultId.PBX_SILENT
    assert sink.facts == []
