"""The lives of the cloud link: each is made with the code and the settings that hold at that moment."""

import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from connector.agent.activation import Activator
from connector.agent.alarms import AlarmBoard
from connector.agent.home import AgentHome
from connector.bridge.configuration import ConfigurationDesk
from connector.bridge.site import Site
from connector.domain.credentials import Code
from connector.domain.errors import ConnectorError, Redirected
from connector.domain.ports import Clock
from connector.links.dialer import Dialer
from connector.links.websocket import WebSocketAddress
from connector.uplink.rainbow.itinerary import Itinerary
from connector.uplink.rainbow.link import GatewaySettings, RainbowLink, Surroundings
from connector.uplink.rainbow.replies import Replies
from connector.uplink.rainbow.resumption import StreamMemory

if TYPE_CHECKING:
    from connector.agent.settings import CloudSettings


@dataclass(frozen=True, slots=True)
class CloudParts:
    """What a life of the cloud link is made of."""

    tls: ssl.SSLContext
    dialer: Dialer
    site: Site
    home: AgentHome
    activator: Activator
    alarms: AlarmBoard
    configuration: ConfigurationDesk
    memory: StreamMemory


class CloudLives:
    """Makes the lives of the link to the gateway."""

    def __init__(self, settings: "CloudSettings", parts: CloudParts, clock: Clock) -> None:
        self._settings = settings
        self._parts = parts
        self._clock = clock
        self._replies = Replies()
        self._used: Code | None = None
        self._link: RainbowLink | None = None
        home = WebSocketAddress(settings.host, settings.port, settings.path)
        self._itinerary = Itinerary(home, frozenset(settings.other_hosts))

    def begin(self) -> RainbowLink:
        """The next life. Raises `AuthError` when there is no code to log in with."""
        self._used = None
        self._used = code = self._parts.activator.next_code()
        parts, cloud = self._parts, self._settings
        settings = GatewaySettings(
            self._itinerary.address,
            cloud.domain,
            cloud.pbx_id,
            cloud.allow_plain,
            parts.configuration.ping_timeout_seconds,
            pins=cloud.pins,
            binding_policy=cloud.channel_binding,
        )
        around = Surroundings(
            parts.tls, parts.dialer, parts.site, parts.home, self._clock, parts.memory, self._replies
        )
        self._link = RainbowLink(settings, code, around)
        return self._link

    def bear_silence(self, seconds: float) -> None:
        """The cloud configured another ping timeout: the present life keeps to it at once."""
        if self._link is not None:
            self._link.bear_silence(seconds)

    def ended(self, error: ConnectorError) -> bool:
        """A life ended; True when the next one may begin at once, elsewhere or with another code."""
        self._link = None
        self._parts.alarms.cloud_ended(error)
        if isinstance(error, Redirected) and self._itinerary.sent_to(error.target):
            return True
        self._itinerary.back_home()
        return self._parts.activator.failed(error, self._used)
