"""Settings of the CSTA adapter: ranges, bounds, and messages without values."""

from typing import Any

import pytest
from pydantic import ValidationError

from connector.domain.identifiers import PbxKind
from connector.domain.numbers import NumberRange
from connector.pbx.csta.settings import MAX_DEVICES, CstaSettings, expanded
from connector.wire.csta.session_events import AssociationMode


def settings(**changed: Any) -> CstaSettings:
    return CstaSettings.model_validate({"kind": "oxo", "host": "pbx", "devices": ["101"]} | changed)


def test_defaults() -> None:
    made = settings()
    assert (made.kind, made.port, made.association) == (PbxKind.OXO, 2555, AssociationMode.AUTO)
    assert (made.request_timeout_seconds, made.max_open_requests) == (10.0, 30)
    assert made.numbers == ("101",)


@pytest.mark.parametrize(
    ("kind", "per_second", "interval"),
    [("oxo", None, 0.55), ("oxe", None, 0.0), ("oxo", 4, 0.25), ("oxe", 0.5, 2.0)],
)
def test_the_pace_of_commands(kind: str, per_second: float | None, interval: float) -> None:
    made = settings(kind=kind, max_commands_per_second=per_second)
    assert made.switching_interval_seconds == interval


def test_ranges_are_written_out_once_and_in_order() -> None:
    made = settings(devices=["110-112", " 101 ", "111 - 113", "*21", "008-010"])
    assert made.numbers == ("110", "111", "112", "101", "113", "*21", "008", "009", "010")


@pytest.mark.parametrize(
    "devices",
    [
        [],
        [""],
        ["-"],
        ["abc"],
        ["12345678901234567"],
        ["110-"],
        ["-110"],
        ["120-110"],
        ["98-101"],
        ["*1-*5"],
        ["1-2-3"],
        ["10\u0661"],
    ],
)
def test_wrong_devices(devices: list[str]) -> None:
    with pytest.raises(ValidationError) as caught:
        settings(devices=devices)
    assert caught.value.errors()[0]["loc"][0] == "devices"
    assert not any(entry in str(caught.value) for entry in devices if len(entry) > 2)


def test_the_place_of_the_wrong_entry_is_named() -> None:
    with pytest.raises(ValidationError, match="entry 2"):
        settings(devices=["101", "x"])


def test_the_number_of_devices_is_bounded() -> None:
    assert len(expanded(["10000-24999"])) == MAX_DEVICES
    with pytest.raises(ValueError, match="more than 15000"):
        expanded(["10000-25000"])
    with pytest.raises(ValueError, match="more than 15000"):
        expanded(["0000000000000000-9999999999999999"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kind", "avaya"),
        ("host", " "),
        ("port", 0),
        ("port", 70_000),
        ("association", "perhaps"),
        ("request_timeout_seconds", 0),
        ("max_open_requests", 1),
        ("max_open_requests", 201),
        ("max_commands_per_second", 0),
        ("max_commands_per_second", 1001),
        ("prot", 1),
    ],
)
def test_wrong_values(name: str, value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        settings(**{name: value})
    assert [error["loc"] for error in caught.value.errors()] == [(name,)]


def test_neighbours_are_one_range_however_they_are_written() -> None:
    entries = (*(str(number) for number in range(3001, 4502)), "0101", "4502-4510", "*77")
    made = CstaSettings(kind=PbxKind.OXE, host="pbx", devices=entries)
    assert made.ranges == (NumberRange("0101", "0101"), NumberRange("3001", "4510"))


def test_more_ranges_than_a_dial_plan_takes_are_refused_and_say_what_to_do() -> None:
    with pytest.raises(ValidationError, match="write neighbours as one"):
        CstaSettings(kind=PbxKind.OXE, host="pbx", devices=tuple(str(n) for n in range(3001, 9001, 2)))
