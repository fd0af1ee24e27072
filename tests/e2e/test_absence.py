"""Far ends that are absent, come later, go away and come back: the agent lives on and says what is wrong."""

import json

from simulators.demo.world import CALLER
from simulators.gateway.journal import Kind
from tests.e2e.sites import Site


async def test_a_gateway_that_comes_later_gets_what_happened_before(site: Site) -> None:
    await site.begin()
    await site.gateway_goes()
    await site.start()
    await site.activate_in_vain()
    told = await site.fault("cloud", "cloud-unreachable")
    assert told["next_try_at"] or told["state"] == "connecting"
    await site.until(lambda status: status["links"]["pbx"]["state"] == "connected")
    site.pbx.ring_from_outside(CALLER, site.expert)
    site.pbx.release(site.expert)
    await site.until(lambda status: status["outbox"]["unacknowledged"] == 1)
    await site.gateway_comes()
    entry = await site.event("connectionCleared")
    assert entry.values["replayed"] is True
    assert entry.values["end"] == "missed"
    gap = await site.told(lambda one: one.kind is Kind.GAP)
    assert gap.values["class"] == "volatile"
    await site.up()


async def test_status_tells_the_state_by_its_exit_code(site: Site) -> None:
    await site.begin()
    nobody = await site.run("status")
    assert nobody.code == 3
    assert "No agent answers" in nobody.talk
    assert "oxbridge run" in nobody.talk
    await site.pbx_goes()
    await site.start()
    down = await site.run("status", "--json")
    assert down.code == 1
    assert json.loads(down.output)["activation"] == "not-activated"
    assert (await site.activate()).code == 0
    await site.fault("pbx", "pbx-unreachable")
    shown = await site.run("status")
    assert shown.code == 1
    assert "The PBX can't be reached." in shown.output
    assert "Remedy: Check [pbx] host and port" in shown.output
    await site.pbx_comes()
    await site.up()
    assert (await site.run("status")).code == 0


async def test_a_pbx_that_restarts_in_mid_call_leaves_no_call_without_an_end(site: Site) -> None:
    await site.open()
    site.pbx.ring_from_outside(CALLER, site.expert)
    site.pbx.answer(site.expert)
    established = await site.event("established")
    site.pbx.restart()
    await site.told(lambda one: one.kind is Kind.SYSTEM_STATUS and one.name == "disabled")
    ended = await site.event("connectionCleared")
    assert (ended.values["end"], ended.values["class"]) == ("unknown", "durable")
    assert ended.values["call"] == established.values["call"]
    status = await site.up()
    assert status["calls"]["live"] == 0
    site.pbx.ring_from_outside(CALLER, site.expert)
    again = await site.event("delivered", since=ended.id)
    assert again.values["call"] != ended.values["call"]


async def test_a_gateway_that_forgot_gets_the_list_the_events_and_the_calls_again(site: Site) -> None:
    await site.open()
    before = site.cloud.journal.last_id
    await site.gateway_goes(forgets=True)
    site.pbx.ring_from_outside(CALLER, site.expert)
    site.pbx.answer(site.expert)
    site.pbx.make_call("3005", "3006")
    site.pbx.release("3005")
    told = await site.fault("cloud", "cloud-unreachable", "cloud-closed")
    assert told["state"] in ("waiting", "connecting")
    await site.gateway_comes()
    await site.up()
    await site.told(lambda one: one.kind is Kind.DEVICES and one.name == "list", since=before)
    await site.drained()
    snapshot = await site.told(
        lambda one: one.kind is Kind.SNAPSHOT and one.values["devices"] == [site.expert], since=before
    )
    ended = [
        one.values["device"]
        for one in site.cloud.journal.find(since=before, kind=Kind.CALL_EVENT)
        if one.values["class"] == "durable"
    ]
    assert ended
    assert set(ended) == {"3005", "3006"}
    site.pbx.release(site.expert)
    await site.event("connectionCleared", since=snapshot.id)


async def test_a_gateway_that_remembers_goes_on_with_the_session(site: Site) -> None:
    await site.open()
    before = site.cloud.journal.last_id
    await site.gateway_goes()
    site.pbx.ring_from_outside(CALLER, site.expert)
    site.pbx.answer(site.expert)
    await site.fault("cloud", "cloud-unreachable", "cloud-closed")
    await site.gateway_comes()
    await site.up()
    await site.event("established", since=before)
    again = [one.kind for one in site.cloud.journal.find(since=before)]
    assert Kind.HELLO not in again
    assert Kind.DEVICES not in again
    assert Kind.GAP not in again, "also what is not kept on disk waited for the session"
    site.pbx.release(site.expert)
    await site.event("connectionCleared", since=before)


async def test_a_backlog_longer_than_every_window_arrives_whole(site: Site) -> None:
    """Each call has a volatile event that is gone: 1,400 holes and events, sent 384 ahead of the gateway."""
    await site.open()
    await site.gateway_goes()
    calls = 700
    for _ in range(calls):
        site.pbx.ring_from_outside(CALLER, "3004")
        site.pbx.release("3004")
    await site.until(lambda status: status["outbox"]["unacknowledged"] == calls)
    await site.gateway_comes()
    status = await site.drained()
    assert status["links"]["cloud"]["state"] == "connected"
    missed = [
        one for one in site.cloud.journal if one.kind is Kind.CALL_EVENT and one.values["end"] == "missed"
    ]
    assert len(missed) == calls
    await site.up()
