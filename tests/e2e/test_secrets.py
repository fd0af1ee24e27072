"""Canaries: codes, passwords and numbers are planted, then every place is searched where others look."""

import json
import socket
import traceback
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from connector.agent.control_client import ControlClient
from connector.domain.credentials import Code, CodeKind, Credentials
from connector.wire.pcg import conf
from tests.e2e.sites import CODE, Site, oxbridge

CALLER = "0639980001"
WRONG_CODE = "canaryWRONG0077"
PROXY_PASSWORD = "canary-proxy-55e1"
PROXY_USER = "canary-user-a3"

# Where the canaries are looked for. A part of the agent that is added brings its own place.
PLACES = (
    "log of a start that fails at the proxy",
    "log of a refused code",
    "log of the activation",
    "log of a call and an invitation",
    "log after kill -9 and restart",
    "log of a reset in the cloud",
    "arguments of the agent",
    "environment of the agent",
    "arguments of oxbridge activate",
    "environment of oxbridge activate",
    "talk of oxbridge activate",
    "talk about a refused code",
    "talk about a code of another form",
    "oxbridge status",
    "oxbridge status --json",
    "oxbridge status with the proxy down",
    "oxbridge devices --json",
    "oxbridge config effective",
    "oxbridge config validate of a file with secrets in the wrong places",
    "control API: status",
    "control API: answer to a broken request",
    "metrics",
    "health pages",
    "files of the state directory",
    "names of open files",
    "objects shown and tracebacks",
)


class Seen:
    """What was seen at each place."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    def note(self, place: str, *texts: str) -> None:
        assert place in PLACES
        self.texts[place] = self.texts.get(place, "") + "\n".join(texts)

    def places_with(self, canary: str) -> list[str]:
        return [place for place, text in self.texts.items() if canary.lower() in text.lower()]


def seen_of(pid: int) -> tuple[str, str]:
    """Arguments and environment, as every user of the machine, or its administrator, sees them."""
    process = Path(f"/proc/{pid}")
    arguments, environment = ((process / part).read_text(errors="replace") for part in ("cmdline", "environ"))
    return arguments, environment


def open_files(pid: int) -> Iterator[str]:
    """The names of what the process has open."""
    for path in Path(f"/proc/{pid}/fd").iterdir():
        yield str(path.readlink())


def all_files(state: Path) -> str:
    """Every byte that stands on disk, as text."""
    return "\n".join(
        path.read_bytes().decode("latin-1") for path in sorted(state.rglob("*")) if path.is_file()
    )


class Log:
    """The log since the last look."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._at = 0

    def new(self) -> str:
        text = self._site.log()
        new, self._at = text[self._at :], len(text)
        return new


async def fails_at_the_proxy(site: Site, seen: Seen, log: Log, unused_port: int) -> None:
    """A start with a proxy that is not there, its password in a file, the code handed over in vain."""
    password_file = site.directory / "proxy-password"
    password_file.write_text(PROXY_PASSWORD + "\n")
    password_file.chmod(0o600)
    site.tables["proxy"] = {
        "url": f"http://127.0.0.1:{unused_port}",
        "user": PROXY_USER,
        "password_file": str(password_file),
    }
    await site.start()
    process = await site.begin_command("activate")
    assert process.stdin is not None
    process.stdin.write(f"{CODE}\n".encode())
    process.stdin.close()
    assert (await site.fault("cloud", "proxy-unreachable"))["hop"] == "proxy"
    for place, text in zip(("arguments", "environment"), seen_of(process.pid), strict=True):
        seen.note(f"{place} of oxbridge activate", text)
    process.terminate()
    output, talk = await process.communicate()
    seen.note("talk of oxbridge activate", output.decode(), talk.decode())
    shown = await site.run("status")
    seen.note("oxbridge status with the proxy down", shown.output, shown.talk)
    assert (await site.run("reset", "--yes")).code == 0
    await site.agent.kill()
    seen.note("log of a start that fails at the proxy", log.new())
    del site.tables["proxy"]


async def is_activated(site: Site, seen: Seen, log: Log) -> None:
    """A wrong code, one of another form, then the right one."""
    ran = await site.activate(WRONG_CODE)
    assert ran.code == 1
    seen.note("talk about a refused code", ran.output, ran.talk)
    seen.note("log of a refused code", log.new())
    ran = await site.activate(f"{WRONG_CODE} {CODE}")
    assert ran.code == 1
    seen.note("talk about a code of another form", ran.output, ran.talk)
    ran = await site.activate()
    assert ran.code == 0, ran
    seen.note("talk of oxbridge activate", ran.output, ran.talk)
    await site.up()
    seen.note("log of the activation", log.new())


