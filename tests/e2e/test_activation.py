"""A person activates the agent: what is said when it goes wrong, and that the agent lives on."""

from simulators.gateway.journal import Kind
from tests.e2e.sites import Site

REFUSED = "The gateway did not accept this PBX-ID with this code."


def sentence_cause_and_remedy(talk: str) -> tuple[str, str, str]:
    """The last three lines of what a failed command says; nothing of it may be a traceback."""
    assert "Traceback" not in talk
    sentence, cause, remedy = talk.splitlines()[-3:]
    assert cause.startswith("  Cause:  ")
    assert remedy.startswith("  Remedy: ")
    return sentence, cause, remedy


async def test_a_wrong_code_is_told_in_a_sentence_and_the_right_one_works_afterwards(site: Site) -> None:
    await site.begin()
    await site.start()
    ran = await site.activate("wrong1")
    assert (ran.code, ran.output) == (1, "")
    sentence, _, remedy = sentence_cause_and_remedy(ran.talk)
    assert sentence.startswith(REFUSED)
    assert "oxbridge activate" in remedy
    assert "wrong1" not in ran.talk
    status = await site.status()
    assert (status["links"]["cloud"]["fault"], status["activation"]) == ("cloud-not-authorized", "activating")
    ran = await site.activate()
    assert ran.code == 0
    assert ran.output == "This agent is activated.\n"
    await site.up()


async def test_an_unknown_pbx_id_is_refused_alike(site: Site) -> None:
    await site.begin()
    site.tables["cloud"]["pbx_id"] = "PBX0000-0000"
    await site.start()
    ran = await site.activate()
    assert ran.code == 1
    assert sentence_cause_and_remedy(ran.talk)[0].startswith(REFUSED)
    assert site.agent.is_running
    assert (await site.run("status", "--json")).code == 1


async def test_a_wrong_code_on_an_activated_agent_costs_nothing(site: Site) -> None:
    await site.open()
    before = site.cloud.journal.last_id
    ran = await site.activate("wrong1")
    assert ran.code == 1
    assert sentence_cause_and_remedy(ran.talk)[0].startswith(REFUSED)
    status = await site.up()
    assert status["activation"] == "activated"
    assert site.entry.is_connected
    assert [one.name for one in site.cloud.journal.find(since=before, kind=Kind.ACTIVATION)] == []


async def test_a_reset_in_the_cloud_asks_for_the_new_code_and_takes_it(site: Site) -> None:
    await site.open()
    site.cloud.reset(site.entry)
    status = await site.until(lambda status: status["activation"] == "not-activated")
    assert "oxbridge activate" in (await site.fault("cloud", "cloud-reset"))["remedy"]
    assert status["outbox"]["epoch"]
    ran = await site.activate(site.entry.public_code)
    assert ran.code == 0, ran
    await site.up()


async def test_an_empty_code_and_a_code_of_another_form_never_reach_the_gateway(site: Site) -> None:
    await site.begin()
    await site.start()
    assert (await site.run("activate", typed="\n")).code == 2
    ran = await site.run("activate", typed="two words\n")
    assert ran.code == 1
    assert "two words" not in ran.talk
    assert site.cloud.journal.find(kind=Kind.LOGIN_REFUSED) == []


async def test_the_case_of_the_pbx_id_does_not_matter(site: Site) -> None:
    await site.begin()
    site.tables["cloud"]["pbx_id"] = site.entry.pbx_id.upper()
    await site.start()
    assert (await site.activate()).code == 0
