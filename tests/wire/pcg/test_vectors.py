"""Golden pairs, made by hand: tests/vectors/pcg/NAME.xml means what NAME.json says. A case is two files."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element

import pytest

from connector.domain.calls import CallEvent
from connector.wire.pcg import commands, conf, csta, devices, ecma323, http, rva
from connector.wire.pcg.ecma323.responses import response_connections, response_element
from connector.wire.pcg.settings import read_settings, settings
from connector.wire.xmpp.xml import parse
from tests.wire.pcg.plain import plain, shape

VECTORS = Path(__file__).parents[2] / "vectors" / "pcg"
AT = datetime(2026, 11, 20, 9, 0, 0, 123_000, UTC)


class Codec(NamedTuple):
    read: Callable[[Element], Any]
    write: Callable[[Any], str]


def write_command(command: conf.Command) -> str:
    match command:
        case conf.HelloRequest():
            return conf.hello_request(command)
        case conf.Access():
            return conf.access(command)
        case conf.Settings():
            return settings(read_settings(command))
        case devices.DevicesRequest():
            return devices.devices_request()
        case conf.MonitorsPage():
            return conf.monitors(command)
        case conf.Disconnect():
            return conf.disconnect(command)


def write_devices(report: devices.DevicesPage | devices.DevicesChange) -> str:
    if isinstance(report, devices.DevicesPage):
        return devices.devices_page(report)
    return devices.devices_change(report)


def read_event(payload: Element) -> dict[str, Any]:
    head, content = csta.read_event(payload)
    return {"head": head, "content": content}


def write_event(event: dict[str, Any]) -> str:
    return csta.event_payload(event["head"], csta.event_body(event["content"]))


def read_ecma323(element: Element) -> CallEvent | None:
    return ecma323.call_event(element, device=ecma323.monitor_of(element), at=AT)


def write_ecma323(event: CallEvent) -> str:
    return ecma323.event_element(event, event.device)


CODECS = {
    "conf.command": Codec(conf.read_command, write_command),
    "conf.hello-response": Codec(conf.read_hello_response, conf.hello_response),
    "conf.devices": Codec(devices.read_device_report, write_devices),
    "conf.monitors-result": Codec(conf.read_monitors_result, conf.monitors_result),
    "csta.event": Codec(read_event, write_event),
    "csta.command": Codec(lambda element: commands.read_command(element, "cmd-1"), commands.command),
    "csta.response": Codec(response_connections, lambda answer: response_element(*answer)),
    "csta.ack": Codec(csta.read_acknowledgement, csta.acknowledgement),
    "csta.gap": Codec(csta.read_report, csta.gap),
    "csta.snapshot-request": Codec(csta.read_snapshot_request, lambda _: csta.snapshot_request()),
    "csta.snapshot": Codec(csta.read_snapshot, csta.snapshot),
    "csta.system": Codec(csta.read_system_status, csta.system_status),
    "csta.error": Codec(ecma323.csta_error, ecma323.error_element),
    "ecma323.event": Codec(read_ecma323, write_ecma323),
    "http.request": Codec(http.read_request, http.request),
    "http.response": Codec(http.read_response, http.response),
    "rva.request": Codec(rva.read_invitation_request, rva.invitation_request),
    "rva.sent": Codec(rva.read_invitation_sent, rva.invitation_sent),
    "rva.refused": Codec(rva.read_refused, rva.refused),
    "rva.event": Codec(lambda element: rva.read_invitation_event(element, at=AT), rva.invitation_event),
}
NAMES = sorted(path.stem for path in VECTORS.glob("*.xml"))


@pytest.mark.parametrize("name", NAMES)
def test_vector(name: str) -> None:
    vector = json.loads((VECTORS / f"{name}.json").read_text())
    frame = (VECTORS / f"{name}.xml").read_text().strip()
    codec = CODECS[vector["codec"]]
    value = codec.read(parse(frame))
    shown = {key: plain(part) for key, part in value.items()} if isinstance(value, dict) else plain(value)
    assert shown == vector["value"]
    if not vector.get("read_only"):
        assert shape(parse(codec.write(value))) == shape(parse(frame))


def test_every_pair_is_complete_and_every_codec_has_one_that_is_written() -> None:
    written = set()
    for path in VECTORS.glob("*.json"):
        assert path.with_suffix(".xml").exists(), path.name
        vector = json.loads(path.read_text())
        if not vector.get("read_only"):
            written.add(vector["codec"])
    # Foreign elements are only read: our own events stand under csta.event.
    assert written == CODECS.keys() - {"ecma323.event"}
    assert len(NAMES) == len(list(VECTORS.glob("*.json")))
