"""Who is invited to a video call, once, and who is not, over the whole path."""

from typing import Any

from simulators.gateway.journal import Entry
from tests.e2e.sites import Site

MOBILE, OTHER_MOBILE = "0639980001", "0639980002"


async def call_and_answer(site: Site, caller: str | None) -> int:
    """An outside caller talks to the expert and both hang up; the gateway's newest entry before."""
    before = site.cloud.journal.last_id
    site.pbx.ring_from_outside(caller, site.expert)
    await site.event("delivered", since=before)
    site.pbx.answer(site.expert)
    await site.event("established", since=before)
    site.pbx.release(site.expert)
    await site.event("connectionCleared", since=before)
    return before


def reason_and_number(entry: Entry) -> tuple[Any, Any]:
    """Why, and whom."""
    return entry.values["reason"], entry.values["to"]


async def test_an_invitation_is_sent_once_a_number_in_ten_minutes_also_across_a_crash(site: Site) -> None:
    await site.open()
    first = await site.invitation("sent", since=await call_and_answer(site, MOBILE))
    assert first.values["to"] == "+33639980001"
    again = await site.invitation("refused", since=await call_and_answer(site, MOBILE))
    assert reason_and_number(again) == ("rate-number", "+33639980001")
    await site.agent.kill()
    await site.agent.start()
    await site.up()
    third = await site.invitation("refused", since=await call_and_answer(site, MOBILE))
    assert reason_and_number(third) == ("rate-number", "+33639980001")
    await site.invitation("sent", since=await call_and_answer(site, OTHER_MOBILE))
    assert [one.to for one in site.rva.inbox.messages()] == ["+33639980002", "+33639980001"]


async def test_a_call_that_is_answered_twice_invites_once(site: Site) -> None:
    await site.open()
    before = site.cloud.journal.last_id
    site.pbx.ring_from_outside(MOBILE, site.expert)
    site.pbx.answer(site.expert)
    await site.invitation("sent", since=before)
    site.pbx.hold(site.expert)
    site.pbx.retrieve(site.expert)
    site.pbx.consult(site.expert, "3005")
    site.pbx.answer("3005")
    site.pbx.release("3005")
    site.pbx.retrieve(site.expert)
    site.pbx.release(site.expert)
    await site.drained()
    assert len(site.rva.inbox) == 1


NOT_INVITED = {
    "00999123": "kind",
    "12": "kind",
    "0139980001": "kind",
    "0033639980001234567": "kind",
    "004915201234567": "country",
    None: "withheld",
}


async def test_numbers_that_can_not_be_invited_go_to_the_cloud_as_they_are(site: Site) -> None:
    await site.open()
    for caller, reason in NOT_INVITED.items():
        before = await call_and_answer(site, caller)
        delivered = await site.event("delivered", since=before)
        # As the PBX shows it: with the prefix that dials back; an OXE does not say why a number is missing.
        assert delivered.values["calling"] == (f"0{caller}" if caller else "unavailable")
        refused = await site.invitation("refused", since=before)
        assert (caller, refused.values["reason"]) == (caller, reason)
        assert refused.values["class"] == "durable"
    assert len(site.rva.inbox) == 0


async def test_a_hub_that_is_down_costs_the_invitation_and_nothing_else(site: Site) -> None:
    await site.open()
    await site.rva.aclose()
    failed = await site.invitation("failed", since=await call_and_answer(site, MOBILE))
    assert failed.values["to"] == "+33639980001"
    assert failed.values["reason"]
    status = await site.up()
    assert status["invitations"]["failed"] == 1


async def test_an_inside_caller_is_nobody_to_invite(site: Site) -> None:
    await site.open()
    site.pbx.make_call("3005", site.expert)
    site.pbx.answer(site.expert)
    site.pbx.release("3005")
    await site.drained()
    status = await site.status()
    assert sum(status["invitations"].values()) == 0
