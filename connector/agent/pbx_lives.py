"""The lives of the PBX link: made one after the other, and who may command the PBX while one is connected."""

from typing import TYPE_CHECKING

from connector.bridge.commands import CommandDesk
from connector.bridge.configuration import ConfigurationDesk, Report
from connector.bridge.site import Site
from connector.domain.configuration import MonitorRefusal
from connector.domain.errors import ConnectorError
from connector.domain.ports import Clock
from connector.links.resolver import Resolver
from connector.pbx.csta.adapter import CstaLink

if TYPE_CHECKING:
    from connector.pbx.csta.settings import CstaSettings


class PbxLives:
    """Makes the lives of the link to one PBX."""

    def __init__(self, settings: "CstaSettings", site: Site, clock: Clock, commands: CommandDesk) -> None:
        self._settings = settings
        self._site = site
        self._clock = clock
        self._commands = commands
        self._resolver = Resolver()
        self._link: CstaLink | None = None
        self._monitored: frozenset[str] | None = None

    def begin(self) -> CstaLink:
        """The next life; it watches what the cloud wanted last."""
        self._link = CstaLink(self._settings, self._site, self._clock, self._resolver)
        if self._monitored is not None:
            self._link.set_monitored(self._monitored, lambda _refused: None)
        return self._link

    def connected(self) -> None:
        """The present life can be commanded."""
        if self._link is not None:
            self._commands.attach(self._link)

    def ended(self, _error: ConnectorError) -> bool:
        """The present life is over; the next one waits its time."""
        self._link = None
        self._commands.detach()
        self._site.pbx_lost()
        return False

    def remember(self, configuration: ConfigurationDesk) -> None:
        """What the cloud wanted to be watched before this process began."""
        self._monitored = configuration.monitored
        self._site.presences.watch(self._monitored)

    def watch(self, numbers: frozenset[str] | None, report: Report) -> None:
        """Watch `numbers` from now on; `report` is called once."""
        self._monitored = numbers
        self._site.presences.watch(numbers)
        if self._link is None:
            report(dict.fromkeys(sorted(numbers or ()), MonitorRefusal.NO_LINK))
        else:
            self._link.set_monitored(numbers, report)
