"""Serves what the gateway asks of the agent; an answer may come when its stream is gone: see `replies`."""

import logging
from collections.abc import Mapping, Sequence

from connector.domain.cloud import CloudSink
from connector.domain.commands import VERBS, Outcome, Verb
from connector.domain.configuration import Monitored, MonitorRefusal
from connector.domain.errors import ConnectorError
from connector.uplink.rainbow.events import (
    AccessProposed,
    CommandAsked,
    HttpRequested,
    MonitorsGiven,
    SessionEvent,
    SettingsGiven,
)
from connector.uplink.rainbow.home import Home
from connector.uplink.rainbow.replies import Replies, Reply
from connector.wire.pcg import chunks, commands, conf
from connector.wire.pcg.names import CSTA, MAX_DEVICES_PER_PAGE
from connector.wire.xmpp.stanzas import OwedRequest

_COMMAND = f"{{{CSTA}}}command"
_ACCEPTED = Reply()
_INTERRUPTED = Reply(condition="internal-server-error", text="the agent restarted before it could answer")

_log = logging.getLogger(__name__)


class RequestService:
    """What one life of the link serves; `replies` outlives it."""

    def __init__(self, sink: CloudSink, home: Home, replies: Replies) -> None:
        self._sink = sink
        self._home = home
        self._replies = replies

    def serve(self, event: SessionEvent) -> None:
        """Take one request."""
        match event:
            case CommandAsked(stanza, request):
                owed, verb = stanza.owed, VERBS[type(request.command)]
                self._sink.command_received(request, lambda outcome: self._answer(owed, outcome, verb))
            case SettingsGiven(stanza, settings):
                owed = stanza.owed
                self._sink.settings_received(settings, lambda reason: self._applied(owed, reason))
            case MonitorsGiven(stanza, monitors):
                owed = stanza.owed
                wanted = [Monitored(one.number, one.user) for one in monitors if one.is_on]
                self._sink.monitors_received(wanted, lambda refused: self._watched(owed, refused))
            case HttpRequested(stanza, asked):
                response = self._home.serve(asked)
                told = chunks.answer(response, stanza.id, max_chunk_bytes=asked.max_chunk_bytes)
                self._replies.give(stanza.owed, Reply(told.payload, followed_by=told.chunks))

    async def keep_access_code(self, proposal: AccessProposed) -> None:
        """Store a proposed code, then say so; if it can't be stored the old one stays."""
        try:
            await self._home.keep_access_code(proposal.code)
        except ConnectorError as error:
            _log.error("the access code could not be stored: %s", error)
            reply = Reply(condition="internal-server-error", text="the code could not be stored")
        else:
            reply = _ACCEPTED
        self._replies.give(proposal.stanza.owed, reply)

    def recall(self, owed: Sequence[OwedRequest]) -> None:
        """Answer what the process before owed when it died."""
        for one in owed:
            if one.payload_tag != _COMMAND:
                self._replies.give(one, _INTERRUPTED)
                continue
            verb, outcome = self._sink.command_outcome(one.id)
            self._answer(one, outcome, verb)

    def _answer(self, owed: OwedRequest, outcome: Outcome, verb: Verb) -> None:
        told = commands.answer(outcome, verb)
        self._replies.give(owed, Reply(told.payload, condition=told.condition or ""))

    def _applied(self, owed: OwedRequest, reason: str | None) -> None:
        refusal = Reply(condition="not-acceptable", text=reason or "")
        self._replies.give(owed, _ACCEPTED if reason is None else refusal)

    def _watched(self, owed: OwedRequest, refused: Mapping[str, MonitorRefusal] | None) -> None:
        """None: the set could not be stored. A list beyond one page is cut: it would not fit the answer."""
        if refused is None:
            self._replies.give(owed, Reply(condition="internal-server-error", text="it could not be stored"))
            return
        rows = [conf.RefusedMonitor(number, reason) for number, reason in sorted(refused.items())]
        result = conf.MonitorsResult(tuple(rows[:MAX_DEVICES_PER_PAGE]))
        self._replies.give(owed, Reply(conf.monitors_result(result)))
