"""From the words of CSTA to those of the business.

An OXE names its own extensions `84` (implicit private) and outside numbers `82` (implicit public), as
captures show; `80` says nothing of the side. A number that the PBX does not send is never made up, and the
name of a party that withholds its number is not passed on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from connector.domain import calls
from connector.domain.calls import NO_PARTY, UNKNOWN_PARTY, Party, Presentation, Reach
from connector.domain.errors import TranslationError
from connector.domain.faults import FaultId
from connector.wire.csta import messages as m
from connector.wire.csta.messages import DeviceForm

_REACH: Final = {
    DeviceForm.IMPLICIT_PUBLIC: Reach.EXTERNAL,
    DeviceForm.EXPLICIT_PUBLIC: Reach.EXTERNAL,
    DeviceForm.IMPLICIT_PRIVATE: Reach.INTERNAL,
    DeviceForm.EXPLICIT_PRIVATE: Reach.INTERNAL,
}


def party(device: m.DeviceId) -> Party:
    """The party that `device` names. One with a side but without digits withholds its number."""
    if device.form is DeviceForm.NOT_REQUIRED:
        return NO_PARTY
    if device.form >= DeviceForm.NOT_KNOWN:
        return UNKNOWN_PARTY
    reach = _REACH.get(device.form, Reach.UNKNOWN)
    if not device.number:
        return Party(reach=reach, presentation=Presentation.RESTRICTED)
    return Party(device.number, reach)


def connection_id(connection: m.Connection) -> calls.ConnectionId:
    """The connection as the business keeps it: the PBX's octets in hex, or the static number."""
    device = connection.device.hex() if connection.static is None else connection.static.number
    return calls.ConnectionId(connection.call.hex(), device)


@dataclass(frozen=True, slots=True)
class _Context:
    """What every event is translated with."""

    device: str
    at: datetime
    private: m.PrivateData

    def common(self, event: m.CallEvent) -> dict[str, Any]:
        return {
            "device": self.device,
            "connection": connection_id(event.connection),
            "state": event.state,
            "cause": event.cause,
            "at": self.at,
            "correlation": self.private.call_reference.hex(),
        }

    def named(self, other: Party) -> Party:
        """`other` with the display name that the PBX sent; it is the name of the party at the other end."""
        name = self.private.name
        if not name or other.presentation is not Presentation.ALLOWED or other.number == self.device:
            return other
        return Party(other.number, other.reach, other.presentation, name)


def call_event(report: m.EventReport, device: str, at: datetime) -> calls.CallEvent:
    """The business's event for `report`, which a monitor of `device` sent, received `at` (UTC).

    Raises `TranslationError` for an event that is no call event or names no call.
    """
    translate = _TRANSLATIONS.get(type(report.event))
    if translate is None or not isinstance(report.event, m.CallEvent):
        raise TranslationError(FaultId.EVENT_NOT_TRANSLATABLE, _kind(report.event), link="pbx")
    if not report.event.connection.call:
        detail = f"{_kind(report.event)} without its call"
        raise TranslationError(FaultId.EVENT_NOT_TRANSLATABLE, detail, link="pbx")
    return translate(report.event, _Context(device, at, report.private or m.PrivateData()))


def _kind(event: m.Event) -> str:
    return f"event {event.kind}" if isinstance(event, m.OtherEvent) else type(event).__name__


def device_snapshot(snapshot: m.DeviceSnapshot, device: str) -> calls.DeviceSnapshot:
    """The present connections of `device`; those of other devices in the answer are left out."""
    return calls.DeviceSnapshot(
        device,
        tuple(
            calls.LiveConnection(connection_id(entry.connection), entry.state)
            for entry in snapshot.entries
            if entry.device.number in ("", device)
        ),
    )


def _service_initiated(event: m.ServiceInitiated, context: _Context) -> calls.ServiceInitiated:
    return calls.ServiceInitiated(**context.common(event))


def _originated(event: m.Originated, context: _Context) -> calls.Originated:
    return calls.Originated(
        **context.common(event), calling=party(event.calling), called=context.named(party(event.called))
    )


