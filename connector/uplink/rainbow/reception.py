"""What the gateway asks of the agent: each request becomes a session event, or is refused at once."""

from collections.abc import Callable
from typing import Protocol, assert_never
from xml.etree.ElementTree import Element

from connector.domain.errors import RemoteProtocolError
from connector.domain.invitations import Refusal
from connector.uplink.rainbow.events import (
    AccessProposed,
    CommandAsked,
    DeviceListWanted,
    DisconnectOrdered,
    HttpRequested,
    MonitorsGiven,
    SessionEvent,
    SettingsGiven,
    SnapshotWanted,
)
from connector.wire.pcg import commands, conf, csta, devices, http, rva, settings
from connector.wire.pcg.names import CONF, CSTA, HTTP, RVA
from connector.wire.xmpp.stanzas import Stanza


class Replies(Protocol):
    """The part of a stream that answers."""

    def answer(self, stanza: Stanza, payload: str = "") -> None:
        """Answer a request with its result."""

    def refuse(self, stanza: Stanza, condition: str, text: str = "", payload: str = "") -> None:
        """Answer a request with a stanza error."""


class Reception:
    """Reads requests of the bound gateway; `emit` takes what they mean."""

    def __init__(self, replies: Replies, emit: Callable[[SessionEvent], None]) -> None:
        self._replies = replies
        self._emit = emit
        self._monitors: list[conf.Monitor] = []
        self._next_page = 1

    def take(self, stanza: Stanza, payload: Element) -> None:
        """Take one request. One that breaks the dialect is answered `bad-request`."""
        namespace = payload.tag[1:].partition("}")[0]
        try:
            if namespace == CONF:
                self._on_conf(stanza, conf.read_command(payload))
            elif payload.tag == f"{{{CSTA}}}snapshot" and stanza.type == "get":
                csta.read_snapshot_request(payload)
                self._emit(SnapshotWanted(stanza))
            elif namespace == HTTP:
                self._emit(HttpRequested(stanza, http.read_request(payload)))
            elif payload.tag == f"{{{CSTA}}}command" and stanza.type == "set":
                self._emit(CommandAsked(stanza, commands.read_command(payload, stanza.id)))
            elif namespace in (CSTA, RVA):
                self._replies.refuse(stanza, "feature-not-implemented", payload=_not_yet(payload))
            else:
                self._replies.refuse(stanza, "service-unavailable")
        except commands.UnknownService as error:
            self._replies.refuse(stanza, "feature-not-implemented", error.detail[:200])
        except RemoteProtocolError as error:
            self._replies.refuse(stanza, "bad-request", error.detail[:200])

    def _on_conf(self, stanza: Stanza, command: conf.Command) -> None:
        match command:
            case conf.HelloRequest():
                self._replies.refuse(stanza, "unexpected-request", "hello was said")
            case conf.Access():
                self._emit(AccessProposed(stanza, command.code))
            case devices.DevicesRequest():
                self._replies.answer(stanza)
                self._emit(DeviceListWanted())
            case conf.Disconnect():
                self._replies.answer(stanza)
                self._emit(DisconnectOrdered(command.reason))
            case conf.Settings():
                self._emit(SettingsGiven(stanza, settings.read_settings(command)))
            case conf.MonitorsPage():
                self._on_monitors(stanza, command)
            case _:
                assert_never(command)

    def _on_monitors(self, stanza: Stanza, page: conf.MonitorsPage) -> None:
        """Nothing is in force before the last page: the others are answered as they come."""
        if page.page == 1:
            self._monitors, self._next_page = [], 1
        if page.page != self._next_page:
            self._replies.refuse(stanza, "unexpected-request", f"page {self._next_page} was due")
            return
        self._monitors += page.monitors
        self._next_page += 1
        if page.page < page.pages:
            self._replies.answer(stanza, conf.monitors_result(conf.MonitorsResult(())))
            return
        whole, self._monitors, self._next_page = tuple(self._monitors), [], 1
        self._emit(MonitorsGiven(stanza, whole))


def _not_yet(payload: Element) -> str:
    """What an invitation asked for by the cloud is refused with, until the policy serves it."""
    return rva.refused(Refusal.NO_EXPERT) if payload.tag == f"{{{RVA}}}invite" else ""
