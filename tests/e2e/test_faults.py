"""A gateway that misbehaves at the flick of a switch: the agent names it, stays small, and comes back.

Each tour walks one site through several switches, because a site takes longer to open than a fault to show.
`no-stream-ack` is missing: the agent bears it for 35 s. `tests/simulators/gateway` has it in virtual time.
"""

import asyncio

import pytest

from connector.agent.control_client import ControlClient
from connector.bridge.pace import MAX_STRIKES
from simulators.gateway.faults import FaultName
from simulators.gateway.journal import Kind
from tests.e2e.sites import Site
from tests.e2e.test_hostile import lives_on, megabytes

# What a tour of hostile frames may add: one is 16 MiB, the flood 20,000 stanzas.
MAX_GROWTH_MEGABYTES = 32

ENDINGS = {
    FaultName.TORN: ("cloud-closed",),
    FaultName.SHUTDOWN: ("cloud-closed",),
    FaultName.RESET: ("cloud-closed",),
    FaultName.SEE_OTHER_HOST: ("cloud-closed", "cloud-name-unknown"),
    FaultName.SEE_OTHER_URI: ("cloud-closed", "cloud-name-unknown"),
    FaultName.CONFLICT: ("cloud-replaced",),
}
HOSTILE = {
    FaultName.GARBAGE: ("cloud-protocol",),
    FaultName.HUGE_FRAME: ("cloud-protocol", "cloud-closed"),
    FaultName.ENTITY_BOMB: ("cloud-protocol",),
    FaultName.PING_FLOOD: ("cloud-protocol",),
}
CLOSED_DOORS = {
    FaultName.REFUSE_UPGRADE: ("cloud-not-websocket",),
    FaultName.CLOSE_AFTER_ACCEPT: ("cloud-closed",),
    FaultName.SCRAM_ROUNDS: ("cloud-protocol",),
}


def switch(site: Site, name: FaultName, *, is_on: bool) -> None:
    """As the console does it."""
    if is_on:
        site.cloud.faults.switch_on(name)
    else:
        site.cloud.faults.switch_off(name)
    site.cloud.wake_all()


async def dial_anew(site: Site) -> None:
    """`oxbridge disable` and `enable`: no waiting for the next try."""
    client = ControlClient(str(site.agent.place.socket))
    await asyncio.to_thread(client.post, "/disable")
    await asyncio.to_thread(client.post, "/enable")


async def recovers(site: Site, name: FaultName) -> None:
    """The switch is off; the next dial brings everything back."""
    switch(site, name, is_on=False)
    await dial_anew(site)
    await site.up()
    await lives_on(site)


@pytest.mark.slow
async def test_a_stream_that_is_ended_is_named_and_replaced(site: Site) -> None:
    await site.open()
    for name, faults in ENDINGS.items():
        switch(site, name, is_on=True)
        await site.fault("cloud", *faults)
        await recovers(site, name)


@pytest.mark.slow
async def test_hostile_frames_end_the_stream_and_cost_no_memory(site: Site) -> None:
    await site.open()
    before = megabytes(site.agent.pid)
    for name, faults in HOSTILE.items():
        switch(site, name, is_on=True)
        await site.fault("cloud", *faults)
        await recovers(site, name)
    assert megabytes(site.agent.pid) - before < MAX_GROWTH_MEGABYTES


@pytest.mark.slow
async def test_a_gateway_that_lets_nobody_in_is_named(site: Site) -> None:
    await site.open()
    for name, faults in CLOSED_DOORS.items():
        switch(site, name, is_on=True)
        await dial_anew(site)
        await site.fault("cloud", *faults)
        await recovers(site, name)


@pytest.mark.slow
async def test_a_half_open_link_is_found_and_dialled_anew(site: Site) -> None:
    await site.open()
    switch(site, FaultName.HALF_OPEN, is_on=True)
    await site.fault("cloud", "cloud-silent", "cloud-closed", "cloud-timeout")
    await recovers(site, FaultName.HALF_OPEN)


