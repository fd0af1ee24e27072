"""ECMA-323 request elements as commands, from any edition that peers send.

Tolerant in form: children in any order, unknown and optional ones skipped, a number as text or in `device`.
Strict in meaning: a command is done to somebody's call, so nothing that it needs is guessed.
"""

import re
from collections.abc import Callable
from xml.etree.ElementTree import Element

from connector.domain.calls import ConnectionId
from connector.domain.commands import (
    AgentState,
    AlternateCall,
    AnswerCall,
    ClearConnection,
    Command,
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
)
from connector.domain.errors import RemoteProtocolError
from connector.domain.faults import FaultId
from connector.wire.pcg.ecma323.event_reader import is_ecma323
from connector.wire.pcg.ecma323.identifiers import connection_of, identifier_of
from connector.wire.pcg.fields import broken, integer_field, local_name
from connector.wire.pcg.names import CSTA

_CLAUSE = "protocol, section 3; ECMA-323, 15 to 20"
_WITHDRAW = f"{{{CSTA}}}withdraw"
# MakeCall, the fullest request of ed6, has 14.
_MAX_CHILDREN = 32
# ECMA-269 names no limit. An account number with its PIN has some 30; a PBX takes the digits in one message.
_DIGITS = re.compile(r"[0-9A-D*#]{1,64}\Z")
# An agent types it on a telephone; as hex twice as long.
_PASSWORD = re.compile(r"(?:[0-9A-Fa-f]{2}){1,64}\Z")
# The longest service name of the standard has 35.
_MAX_NAME_CHARS = 40
# RFC 3966: some senders write any number as a URI.
_TEL = "tel:"
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_FORWARDINGS = {kind.value: kind for kind in ForwardingKind}
_AGENT_STATES = {state.value: state for state in AgentState}


class UnknownService(RemoteProtocolError):
    """A request of a service that we do not have: an answer can say so, it breaks no rule."""


def request_command(element: Element, *, device: str) -> Command:
    """The command in a request element for `device`.

    A request that names no device, or a connection without one, means `device`. Raises `UnknownService` for
    another service, `RemoteProtocolError` when something needed is missing, unknown or over its limit.
    """
    reader = _READERS.get(local_name(element)) if is_ecma323(element) else None
    if reader is None:
        name = local_name(element)[:_MAX_NAME_CHARS]
        raise UnknownService(FaultId.CLOUD_PROTOCOL, f"<{name}> is no service of ours", clause=_CLAUSE)
    return reader(_Request(element, device))


class _Request:
    """One request element being read: its children by name."""

    __slots__ = ("_device", "_parts", "element")

    def __init__(self, element: Element, device: str) -> None:
        if len(element) > _MAX_CHILDREN:
            raise broken(element, f"has over {_MAX_CHILDREN} children", _CLAUSE)
        self.element = element
        self._device = device
        self._parts = {local_name(child): child for child in element}

    def text(self, name: str) -> str:
        """The text of a child, empty if there is none."""
        return identifier_of(self._parts.get(name))

    def device(self, name: str) -> str:
        """The device that the request is about."""
        return self.text(name) or self._device

    def connection(self, name: str) -> ConnectionId:
        """A connection; one without a call could be any of the device's."""
        found = connection_of(self._parts.get(name))
        if found is None or not found.call:
            raise broken(self.element, f"lacks the call in <{name}>", _CLAUSE)
        return found if found.device else ConnectionId(found.call, self._device)

    def number(self, name: str) -> str:
        """A number to dial, as text or, since ed5, in one `device`."""
        part = self._parts.get(name)
        if part is not None and len(part) > 1:
            raise broken(self.element, f"has several numbers in <{name}>", _CLAUSE)
        text = identifier_of(part[0] if part is not None and len(part) else part)
        number = text[len(_TEL) :] if text[: len(_TEL)].lower() == _TEL else text
        if not number:
            raise broken(self.element, f"has no number in <{name}>", _CLAUSE)
        return number

    def switch(self, name: str) -> bool:
        """An `xs:boolean`."""
        text = self.text(name)
        if text not in _BOOLEANS:
            raise broken(self.element, f"has no true or false in <{name}>", _CLAUSE)
        return _BOOLEANS[text]

    def password(self) -> str:
        """The password, which the standard carries as xs:hexBinary."""
        text = self.text("password")
        if not text:
            return ""
        if _PASSWORD.match(text) is None:
            raise broken(self.element, "has a password that is not short hex", _CLAUSE)
        try:
            return bytes.fromhex(text).decode()
        except UnicodeDecodeError:
            raise broken(self.element, "has a password that is not UTF-8", _CLAUSE) from None

    def withdraw_reason(self) -> int | None:
        """Our own element in private data."""
        extensions = self._parts.get("extensions")
        note = None if extensions is None else next(extensions.iter(_WITHDRAW), None)
        return None if note is None else integer_field(note, "reason", _CLAUSE, high=9)


