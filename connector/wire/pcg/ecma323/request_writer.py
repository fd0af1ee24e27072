"""Commands as ECMA-323 request elements, 6th edition, children in the order of the schema.

Clauses 15 (call control), 18 (voice and digits), 19 and 20 (device features) of ECMA-269 give the meaning.
What is optional and has no place in our commands is left out: the switching function's default holds.
"""

from collections.abc import Callable
from typing import Any

from connector.domain.calls import ConnectionId
from connector.domain.commands import (
    AlternateCall,
    AnswerCall,
    ClearConnection,
    Command,
    ConferenceCall,
    ConsultationCall,
    DeflectCall,
    GenerateDigits,
    HoldCall,
    MakeCall,
    RetrieveCall,
    SetAgentState,
    SetDoNotDisturb,
    SetForwarding,
    TransferCall,
)
from connector.wire.pcg.ecma323.identifiers import connection, identifier
from connector.wire.pcg.names import CSTA, ECMA323


def request_element(command: Command) -> str:
    """`command` as one request element. Raises `TranslationError` for a text too long."""
    # The domain names its commands as the standard names its services.
    name = type(command).__name__
    return f'<{name} xmlns="{ECMA323}">{_CONTENTS[type(command)](command)}</{name}>'


def _element(name: str, value: str) -> str:
    return f"<{name}>{identifier(value)}</{name}>" if value else ""


def _switch(name: str, *, is_on: bool) -> str:
    return f"<{name}>{'true' if is_on else 'false'}</{name}>"


def _about(name: str) -> Callable[[Any], str]:
    """The content of a request about one connection."""
    return lambda command: _connection(name, command.connection)


def _connection(name: str, value: ConnectionId) -> str:
    return f"<{name}>{connection(value)}</{name}>"


def _make_call(command: MakeCall) -> str:
    calling = _element("callingDevice", command.device)
    return f"{calling}{_element('calledDirectoryNumber', command.called)}"


def _consultation(command: ConsultationCall) -> str:
    existing = _connection("existingCall", command.connection)
    return f"{existing}{_element('consultedDevice', command.consulted)}"


def _two_calls(command: TransferCall | ConferenceCall | AlternateCall) -> str:
    return f"{_connection('heldCall', command.held)}{_connection('activeCall', command.active)}"


def _deflect(command: DeflectCall) -> str:
    diverted = _connection("callToBeDiverted", command.connection)
    return f"{diverted}<newDestination>{_element('device', command.destination)}</newDestination>"


def _digits(command: GenerateDigits) -> str:
    place = _connection("connectionToSendDigits", command.connection)
    return f"{place}<digitMode>dTMF</digitMode>{_element('charactersToSend', command.digits)}"


def _forwarding(command: SetForwarding) -> str:
    return (
        f"{_element('device', command.device)}<forwardingType>{command.kind.value}</forwardingType>"
        f"{_switch('activateForward', is_on=command.is_on)}{_element('forwardDN', command.destination)}"
    )


def _do_not_disturb(command: SetDoNotDisturb) -> str:
    return f"{_element('device', command.device)}{_switch('doNotDisturbOn', is_on=command.is_on)}"


def _agent_state(command: SetAgentState) -> str:
    return (
        f"{_element('device', command.device)}"
        f"<requestedAgentState>{command.state.value}</requestedAgentState>"
        f"{_element('agentID', command.agent)}"
        # xsd:hexBinary of the password's octets.
        f"{_element('password', command.password.encode().hex().upper())}"
        f"{_element('group', command.group)}{_withdraw(command.withdraw_reason)}"
    )


def _withdraw(reason: int | None) -> str:
    """The reason of a CCD withdraw, which the standard has no place for."""
    if reason is None:
        return ""
    note = f'<withdraw xmlns="{CSTA}" reason="{reason}"/>'
    return f"<extensions><privateData><private>{note}</private></privateData></extensions>"


_CONTENTS: dict[type[Command], Callable[[Any], str]] = {
    MakeCall: _make_call,
    AnswerCall: _about("callToBeAnswered"),
    HoldCall: _about("callToBeHeld"),
    RetrieveCall: _about("callToBeRetrieved"),
    ClearConnection: _about("connectionToBeCleared"),
    ConsultationCall: _consultation,
    TransferCall: _two_calls,
    ConferenceCall: _two_calls,
    AlternateCall: _two_calls,
    DeflectCall: _deflect,
    GenerateDigits: _digits,
    SetForwarding: _forwarding,
    SetDoNotDisturb: _do_not_disturb,
    SetAgentState: _agent_state,
}
