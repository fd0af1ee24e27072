"""The device list: pages that fit, changes, refusals."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.domain.devices import Device, DeviceDelta, DeviceState, delta
from connector.domain.errors import LocalProtocolError, RemoteProtocolError
from connector.wire.pcg import devices
from connector.wire.pcg.names import MAX_DEVICES_PER_PAGE, MAX_NAME_CHARS, MAX_PAYLOAD_BYTES
from connector.wire.pcg.paging import size
from connector.wire.xmpp.xml import parse
from tests.wire.pcg.call_events import cleaned, names

NS = 'xmlns="urn:oxbridge:conf:1"'
DEVICE = '<device number="1"/>'
REMOVED = '<removed number="1"/>'

some_devices = st.lists(
    st.builds(
        Device,
        st.text("0123456789*#ABCD", min_size=1, max_size=16),
        names,
        names,
        names,
        st.sampled_from(DeviceState),
        st.sampled_from(["", "csta", "o2g"]),
    ),
    max_size=12,
)


def read_page(page: devices.DevicesPage) -> devices.DevicesPage:
    read = devices.read_device_report(parse(devices.devices_page(page)))
    assert isinstance(read, devices.DevicesPage)
    return read


@pytest.mark.parametrize("count", [0, 1, 199, 200, 201, 1_000])
def test_a_list_goes_in_pages_of_at_most_200(count: int) -> None:
    known = [Device(str(number), f"Name {number}", source="csta") for number in range(count)]
    pages = devices.pages(known, revision=5)
    assert [page.page for page in pages] == list(range(1, len(pages) + 1))
    assert {page.pages for page in pages} == {max(1, -(-count // MAX_DEVICES_PER_PAGE))}
    assert [read_page(page) for page in pages] == pages
    assert [device for page in pages for device in page.devices] == known


def test_long_names_make_smaller_pages() -> None:
    longest = "é" * MAX_NAME_CHARS
    known = [Device(str(number), longest, longest, longest) for number in range(200)]
    pages = devices.pages(known, revision=1)
    assert len(pages) > 1
    assert all(size(devices.devices_page(page)) <= MAX_PAYLOAD_BYTES for page in pages)
    assert [device for page in pages for device in page.devices] == known


def test_more_devices_than_pages() -> None:
    with pytest.raises(LocalProtocolError):
        devices.pages([Device(str(number)) for number in range(100_001)], revision=1)


@settings(max_examples=60, deadline=None)
@given(some_devices)
def test_any_name_passes(known: list[Device]) -> None:
    for page in devices.pages(known, revision=1):
        read = read_page(page)
        assert [device.number for device in read.devices] == [device.number for device in page.devices]
        assert [device.state for device in read.devices] == [device.state for device in page.devices]
        for device, sent in zip(read.devices, page.devices, strict=True):
            for text, original in (
                (device.name, sent.name),
                (device.first_name, sent.first_name),
                (device.type, sent.type),
            ):
                assert text == cleaned(original[:MAX_NAME_CHARS])


@settings(max_examples=60, deadline=None)
@given(some_devices, some_devices)
def test_a_change_builds_on_what_was_sent(before: list[Device], after: list[Device]) -> None:
    old = {device.number: Device(device.number) for device in before}
    new = {device.number: Device(device.number, state=device.state) for device in after}
    change = delta(old.values(), new.values())
    sent = devices.DevicesChange(6, 5, change)
    read = devices.read_device_report(parse(devices.devices_change(sent)))
    assert read == sent
    held = {number: device for number, device in old.items() if number not in change.removed}
    assert held | {device.number: device for device in change.changed} == new


def test_a_change_over_a_page_is_not_sent() -> None:
    fits = DeviceDelta(tuple(Device(str(number)) for number in range(100)), tuple(map(str, range(100, 200))))
    over = DeviceDelta(fits.changed, (*fits.removed, "200"))
    heavy = DeviceDelta(tuple(Device(str(number), '"' * 128, '"' * 128) for number in range(100)), ())
    assert devices.fits_one_change(fits)
    for change in (over, heavy):
        assert not devices.fits_one_change(change)
        with pytest.raises(LocalProtocolError):
            devices.devices_change(devices.DevicesChange(2, 1, change))


@pytest.mark.parametrize(
    "frame",
    [
        f"<monitors {NS}/>",
        f"<devices {NS}/>",
        f'<devices {NS} revision="1" page="2" pages="1"/>',
        f'<devices {NS} revision="1"><device name="no number"/></devices>',
        f'<devices {NS} revision="1"><device number="1" name="{"n" * 129}"/></devices>',
        f'<devices {NS} revision="1">{DEVICE * 201}</devices>',
        f'<devices {NS} revision="1" base=""/>',
        f'<devices {NS} revision="2" base="1"><removed/></devices>',
        f'<devices {NS} revision="2" base="1">{REMOVED * 201}</devices>',
    ],
)
def test_lists_that_break_the_protocol(frame: str) -> None:
    with pytest.raises(RemoteProtocolError) as refused:
        devices.read_device_report(parse(frame))
    assert refused.value.clause == "protocol, section 2"
