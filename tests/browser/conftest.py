"""A real Chromium, Debian's own, without any connection of its own."""

import shutil
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Page, async_playwright

CHROMIUM = shutil.which("chromium") or ""
# What Chromium does of its own accord would only fail here, many times a second.
_QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class WatchedPage:
    """A page and everything that it complained about: script errors, refused content, failed requests."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", lambda message: self._complain(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("requestfailed", lambda request: self.complaints.append(f"not loaded: {request.url}"))

    def _complain(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.complaints.append(text)


@pytest_asyncio.fixture
async def browser_page() -> AsyncIterator[WatchedPage]:
    """A new page of a new browser; the certificates of the simulators are throw-away ones."""
    if not CHROMIUM:
        pytest.skip("chromium is not installed: make test-tools")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=_QUIET)
        context = await browser.new_context(ignore_https_errors=True, locale="en-GB", timezone_id="UTC")
        yield WatchedPage(await context.new_page())
        await browser.close()
