"""The switching services against octets written by hand from the public phase I module, and both ways."""

import contextlib
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.domain.errors import RemoteProtocolError
from connector.wire import rose
from connector.wire.csta import errors, services, switching
from connector.wire.csta import messages as m
from connector.wire.csta import switching_codec as codec
from connector.wire.csta.messages import DeviceForm, DeviceId
from connector.wire.csta.session import CLIENT_GREETING, CstaServer
from connector.wire.csta.session_events import Requested, ServerOptions
from connector.wire.framing import framed
from connector.wire.pcg.ecma323.error_words import error_of_word
from connector.wire.pcg.ecma323.system import CstaError, ErrorCategory

SET = DeviceId(DeviceForm.DIALING, "101")
OTHER = DeviceId(DeviceForm.DIALING, "102")
LEG = m.Connection(b"\x00\x11", b"\x00\x01\x01\x02")
HELD = m.Connection(b"\x00\x10", b"\x00\x01\x01\x02")
LEG_HEX = "6b 0a 82 02 00 11 83 04 00 01 01 02"
HELD_HEX = "6b 0a 82 02 00 10 83 04 00 01 01 02"
STATIC_HEX = "6b 0b 82 02 00 11 a0 05 80 03 31 30 31"

# Operation, the argument as the phase I module writes it, and what it says.
WRITTEN: list[tuple[int, str, m.SwitchingRequest]] = [
    (10, "30 0c 80 03 31 30 31 62 05 80 03 31 30 32", switching.MakeCall(SET, OTHER)),
    (2, LEG_HEX, switching.AnswerCall(LEG)),
    (2, STATIC_HEX, switching.AnswerCall(m.Connection(b"\x00\x11", static=SET))),
    (5, LEG_HEX, switching.ClearConnection(LEG)),
    (14, LEG_HEX, switching.RetrieveCall(LEG)),
    (9, f"30 0f {LEG_HEX} 01 01 00", switching.HoldCall(LEG)),
    (9, f"30 0f {LEG_HEX} 01 01 ff", switching.HoldCall(LEG, is_reserved=True)),
    (7, f"30 13 {LEG_HEX} 62 05 80 03 31 30 32", switching.ConsultationCall(LEG, OTHER)),
    (8, f"a0 13 {LEG_HEX} 62 05 80 03 31 30 32", switching.DeflectCall(LEG, OTHER)),
    (1, f"a2 18 {HELD_HEX} {LEG_HEX}", switching.AlternateCall(HELD, LEG)),
    (6, f"a2 18 {HELD_HEX} {LEG_HEX}", switching.ConferenceCall(HELD, LEG)),
    (16, f"a2 18 {HELD_HEX} {LEG_HEX}", switching.TransferCall(HELD, LEG)),
    (19, f"30 10 {LEG_HEX} 16 02 31 23", switching.SendDtmf(LEG, "1#")),
    (15, "30 08 80 03 31 30 31 81 01 ff", switching.SetDoNotDisturb(SET, True)),
    (15, "30 08 80 03 31 30 31 81 01 00", switching.SetDoNotDisturb(SET, False)),
    (
        15,
        "30 0f 80 03 31 30 31 a2 08 0a 01 02 16 03 31 30 32",
        switching.SetForwarding(SET, switching.Forwarding.BUSY, True, "102"),
    ),
    (
        15,
        "30 0a 80 03 31 30 31 a2 03 0a 01 05",
        switching.SetForwarding(SET, switching.Forwarding.NO_ANSWER, False),
    ),
    (
        15,
        "30 17 80 03 31 30 31 a3 10 a0 0e 8a 02 34 31 8b 04 31 32 33 34 80 02 39 30",
        switching.SetAgentState(SET, switching.AgentState.LOG_ON, "41", "1234", "90"),
    ),
    (15, "30 09 80 03 31 30 31 a3 02 82 00", switching.SetAgentState(SET, switching.AgentState.NOT_READY)),
]


@pytest.mark.parametrize(("operation", "argument", "request_"), WRITTEN)
def test_octets_written_by_hand(operation: int, argument: str, request_: m.SwitchingRequest) -> None:
    octets = bytes.fromhex(argument)
    assert services.decode_request(operation, octets) == request_
    number, encoded = services.encode_request(request_)
    assert (number, encoded.hex(" ")) == (operation, octets.hex(" "))


