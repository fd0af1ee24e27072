"""What a person sees of the simulators, in a real browser."""

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import expect

from connector.domain.invitations import InvitationOptions, Invite
from connector.links.tls import client_context
from connector.rva.hub import HubClient
from simulators.clock import SystemClock
from simulators.gateway.server import GatewaySettings, GatewaySimulator
from simulators.gateway.systems import Profile, SystemType
from simulators.rva.server import RvaSimulator
from tests.browser.conftest import WatchedPage

pytestmark = [pytest.mark.browser, pytest.mark.tools]


@pytest_asyncio.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[GatewaySimulator]:
    simulator = GatewaySimulator(GatewaySettings(tmp_path / "ca"), SystemClock(), random.Random(3).randbytes)
    await simulator.start()
    yield simulator
    await simulator.aclose()


@pytest_asyncio.fixture
async def rva(tmp_path: Path) -> AsyncIterator[RvaSimulator]:
    simulator = RvaSimulator(tmp_path / "rva")
    await simulator.start()
    yield simulator
    await simulator.aclose()


async def invite(rva: RvaSimulator, number: str, *, mirror_mode: bool) -> None:
    client = HubClient(rva.url, client_context(rva.ca_file), timeout_seconds=5)
    await client.invite(Invite("c-1", "3001", "anna", number, InvitationOptions(mirror_mode=mirror_mode)))
    await client.aclose()


async def test_the_console_shows_a_system_and_follows_it_without_a_reload(
    gateway: GatewaySimulator, browser_page: WatchedPage
) -> None:
    page = browser_page.page
    await page.goto(f"{gateway.url}/")
    await expect(page.get_by_text("No system yet")).to_be_visible()
    profile = Profile(name="Lyon <b>", type=SystemType.OXE, site_id="s1")
    gateway.gateway.create_system(profile, pbx_id="PBX1", activation_code="4711")
    row = page.get_by_role("row").filter(has_text="Lyon <b>")
    await expect(row).to_contain_text("Pending")
    await expect(row).to_contain_text("4711")
    await expect(page.get_by_role("note")).to_contain_text("not for production")
    assert browser_page.complaints == []


@pytest.mark.parametrize("where", ["/", "/_sim/switches", "/_sim/systems/{}", "/docs"])
async def test_no_page_of_the_gateway_is_wider_than_a_telephone(
    gateway: GatewaySimulator, browser_page: WatchedPage, where: str
) -> None:
    page = browser_page.page
    await page.set_viewport_size({"width": 390, "height": 760})
    profile = Profile(name="Lyon", type=SystemType.OXE, site_id="s1")
    system = gateway.gateway.create_system(profile, pbx_id="PBX1", activation_code="4711")
    await page.goto(f"{gateway.url}{where.format(system.id)}")
    assert await page.evaluate("document.documentElement.scrollWidth") == 390
    assert browser_page.complaints == []


async def test_the_inbox_shows_new_messages_and_finds_them(
    rva: RvaSimulator, browser_page: WatchedPage
) -> None:
    page = browser_page.page
    await page.goto(f"{rva.url}/")
    await invite(rva, "+33639980001", mirror_mode=False)
    await invite(rva, "+33639980002", mirror_mode=True)
    await expect(page.get_by_text("+33639980001")).to_be_visible()
    await page.get_by_role("searchbox").fill("80002")
    await expect(page.get_by_text("+33639980002")).to_be_visible()
    await expect(page.get_by_text("+33639980001")).to_be_hidden()
    assert browser_page.complaints == []


@pytest.mark.parametrize("mirror_mode", [True, False])
async def test_the_link_of_an_sms_opens_the_guest_s_page_with_its_options(
    rva: RvaSimulator, browser_page: WatchedPage, mirror_mode: bool
) -> None:
    page = browser_page.page
    await page.set_viewport_size({"width": 390, "height": 760})
    await invite(rva, "+33639980001", mirror_mode=mirror_mode)
    await page.goto(f"{rva.url}/")
    await page.get_by_role("link", name="/guest/").click()
    await expect(page.get_by_role("heading", name="Video assistance")).to_be_visible()
    shown = page.get_by_role("main")
    await expect(shown).to_contain_text("Mirrored picture")
    texts = await shown.inner_text()
    assert texts.split("Mirrored picture")[1].split()[0] == ("On" if mirror_mode else "Off")
    assert browser_page.complaints == []
