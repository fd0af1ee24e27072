"""What the agent shows of itself: to the control API, to Prometheus, and to the gateway's http channel."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

from connector import __version__
from connector.agent.activation import Activator
from connector.agent.figures import Figures
from connector.agent.followers import Follower, Followers, Record
from connector.agent.records import leg_record
from connector.agent.status import SCHEMA_VERSION, Status
from connector.agent.supervisor import LinkSupervisor
from connector.bridge.site import Site
from connector.domain.devices import Device, DeviceState
from connector.domain.errors import StoreError
from connector.domain.faults import FAULTS
from connector.domain.identifiers import Channel
from connector.domain.links import LinkState, LinkStatus
from connector.store.writer import Writer

# Calls reach the cloud when these are open; http is for looking only.
_NEEDED_CHANNELS = (Channel.XMPP, Channel.CONF, Channel.CSTA)


class AgentView:
    """Implements `connector.agent.control.Controlled` over the running parts."""

    def __init__(
        self,
        pbx_id: str,
        started_at: datetime,
        site: Site,
        writer: Writer,
        activator: Activator,
        *,
        supervisors: Sequence[LinkSupervisor],
    ) -> None:
        self._pbx_id = pbx_id
        self._started_at = started_at
        self._site = site
        self._writer = writer
        self._activator = activator
        self._supervisors = supervisors
        self.followers = Followers()
        self.invitations: Counter[str] = Counter()
        self.security_events = 0
        self.clock_skew_seconds: float | None = None

    def status(self) -> Status:
        """The agent at this moment."""
        site = self._site
        return Status(
            version=__version__,
            pbx_id=self._pbx_id,
            started_at=self._started_at,
            activation=self._activator.activation,
            links=self._links(),
            channels=site.channels,
            devices=self._device_states(),
            devices_revision=site.devices.revision,
            calls_live=site.calls.live_calls,
            outbox_epoch=site.outbox.epoch,
            outbox_last_seq=site.outbox.last_seq,
            outbox_unacknowledged=site.outbox.unacknowledged,
            invitations=self.invitations,
        )

    def devices(self) -> tuple[int, Sequence[Device]]:
        """The present device list."""
        return self._site.devices.revision, self._site.devices.devices

    def calls(self) -> Sequence[Record]:
        """The live calls."""
        return [leg_record(leg) for leg in self._site.live_legs()]

    def follow_calls(self) -> Follower:
        """Call events from now on."""
        return self.followers.follow()

    async def activate(self, code: str, progress: Callable[[str], None]) -> str:
        """Make the agent known to the cloud."""
        return await self._activator.activate(code, progress)

    def is_ready(self) -> tuple[bool, list[str]]:
        """Whether calls reach the cloud now."""
        reasons = [
            f"{name}: {FAULTS[link.error.fault].sentence if link.error else link.state.value}"
            for name, link in self._links().items()
            if link.state is not LinkState.CONNECTED
        ]
        if not reasons:
            closed = [channel for channel in _NEEDED_CHANNELS if not self._site.channels[channel]]
            reasons = [f"The channel {channel.value} is closed." for channel in closed]
        return not reasons, reasons

    async def is_healthy(self) -> tuple[bool, list[str]]:
        """Whether the store writes; that the loop turns is shown by answering at all."""
        try:
            await self._writer.submit(lambda _: None)
        except StoreError as error:
            return False, [str(error)]
        return True, []

    def figures(self) -> Figures:
        """Everything counted, for a scrape."""
        site, outbox = self._site, self._site.outbox
        ended: Counter[tuple[str, str]] = Counter()
        for supervisor in self._supervisors:
            ended.update(supervisor.ended_lives)
        return Figures(
            channels=site.channels,
            links={name: link.state is LinkState.CONNECTED for name, link in self._links().items()},
            reconnects=ended,
            pbx_events=site.calls.counts,
            events_sent=outbox.figures.sent,
            events_acknowledged=outbox.figures.acknowledged,
            events_dropped={
                "volatile": outbox.figures.dropped_volatile,
                "untranslatable": site.calls.untranslatable,
            },
            outbox_entries=outbox.unacknowledged,
            devices=self._device_states(),
            calls_live=site.calls.live_calls,
            invitations=self.invitations,
            security_events=self.security_events + outbox.figures.bad_acknowledgements,
            clock_skew_seconds=self.clock_skew_seconds,
        )

    def status_json(self) -> str:
        """The body of /status on the http channel."""
        return json.dumps(self.status().as_json())

    def calls_json(self) -> str:
        """The body of /calls on the http channel."""
        return json.dumps({"schema_version": SCHEMA_VERSION, "calls": list(self.calls())})

    def _links(self) -> dict[str, LinkStatus]:
        return {supervisor.status.name: supervisor.status for supervisor in self._supervisors}

    def _device_states(self) -> Counter[DeviceState]:
        return Counter(device.state for device in self._site.devices.devices)
