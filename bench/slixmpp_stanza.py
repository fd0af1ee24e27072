"""The ringing event of the benchmark as slixmpp builds one: typed stanzas, filled field by field."""

from slixmpp import JID
from slixmpp.stanza import Message
from slixmpp.xmlstream import ElementBase, register_stanza_plugin

from connector.domain.calls import Delivered
from connector.wire.pcg.names import CSTA, ECMA323

_PARTIES = ("alertingDevice", "callingDevice", "calledDevice")


class _Event(ElementBase):
    name = plugin_attrib = "event"
    namespace = CSTA
    interfaces = {"epoch", "seq", "class", "device", "call", "time"}


class _Delivered(ElementBase):
    name = plugin_attrib = "DeliveredEvent"
    namespace = ECMA323
    interfaces = sub_interfaces = {"monitorCrossRefID", "localConnectionInfo", "cause"}


class _Connection(ElementBase):
    name = plugin_attrib = "connection"
    namespace = ECMA323
    interfaces = sub_interfaces = {"callID", "deviceID"}


def _party(element: str) -> type:
    return type(
        element,
        (ElementBase,),
        {
            "name": element,
            "plugin_attrib": element,
            "namespace": ECMA323,
            "interfaces": {"deviceIdentifier"},
            "sub_interfaces": {"deviceIdentifier"},
        },
    )


register_stanza_plugin(Message, _Event)
register_stanza_plugin(_Event, _Delivered)
register_stanza_plugin(_Delivered, _Connection)
for _element in _PARTIES:
    register_stanza_plugin(_Delivered, _party(_element))


def slixmpp_stanza(event: Delivered) -> object:
    """The stanza; its text is `str` of it. Name, linkage and redirection are left out, in its favour."""
    message = Message()  # type: ignore[no-untyped-call]  # slixmpp is typed in part
    message["id"] = "e-4711"
    message["to"] = JID("pbxpcg_0a1b2c3d4e5f60718293a4b5c6d7e8f9@rainbow.test/pbxpcg")
    part = message["event"]
    part["epoch"] = "9f3c0d1e2b4a5968"
    part["seq"] = "4711"
    part["class"] = "volatile"
    part["device"] = event.device
    part["call"] = "c-0123456789abcdef"
    part["time"] = "2026-11-20T09:00:00.123Z"
    delivered = part["DeliveredEvent"]
    delivered["monitorCrossRefID"] = event.device
    delivered["connection"]["callID"] = event.connection.call
    delivered["connection"]["deviceID"] = event.connection.device
    for element, party in zip(_PARTIES, (event.alerting, event.calling, event.called), strict=True):
        delivered[element]["deviceIdentifier"] = party.number
    delivered["localConnectionInfo"] = "alerting"
    delivered["cause"] = "newCall"
    return message
