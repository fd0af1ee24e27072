import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.domain.invitations import HubOutcome, InvitationOptions, InvitationStatus, Invite
from connector.links.tls import client_context
from connector.rva.hub import MAX_ANSWER_BYTES, HubClient, query, read_answer
from simulators.certs import Certificates, issue

INVITE = Invite("c-1", "3001", "anna", "+33639980001", InvitationOptions(mirror_mode=True))
ACCEPTED = b'{"id":"h-1","status":"accepted"}'
# Long enough for a handshake on a busy machine; only the tests of silence wait for its end.
PATIENT_SECONDS = 5.0
HASTY_SECONDS = 0.3


class ScriptedHub:
    """A TLS server that sends the same bytes to every request, then closes or goes silent."""

    def __init__(self, certificates: Certificates) -> None:
        self._certificates = certificates
        self._server: asyncio.Server | None = None
        self.requests: list[bytes] = []
        self.answer = b""
        self.is_silent_after = False
        self._closing = asyncio.Event()

    async def start(self) -> str:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", 0, ssl=self._certificates.server_context()
        )
        return f"https://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def aclose(self) -> None:
        assert self._server is not None
        self._closing.set()
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.requests.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(self.answer)
            await writer.drain()
            if self.is_silent_after:
                await self._closing.wait()
        except OSError:
            pass  # the client gave up, as it should
        finally:
            writer.close()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return issue(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def tls(certificates: Certificates) -> ssl.SSLContext:
    return client_context(certificates.ca_file)


@pytest.fixture
async def hub(certificates: Certificates, no_task_left: None) -> AsyncIterator[ScriptedHub]:
    hub = ScriptedHub(certificates)
    yield hub
    await hub.aclose()


def http(status: str, body: bytes = b"", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


async def ask(hub: ScriptedHub, tls: ssl.SSLContext, timeout_seconds: float = PATIENT_SECONDS) -> HubOutcome:
    client = HubClient(await hub.start(), tls, timeout_seconds=timeout_seconds)
    try:
        return await client.invite(INVITE)
    finally:
        await client.aclose()


async def test_the_request_is_the_vendors(hub: ScriptedHub, tls: ssl.SSLContext) -> None:
    hub.answer = http("200 OK", ACCEPTED)
    assert await ask(hub, tls) == HubOutcome(InvitationStatus.SENT, "h-1")
    (request,) = hub.requests
    line, *header_lines = request.decode().rstrip().split("\r\n")
    method, target, _ = line.split(" ")
    headers = {name.lower(): value for name, value in (header.split(": ", 1) for header in header_lines)}
    assert method == "POST"
    assert urlsplit(target).path == "/server/api/link/custo"
    assert "clientPhone=%2B33639980001" in target
    assert dict(parse_qsl(urlsplit(target).query)) == {
        "agentID": "anna",
        "clientPhone": "+33639980001",
        "autoAnswer": "true",
        "answerInVideo": "true",
        "useRearCamera": "true",
        "useScreenSharing": "false",
        "hideSwitchInVideo": "false",
        "enableChat": "true",
        "muteConference": "true",
        "autoStart": "false",
        "mirrorMode": "true",
    }
    assert headers["content-type"] == "application/json"
    assert "cookie" not in headers


@pytest.mark.parametrize(
    ("answer", "status", "reason"),
    [
        (http("202 Accepted", ACCEPTED), "sent", ""),
        (http("400 Bad Request"), "failed", "http-400"),
        (http("403 Forbidden", b"x" * 200_000), "failed", "http-403"),
        (http("429 Too Many Requests", b"", "Retry-After: 60"), "failed", "http-429"),
        (http("500 Internal Server Error"), "unknown", "http-500"),
        (http("503 Service Unavailable"), "unknown", "http-503"),
        (http("204 No Content"), "unknown", "http-204"),
        (http("302 Found", b"", "Location: https://127.0.0.1:1/"), "unknown", "http-302"),
        (http("307 Temporary Redirect", b"", "Location: /elsewhere"), "unknown", "http-307"),
        (http("200 OK", b"<html>signed in?</html>"), "unknown", "answer-not-understood"),
        (http("200 OK", b"x" * 10_000_000), "unknown", "answer-too-long"),
        (http("200 OK", b"\x1f\x8b junk", "Content-Encoding: gzip"), "unknown", "answer-not-understood"),
        (http("200 OK", ACCEPTED)[:-1], "unknown", "connection-lost"),
        (b"", "unknown", "connection-lost"),
        (b"SSH-2.0-hub\r\n\r\n", "unknown", "connection-lost"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200_000, "unknown", "connection-lost"),
    ],
)
async def test_only_a_plain_acceptance_is_sent(
    hub: ScriptedHub, tls: ssl.SSLContext, answer: bytes, status: str, reason: str
) -> None:
    hub.answer = answer
    outcome = await ask(hub, tls)
    assert (outcome.status, outcome.reason) == (status, reason)
    assert len(hub.requests) == 1


@pytest.mark.parametrize("beginning", [b"", http("200 OK", ACCEPTED)[:-1]])
async def test_a_silent_hub_leaves_it_unknown(
    hub: ScriptedHub, tls: ssl.SSLContext, beginning: bytes
) -> None:
    hub.answer = beginning
    hub.is_silent_after = True
    outcome = await ask(hub, tls, HASTY_SECONDS)
    assert (outcome.status, outcome.reason) == (InvitationStatus.UNKNOWN, "timeout")
    assert len(hub.requests) == 1


async def test_a_hub_that_is_not_there_was_not_asked(tls: ssl.SSLContext) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))  # bound and not listening: refused, and nobody else takes the port
        client = HubClient(f"https://127.0.0.1:{held.getsockname()[1]}", tls, timeout_seconds=PATIENT_SECONDS)
        assert await client.invite(INVITE) == HubOutcome(InvitationStatus.FAILED, reason="unreachable")
        await client.aclose()


