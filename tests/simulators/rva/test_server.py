import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from connector.domain.invitations import HubOutcome, InvitationOptions, InvitationStatus, Invite
from connector.links.tls import client_context
from connector.rva.hub import HubClient
from simulators.certs import Certificates, issue
from simulators.rva.server import RvaSimulator


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return issue(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
async def simulator(
    certificates: Certificates, tmp_path: Path, no_task_left: None
) -> AsyncIterator[RvaSimulator]:
    simulator = RvaSimulator(tmp_path, certificates=certificates)
    await simulator.start()
    yield simulator
    await simulator.aclose()


async def test_the_connectors_client_and_the_hub_agree_on_all_nine_options(simulator: RvaSimulator) -> None:
    options = InvitationOptions(
        auto_answer=False, use_rear_camera=False, use_screen_sharing=True, auto_start=True, mirror_mode=True
    )
    client = HubClient(simulator.url, client_context(simulator.ca_file), timeout_seconds=5)
    outcome = await client.invite(Invite("c-1", "3001", "anna", "+33639980001", options))
    await client.aclose()
    message = await simulator.wait_for(lambda one: one.state == "delivered", timeout_seconds=5)
    assert outcome == HubOutcome(InvitationStatus.SENT, message.id)
    assert (message.to, message.agent, message.options) == ("+33639980001", "anna", options)
    assert message.link == f"{simulator.url}/guest/{message.token}"


async def test_each_option_arrives_as_itself(simulator: RvaSimulator) -> None:
    names = list(InvitationOptions.__slots__)
    nothing = dict.fromkeys(names, False)
    client = HubClient(simulator.url, client_context(simulator.ca_file), timeout_seconds=5)
    for number, name in enumerate(names):
        options = InvitationOptions(**{**nothing, name: True})
        await client.invite(Invite("c", "3001", "anna", f"+3363998000{number}", options))
        assert simulator.inbox.messages()[0].options == options
    await client.aclose()


async def test_a_number_that_is_not_canonical_fails(simulator: RvaSimulator) -> None:
    client = HubClient(simulator.url, client_context(simulator.ca_file), timeout_seconds=5)
    outcome = await client.invite(Invite("c-1", "3001", "anna", "0639980001"))
    await client.aclose()
    assert outcome == HubOutcome(InvitationStatus.FAILED, reason="http-400")
    assert len(simulator.inbox) == 0


async def test_waiting_sees_what_is_there_and_gives_up_in_time(simulator: RvaSimulator) -> None:
    with pytest.raises(TimeoutError):
        await simulator.wait_for(lambda _: True, timeout_seconds=0.01)
    waiter = asyncio.create_task(simulator.wait_for(lambda one: one.to.endswith("2"), timeout_seconds=5))
    client = HubClient(simulator.url, client_context(simulator.ca_file), timeout_seconds=5)
    for number in (1, 2):
        await client.invite(Invite("c-1", "3001", "anna", f"+3363998000{number}"))
    await client.aclose()
    assert (await waiter).to == "+33639980002"
    assert (await simulator.wait_for(lambda one: one.to.endswith("1"), timeout_seconds=5)).agent == "anna"