async def calls_and_invites(site: Site, seen: Seen, log: Log) -> None:
    """An outside call that is answered and invited."""
    before = site.cloud.journal.last_id
    site.pbx.ring_from_outside(CALLER, site.expert)
    site.pbx.answer(site.expert)
    await site.invitation("sent", since=before)
    site.pbx.release(site.expert)
    await site.drained()
    seen.note("log of a call and an invitation", log.new())


async def is_looked_at(site: Site, seen: Seen, port: int) -> None:
    """Everything that answers questions."""
    for command in ("status", "status --json", "devices --json", "config effective"):
        ran = await site.run(*command.split())
        seen.note(f"oxbridge {command}", ran.output, ran.talk)
    seen.note("control API: status", json.dumps(ControlClient(str(site.agent.place.socket)).get("/status")))
    seen.note("control API: answer to a broken request", broken_request(site.agent.place.socket))
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as browser:
        page = (await browser.get("/metrics")).text
        assert "oxbridge_invitations_total" in page
        seen.note("metrics", page)
        for path in ("/-/ready", "/-/healthy"):
            seen.note("health pages", (await browser.get(path)).text)
    arguments, environment = seen_of(site.agent.pid)
    seen.note("arguments of the agent", arguments)
    seen.note("environment of the agent", environment)
    seen.note("names of open files", *open_files(site.agent.pid))


def broken_request(path: Path) -> str:
    """The answer to an activation whose body is cut off inside the code."""
    body = f'{{"code": "{CODE}", "more": {CALLER}'.encode()
    head = f"POST /activate HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(str(path))
        client.sendall(head.encode() + body)
        return b"".join(iter(lambda: client.recv(65_536), b"")).decode()


async def validates_a_mistaken_file(site: Site, seen: Seen) -> None:
    """An installer wrote the code and the password where they do not belong."""
    mistaken = site.directory / "mistaken.toml"
    mistaken.write_text(
        f'[cloud]\npbx_id = "a b {CODE}"\nactivation_code = "{CODE}"\nport = "{CODE}"\n'
        f'[proxy]\nurl = "http://{PROXY_USER}:{PROXY_PASSWORD}@proxy:3128"\npassword = "{PROXY_PASSWORD}"\n'
    )
    ran = await oxbridge("config", "validate", "--config", str(mistaken))
    assert ran.code == 2
    place = "oxbridge config validate of a file with secrets in the wrong places"
    seen.note(place, ran.output, ran.talk)


def shows_objects(private_code: str) -> str:
    """What a debugger's print or a traceback would show of what holds a code."""
    holders = (
        Code(CodeKind.ACCESS, private_code),
        Credentials(CODE, private_code),
        conf.Access("t", private_code),
    )
    error = RuntimeError(*holders)
    return "".join([*map(repr, holders), *map(str, holders), *traceback.format_exception(error)])


@pytest.mark.parametrize("form", ["json", "console"])
async def test_no_canary_is_seen_anywhere(site: Site, unused_tcp_port_factory: object, form: str) -> None:
    assert callable(unused_tcp_port_factory)
    seen, log, port = Seen(), Log(site), unused_tcp_port_factory()
    await site.begin()
    site.tables["http"] = {"listen": f"127.0.0.1:{port}"}
    site.tables["log"] = {"format": form, "level": "debug"}
    await fails_at_the_proxy(site, seen, log, unused_tcp_port_factory())
    await site.start()
    await is_activated(site, seen, log)
    await calls_and_invites(site, seen, log)
    await is_looked_at(site, seen, port)
    await site.agent.kill()
    await site.agent.start()
    await site.up()
    seen.note("log after kill -9 and restart", log.new())
    private_code = site.entry.private_code
    assert len(private_code) == 32
    state = site.agent.place.directory / "state"
    seen.note("files of the state directory", all_files(state))
    site.cloud.reset(site.entry)
    await site.fault("cloud", "cloud-reset")
    seen.note("log of a reset in the cloud", log.new())
    await validates_a_mistaken_file(site, seen)
    seen.note("objects shown and tracebacks", shows_objects(private_code))

    assert {place for place, text in seen.texts.items() if text.strip()} == set(PLACES)
    assert len(PLACES) >= 25
    for secret in (CODE, WRONG_CODE, private_code, PROXY_PASSWORD):
        assert seen.places_with(secret) == []
    # The store holds the events themselves, for the gateway; nothing else shows a whole number.
    assert seen.places_with(CALLER[1:]) in ([], ["files of the state directory"])


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