def test_every_service_is_among_them() -> None:
    written = {type(request) for _, _, request in WRITTEN}
    assert written == set(codec._WRITERS)


@pytest.mark.parametrize(
    ("operation", "argument", "expected"),
    [
        (2, f"30 0e {LEG_HEX} 7e 00", switching.AnswerCall(LEG)),
        (9, LEG_HEX, switching.HoldCall(LEG)),
        (9, f"30 0c {LEG_HEX}", switching.HoldCall(LEG)),
        (16, f"30 18 {HELD_HEX} {LEG_HEX}", switching.TransferCall(HELD, LEG)),
        (16, f"a2 1a {HELD_HEX} {LEG_HEX} 7e 00", switching.TransferCall(HELD, LEG)),
        (
            1,
            "a0 0a 82 02 00 10 83 04 00 01 01 02",
            switching.AlternateCall(HELD, m.NO_CONNECTION),
        ),
        (
            1,
            "a1 0a 82 02 00 11 83 04 00 01 01 02",
            switching.AlternateCall(m.NO_CONNECTION, LEG),
        ),
        (10, "30 0e 80 03 31 30 31 62 05 80 03 31 30 32 7e 00", switching.MakeCall(SET, OTHER)),
        (8, f"a1 11 {LEG_HEX} 80 03 31 30 31", None),  # a pickup
        (15, "30 08 80 03 31 30 31 80 01 ff", None),  # message waiting
    ],
)
def test_other_forms_are_read(operation: int, argument: str, expected: m.SwitchingRequest | None) -> None:
    octets = bytes.fromhex(argument)
    wanted = expected or m.OtherRequest(operation, octets)
    assert services.decode_request(operation, octets) == wanted


@pytest.mark.parametrize(
    ("operation", "argument"),
    [
        (10, "30 05 80 03 31 30 31"),  # nobody called
        (2, "05 00"),
        (9, "30 03 01 01 00"),
        (7, f"30 0c {LEG_HEX}"),
        (16, f"a2 0c {LEG_HEX}"),
        (16, f"a2 24 {LEG_HEX} {LEG_HEX} {LEG_HEX}"),
        (15, "30 0a 80 03 31 30 31 a2 03 0a 01 06"),
        (15, "30 09 80 03 31 30 31 a3 02 86 00"),
        (15, "30 0a 80 03 31 30 31 81 03 00 00 00"),
        (19, f"30 4f {LEG_HEX} 16 41 " + "31 " * 65),
    ],
)
def test_broken_requests(operation: int, argument: str) -> None:
    with pytest.raises(RemoteProtocolError):
        services.decode_request(operation, bytes.fromhex(argument))


LISTED = (m.ListedConnection(LEG, SET), m.ListedConnection(HELD))


@pytest.mark.parametrize(
    ("operation", "result"),
    [
        (10, switching.CallInitiated(LEG)),
        (7, switching.CallInitiated(LEG)),
        (16, switching.CallsJoined(LEG)),
        (6, switching.CallsJoined(LEG, LISTED)),
        (2, m.Done()),
    ],
)
def test_results_both_ways(operation: int, result: m.Result) -> None:
    assert services.decode_result(operation, services.encode_result(result)) == result


@pytest.mark.parametrize(
    ("operation", "value", "expected"),
    [
        (10, LEG_HEX, switching.CallInitiated(LEG)),
        (10, f"30 0e {LEG_HEX} 7e 00", switching.CallInitiated(LEG)),
        (10, "30 02 7e 00", m.OtherResult(bytes.fromhex("30 02 7e 00"))),
        (16, "30 00", m.OtherResult(bytes.fromhex("30 00"))),
        (16, f"30 1a {LEG_HEX} 6c 0c {HELD_HEX}", switching.CallsJoined(LEG, (m.ListedConnection(HELD),))),
        (
            16,
            f"30 1e {LEG_HEX} 30 10 a3 0e 30 0c {HELD_HEX}",
            switching.CallsJoined(LEG, (m.ListedConnection(HELD),)),
        ),
    ],
)
def test_results_of_every_form(operation: int, value: str, expected: m.Result) -> None:
    assert services.decode_result(operation, bytes.fromhex(value)) == expected


