"""Requests on the http channel: what the gateway reads of an agent (docs/protocols/pcg.md, section 4).

Any method and path can be asked for: that an agent serves only some is for it to show.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from connector.domain.errors import RemoteProtocolError
from connector.wire.pcg import http
from connector.wire.xmpp.stanzas import Stanza, error_of
from simulators.gateway.journal import Kind
from simulators.gateway.line import ANSWER_SECONDS, Line, payload_of
from simulators.gateway.systems import System

# The answer is waited for by the stream; after it come 1 MiB of chunks at most, on a slow line 100 kB/s.
PATIENCE_SECONDS = ANSWER_SECONDS + 10.0
# A resource may have 1,024 characters; the journal keeps what a person reads.
_MAX_NOTED_CHARS = 200


class NotRead(Exception):
    """The agent gave no response that can be used; the text says why."""


class AgentAbsent(NotRead):
    """No agent of that system is connected, so nothing was asked."""


# Takes the whole response, or why there is none.
Ended = Callable[[http.HttpResponse | NotRead], None]


class Speaker(Protocol):
    """Whoever has the lines to the agents."""

    def speak(self, system: System, say: Callable[[Line], None]) -> bool:
        """Let `say` send something to the system's agent; False when it is not there to be spoken to."""


async def read(
    speaker: Speaker, system: System, wanted: http.HttpRequest, patience_seconds: float = PATIENCE_SECONDS
) -> http.HttpResponse:
    """Ask the system's agent and wait for the whole response; what came in chunks is bytes.

    Raises `NotRead`, TimeoutError, `LocalProtocolError` for a malformed request, `Overflow` when too much
    waits for the agent.
    """
    ended: asyncio.Future[http.HttpResponse | NotRead] = asyncio.get_running_loop().create_future()
    readings: list[Reading] = []

    def tell(what: http.HttpResponse | NotRead) -> None:
        if not ended.done():  # whoever asked may have gone
            ended.set_result(what)

    def say(line: Line) -> None:
        readings.append(Reading(line, wanted, tell))

    if not speaker.speak(system, say):
        raise AgentAbsent("the agent is not connected")
    try:
        async with asyncio.timeout(patience_seconds):
            told = await ended
    finally:
        readings[0].close()
    if isinstance(told, NotRead):
        raise told
    return told


class Reading:
    """One request, from asking to the last chunk of its answer; `ended` is called once, or never."""

    def __init__(self, line: Line, wanted: http.HttpRequest, ended: Ended) -> None:
        self._line = line
        self._wanted = wanted
        self._ended = ended
        self._stream_id = ""
        self._is_closed = False
        line.ask("set", http.request(wanted), self._answered)

    def close(self) -> None:
        """Nobody waits any more: chunks still to come are dropped."""
        self._is_closed = True
        if self._stream_id:
            self._line.bodies.forget(self._stream_id)

    def _answered(self, stanza: Stanza | None) -> None:
        payload = payload_of(stanza)
        if payload is None:
            self._fail(_reason(stanza))
            return
        try:
            self._take(http.read_response(payload))
        except RemoteProtocolError as error:
            self._fail(error.detail)

    def _take(self, response: http.HttpResponse) -> None:
        if not response.stream_id:
            self._end(response)
        elif not self._is_closed:
            self._line.bodies.expect(response.stream_id, lambda body: self._came(response, body))
            self._stream_id = response.stream_id

    def _came(self, response: http.HttpResponse, body: bytes | None) -> None:
        self._stream_id = ""
        if body is None:
            self._fail("its body broke off")
        else:
            self._end(replace(response, body=body, stream_id=""))

    def _end(self, response: http.HttpResponse) -> None:
        self._note({"status": response.status, "bytes": _size(response.body)})
        self._ended(response)

    def _fail(self, reason: str) -> None:
        self._note({"reason": reason})
        self._ended(NotRead(reason))

    def _note(self, known: dict[str, object]) -> None:
        name = self._wanted.resource[:_MAX_NOTED_CHARS]
        self._line.note(Kind.HTTP, {"name": name, "method": self._wanted.method, **known})


def _size(body: http.Body) -> int:
    return len(body if isinstance(body, bytes) else (body or "").encode(errors="replace"))


def _reason(stanza: Stanza | None) -> str:
    if stanza is None:
        return "no answer"
    error = error_of(stanza)
    return f"refused: {error.condition}" if error else "an empty answer"