def _network_reached(event: m.NetworkReached, context: _Context) -> calls.NetworkReached:
    return calls.NetworkReached(
        **context.common(event), trunk=party(event.trunk), called=context.named(party(event.called))
    )


def _arrived(event: m.Delivered | m.Established | m.Queued, far: Party, context: _Context) -> dict[str, Any]:
    """What a ringing, an answered and a waiting call share, with the name on the party that is not ours.

    `far` is where the call arrived. If we are calling, the name is that party's, else the caller's.
    """
    calling = party(event.calling)
    is_ours = calling.number == context.device
    return context.common(event) | {
        "far": context.named(far) if is_ours else far,
        "calling": calling if is_ours else context.named(calling),
        "called": party(event.called),
        "last_redirection": party(event.last_redirection),
    }


def _delivered(event: m.Delivered, context: _Context) -> calls.Delivered:
    shared = _arrived(event, party(event.alerting), context)
    return calls.Delivered(alerting=shared.pop("far"), **shared)


def _established(event: m.Established, context: _Context) -> calls.Established:
    shared = _arrived(event, party(event.answering), context)
    return calls.Established(answering=shared.pop("far"), **shared)


def _queued(event: m.Queued, context: _Context) -> calls.Queued:
    shared = _arrived(event, party(event.queue), context)
    return calls.Queued(queue=shared.pop("far"), waiting=event.waiting, **shared)


def _held(event: m.Held, context: _Context) -> calls.Held:
    return calls.Held(**context.common(event), by=party(event.holding))


def _retrieved(event: m.Retrieved, context: _Context) -> calls.Retrieved:
    return calls.Retrieved(**context.common(event), by=party(event.retrieving))


def _diverted(event: m.Diverted, context: _Context) -> calls.Diverted:
    return calls.Diverted(
        **context.common(event), diverting=party(event.diverting), destination=party(event.destination)
    )


def _failed(event: m.Failed, context: _Context) -> calls.Failed:
    return calls.Failed(
        **context.common(event), failing=party(event.failing), called=context.named(party(event.called))
    )


def _connection_cleared(event: m.ConnectionCleared, context: _Context) -> calls.ConnectionCleared:
    return calls.ConnectionCleared(**context.common(event), releasing=context.named(party(event.releasing)))


def _call_cleared(event: m.CallCleared, context: _Context) -> calls.CallCleared:
    return calls.CallCleared(**context.common(event))


def _joined(event: m.Transferred | m.Conferenced, context: _Context) -> dict[str, Any]:
    """What a transfer and a conference share.

    The event itself is about the primary old call; the connection reported is our device's in the new call,
    if the list has it.
    """
    listed = tuple(_listed(entry) for entry in event.connections)
    own = next((entry.connection for entry in listed if entry.number == context.device), None)
    common = context.common(event)
    primary_old = common["connection"]
    return common | {
        "connection": own or primary_old,
        "primary_old": primary_old,
        "secondary_old": None if event.secondary_old is None else connection_id(event.secondary_old),
        "connections": listed,
    }


def _listed(entry: m.ListedConnection) -> calls.ListedConnection:
    number = "" if entry.device is None else entry.device.number
    return calls.ListedConnection(connection_id(entry.connection), number)


def _transferred(event: m.Transferred, context: _Context) -> calls.Transferred:
    return calls.Transferred(
        **_joined(event, context),
        transferring=party(event.transferring),
        transferred=context.named(party(event.transferred)),
    )


def _conferenced(event: m.Conferenced, context: _Context) -> calls.Conferenced:
    return calls.Conferenced(
        **_joined(event, context), controller=party(event.controller), added=context.named(party(event.added))
    )


_TRANSLATIONS: Final[dict[type, Callable[[Any, _Context], calls.CallEvent]]] = {
    m.ServiceInitiated: _service_initiated,
    m.Originated: _originated,
    m.NetworkReached: _network_reached,
    m.Delivered: _delivered,
    m.Established: _established,
    m.Queued: _queued,
    m.Held: _held,
    m.Retrieved: _retrieved,
    m.Diverted: _diverted,
    m.Failed: _failed,
    m.ConnectionCleared: _connection_cleared,
    m.CallCleared: _call_cleared,
    m.Transferred: _transferred,
    m.Conferenced: _conferenced,
}
