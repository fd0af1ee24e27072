"""A wire that swallows everything: both ends find out by themselves, and the link comes back."""

import pytest

from connector.domain.identifiers import Channel
from tests.cutter import Cut, Cutter
from tests.e2e.sites import Site


@pytest.mark.slow
async def test_both_ends_find_a_half_open_connection(site: Site) -> None:
    await site.begin()
    wire = Cutter(site.gateway.port)
    await wire.start()
    try:
        site.tables["cloud"]["port"] = wire.port
        await site.start()
        ran = await site.activate()
        assert ran.code == 0, ran
        await site.up()
        assert wire.cut(Cut.SILENCE) >= 1
        fault = await site.fault("cloud", "cloud-silent")
        assert fault["hop"]
        # The gateway has heard nothing either; it may already have the next connection of the agent.
        gone = await site.told(lambda one: one.kind == "disconnected")
        assert gone.system == site.entry.id
        await site.up()
        assert site.entry.channels[Channel.XMPP]
    finally:
        await site.agent.stop()
        await wire.aclose()
