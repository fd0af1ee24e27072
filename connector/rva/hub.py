"""The RVA hub's `link/custo` request: asked once, never repeated, the answer bounded.

docs/protocols/rva.md says what of it is the vendor's and what is our choice.
"""

import asyncio
import json
import re
import ssl
from typing import TYPE_CHECKING, Any

from connector.domain.errors import ProxyError
from connector.domain.invitations import HubOutcome, InvitationOptions, InvitationStatus, Invite
from connector.links.dialer import Dialer

if TYPE_CHECKING:
    import httpx2

PATH = "/server/api/link/custo"
# The answer is an id and a word; 64 KiB leaves room for an error page that is not worth reading further.
MAX_ANSWER_BYTES = 65_536
# A connection and its handshake are two phases with this part of the whole time each, so that a hub that
# can't be reached fails as "not sent" before the whole time is over, which says only "unknown".
CONNECT_SHARE = 1 / 3

# What we are ready to keep of the hub's text.
_HUB_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}\Z")

_PARAMETERS = {
    "auto_answer": "autoAnswer",
    "answer_in_video": "answerInVideo",
    "use_rear_camera": "useRearCamera",
    "use_screen_sharing": "useScreenSharing",
    "hide_switch_in_video": "hideSwitchInVideo",
    "enable_chat": "enableChat",
    "mute_conference": "muteConference",
    "auto_start": "autoStart",
    "mirror_mode": "mirrorMode",
}


def query(invite: Invite) -> dict[str, str]:
    """The request's parameters, unescaped, in the vendor's spelling: expert, number, all nine options."""
    return {"agentID": invite.agent_id, "clientPhone": invite.to, **_switches(invite.options)}


def _switches(options: InvitationOptions) -> dict[str, str]:
    return {name: str(getattr(options, field)).lower() for field, name in _PARAMETERS.items()}


class HubClient:
    """One hub. `tls` verifies it; `hub_url` is https, without a path of its own or with a prefix.

    `dialer` knows the site's proxy; without it the hub is dialled directly.

    No connection is kept: a request on one that the hub has just closed would be neither sent nor unsent.
    """

    def __init__(
        self, hub_url: str, tls: ssl.SSLContext, *, timeout_seconds: float, dialer: Dialer | None = None
    ) -> None:
        self._url = hub_url.rstrip("/") + PATH
        self._tls = tls
        self._dialer = dialer or Dialer()
        self._timeout_seconds = timeout_seconds
        self._client: httpx2.AsyncClient | None = None

    async def invite(self, invite: Invite) -> HubOutcome:
        """Ask the hub once. Returns within the timeout, and never raises on what the network or the hub did.

        FAILED only where no message can have gone out: no connection, or an answer of 4xx. Everything else
        but a plain acceptance is UNKNOWN.
        """
        import httpx2

        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await self._ask(invite)
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            return HubOutcome(InvitationStatus.FAILED, reason=_obstacle(error))
        except (TimeoutError, httpx2.TimeoutException):
            return HubOutcome(InvitationStatus.UNKNOWN, reason="timeout")
        except (httpx2.HTTPError, ssl.SSLError, OSError):
            return HubOutcome(InvitationStatus.UNKNOWN, reason="connection-lost")

    async def aclose(self) -> None:
        """Close what is open."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _ask(self, invite: Invite) -> HubOutcome:
        client = self._opened()
        # A compressed answer could be a thousand times its size on the wire: none is asked for or read.
        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        async with client.stream("POST", self._url, params=query(invite), headers=headers) as response:
            if 400 <= response.status_code < 500:
                return HubOutcome(InvitationStatus.FAILED, reason=f"http-{response.status_code}")
            if response.status_code not in (200, 201, 202):
                return HubOutcome(InvitationStatus.UNKNOWN, reason=f"http-{response.status_code}")
            body = bytearray()
            async for chunk in response.aiter_raw():
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    return HubOutcome(InvitationStatus.UNKNOWN, reason="answer-too-long")
        return read_answer(bytes(body))

    def _opened(self) -> "httpx2.AsyncClient":
        import httpx2

        from connector.links.http import DialerTransport

        if self._client is None:
            phase = self._timeout_seconds * CONNECT_SHARE
            self._client = httpx2.AsyncClient(
                transport=DialerTransport(self._dialer, self._tls, link="rva"),
                timeout=httpx2.Timeout(self._timeout_seconds, connect=phase),
                follow_redirects=False,
                trust_env=False,
            )
        return self._client


def _obstacle(error: BaseException) -> str:
    """Why there was no connection: the proxy's fault by its id, else "unreachable"."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ProxyError):
            return cause.fault.value
        # The library cuts the cause on the way up (`raise … from None`); the context stays.
        cause = cause.__cause__ or cause.__context__
    return "unreachable"


def read_answer(body: bytes) -> HubOutcome:
    """The outcome in an answer's `body`: {"id": "...", "status": "accepted"} is SENT, all else UNKNOWN."""
    try:
        answer: Any = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict) or answer.get("status") != "accepted":
        return HubOutcome(InvitationStatus.UNKNOWN, reason="answer-not-understood")
    hub_id = answer.get("id")
    if not isinstance(hub_id, str) or _HUB_ID.match(hub_id) is None:
        hub_id = ""
    return HubOutcome(InvitationStatus.SENT, hub_id)
