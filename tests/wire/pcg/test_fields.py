"""Bounded attributes, times, pages."""

from datetime import UTC, datetime, timedelta, timezone
from xml.etree.ElementTree import Element

import pytest

from connector.domain.errors import LocalProtocolError, RemoteProtocolError
from connector.wire.pcg import fields
from connector.wire.pcg.names import MAX_PAGES
from connector.wire.pcg.paging import page_of, paged, size

CLAUSE = "protocol, section 0"


def element(value: str | None) -> Element:
    return Element("{urn:x}thing", {} if value is None else {"a": value})


@pytest.mark.parametrize("value", ["", "x" * 129, None])
def test_a_needed_text_is_there_and_bounded(value: str | None) -> None:
    with pytest.raises(RemoteProtocolError) as refused:
        fields.text_field(element(value), "a", CLAUSE)
    assert refused.value.clause == CLAUSE
    assert "xxx" not in str(refused.value)


def test_an_optional_text_is_bounded_too() -> None:
    assert fields.optional_field(element(None), "a", CLAUSE) == ""
    assert fields.optional_field(element("x"), "a", CLAUSE, limit=1) == "x"
    with pytest.raises(RemoteProtocolError):
        fields.optional_field(element("xx"), "a", CLAUSE, limit=1)


@pytest.mark.parametrize(
    "value", ["", "-1", "+1", " 1", "1_0", "0x1", "1.0", "²", "१", "9" * 5000, "4", "1", None]
)
def test_what_is_no_number_within_bounds(value: str | None) -> None:
    with pytest.raises(RemoteProtocolError):
        fields.integer_field(element(value), "a", CLAUSE, low=2, high=3)


def test_numbers() -> None:
    assert fields.integer_field(element("2"), "a", CLAUSE, low=2, high=3) == 2
    assert fields.integer_field(element(str(2**63 - 1)), "a", CLAUSE) == 2**63 - 1
    assert fields.integer_field(element(None), "a", CLAUSE, default=7) == 7
    with pytest.raises(RemoteProtocolError):
        fields.integer_field(element(str(2**63)), "a", CLAUSE)


@pytest.mark.parametrize(("value", "read"), [("true", True), ("1", True), ("false", False), ("0", False)])
def test_booleans(value: str, read: bool) -> None:
    assert fields.boolean_field(element(value), "a", CLAUSE) is read


@pytest.mark.parametrize("value", ["TRUE", "yes", "", None])
def test_what_is_no_boolean(value: str | None) -> None:
    with pytest.raises(RemoteProtocolError):
        fields.boolean_field(element(value), "a", CLAUSE)


@pytest.mark.parametrize(
    "value",
    ["2026-11-20T09:00:00.123Z", "2026-11-20T09:00:00.123456+00:00", "2026-11-20T10:00:00,123+01:00"],
)
def test_times_are_read_as_utc(value: str) -> None:
    read = fields.time_field(element(value), "a", CLAUSE)
    assert read.tzinfo is UTC
    assert fields.timestamp(read) == "2026-11-20T09:00:00.123Z"


@pytest.mark.parametrize(
    "value",
    [
        "",
        "now",
        "2026-11-20T09:00:00",
        "2026-13-20T09:00:00Z",
        "0001-01-01T00:00:00+23:00",
        "2" * 41,
        "\ud800",
        None,
    ],
)
def test_what_is_no_time(value: str | None) -> None:
    with pytest.raises(RemoteProtocolError):
        fields.time_field(element(value), "a", CLAUSE)


def test_a_time_is_written_in_utc_and_never_without_a_zone() -> None:
    paris = timezone(timedelta(hours=1))
    assert fields.timestamp(datetime(2026, 11, 20, 10, tzinfo=paris)) == "2026-11-20T09:00:00.000Z"
    with pytest.raises(LocalProtocolError):
        fields.timestamp(datetime(2026, 11, 20, 10))  # noqa: DTZ001 - that is the point


def test_pages_are_cut_by_count_and_by_size() -> None:
    assert paged([], str, limit=2) == [[]]
    assert paged([1, 2, 3], str, limit=2) == [[1, 2], [3]]
    assert paged(["é" * 10_000] * 3, str, limit=10) == [["é" * 10_000] * 2, ["é" * 10_000]]
    # An item too great for any page still goes, alone: the frame's own limit refuses it where it is sent.
    assert paged(["a", "b" * 60_000, "c"], str, limit=10) == [["a"], ["b" * 60_000], ["c"]]


def test_sizes_are_bytes() -> None:
    assert (size("abc"), size("é"), size("\U0001f4de")) == (3, 2, 4)


def test_a_page_lies_within_its_pages() -> None:
    assert page_of(Element("x"), CLAUSE) == (1, 1)
    assert page_of(Element("x", page="2", pages="2"), CLAUSE) == (2, 2)
    for page, pages in (("3", "2"), ("0", "2"), ("1", "0"), ("2", None), ("1", str(MAX_PAGES + 1))):
        numbers = {"page": page} | ({"pages": pages} if pages else {})
        with pytest.raises(RemoteProtocolError):
            page_of(Element("x", numbers), CLAUSE)
