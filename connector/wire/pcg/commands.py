"""Commands of the csta channel (docs/protocols/pcg.md, section 3): a request in its frame, and its answer.

The id of the iq is the id of the command: whoever repeats it means the same command.
"""

from dataclasses import dataclass
from xml.etree.ElementTree import Element

from connector.domain.commands import (
    CommandDone,
    CommandRefused,
    CommandRequest,
    Outcome,
    Refused,
    Verb,
)
from connector.domain.errors import RemoteProtocolError
from connector.wire.pcg import ecma323
from connector.wire.pcg.ecma323.error_words import error_of_word
from connector.wire.pcg.ecma323.request_reader import UnknownService, request_command
from connector.wire.pcg.ecma323.request_writer import request_element
from connector.wire.pcg.ecma323.responses import response_connections, response_element
from connector.wire.pcg.fields import broken, expect, only_child, text_field, time_field, timestamp
from connector.wire.pcg.names import CSTA, MAX_ID_CHARS, MAX_NUMBER_CHARS
from connector.wire.xmpp.stanzas import Stanza, error_of
from connector.wire.xmpp.xml import attributes

__all__ = ["AnswerPayload", "UnknownService", "answer", "command", "read_answer", "read_command"]

_CLAUSE = "protocol, section 3, Commands"
_COMMAND = "command"

# One condition for each reason, so that an answer can be told from its condition alone.
_CONDITIONS = {
    Refused.FORBIDDEN: "forbidden",
    Refused.EXPIRED: "not-acceptable",
    Refused.BUSY: "resource-constraint",
    Refused.CONFLICT: "conflict",
    Refused.NO_PBX: "recipient-unavailable",
    Refused.UNSUPPORTED: "feature-not-implemented",
    Refused.STORE: "internal-server-error",
    Refused.PBX: "not-allowed",
    Refused.UNKNOWN_OUTCOME: "undefined-condition",
}
_REASONS = {condition: reason for reason, condition in _CONDITIONS.items()} | {
    # The agent, or the server between, did not take the request as a command at all.
    "bad-request": Refused.UNSUPPORTED,
    "service-unavailable": Refused.UNSUPPORTED,
    "unexpected-request": Refused.NO_PBX,
}
# What RFC 6120 and ECMA-323 have no word for.
_OWN_ELEMENTS = {
    Refused.EXPIRED: f'<request-expired xmlns="{CSTA}"/>',
    Refused.UNKNOWN_OUTCOME: f'<unknown-outcome xmlns="{CSTA}"/>',
}
# The word of CSTAErrorCode for a refusal that brings none of its own.
_WORDS = {
    Refused.FORBIDDEN: "securityViolation",
    Refused.BUSY: "performanceLimitExceeded",
    Refused.NO_PBX: "networkOutOfService",
    Refused.UNSUPPORTED: "serviceNotSupported",
}


@dataclass(frozen=True, slots=True)
class AnswerPayload:
    """What answers the request: a result when there is no `condition`, else an error with it (RFC 6120)."""

    condition: str | None
    payload: str


def command(request: CommandRequest) -> str:
    """G → A, set; the id goes into the iq. Raises `TranslationError` for a text too long."""
    head = attributes(device=request.device, user=request.user, deadline=timestamp(request.deadline))
    return f'<{_COMMAND} xmlns="{CSTA}"{head}>{request_element(request.command)}</{_COMMAND}>'


def read_command(payload: Element, id_: str) -> CommandRequest:
    """The gateway's set, `id_` being the iq's.

    Raises `UnknownService` when only the service is not ours, else `RemoteProtocolError`.
    """
    expect(payload, CSTA, _COMMAND, _CLAUSE)
    if not 0 < len(id_) <= MAX_ID_CHARS:
        raise broken(payload, f"has an id over {MAX_ID_CHARS} characters", _CLAUSE)
    device = text_field(payload, "device", _CLAUSE, limit=MAX_NUMBER_CHARS)
    user = text_field(payload, "user", _CLAUSE)
    deadline = time_field(payload, "deadline", _CLAUSE)
    content = request_command(only_child(payload, _CLAUSE), device=device)
    return CommandRequest(id_, device, user, deadline, content)


def answer(outcome: Outcome, verb: Verb) -> AnswerPayload:
    """A → G: the answer to a request of `verb`."""
    if isinstance(outcome, CommandDone):
        return AnswerPayload(None, response_element(verb, outcome.connections))
    condition = _CONDITIONS[outcome.reason]
    own = _OWN_ELEMENTS.get(outcome.reason)
    if own is None:
        own = ecma323.error_element(error_of_word(outcome.error or _WORDS.get(outcome.reason, "")))
    return AnswerPayload(condition, own)


def read_answer(stanza: Stanza | None) -> Outcome:
    """What became of a command: the answer, or None when none came in time.

    A condition that we do not know, or a result that is none, leaves the outcome unknown.
    """
    unknown = CommandRefused(Refused.UNKNOWN_OUTCOME)
    if stanza is None:
        return unknown
    try:
        error = error_of(stanza)
        if error is not None:
            reason = _REASONS.get(error.condition, Refused.UNKNOWN_OUTCOME)
            return CommandRefused(reason, _word_of(error.application))
        return unknown if stanza.payload is None else CommandDone(response_connections(stanza.payload)[1])
    except RemoteProtocolError:
        return unknown


def _word_of(application: Element | None) -> str:
    if application is None or not ecma323.is_ecma323(application):
        return ""
    return ecma323.csta_error(application).value
