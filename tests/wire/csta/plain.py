"""CSTA messages as plain values, so that expected ones can stand in a data file."""

from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from connector.wire import rose
from connector.wire.csta import codec, services
from connector.wire.csta import messages as m
from connector.wire.csta.events import encode_event_report


def decoded(payload: bytes) -> Any:
    """What the content of one frame says: argument, result and error included."""
    pdu = codec.decode(payload)
    match pdu:
        case rose.Invoke(_, operation, argument):
            return services.decode_request(operation, argument)
        case rose.Result(_, operation, value):
            return services.decode_result(operation, value)
        case rose.Error():
            return services.decode_error(pdu)
    return pdu


def encoded_again(payload: bytes, phase: m.Phase) -> bytes:
    """What our encoder makes of the decoded message, in a frame with the same invoke id."""
    pdu = codec.decode(payload)
    message = decoded(payload)
    match pdu:
        case m.EventReport():
            invoke_id = rose.decode(payload).invoke_id
            assert invoke_id is not None
            return codec.encode(rose.Invoke(invoke_id, 21, encode_event_report(pdu, phase)))
        case rose.Invoke(invoke_id, _, _):
            return codec.encode(rose.Invoke(invoke_id, *services.encode_request(message)))
        case rose.Result(invoke_id, operation, _):
            return codec.encode(rose.Result(invoke_id, operation, services.encode_result(message)))
        case rose.Error(invoke_id, _, _):
            return codec.encode(services.encode_error(invoke_id, message))
        case _:
            return codec.encode(pdu)


def plain(value: Any) -> Any:  # noqa: PLR0911 - one return a kind
    """`value` in JSON's types. Fields that hold nothing (None, empty) are left out."""
    match value:
        case m.DeviceId(form, number, type_of_number):
            kind = form.name.lower() + ("" if type_of_number is None else f":{type_of_number}")
            return f"{kind} {number}".strip()
        case m.Connection(call, device, None):
            return f"{call.hex()}/{device.hex()}"
        case bytes():
            return value.hex(" ")
        case Enum():
            return value.value
        case frozenset():
            return sorted(value)
        case tuple():
            return [plain(item) for item in value]
    if is_dataclass(value):
        found = {field.name: plain(getattr(value, field.name)) for field in fields(value)}
        return {"is": type(value).__name__} | {k: v for k, v in found.items() if v not in (None, "", [])}
    return value
