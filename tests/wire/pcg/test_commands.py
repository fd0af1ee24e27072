"""The frame of a command and its one answer: both ways, strict in writing, tolerant in reading, bounded."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.domain.calls import ConnectionId
from connector.domain.commands import (
    VERBS,
    AgentState,
    Command,
    CommandDone,
    CommandRefused,
    CommandRequest,
    ConferenceCall,
    GenerateDigits,
    MakeCall,
    Outcome,
    Refused,
    SetAgentState,
    TransferCall,
    Verb,
)
from connector.domain.errors import RemoteProtocolError, TranslationError
from connector.wire.pcg import commands as codec
from connector.wire.pcg import ecma323
from connector.wire.pcg.ecma323.error_words import error_of_word
from connector.wire.pcg.ecma323.responses import response_element
from connector.wire.xmpp.stanzas import Stanza, error_reply, read_stanza, result_reply
from connector.wire.xmpp.xml import parse
from tests.wire.pcg.command_words import commands, done_for, request, requests

ED6 = "http://www.ecma-international.org/standards/ecma-323/csta/ed6"
CONNECTION = ConnectionId("2AD8", "3001")
ASKED = Stanza("iq", "cmd-1", "set", "pbxpcg_1@x/pbxpcg", "a@x/pbxagent", None, ())


def frame(content: str, head: str = 'device="3001" user="anna" deadline="2026-11-20T12:00:30Z"') -> str:
    return f'<command xmlns="urn:oxbridge:csta:1" {head}>{content}</command>'


def ed6(name: str, content: str) -> str:
    return f'<{name} xmlns="{ED6}">{content}</{name}>'


def read(content: str) -> Command:
    return codec.read_command(parse(frame(content)), "cmd-1").command


def told(outcome: Outcome, verb: Verb) -> Outcome:
    """The outcome as the gateway reads it from the stanza that the agent sends."""
    answer = codec.answer(outcome, verb)
    if answer.condition is None:
        reply = result_reply(ASKED, answer.payload)
    else:
        reply = error_reply(ASKED, answer.condition, payload=answer.payload)
    return codec.read_answer(read_stanza(parse(reply)))


@settings(max_examples=300, deadline=None)
@given(requests)
def test_a_request_survives_the_way(sent: CommandRequest) -> None:
    assert codec.read_command(parse(codec.command(sent)), sent.id) == sent


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(Verb).flatmap(lambda verb: st.tuples(st.just(verb), done_for(verb))))
def test_a_result_survives_the_way(case: tuple[Verb, CommandDone]) -> None:
    verb, outcome = case
    assert told(outcome, verb) == outcome


@pytest.mark.parametrize("verb", Verb)
@pytest.mark.parametrize("reason", Refused)
@pytest.mark.parametrize("word", ["", "invalidCalledDeviceID", "noCallToAnswer", "vendor says 17"])
def test_a_refusal_survives_the_way(verb: Verb, reason: Refused, word: str) -> None:
    outcome = told(CommandRefused(reason, word), verb)
    assert isinstance(outcome, CommandRefused)
    assert outcome.reason is reason
    # What is told with an element of our own has no room for a word.
    assert outcome.error == word or not word or reason in (Refused.EXPIRED, Refused.UNKNOWN_OUTCOME)


def test_each_refusal_has_a_condition_of_its_own() -> None:
    conditions = [codec.answer(CommandRefused(reason), Verb.MAKE_CALL).condition for reason in Refused]
    assert len(set(conditions)) == len(conditions)
    assert None not in conditions


def test_every_verb_has_its_word_in_both_directions() -> None:
    assert set(VERBS.values()) == set(Verb)
    for kind, verb in VERBS.items():
        assert response_element(verb).startswith(f"<{kind.__name__}Response ")


@pytest.mark.parametrize(
    ("word", "category"),
    [
        ("invalidConnectionID", "operation"),
        ("serviceNotSupported", "operation"),
        ("privilegeViolationCalledDevice", "operation"),
        ("requestIncompatibleWithDevice", "operation"),
        ("ringVolumnOutOfRange", "operation"),
        ("generic", "operation"),
        ("securityInfoViolated", "security"),
        ("invalidHeldConnectionState", "stateIncompatibility"),
        ("networkOutOfService", "systemResourceAvailibility"),
        ("outstandingReqLimitExceeded", "subscribedResourceAvailability"),
        ("performanceLimitExceeded", "performanceManagement"),
        ("cSTAPrivateDataInfoError", "privateData"),
        ("", "unspecified"),
        ("universalFailure(4711)", "privateErrorCode"),
    ],
)
def test_words_of_errors_stand_in_their_category(word: str, category: str) -> None:
    element = parse(ecma323.error_element(error_of_word(word)))
    assert [(child.tag, child.text or "") for child in element] == [(f"{{{ED6}}}{category}", word)]


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ("bad-request", Refused.UNSUPPORTED),
        ("service-unavailable", Refused.UNSUPPORTED),
        ("remote-server-timeout", Refused.UNKNOWN_OUTCOME),
        ("gone", Refused.UNKNOWN_OUTCOME),
    ],
)
def test_other_conditions_never_claim_what_they_can_not_know(condition: str, reason: Refused) -> None:
    assert codec.read_answer(read_stanza(parse(error_reply(ASKED, condition)))) == CommandRefused(reason)


@pytest.mark.parametrize("payload", ["", '<x xmlns="urn:y"/>', ed6("MonitorStopResponse", "")])
def test_a_result_that_is_none_is_unknown(payload: str) -> None:
    stanza = read_stanza(parse(result_reply(ASKED, payload)))
    assert codec.read_answer(stanza) == CommandRefused(Refused.UNKNOWN_OUTCOME)
    assert codec.read_answer(None) == CommandRefused(Refused.UNKNOWN_OUTCOME)


@pytest.mark.parametrize(
    "content",
    [
        ed6("MonitorStart", "<monitorObject><deviceObject>3001</deviceObject></monitorObject>"),
        ed6("GroupPickupCall", ""),
        '<MakeCall xmlns="urn:y"/>',
        "<MakeCall/>",
    ],
)
def test_another_service_is_told_from_a_broken_request(content: str) -> None:
    with pytest.raises(codec.UnknownService):
        read(content)


BAD_CONNECTION = "<callToBeAnswered><deviceID>3001</deviceID></callToBeAnswered>"
BAD = {
    "a connection without a call": ed6("AnswerCall", BAD_CONNECTION),
    "no connection": ed6("HoldCall", ""),
    "one of two connections": ed6("TransferCall", "<heldCall><callID>1</callID></heldCall>"),
    "no number": ed6("MakeCall", "<callingDevice>3001</callingDevice>"),
    "an empty number": ed6("MakeCall", "<calledDirectoryNumber>tel:</calledDirectoryNumber>"),
    "a number too long": ed6("MakeCall", f"<calledDirectoryNumber>{'1' * 300}</calledDirectoryNumber>"),
    "two destinations": ed6(
        "DeflectCall",
        "<callToBeDiverted><callID>1</callID></callToBeDiverted>"
        "<newDestination><device>1</device><device>2</device></newDestination>",
    ),
    "too many children": ed6("MakeCall", "<calledDirectoryNumber>1</calledDirectoryNumber>" * 33),
    "no forwarding type": ed6("SetForwarding", "<activateForward>false</activateForward>"),
    "a forwarding of another kind": ed6(
        "SetForwarding", "<forwardingType>forwardDND</forwardingType><activateForward>false</activateForward>"
    ),
    "a forwarding to nowhere": ed6(
        "SetForwarding",
        "<forwardingType>forwardBusy</forwardingType><activateForward>true</activateForward>",
    ),
    "neither on nor off": ed6("SetDoNotDisturb", "<doNotDisturbOn>yes</doNotDisturbOn>"),
    "an unknown state": ed6("SetAgentState", "<requestedAgentState>asleep</requestedAgentState>"),
    "a reason for being ready": ed6(
        "SetAgentState",
        "<requestedAgentState>ready</requestedAgentState><extensions><privateData><private>"
        '<withdraw xmlns="urn:oxbridge:csta:1" reason="3"/></private></privateData></extensions>',
    ),
    "a reason over nine": ed6(
        "SetAgentState",
        "<requestedAgentState>notReady</requestedAgentState><extensions><privateData><private>"
        '<withdraw xmlns="urn:oxbridge:csta:1" reason="10"/></private></privateData></extensions>',
    ),
}


@pytest.mark.parametrize("content", BAD.values(), ids=BAD.keys())
def test_what_a_command_needs_is_never_guessed(content: str) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        read(content)
    assert not isinstance(caught.value, codec.UnknownService)
    assert caught.value.clause


@pytest.mark.parametrize("digits", ["", "12,3", "E", "1" * 65, "\u0661"])
def test_digits(digits: str) -> None:
    place = "<connectionToSendDigits><callID>1</callID></connectionToSendDigits>"
    with pytest.raises(RemoteProtocolError):
        read(ed6("GenerateDigits", f"{place}<charactersToSend>{digits}</charactersToSend>"))


def test_digits_in_small_letters() -> None:
    place = "<connectionToSendDigits><callID>1</callID></connectionToSendDigits>"
    command = read(ed6("GenerateDigits", f"{place}<charactersToSend>1a*</charactersToSend>"))
    assert command == GenerateDigits(ConnectionId("1", "3001"), "1A*")


@pytest.mark.parametrize("secret", ["6B617Z", "6B6", "ff", "00" * 65])
def test_a_bad_password_is_refused_without_being_shown(secret: str) -> None:
    state = "<requestedAgentState>loggedOn</requestedAgentState>"
    with pytest.raises(RemoteProtocolError) as caught:
        read(ed6("SetAgentState", f"{state}<password>{secret}</password>"))
    assert secret not in str(caught.value) + repr(caught.value) + caught.value.excerpt


def test_passwords_and_digits_are_in_no_text() -> None:
    log_on = SetAgentState("3001", AgentState.LOGGED_ON, agent="4711", password="canary-7")
    digits = GenerateDigits(CONNECTION, "7391")
    assert "canary-7" not in repr(request(log_on))
    assert "7391" not in repr(request(digits))


@pytest.mark.parametrize(
    "head",
    [
        'device="3001" user="anna"',
        'device="3001" deadline="2026-11-20T12:00:30Z"',
        'user="anna" deadline="2026-11-20T12:00:30Z"',
        'device="3001" user="anna" deadline="2026-11-20T12:00:30"',
        'device="3001" user="anna" deadline="soon"',
        f'device="{"3" * 300}" user="anna" deadline="2026-11-20T12:00:30Z"',
        f'device="3001" user="{"a" * 129}" deadline="2026-11-20T12:00:30Z"',
    ],
)
def test_a_frame_without_what_it_needs(head: str) -> None:
    call = ed6("MakeCall", "<calledDirectoryNumber>3002</calledDirectoryNumber>")
    with pytest.raises(RemoteProtocolError):
        codec.read_command(parse(frame(call, head)), "cmd-1")


@pytest.mark.parametrize("id_", ["", "x" * 129])
def test_an_id_that_can_not_be_remembered(id_: str) -> None:
    with pytest.raises(RemoteProtocolError):
        codec.read_command(parse(codec.command(request(MakeCall("3001", "3002")))), id_)


def test_an_empty_frame() -> None:
    with pytest.raises(RemoteProtocolError):
        read("")


@pytest.mark.parametrize("kind", [TransferCall, ConferenceCall])
def test_more_connections_than_an_answer_may_list(kind: type[Command]) -> None:
    many = tuple(ConnectionId(str(number), "3001") for number in range(65))
    with pytest.raises(TranslationError):
        codec.answer(CommandDone(many), VERBS[kind])
    items = "<connectionListItem><newConnection><callID>1</callID></newConnection></connectionListItem>" * 65
    reply = result_reply(ASKED, ed6(f"{kind.__name__}Response", f"<connections>{items}</connections>"))
    assert codec.read_answer(read_stanza(parse(reply))) == CommandRefused(Refused.UNKNOWN_OUTCOME)


@settings(max_examples=100, deadline=None)
@given(commands)
def test_a_command_is_read_whatever_the_order_of_its_parts(command: Command) -> None:
    root = parse(codec.command(request(command)))
    root[0][:] = list(root[0])[::-1]
    assert codec.read_command(root, "cmd-1").command == command
