"""Remote operations (ROSE, X.229) as CSTA carries them: request, result, error and reject.

Arguments and results stay encoded: `wire/csta` reads them, since only it knows the operations.
"""

from dataclasses import dataclass
from enum import IntEnum

from connector.wire import ber

INVOKE = 0xA1
RESULT = 0xA2
ERROR = 0xA3
REJECT = 0xA4

# The only error value CSTA defines (ECMA-180, universalFailure).
UNIVERSAL_FAILURE = 1


class ProblemKind(IntEnum):
    """What a reject complains about: the number of the context tag."""

    GENERAL = 0
    INVOKE = 1
    RESULT = 2
    ERROR = 3


@dataclass(frozen=True, slots=True)
class Invoke:
    """A request. `argument` is what follows the operation, still encoded, perhaps empty."""

    invoke_id: int
    operation: int
    argument: bytes = b""


@dataclass(frozen=True, slots=True)
class Result:
    """A positive answer. `operation` is None and `value` empty if nothing was returned."""

    invoke_id: int
    operation: int | None = None
    value: bytes = b""


@dataclass(frozen=True, slots=True)
class Error:
    """A negative answer. `parameter` is what follows the code, still encoded, perhaps empty."""

    invoke_id: int
    code: int
    parameter: bytes = b""


@dataclass(frozen=True, slots=True)
class Reject:
    """The peer could not read or take something; `invoke_id` is None if it can't say what."""

    invoke_id: int | None
    kind: int
    problem: int

    def __str__(self) -> str:
        known = {member.value: member.name.lower() for member in ProblemKind}
        return f"reject {known.get(self.kind, self.kind)} {self.problem}"


Component = Invoke | Result | Error | Reject

# X.229: InvokeProblem and GeneralProblem values that we send or meet.
UNRECOGNISED_COMPONENT = (ProblemKind.GENERAL, 0)
DUPLICATE_INVOCATION = (ProblemKind.INVOKE, 0)
UNRECOGNISED_OPERATION = (ProblemKind.INVOKE, 1)
MISTYPED_ARGUMENT = (ProblemKind.INVOKE, 2)
RESOURCE_LIMITATION = (ProblemKind.INVOKE, 3)

_LINKED_ID = 0x80


def decode(payload: bytes) -> Component:
    """The component that fills `payload`. Raises `RemoteProtocolError`."""
    tag, start, stop = ber.single(payload)
    if tag == INVOKE:
        operation, argument = operation_of(payload, start, stop)
        _, start, end = ber.first(payload, start, stop)
        return Invoke(ber.as_integer(payload[start:end]), operation, payload[argument:stop])
    parts = ber.elements(payload, start, stop)
    if tag == RESULT:
        return _result(payload, parts)
    if tag == ERROR:
        code, end = _integer(payload, parts, 1)
        return Error(_integer(payload, parts, 0)[0], code, payload[end:stop])
    if tag == REJECT:
        return _reject(payload, parts)
    raise ber.broken(payload, 0, f"tag {tag:X} is no remote operation", "X.229, 9.1")


def operation_of(payload: bytes, start: int, stop: int) -> tuple[int, int]:
    """Operation of the invoke with this content, and where its argument starts.

    Apart from `decode`, so that an event, which nobody answers by its id, is read without an `Invoke`.
    """
    tag, _, end = ber.first(payload, start, stop)
    operation_tag, begin, end = ber.first(payload, end, stop)
    if operation_tag == _LINKED_ID:
        operation_tag, begin, end = ber.first(payload, end, stop)
    if tag != ber.INTEGER or operation_tag != ber.INTEGER:
        raise ber.broken(payload, start, "an invoke without id or operation", "X.229, 9.1")
    return ber.as_integer(payload[begin:end]), end


def _result(payload: bytes, parts: list[ber.Element]) -> Result:
    invoke_id, _ = _integer(payload, parts, 0)
    if len(parts) == 1:
        return Result(invoke_id)
    tag, start, stop = parts[1]
    if tag != ber.SEQUENCE:
        raise ber.broken(payload, start, "a result that is no SEQUENCE", "X.229, 9.1")
    operation, end = _integer(payload, ber.elements(payload, start, stop), 0)
    return Result(invoke_id, operation, payload[end:stop])


def _reject(payload: bytes, parts: list[ber.Element]) -> Reject:
    if len(parts) < 2:
        raise ber.broken(payload, 0, "a reject without its problem", "X.229, 9.1")
    invoke_id = None if parts[0][0] == ber.NULL_TAG else _integer(payload, parts, 0)[0]
    tag, start, stop = parts[1]
    return Reject(invoke_id, tag & 0x1F, ber.as_integer(payload[start:stop]))


def _integer(payload: bytes, parts: list[ber.Element], index: int) -> tuple[int, int]:
    """The INTEGER that is parts[index], and where what follows it starts."""
    if index < len(parts):
        tag, start, stop = parts[index]
        if tag == ber.INTEGER:
            return ber.as_integer(payload[start:stop]), stop
    raise ber.broken(payload, 0, "an invoke id, operation or code is missing", "X.229, 9.1")


def encode(component: Component) -> bytes:
    """`component` as one element."""
    match component:
        case Invoke(invoke_id, operation, argument):
            return ber.tlv(INVOKE, ber.integer(invoke_id) + ber.integer(operation) + argument)
        case Result(invoke_id, operation, value):
            returned = b"" if operation is None else ber.sequence(ber.integer(operation), value)
            return ber.tlv(RESULT, ber.integer(invoke_id) + returned)
        case Error(invoke_id, code, parameter):
            return ber.tlv(ERROR, ber.integer(invoke_id) + ber.integer(code) + parameter)
        case Reject(invoke_id, kind, problem):
            about = ber.NULL if invoke_id is None else ber.integer(invoke_id)
            return ber.tlv(REJECT, about + ber.integer(problem, 0x80 | kind))
