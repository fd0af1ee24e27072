"""Event reports: every event in both phases, what is skipped, what is refused."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.domain.calls import Cause, LocalState
from connector.domain.errors import LocalProtocolError, RemoteProtocolError
from connector.wire import ber
from connector.wire.csta import messages as m
from connector.wire.csta.events import CAUSES, decode_event_report, encode_event_report
from connector.wire.csta.messages import DeviceForm, DeviceId, Phase

CALL_EVENTS: list[type[m.CallEvent]] = [
    m.CallCleared,
    m.Conferenced,
    m.ConnectionCleared,
    m.Delivered,
    m.Diverted,
    m.Established,
    m.Failed,
    m.Held,
    m.NetworkReached,
    m.Originated,
    m.Queued,
    m.Retrieved,
    m.ServiceInitiated,
    m.Transferred,
]


def decode(argument: bytes) -> m.EventReport:
    return decode_event_report(argument, 0, len(argument))


numbers = st.text("0123456789*#", max_size=20)
device_ids = st.one_of(
    st.builds(
        DeviceId,
        st.sampled_from(
            [DeviceForm.DIALING, DeviceForm.IMPLICIT_PUBLIC, DeviceForm.IMPLICIT_PRIVATE, DeviceForm.OTHER]
        ),
        numbers,
    ),
    st.builds(
        DeviceId,
        st.sampled_from([DeviceForm.EXPLICIT_PUBLIC, DeviceForm.EXPLICIT_PRIVATE]),
        numbers,
        st.integers(0, 6),
    ),
    st.sampled_from([m.NOT_KNOWN, m.NOT_REQUIRED, DeviceId(DeviceForm.NOT_SPECIFIED)]),
)
opaque = st.binary(min_size=1, max_size=8)
connections = st.builds(m.Connection, opaque, opaque)
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "connection": connections,
    "secondary_old": connections,
    "state": st.none() | st.sampled_from(LocalState),
    "cause": st.none() | st.sampled_from(sorted(CAUSES.values())),
    "waiting": st.none() | st.integers(0, 1000),
    "connections": st.lists(
        st.builds(m.ListedConnection, connections, st.none() | device_ids.filter(lambda d: d.form < 7)),
        max_size=4,
    ).map(tuple),
}


def call_events() -> st.SearchStrategy[m.CallEvent]:
    def built(kind: type[m.CallEvent]) -> st.SearchStrategy[m.CallEvent]:
        names = kind.__dataclass_fields__
        return st.builds(kind, **{name: FIELDS.get(name, device_ids) for name in names})

    return st.sampled_from(CALL_EVENTS).flatmap(built)


private_data = st.builds(
    m.PrivateData,
    st.none() | st.integers(0, 11),
    st.text(max_size=30),
    st.binary(max_size=8),
    st.binary(max_size=8),
).filter(lambda private: private != m.PrivateData())


@settings(max_examples=300, deadline=None)
@given(call_events(), opaque, st.none() | private_data)
def test_phase_two_both_ways(event: m.CallEvent, cross_ref: bytes, private: m.PrivateData | None) -> None:
    report = m.EventReport(cross_ref, event, "231114231320Z", private)
    assert decode(encode_event_report(report, Phase.TWO)) == report


@settings(max_examples=300, deadline=None)
@given(call_events(), opaque)
def test_phase_one_both_ways(event: m.CallEvent, cross_ref: bytes) -> None:
    report = m.EventReport(cross_ref, event)
    assert decode(encode_event_report(report, Phase.ONE)) == report


@pytest.mark.parametrize(("number", "kind"), list(enumerate(CALL_EVENTS, start=1)))
def test_numbers_of_the_events(number: int, kind: type[m.CallEvent]) -> None:
    report = m.EventReport(b"\x01", kind(connection=m.Connection(b"\x01", b"\x02")))
    one = ber.inside(encoded := encode_event_report(report, Phase.ONE), ber.SEQUENCE)
    assert one[1][0] == 0x80
    assert ber.as_integer(encoded[one[1][1] : one[1][2]]) == number
    two = ber.inside(encoded := encode_event_report(report, Phase.TWO), ber.SEQUENCE)
    assert two[1][0] == 0xA0
    assert encoded[two[1][1]] == 0xA0 + number - 1


def test_phase_one_writes_roles_as_its_text_has_them() -> None:
    calling = DeviceId(DeviceForm.IMPLICIT_PRIVATE, "101")
    originated = m.Originated(connection=m.Connection(b"\x01", b"\x02"), calling=calling)
    one = encode_event_report(m.EventReport(b"\x01", originated), Phase.ONE).hex(" ")
    assert "63 05 84 03 31 30 31 62 02 87 00" in one
    two = encode_event_report(m.EventReport(b"\x01", originated), Phase.TWO).hex(" ")
    assert "61 05 84 03 31 30 31 62 02 87 00" in two
    diverted = m.Diverted(connection=m.Connection(b"\x01", b"\x02"), destination=calling)
    assert "63 02 87 00 62 05 84 03 31 30 31" in encode_event_report(
        m.EventReport(b"\x01", diverted), Phase.ONE
    ).hex(" ")
    assert "63 02 87 00 63 05 84 03 31 30 31" in encode_event_report(
        m.EventReport(b"\x01", diverted), Phase.TWO
    ).hex(" ")


def test_conference_lists_of_both_phases() -> None:
    listed = (m.ListedConnection(m.Connection(b"\x03", b"\x04"), DeviceId(DeviceForm.DIALING, "101")),)
    event = m.Conferenced(connection=m.Connection(b"\x01", b"\x02"), connections=listed)
    report = m.EventReport(b"\x01", event)
    entry = "30 0d 6b 06 82 01 03 83 01 04 80 03 31 30 31"
    assert f"6c 0f {entry}" in encode_event_report(report, Phase.ONE).hex(" ")
    assert f"30 11 a3 0f {entry}" in encode_event_report(report, Phase.TWO).hex(" ")


@pytest.mark.parametrize(("number", "kind"), [(301, m.BackInService), (302, m.OutOfService)])
def test_device_events_of_phase_one(number: int, kind: type[m.BackInService | m.OutOfService]) -> None:
    argument = bytes.fromhex(f"30 13 55 04 00 00 00 01 80 02 {number:04x} 30 07 63 05 84 03 31 30 31")
    report = m.EventReport(b"\0\0\0\1", kind(DeviceId(DeviceForm.IMPLICIT_PRIVATE, "101")))
    assert decode(argument) == report
    assert encode_event_report(report, Phase.ONE) == argument
    with pytest.raises(LocalProtocolError):
        encode_event_report(report, Phase.TWO)


@pytest.mark.parametrize(
    ("rest", "kind"),
    [
        ("80 01 66 30 02 05 00", "102"),
        ("80 01 00", "0"),
        ("80 02 7f ff 30 80 00 00", "32767"),
        ("a1 04 a0 02 30 00", "a1"),
        ("a5 80 00 00 7e 00", "a5"),
        ("a0 02 ae 00", "a0 ae"),
        ("a0 04 a3 02 05 00", "a0 a3 5"),
        ("a0 00", "a0 0"),
        ("", ""),
        ("30 00", "30"),
    ],
)
def test_events_that_are_not_ours_to_read(rest: str, kind: str) -> None:
    argument = ber.sequence(bytes.fromhex("55 01 07"), bytes.fromhex(rest))
    report = decode(argument)
    assert (report.cross_ref, report.event) == (b"\x07", m.OtherEvent(kind))


def test_an_empty_event_has_nothing() -> None:
    assert decode(bytes.fromhex("30 09 55 01 07 a0 04 ac 02 30 00")).event == m.ServiceInitiated()
    assert decode(bytes.fromhex("30 08 55 01 07 80 01 0d 30 00")).event == m.ServiceInitiated()
    assert decode(bytes.fromhex("30 06 55 01 07 80 01 0d")).event == m.ServiceInitiated()


def test_unknown_causes_and_states_are_none() -> None:
    report = decode(bytes.fromhex("30 0f 55 01 07 80 01 0d 30 07 4e 01 63 0a 02 01 00"))
    assert report.event == m.ServiceInitiated(state=None, cause=None)


def test_a_third_of_a_kind_is_skipped() -> None:
    fields = "63 03 84 01 31 63 03 84 01 32 63 03 84 01 33"
    report = decode(bytes.fromhex(f"30 17 55 01 07 80 01 05 30 0f {fields}"))
    assert isinstance(report.event, m.Diverted)
    assert (report.event.diverting.number, report.event.destination.number) == ("1", "2")


@pytest.mark.parametrize(
    "argument",
    [
        "",
        "05 00",
        "30 00",
        "30 02 a0 00",
        "30 03 55 01",
        "30 09 55 01 07 a0 04 ac 02 30 7f",
        "30 06 55 01 07 80 01",
    ],
)
def test_broken_reports(argument: str) -> None:
    with pytest.raises(RemoteProtocolError):
        decode(bytes.fromhex(argument))


def common(items: str) -> m.EventReport:
    content = bytes.fromhex(items)
    event = bytes.fromhex("a0 04 ac 02 30 00")
    return decode(ber.sequence(b"\x55\x01\x07", event, ber.tlv(0x7E, ber.tlv(0xA1, content))))


def named(text: bytes) -> str:
    oid = bytes.fromhex("06 06 2b 0c 89 36 84 00")
    item = ber.sequence(oid, ber.sequence(ber.tlv(0x80, text), ber.tlv(0x81, b"")))
    private = common(item.hex()).private
    assert private is not None
    return private.name


def test_names_are_utf8_then_latin1_and_bounded() -> None:
    assert named("Zoë Łódź".encode()) == "Zoë Łódź"
    assert named(b"Zo\xeb") == "Zoë"
    assert named(b"\xc3") == "Ã"
    assert named(b"x" * 500) == "x" * 160
    assert named(b"x" + "é".encode() * 200) == "x" + "é" * 79
    assert named(b"") == ""


@pytest.mark.parametrize(
    "items",
    [
        "30 00",
        "05 00",
        "30 02 06 00",
        "30 08 06 06 2b 0c 89 36 84 09",
        "30 0b 06 06 2b 0c 89 36 18 01 02 01 05",
        "30 0c 06 06 2b 0c 89 36 84 00 30 02 05 00",
        "30 0a 06 06 2b 0c 89 36 84 00 30 00",
    ],
)
def test_private_items_that_say_nothing_lose_nothing(items: str) -> None:
    reference = "30 0b 06 06 2b 0c 89 36 84 0a 04 01 09"
    assert common(items + reference).private == m.PrivateData(second_reference=b"\x09")


def test_private_data_too_long_to_be_remembered_is_read_all_the_same() -> None:
    foreign = ber.sequence(bytes.fromhex("06 01 18"), ber.tlv(ber.OCTET_STRING, bytes(600)))
    reference = bytes.fromhex("30 0b 06 06 2b 0c 89 36 84 0a 04 01 09")
    assert common((foreign + reference).hex()).private == m.PrivateData(second_reference=b"\x09")


def test_private_data_of_phase_one() -> None:
    private = m.PrivateData(call_reference=b"12345678")
    report = m.EventReport(
        b"\x01", m.ServiceInitiated(connection=m.Connection(b"\x01", b"\x02")), private=private
    )
    encoded = encode_event_report(report, Phase.ONE)
    assert encoded.hex(" ").endswith("7d 12 06 06 2b 0c 89 36 84 09 04 08 31 32 33 34 35 36 37 38")
    assert decode(encoded) == report


def test_a_reference_is_bounded() -> None:
    with pytest.raises(RemoteProtocolError):
        common("30 2b 06 06 2b 0c 89 36 84 09 04 21" + "00" * 33)


def test_what_has_no_encoding_is_refused() -> None:
    for phase in Phase:
        with pytest.raises(LocalProtocolError):
            encode_event_report(m.EventReport(b"\x01", m.OtherEvent("102")), phase)
        with pytest.raises(LocalProtocolError, match="cause"):
            encode_event_report(m.EventReport(b"\x01", m.CallCleared(cause=Cause.NORMAL)), phase)
