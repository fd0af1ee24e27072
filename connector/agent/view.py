"""What the agent shows of itself: to the control API, to Prometheus, and to the gateway's http channel."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime

from connector import __version__
from connector.agent.figures import Figures
from connector.agent.followers import Follower, Followers, Record
from connector.agent.records import leg_record
from connector.agent.standing import Standing
from connector.agent.status import SCHEMA_VERSION, Status, device_json
from connector.agent.supervisor import LinkSupervisor
from connector.bridge.site import Site
from connector.domain.configuration import Effective
from connector.domain.devices import Device, DeviceState
from connector.domain.errors import RequestRefused, StoreError
from connector.domain.faults import FAULTS, FaultId
from connector.domain.identifiers import Channel
from connector.domain.links import LinkState, LinkStatus
from connector.domain.switch import SwitchedBy
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
        standing: Standing,
        *,
        supervisors: Sequence[LinkSupervisor],
    ) -> None:
        self._pbx_id = pbx_id
        self._started_at = started_at
        self._site = site
        self._writer = writer
        self._activator = standing.activator
        self._switch = standing.switch
        self._desk = standing.desk
        self._alarms = standing.alarms
        self._supervisors = supervisors
        self.followers = Followers()
        self.invitations: Counter[str] = Counter()
        self.security_events = 0
        self.clock_skew_seconds: float | None = None

    def status(self) -> Status:
        """The agent at this moment."""
        site, outbox = self._site, self._site.outbox.figures
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
            outbox_lost_durable=outbox.lost_durable,
            outbox_unsafe_writes=outbox.unsafe_writes,
            outbox_quarantined=outbox.quarantined,
            outbox_quarantine_dropped=site.outbox.quarantine_dropped,
            invitations=self.invitations,
            disabled=self._switch.disabled,
            alarms=self._alarms.raised(),
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
        if self._switch.disabled is not None:
            raise RequestRefused(FaultId.AGENT_DISABLED, "disabled")
        return await self._activator.activate(code, progress)

    def configuration(self) -> Sequence[Effective]:
        """What the cloud can configure, as it is in force."""
        return self._desk.effective()

    async def enable(self) -> str:
        """Switch the agent on."""
        is_changed = await self._switch.enable()
        return "The agent is on and connects." if is_changed else "The agent was on already."

    async def disable(self) -> str:
        """Switch the agent off."""
        is_changed = await self._switch.disable(SwitchedBy.SITE)
        return "The agent is off. No connection is open." if is_changed else "The agent was off already."

    async def reset(self) -> str:
        """Forget the codes."""
        await self._activator.reset()
        return "The codes are forgotten; every setting is kept. `oxbridge activate` takes a new code."

    def is_ready(self) -> tuple[bool, list[str]]:
        """Whether calls reach the cloud now."""
        if self._switch.disabled is not None:
            return False, [FAULTS[FaultId.AGENT_DISABLED].sentence]
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
        """Whether a restart is of no use, and what is degraded all the same.

        That the loop turns is shown by answering at all, that the store's thread lives by a job that it ends.
        While the disk is in trouble the links go on, and events that it refused are in memory alone: a
        restart would lose them.
        """
        try:
            await self._writer.submit(lambda _: None)
        except StoreError as error:
            trouble = self._writer.trouble
            return trouble is not None, [str(trouble or error)]
        trouble = self._writer.trouble
        return True, [] if trouble is None else [str(trouble)]

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
            outbox_unsafe_writes=outbox.figures.unsafe_writes,
            outbox_lost=outbox.figures.lost_durable,
            outbox_quarantined=outbox.figures.quarantined,
            outbox_quarantine_dropped=outbox.quarantine_dropped,
            devices=self._device_states(),
            calls_live=site.calls.live_calls,
            invitations=self.invitations,
            security_events=self.security_events + outbox.figures.bad_acknowledgements,
            clock_skew_seconds=self.clock_skew_seconds,
            alarms={fault.value: is_raised for fault, is_raised in self._alarms.known().items()},
        )

    def status_json(self) -> str:
        """The body of /status on the http channel."""
        return json.dumps(self.status().as_json())

    def devices_json(self) -> str:
        """The body of /devices on the http channel."""
        revision, listed = self.devices()
        rows = [device_json(device) for device in listed]
        return json.dumps({"schema_version": SCHEMA_VERSION, "revision": revision, "devices": rows})

    def calls_json(self) -> str:
        """The body of /calls on the http channel."""
        return json.dumps({"schema_version": SCHEMA_VERSION, "calls": list(self.calls())})

    def _links(self) -> dict[str, LinkStatus]:
        return {supervisor.status.name: supervisor.status for supervisor in self._supervisors}

    def _device_states(self) -> Counter[DeviceState]:
        return Counter(device.state for device in self._site.devices.devices)