@pytest.mark.slow
async def test_lies_are_seen_through(site: Site) -> None:
    """A stranger's order, a wrong clock, acknowledgements of nothing: the link and the code are kept."""
    await site.open()
    switch(site, FaultName.FORGED_SENDER, is_on=True)
    switch(site, FaultName.WRONG_TIME, is_on=True)
    switch(site, FaultName.REFUSE_DEVICES, is_on=True)
    await dial_anew(site)
    status = await site.until(lambda status: any(one["fault"] == "clock-wrong" for one in status["alarms"]))
    assert status["activation"] == "activated"
    await site.told(lambda one: one.kind is Kind.REFUSED and one.name.endswith("devices"))
    for name in (FaultName.FORGED_SENDER, FaultName.WRONG_TIME, FaultName.REFUSE_DEVICES):
        await recovers(site, name)
    status = await site.until(lambda status: all(one["fault"] != "clock-wrong" for one in status["alarms"]))
    assert status["activation"] == "activated"


@pytest.mark.slow
async def test_events_outlive_a_gateway_that_acknowledges_nothing_or_too_much(site: Site) -> None:
    await site.open()
    for name in (FaultName.NO_EVENT_ACK, FaultName.EARLY_EVENT_ACK):
        since = site.cloud.journal.last_id
        switch(site, name, is_on=True)
        site.pbx.ring_from_outside("0639980001", site.expert)
        site.pbx.release(site.expert)
        await site.event("connectionCleared", since=since)
        assert (await site.status())["outbox"]["unacknowledged"] > 0
        await recovers(site, name)
        await site.drained()
    assert site.entry.events.missing == 0


@pytest.mark.slow
async def test_an_event_that_ends_every_stream_is_put_aside(site: Site) -> None:
    """Three streams, the last with nothing but the event on its way; then everything else goes on."""
    await site.open()
    await site.drained()
    since = site.cloud.journal.last_id
    site.pbx.ring_from_outside("0639980001", site.expert)
    await site.event("delivered", since=since)
    seq = (await site.status())["outbox"]["last_seq"] + 1  # the end of the call, which is durable
    site.cloud.faults.switch_on(FaultName.OFFENDED, seq)
    site.pbx.release(site.expert)
    for strike in range(MAX_STRIKES):
        await site.until(lambda _, strike=strike: site.log().count("was offended") > strike)  # type: ignore[misc]
        await dial_anew(site)
    status = await site.drained()
    assert status["outbox"]["quarantined"] == 1
    assert [one["fault"] for one in status["alarms"]] == ["event-quarantined"]
    gap = await site.told(lambda one: one.kind is Kind.GAP and one.values["reason"] == "quarantined")
    assert (gap.values["from"], gap.values["class"]) == (seq, "durable")
    await lives_on(site)
    await site.drained()


@pytest.mark.slow
async def test_stanzas_that_were_never_sent_can_not_be_acknowledged(site: Site) -> None:
    await site.open()
    switch(site, FaultName.EARLY_STREAM_ACK, is_on=True)
    site.pbx.ring_from_outside("0639980001", site.expert)
    site.pbx.release(site.expert)
    await site.fault("cloud", "cloud-protocol")
    await recovers(site, FaultName.EARLY_STREAM_ACK)
    await site.drained()


async def test_a_slow_gateway_is_borne(site: Site) -> None:
    await site.open()
    switch(site, FaultName.SLOW, is_on=True)
    switch(site, FaultName.DELAY, is_on=True)
    since = site.cloud.journal.last_id
    site.pbx.ring_from_outside("0639980001", site.expert)
    site.pbx.release(site.expert)
    await site.event("connectionCleared", since=since)
    assert (await site.status())["links"]["cloud"]["state"] == "connected"
    switch(site, FaultName.SLOW, is_on=False)
    switch(site, FaultName.DELAY, is_on=False)
    await site.drained()