async def test_a_hub_that_never_shakes_hands_was_not_asked(tls: ssl.SSLContext) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        client = HubClient(f"https://127.0.0.1:{mute.getsockname()[1]}", tls, timeout_seconds=HASTY_SECONDS)
        assert await client.invite(INVITE) == HubOutcome(InvitationStatus.FAILED, reason="unreachable")
        await client.aclose()


async def test_an_untrusted_hub_is_told_nothing(hub: ScriptedHub, tmp_path: Path) -> None:
    stranger = client_context(issue(tmp_path / "other").ca_file)
    assert await ask(hub, stranger) == HubOutcome(InvitationStatus.FAILED, reason="unreachable")
    assert hub.requests == []


async def test_the_environments_proxy_is_not_used(
    hub: ScriptedHub, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    hub.answer = http("200 OK", ACCEPTED)
    assert (await ask(hub, tls)).status is InvitationStatus.SENT


def test_the_number_can_not_become_another_parameter() -> None:
    assert set(query(Invite("c-1", "3001", "anna&autoStart=true", "+1&autoStart=true"))) == set(query(INVITE))


@pytest.mark.parametrize(
    ("body", "hub_id"),
    [
        (ACCEPTED, "h-1"),
        (b'{"id":"","status":"accepted","more":[1]}', ""),
        (b'{"status":"accepted"}', ""),
        (b'{"id":"a b","status":"accepted"}', ""),
        (json.dumps({"id": "h" * 65, "status": "accepted"}).encode(), ""),
        (b'{"id":7,"status":"accepted"}', ""),
    ],
)
def test_an_acceptance_counts_even_with_an_unusable_id(body: bytes, hub_id: str) -> None:
    assert read_answer(body) == HubOutcome(InvitationStatus.SENT, hub_id)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"accepted"',
        b'{"id":"h"}',
        b'{"status":"queued"}',
        b"\xff",
        b"[" * MAX_ANSWER_BYTES,
    ],
)
def test_anything_else_is_unknown(body: bytes) -> None:
    assert read_answer(body).status is InvitationStatus.UNKNOWN


@given(st.binary(max_size=200))
def test_no_body_is_an_error(body: bytes) -> None:
    assert read_answer(body).status in (InvitationStatus.SENT, InvitationStatus.UNKNOWN)
