"""What the cloud link finds in this process. Implements `connector.uplink.rainbow.home.Home`."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from connector import __version__
from connector.agent.figures import Figures, LagHistogram
from connector.agent.standing import Standing
from connector.agent.view import AgentView
from connector.bridge.site import Site
from connector.domain.credentials import Code, Voided
from connector.domain.errors import StoreError
from connector.domain.faults import FaultId
from connector.domain.identifiers import PbxKind
from connector.domain.ports import Clock
from connector.domain.switch import SwitchedBy
from connector.store.gateway import GatewayFile, GatewayMemory
from connector.wire.pcg import conf, http
from connector.wire.pcg.conf import DisconnectReason
from connector.wire.xmpp.mechanisms import RANKING

if TYPE_CHECKING:
    from connector.links.certificates import PeerCertificate

_JSON = (("Content-Type", "application/json"),)
_TEXT = (("Content-Type", "text/plain; version=0.0.4; charset=utf-8"),)
# Beyond it certificates and deadlines go wrong; a person has to set the clock.
_WORTH_TELLING_SKEW_SECONDS = 60.0
# Long enough for an operator to renew it in office hours.
_EXPIRY_WARNING = timedelta(days=30)

_log = logging.getLogger(__name__)


class AgentHome:
    """Identity, codes and resources of the running agent. `metrics` is the page of `/metrics`."""

    def __init__(
        self,
        kind: PbxKind,
        site: Site,
        standing: Standing,
        view: AgentView,
        *,
        clock: Clock,
        memory: GatewayFile,
        metrics: Callable[[], str],
    ) -> None:
        self._kind = kind
        self._site = site
        self._activator = standing.activator
        self._view = view
        self._clock = clock
        self._alarms = standing.alarms
        self._switch = standing.switch
        self._file = memory
        self._known = GatewayMemory()
        self._resources = {
            "/status": (_JSON, view.status_json),
            "/devices": (_JSON, view.devices_json),
            "/calls": (_JSON, view.calls_json),
            "/metrics": (_TEXT, metrics),
        }

    async def load(self) -> None:
        """What the last process learnt of the gateway; before the links run."""
        self._known = await asyncio.to_thread(self._file.load)

    def hello(self) -> conf.HelloResponse:
        """Who we are and what the outbox holds."""
        return conf.HelloResponse(
            agent=f"oxbridge/{__version__}",
            pbx=self._kind.value,
            epoch=self._site.outbox.epoch,
            last=self._site.outbox.last_seq,
            pbx_version=self._site.pbx_version,
        )

    # Codes and the end of the link -----------------------------------------------------------------------

    async def logged_in(self, code: Code, mechanism: str) -> None:
        """A login with `code` succeeded, by `mechanism`."""
        self._alarms.cloud_connected()
        await self._activator.logged_in(code)
        if _strength(mechanism) > _strength(self._known.mechanism):
            self._known = replace(self._known, mechanism=mechanism)
        if _strength(mechanism) == _strength(self._known.mechanism):
            self._alarms.clear(FaultId.CLOUD_DOWNGRADED)
        try:
            await asyncio.to_thread(self._file.save, self._known)
        except StoreError as error:  # it only helps to warn: the link is worth more
            _log.warning("what is known of the gateway could not be stored: %s", error)

    async def keep_access_code(self, code: str) -> None:
        """Store the proposed access code."""
        await self._activator.keep_access_code(code)

    async def disconnected(self, reason: DisconnectReason) -> None:
        """The gateway ended the link."""
        _log.warning("gateway ended the link", extra={"reason": reason.value})
        if reason is DisconnectReason.DISABLE:
            await self._switch.disable(SwitchedBy.CLOUD)
        elif reason is DisconnectReason.RESET:
            await self._activator.forget(Voided.RESET)
        elif reason is DisconnectReason.DELETE:
            await self._activator.forget(Voided.DELETED)

    # What the gateway reads ------------------------------------------------------------------------------

    def serve(self, request: http.HttpRequest) -> http.HttpResponse:
        """Answer a read of one of our resources."""
        refusal = http.refusal(request, self._resources)
        if refusal is not None:
            return refusal
        headers, page = self._resources[request.resource.partition("?")[0]]
        return http.HttpResponse(200, headers, page())

    # What the link noticed -------------------------------------------------------------------------------

    def known_time(self) -> datetime | None:
        """The last time that a gateway told us: a clock before it is wrong."""
        return self._known.time

    def known_mechanism(self) -> str:
        """The best SASL mechanism that ever logged us in, empty for none."""
        return self._known.mechanism

    def login_weakened(self, known: str, offered: str) -> None:
        """The gateway once offered `known`, and now no better than `offered`."""
        self._alarms.report(FaultId.CLOUD_DOWNGRADED, f"{known} before, {offered} now")

    def certificate_seen(self, certificate: "PeerCertificate") -> None:
        """What the gateway's verified certificate says."""
        if certificate.not_after - self._clock.now() < _EXPIRY_WARNING:
            self._alarms.report(
                FaultId.CLOUD_CERTIFICATE_EXPIRING,
                f"on {certificate.not_after:%Y-%m-%d}, {certificate.issuer}",
            )
        else:
            self._alarms.clear(FaultId.CLOUD_CERTIFICATE_EXPIRING)

    def gateway_time(self, time: datetime) -> None:
        """The gateway's clock, now."""
        self._known = replace(self._known, time=time)
        seconds = (self._clock.now() - time).total_seconds()
        self._view.clock_skew_seconds = seconds
        if abs(seconds) > _WORTH_TELLING_SKEW_SECONDS:
            self._alarms.report(FaultId.CLOCK_WRONG, f"{seconds:+.0f} s against the gateway's")
        else:
            self._alarms.clear(FaultId.CLOCK_WRONG)

    def security_event(self) -> None:
        """Somebody who is not the gateway spoke to us."""
        self._view.security_events += 1


def metrics_text(figures: Callable[[], Figures], event_lag: LagHistogram) -> Callable[[], str]:
    """The page of `/metrics`; its library is loaded when somebody reads it."""

    def page() -> str:
        from connector.agent.metrics import Metrics

        return Metrics(figures, event_lag).page().decode()

    return page


def _strength(mechanism: str) -> int:
    return len(RANKING) - RANKING.index(mechanism) if mechanism in RANKING else 0
