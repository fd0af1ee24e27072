"""Commands and outcomes with anything in them that a gateway or a PBX may say."""

from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from connector.domain.calls import ConnectionId
from connector.domain.commands import (
    AgentState,
    AlternateCall,
    AnswerCall,
    ClearConnection,
    Command,
    CommandDone,
    CommandRequest,
    ConferenceCall,
    ConsultationCall,
    DeflectCall,
    ForwardingKind,
    GenerateDigits,
    HoldCall,
    MakeCall,
    RetrieveCall,
    SetAgentState,
    SetDoNotDisturb,
    SetForwarding,
    TransferCall,
    Verb,
)

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)

# Identifiers are opaque: what XML has to escape too, but neither control characters nor space around them.
_words = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x2FF, exclude_characters="\x7f\x85\xa0\xad"),
    min_size=1,
    max_size=40,
)
numbers = st.text("0123456789*#", min_size=1, max_size=32)
connections = st.builds(ConnectionId, _words, _words)
_agents = st.builds(
    SetAgentState,
    numbers,
    st.sampled_from(AgentState),
    agent=st.just("") | _words,
    password=st.text(st.characters(exclude_categories=["Cs"]), max_size=16),
    group=st.just("") | _words,
)
_withdrawals = st.builds(
    SetAgentState, numbers, st.just(AgentState.NOT_READY), withdraw_reason=st.integers(0, 9)
)
commands: st.SearchStrategy[Command] = st.one_of(
    st.builds(MakeCall, numbers, numbers),
    *(st.builds(kind, connections) for kind in (AnswerCall, HoldCall, RetrieveCall, ClearConnection)),
    st.builds(ConsultationCall, connections, numbers),
    *(st.builds(kind, connections, connections) for kind in (TransferCall, ConferenceCall, AlternateCall)),
    st.builds(DeflectCall, connections, numbers),
    st.builds(GenerateDigits, connections, st.text("0123456789ABCD*#", min_size=1, max_size=64)),
    st.builds(SetForwarding, numbers, st.sampled_from(ForwardingKind), st.just(True), numbers),
    st.builds(SetForwarding, numbers, st.sampled_from(ForwardingKind), st.just(False)),
    st.builds(SetDoNotDisturb, numbers, st.booleans()),
    _agents,
    _withdrawals,
)
requests = st.builds(
    CommandRequest,
    st.text("0123456789abcdef-", min_size=1, max_size=128),
    numbers,
    _words,
    st.integers(0, 10**9).map(lambda milliseconds: NOON + timedelta(milliseconds=milliseconds)),
    commands,
)
LISTING = frozenset({Verb.TRANSFER_CALL, Verb.CONFERENCE_CALL})
SINGLE = frozenset({Verb.MAKE_CALL, Verb.CONSULTATION_CALL})


def done_for(verb: Verb) -> st.SearchStrategy[CommandDone]:
    """Positive outcomes with as many connections as the response of `verb` has places for."""
    most = 5 if verb in LISTING else 1 if verb in SINGLE else 0
    return st.lists(connections, max_size=most).map(lambda found: CommandDone(tuple(found)))


def request(command: Command, *, id_: str = "cmd-1", device: str = "3001") -> CommandRequest:
    """A request that can be done now."""
    return CommandRequest(id_, device, "anna", NOON + timedelta(seconds=30), command)