def _make_call(request: _Request) -> MakeCall:
    return MakeCall(request.device("callingDevice"), request.number("calledDirectoryNumber"))


def _consultation(request: _Request) -> ConsultationCall:
    return ConsultationCall(request.connection("existingCall"), request.number("consultedDevice"))


def _deflect(request: _Request) -> DeflectCall:
    return DeflectCall(request.connection("callToBeDiverted"), request.number("newDestination"))


def _digits(request: _Request) -> GenerateDigits:
    # Any case in, as RFC 4733 senders write them; a PBX knows capitals.
    digits = request.text("charactersToSend").upper()
    if _DIGITS.match(digits) is None:
        raise broken(request.element, "has no digits to send", _CLAUSE)
    return GenerateDigits(request.connection("connectionToSendDigits"), digits)


def _forwarding(request: _Request) -> SetForwarding:
    kind = _FORWARDINGS.get(request.text("forwardingType"))
    if kind is None:
        raise broken(request.element, "has no forwarding type that we know", _CLAUSE)
    is_on = request.switch("activateForward")
    destination = request.number("forwardDN") if is_on else ""
    return SetForwarding(request.device("device"), kind, is_on, destination)


def _do_not_disturb(request: _Request) -> SetDoNotDisturb:
    return SetDoNotDisturb(request.device("device"), request.switch("doNotDisturbOn"))


def _agent_state(request: _Request) -> SetAgentState:
    state = _AGENT_STATES.get(request.text("requestedAgentState"))
    reason = request.withdraw_reason()
    if state is None or (reason is not None and state is not AgentState.NOT_READY):
        raise broken(request.element, "has no agent state that we know, or a reason without one", _CLAUSE)
    return SetAgentState(
        request.device("device"),
        state,
        agent=request.text("agentID"),
        password=request.password(),
        group=request.text("group"),
        withdraw_reason=reason,
    )


def _of_connection(kind: Callable[[ConnectionId], Command], name: str) -> Callable[[_Request], Command]:
    return lambda request: kind(request.connection(name))


def _of_two(
    kind: Callable[[ConnectionId, ConnectionId], Command],
) -> Callable[[_Request], Command]:
    return lambda request: kind(request.connection("heldCall"), request.connection("activeCall"))


_READERS: dict[str, Callable[[_Request], Command]] = {
    "MakeCall": _make_call,
    "AnswerCall": _of_connection(AnswerCall, "callToBeAnswered"),
    "HoldCall": _of_connection(HoldCall, "callToBeHeld"),
    "RetrieveCall": _of_connection(RetrieveCall, "callToBeRetrieved"),
    "ClearConnection": _of_connection(ClearConnection, "connectionToBeCleared"),
    "ConsultationCall": _consultation,
    "TransferCall": _of_two(TransferCall),
    "ConferenceCall": _of_two(ConferenceCall),
    "AlternateCall": _of_two(AlternateCall),
    "DeflectCall": _deflect,
    "GenerateDigits": _digits,
    "SetForwarding": _forwarding,
    "SetDoNotDisturb": _do_not_disturb,
    "SetAgentState": _agent_state,
}