OPERATIONS = st.sampled_from(sorted({operation for operation, _, _ in WRITTEN}))


@settings(deadline=None, max_examples=300)
@given(OPERATIONS, st.binary(max_size=80))
def test_any_octets_are_a_request_or_a_protocol_error(operation: int, argument: bytes) -> None:
    try:
        assert isinstance(services.decode_request(operation, argument), get_args(m.Request))
        services.decode_result(operation, argument)
    except RemoteProtocolError:
        pass


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(WRITTEN), st.data())
def test_changed_octets_are_a_request_or_a_protocol_error(
    written: tuple[int, str, m.SwitchingRequest], data: st.DataObject
) -> None:
    operation, argument, _ = written
    octets = bytearray.fromhex(argument)
    octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(octets)))
    for changed in (bytes(octets), bytes(octets[:cut])):
        with contextlib.suppress(RemoteProtocolError):
            services.decode_request(operation, changed)


def stream() -> bytes:
    """Every request of `WRITTEN` as frames, numbered from 1."""
    invokes = (
        rose.Invoke(number, operation, bytes.fromhex(argument))
        for number, (operation, argument, _) in enumerate(WRITTEN, start=1)
    )
    return b"".join(framed(rose.encode(invoke)) for invoke in invokes)


def requested(*pieces: bytes) -> list[object]:
    """What a PBX is asked that gets `pieces` one after the other."""
    server = CstaServer(ServerOptions(), 0.0)
    for piece in (CLIENT_GREETING, *pieces):
        server.receive(piece, 0.0)
    return [event.request for event in server.events() if isinstance(event, Requested)]


def test_the_stream_may_be_cut_anywhere() -> None:
    octets, expected = stream(), [request for _, _, request in WRITTEN]
    assert requested(octets) == expected
    assert requested(*(octets[at : at + 1] for at in range(len(octets)))) == expected
    for cut in range(len(octets)):
        assert requested(octets[:cut], octets[cut:]) == expected


def test_secrets_are_not_shown() -> None:
    shown = repr(switching.SendDtmf(LEG, "4711")) + repr(
        switching.SetAgentState(SET, switching.AgentState.LOG_ON, "41", "1234")
    )
    assert "4711" not in shown
    assert "1234" not in shown


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (errors.INVALID_CALLING_DEVICE, "invalidCallingDeviceID"),
        (errors.INCORRECT_STATE, "invalidObjectState"),
        (errors.PERFORMANCE_LIMIT, "performanceLimitExceeded"),
        (errors.OUTSTANDING_REQUEST_LIMIT, "outstandingReqLimitExceeded"),
        (errors.CONFERENCE_MEMBER_LIMIT, "conferenceMemberLimitExceeded"),
        (errors.ServiceError(errors.ErrorClass.UNSPECIFIED), ""),
        (errors.ServiceError(errors.ErrorClass.STATE, 77), "generic"),
        (errors.ServiceError(12, 4), "generic"),
    ],
)
def test_errors_have_the_later_standards_words(error: errors.ServiceError, word: str) -> None:
    assert error.word == word


CATEGORIES = {
    errors.ErrorClass.OPERATION: ErrorCategory.OPERATION,
    errors.ErrorClass.STATE: ErrorCategory.STATE_INCOMPATIBILITY,
    errors.ErrorClass.SYSTEM_RESOURCE: ErrorCategory.SYSTEM_RESOURCE_AVAILABILITY,
    errors.ErrorClass.SUBSCRIBED_RESOURCE: ErrorCategory.SUBSCRIBED_RESOURCE_AVAILABILITY,
    errors.ErrorClass.PERFORMANCE: ErrorCategory.PERFORMANCE_MANAGEMENT,
}


@pytest.mark.parametrize("error_class", list(CATEGORIES))
def test_each_word_stands_in_the_schema_under_its_class(error_class: errors.ErrorClass) -> None:
    for value in range(2, 20):
        word = errors.ServiceError(error_class, value).word
        if word != "generic":
            assert error_of_word(word) == CstaError(CATEGORIES[error_class], word)
