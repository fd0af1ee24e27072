"""Canaries: the codes and the callers' numbers show up nowhere that another person can look."""

from pathlib import Path

import httpx2

from tests.e2e.sites import CODE, Site

CALLER = "0639980001"


def seen_of(pid: int) -> str:
    """What every user of the machine, or its administrator, sees of a process."""
    process = Path(f"/proc/{pid}")
    return "\n".join((process / part).read_text(errors="replace") for part in ("cmdline", "environ"))


async def test_no_code_and_no_whole_number_is_seen_anywhere(site: Site) -> None:
    await site.begin()
    site.tables["http"] = {"listen": "127.0.0.1:0"}
    site.tables["log"] = {"format": "json", "level": "debug"}
    await site.start()
    process = await site.begin_command("activate")
    assert process.stdin is not None
    assert process.stderr is not None
    process.stdin.write(f"{CODE}\n".encode())
    await process.stdin.drain()
    talk = await process.stderr.readline()  # it waits for the gateway now, with the code in its memory
    seen = [seen_of(process.pid)]
    answer, rest = await process.communicate()
    seen += [talk.decode(), answer.decode(), rest.decode()]
    await site.up()
    before = site.cloud.journal.last_id
    site.pbx.ring_from_outside(CALLER, site.expert)
    site.pbx.answer(site.expert)
    await site.invitation("sent", since=before)
    site.pbx.release(site.expert)
    await site.drained()
    for arguments in (("status",), ("status", "--json"), ("devices", "--json")):
        ran = await site.run(*arguments)
        seen += [ran.output, ran.talk]
    await site.agent.kill()
    await site.agent.start()
    await site.up()
    seen += [seen_of(site.agent.pid), site.log()]
    told = "\n".join(seen)
    assert len(site.entry.private_code) == 32
    for secret in (CODE, site.entry.private_code, CALLER[1:]):
        assert secret not in told


async def test_metrics_and_the_files_of_the_state_tell_nobody_else(site: Site, unused_tcp_port: int) -> None:
    await site.begin()
    site.tables["http"] = {"listen": f"127.0.0.1:{unused_tcp_port}"}
    await site.start()
    assert (await site.activate()).code == 0
    await site.up()
    site.pbx.ring_from_outside(CALLER, site.expert)
    await site.event("delivered")
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{unused_tcp_port}", trust_env=False) as browser:
        page = (await browser.get("/metrics")).text
    assert "oxbridge_calls_live 1.0" in page
    for private in (CODE, site.entry.private_code, CALLER[1:], site.expert, site.entry.pbx_id):
        assert private not in page
    state = site.agent.place.directory / "state"
    assert state.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o077 == 0 for path in state.iterdir())
    assert site.agent.place.socket.stat().st_mode & 0o777 == 0o660
