"""The device list on the conf channel (docs/protocols/pcg.md, section 2): whole in pages, then changes.

The agent's numbers are its own revisions: a change builds on the `base` that the gateway holds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from connector.domain.devices import Device, DeviceDelta, DeviceState
from connector.domain.errors import LocalProtocolError
from connector.domain.faults import FaultId
from connector.wire.pcg.fields import broken, children, expect, integer_field, optional_field, text_field
from connector.wire.pcg.names import (
    CONF,
    MAX_DEVICES_PER_PAGE,
    MAX_NAME_CHARS,
    MAX_NUMBER_CHARS,
    MAX_PAGES,
    MAX_PAYLOAD_BYTES,
    MAX_WORD_CHARS,
)
from connector.wire.pcg.paging import page_of, paged, size
from connector.wire.xmpp.xml import attributes, escaped

_CLAUSE = "protocol, section 2"
_DEVICE_STATES = {state.value: state for state in DeviceState}


@dataclass(frozen=True, slots=True)
class DevicesRequest:
    """The gateway asks for the full list."""


@dataclass(frozen=True, slots=True)
class DevicesPage:
    """A page of the full list; `page` counts from 1 to `pages`."""

    revision: int
    page: int
    pages: int
    devices: tuple[Device, ...]


@dataclass(frozen=True, slots=True)
class DevicesChange:
    """What changed from revision `base` to `revision`."""

    revision: int
    base: int
    change: DeviceDelta


def devices_request() -> str:
    """G → A, get."""
    return f'<devices xmlns="{CONF}"/>'


def pages(devices: Sequence[Device], revision: int) -> list[DevicesPage]:
    """The full list in pages of at most 200 devices that each fit a frame; no device is one empty page.

    Raises `LocalProtocolError` for more devices than a list can have pages.
    """
    cut = paged(devices, _device, limit=MAX_DEVICES_PER_PAGE)
    if len(cut) > MAX_PAGES:
        raise LocalProtocolError(FaultId.OWN_PROTOCOL, f"{len(devices)} devices need over {MAX_PAGES} pages")
    return [DevicesPage(revision, page, len(cut), tuple(items)) for page, items in enumerate(cut, start=1)]


def devices_page(page: DevicesPage) -> str:
    """A → G, set: a page as `pages` made it."""
    fields = attributes(revision=str(page.revision), page=str(page.page), pages=str(page.pages))
    return f'<devices xmlns="{CONF}"{fields}>{"".join(map(_device, page.devices))}</devices>'


def fits_one_change(change: DeviceDelta) -> bool:
    """Whether `change` can go as a delta. A greater one is sent as a full list."""
    count = len(change.changed) + len(change.removed)
    return count <= MAX_DEVICES_PER_PAGE and size(_change_content(change)) <= MAX_PAYLOAD_BYTES


def devices_change(delta: DevicesChange) -> str:
    """A → G, set. Raises `LocalProtocolError` when `fits_one_change` says no."""
    if not fits_one_change(delta.change):
        raise LocalProtocolError(FaultId.OWN_PROTOCOL, "a device delta over one page")
    fields = attributes(revision=str(delta.revision), base=str(delta.base))
    return f'<devices xmlns="{CONF}"{fields}>{_change_content(delta.change)}</devices>'


def read_devices_request(payload: Element) -> DevicesRequest:
    """The gateway's get."""
    expect(payload, CONF, "devices", _CLAUSE)
    if len(payload):
        raise broken(payload, "asks for the list and brings one", _CLAUSE)
    return DevicesRequest()


def read_device_report(payload: Element) -> DevicesPage | DevicesChange:
    """The agent's set: a page of its full list, or a change of it (which alone has a `base`)."""
    expect(payload, CONF, "devices", _CLAUSE)
    revision = integer_field(payload, "revision", _CLAUSE)
    found = children(payload, "device", _CLAUSE, limit=MAX_DEVICES_PER_PAGE)
    devices = tuple(map(_read_device, found))
    if payload.get("base") is None:
        page, of_pages = page_of(payload, _CLAUSE)
        return DevicesPage(revision, page, of_pages, devices)
    removed = tuple(
        text_field(child, "number", _CLAUSE, limit=MAX_NUMBER_CHARS)
        for child in children(payload, "removed", _CLAUSE, limit=MAX_DEVICES_PER_PAGE)
    )
    return DevicesChange(revision, integer_field(payload, "base", _CLAUSE), DeviceDelta(devices, removed))


def _device(device: Device) -> str:
    fields = attributes(
        number=device.number,
        name=device.name[:MAX_NAME_CHARS] or None,
        first_name=device.first_name[:MAX_NAME_CHARS] or None,
        type=device.type[:MAX_NAME_CHARS] or None,
        state=device.state.value,
        source=device.source or None,
    )
    return f"<device{fields}/>"


def _change_content(change: DeviceDelta) -> str:
    removed = "".join(f'<removed number="{escaped(number)}"/>' for number in change.removed)
    return "".join(map(_device, change.changed)) + removed


def _read_device(element: Element) -> Device:
    """One device; a state that we do not know is read as unknown."""
    return Device(
        number=text_field(element, "number", _CLAUSE, limit=MAX_NUMBER_CHARS),
        name=optional_field(element, "name", _CLAUSE, limit=MAX_NAME_CHARS),
        first_name=optional_field(element, "first-name", _CLAUSE, limit=MAX_NAME_CHARS),
        type=optional_field(element, "type", _CLAUSE, limit=MAX_NAME_CHARS),
        state=_DEVICE_STATES.get(element.get("state", ""), DeviceState.UNKNOWN),
        source=optional_field(element, "source", _CLAUSE, limit=MAX_WORD_CHARS),
    )
