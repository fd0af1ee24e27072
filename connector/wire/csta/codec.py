"""One frame of a CSTA link, both ways: an association PDU, an event or another remote operation."""

from connector.wire import ber, rose
from connector.wire.csta import acse
from connector.wire.csta import messages as m
from connector.wire.csta.events import decode_event_report
from connector.wire.csta.operations import Operation

Pdu = acse.Association | rose.Component | m.EventReport

_EVENT_REPORT = int(Operation.EVENT_REPORT)


def decode(payload: bytes) -> Pdu:
    """The PDU that fills `payload`, the content of one frame. Raises `RemoteProtocolError`.

    An event report comes decoded: it is nearly all of the traffic, and nobody answers it by its invoke id.
    """
    tag, start, stop = ber.single(payload)
    if tag == rose.INVOKE:
        operation, argument = rose.operation_of(payload, start, stop)
        if operation == _EVENT_REPORT:
            return decode_event_report(payload, argument, stop)
    return acse.decode(payload) if tag in acse.TAGS else rose.decode(payload)


def encode(pdu: acse.Association | rose.Component) -> bytes:
    """`pdu` as the content of one frame."""
    if isinstance(pdu, rose.Component):
        return rose.encode(pdu)
    return acse.encode(pdu)
