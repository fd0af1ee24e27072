"""The agent's process behind a real proxy: everything goes through it, and what fails there is named."""

from pathlib import Path

import pytest

from tests.e2e.sites import Site
from tests.integration.proxies import (
    PASSWORD,
    USER,
    Running,
    digest_lines,
    free_port,
    missing_tool,
    squid,
    squid_directory,
)

_MISSING = missing_tool("squid")
pytestmark = [
    pytest.mark.tools,
    pytest.mark.skipif(bool(_MISSING), reason=_MISSING or "installed"),
]


def behind(site: Site, proxy: Running, directory: Path, password: str) -> None:
    """Give the agent the proxy and a password for it."""
    file = directory / "proxy-password"
    file.touch(0o600)
    file.write_text(password + "\n")
    site.tables["proxy"] = {
        "url": f"http://127.0.0.1:{proxy.port}",
        "user": USER,
        "password_file": str(file),
    }


async def test_link_and_invitation_go_through_the_proxy(site: Site, tmp_path: Path) -> None:
    with squid_directory() as place:
        port = free_port()
        lines = [f"http_port 127.0.0.1:{port}", *digest_lines(place)]
        with squid(place, port, *lines) as proxy:
            await site.begin()
            behind(site, proxy, tmp_path, PASSWORD)
            await site.start()
            assert (await site.activate()).code == 0
            await site.up()
            before = site.cloud.journal.last_id
            site.pbx.ring_from_outside("0639980001", site.expert)
            site.pbx.answer(site.expert)
            await site.invitation("sent", since=before)
            await site.agent.stop()
        log = (place / "access.log").read_text()
    ports = {f"127.0.0.1:{site.gateway.port}", site.rva.url.removeprefix("https://")}
    through = {line.split()[6] for line in log.splitlines() if "/200 " in line}
    assert through == ports
    assert PASSWORD not in site.log()


async def test_a_wrong_password_is_named_and_told_once(site: Site, tmp_path: Path) -> None:
    wrong = "wrong-canary-6617"
    with squid_directory() as place:
        port = free_port()
        lines = [f"http_port 127.0.0.1:{port}", *digest_lines(place)]
        with squid(place, port, *lines) as proxy:
            await site.begin()
            behind(site, proxy, tmp_path, wrong)
            await site.start()
            activation = await site.begin_command("activate")
            assert activation.stdin is not None
            activation.stdin.write(b"4711\n")
            activation.stdin.close()
            await site.fault("cloud", "proxy-auth")
            activation.terminate()
            _, talk = await activation.communicate()
            told = (await site.run("status")).output + site.log() + talk.decode()
            await site.agent.stop()
        asked = (place / "access.log").read_text().count("CONNECT")
    assert "proxy" in told
    assert wrong not in told
    assert asked == 2  # the question, and one answer to it
