"""What the cloud link finds in this process. Implements `connector.uplink.rainbow.link.Home`."""

import logging

from connector import __version__
from connector.agent.activation import Activator
from connector.agent.view import AgentView
from connector.bridge.site import Site
from connector.domain.credentials import Code
from connector.domain.identifiers import PbxKind
from connector.wire.pcg import conf, http
from connector.wire.pcg.conf import DisconnectReason

_JSON = (("Content-Type", "application/json"),)
# Beyond it certificates and deadlines go wrong; a person has to set the clock.
_WORTH_TELLING_SKEW_SECONDS = 60.0

_log = logging.getLogger(__name__)


class AgentHome:
    """Identity, codes and resources of the running agent."""

    def __init__(self, kind: PbxKind, site: Site, activator: Activator, view: AgentView) -> None:
        self._kind = kind
        self._site = site
        self._activator = activator
        self._view = view
        self._resources = {"/status": view.status_json, "/calls": view.calls_json}

    def hello(self) -> conf.HelloResponse:
        """Who we are and what the outbox holds."""
        return conf.HelloResponse(
            agent=f"oxbridge/{__version__}",
            pbx=self._kind.value,
            epoch=self._site.outbox.epoch,
            last=self._site.outbox.last_seq,
            pbx_version=self._site.pbx_version,
        )

    async def logged_in(self, code: Code) -> None:
        """A login with `code` succeeded."""
        await self._activator.logged_in(code)

    async def keep_access_code(self, code: str) -> None:
        """Store the proposed access code."""
        await self._activator.keep_access_code(code)

    async def disconnected(self, reason: DisconnectReason) -> None:
        """The gateway ended the link."""
        _log.warning("gateway ended the link", extra={"reason": reason.value})
        if reason.voids_access:
            await self._activator.forget()

    def serve(self, request: http.HttpRequest) -> http.HttpResponse:
        """Answer a read of one of our resources."""
        refusal = http.refusal(request, self._resources)
        if refusal is not None:
            return refusal
        body = self._resources[request.resource.partition("?")[0]]()
        return http.HttpResponse(200, _JSON, body)

    def clock_skew(self, seconds: float) -> None:
        """Our clock minus the gateway's."""
        self._view.clock_skew_seconds = seconds
        if abs(seconds) > _WORTH_TELLING_SKEW_SECONDS:
            _log.warning("clock differs from the gateway's", extra={"skew_seconds": round(seconds)})

    def security_event(self) -> None:
        """Somebody who is not the gateway spoke to us."""
        self._view.security_events += 1
