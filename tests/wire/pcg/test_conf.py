"""The conf channel beyond its vectors: refusals, secrets, pages."""

import pytest

from connector.domain.configuration import MonitorRefusal
from connector.domain.errors import RemoteProtocolError
from connector.wire.pcg import conf
from connector.wire.pcg.names import MAX_DEVICES_PER_PAGE, MAX_PAYLOAD_BYTES
from connector.wire.xmpp.xml import parse

NS = 'xmlns="urn:oxbridge:conf:1"'
MONITOR = '<monitor number="1"/>'


@pytest.mark.parametrize(
    "frame",
    [
        f"<goodbye {NS}/>",
        '<hello xmlns="urn:oxbridge:conf:2" version="1" system="s" time="2026-11-20T09:00:00Z"/>',
        f'<hello {NS} version="1" system="s"/>',
        f'<hello {NS} version="0" system="s" time="2026-11-20T09:00:00Z"/>',
        f'<access {NS} transaction="t"/>',
        f'<access {NS} code="1234"/>',
        f"<settings {NS}/>",
        f'<devices {NS}><device number="1"/></devices>',
        f"<monitors {NS}><monitor/></monitors>",
        f"<monitors {NS}>{MONITOR * 201}</monitors>",
        f"<disconnect {NS}/>",
        f'<disconnect {NS} reason="explode"/>',
    ],
)
def test_commands_that_break_the_protocol(frame: str) -> None:
    with pytest.raises(RemoteProtocolError) as refused:
        conf.read_command(parse(frame))
    assert refused.value.clause == "protocol, section 2"


@pytest.mark.parametrize("code", ["s3cr3t s3cr3t", "s3cr3té", "s3cr3t\t", "s3cr3t" * 22])
def test_a_bad_code_is_refused_without_being_told(code: str) -> None:
    with pytest.raises(RemoteProtocolError) as refused:
        conf.read_command(parse(conf.access(conf.Access("t", code))))
    assert "s3cr3t" not in f"{refused.value} {refused.value.excerpt} {refused.value.detail}"


def test_a_code_is_not_shown() -> None:
    assert "s3cr3t" not in repr(conf.Access("t", "s3cr3t"))


@pytest.mark.parametrize(
    ("reason", "voids"), [("reset", True), ("delete", True), ("disable", False), ("replaced", False)]
)
def test_reset_and_delete_void_the_access_code(reason: str, voids: bool) -> None:
    order = conf.read_command(parse(f'<disconnect {NS} reason="{reason}"/>'))
    assert isinstance(order, conf.Disconnect)
    assert order.reason.voids_access is voids


@pytest.mark.parametrize("count", [0, 1, MAX_DEVICES_PER_PAGE, MAX_DEVICES_PER_PAGE + 1, 1_234])
def test_a_whole_set_of_monitors_goes_in_pages(count: int) -> None:
    monitors = [conf.Monitor(str(number), f"user-{number}", is_on=number % 2 == 0) for number in range(count)]
    pages = conf.monitor_pages(monitors)
    frames = [conf.monitors(page) for page in pages]
    assert all(len(frame) <= MAX_PAYLOAD_BYTES for frame in frames)
    read = [conf.read_command(parse(frame)) for frame in frames]
    assert read == pages
    assert [page.page for page in pages] == list(range(1, len(pages) + 1))
    assert [monitor for page in pages for monitor in page.monitors] == monitors


def test_a_reason_of_a_later_version_is_a_refusal() -> None:
    frame = f'<monitors {NS}><monitor number="1" reason="moon-phase"/></monitors>'
    assert conf.read_monitors_result(parse(frame)).refused == (
        conf.RefusedMonitor("1", MonitorRefusal.REFUSED),
    )


def test_a_hello_without_an_epoch_is_refused() -> None:
    with pytest.raises(RemoteProtocolError):
        conf.read_hello_response(parse(f'<hello {NS} version="1" agent="a" pbx="oxo" last="1"/>'))
