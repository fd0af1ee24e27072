"""HTTP CONNECT (RFC 9110, 9.3.6) through a proxy, with its login."""

from collections.abc import Awaitable, Callable
from contextlib import suppress

import h11

from connector.domain.errors import ProxyAuthError, ProxyError
from connector.domain.faults import FaultId
from connector.links.proxy.choice import ProxyServer
from connector.links.proxy.login import Login
from connector.links.stream import ByteStream

# Status line and header fields; the largest seen in the field is 2 KiB.
_MAX_HEAD_BYTES = 16_384
# An error page is read only to use the connection again; a longer one costs a new connection.
_MAX_PAGE_BYTES = 65_536
_READ_BYTES = 4_096
# First request, NTLM's two, and one for a Digest nonce that was stale.
_MAX_REQUESTS = 4
_UPSTREAM_STATUSES = range(500, 600)

Redial = Callable[[], Awaitable[ByteStream]]


class _Answer:
    """What the proxy said to one CONNECT."""

    def __init__(self, response: h11.Response) -> None:
        self.status = response.status_code
        self.offers = [
            value.decode("latin-1") for name, value in response.headers if name == b"proxy-authenticate"
        ]
        self.opens_tunnel = 200 <= self.status < 300
        self.keeps_connection = False


async def open_tunnel(proxy: ProxyServer, target: str, redial: Redial, *, link: str) -> ByteStream:
    """A stream to `target` ("host:port") through `proxy`, each connection to which `redial` makes.

    Raises `ProxyError`, OSError when the proxy breaks the connection. The caller bounds the time.
    """
    login = Login(proxy, target, link=link)
    conversation = _Conversation(await redial())
    authorization = ""
    try:
        for _ in range(_MAX_REQUESTS):
            answer = await conversation.ask(target, authorization)
            if answer.opens_tunnel:
                return conversation.stream
            authorization = _next_step(proxy, login, answer, link)
            if not answer.keeps_connection:
                login.must_not_be_begun()
                conversation.stream.abort()
                conversation = _Conversation(await redial())
    except BaseException as error:
        conversation.stream.abort()
        if isinstance(error, h11.ProtocolError):
            # Its text quotes the peer, who may quote our credentials.
            raise _not_understood(proxy, "does not speak HTTP", link) from None
        if isinstance(error, EOFError):
            raise _not_understood(proxy, str(error), link) from error
        raise
    conversation.stream.abort()
    raise _not_understood(proxy, "asks for credentials again and again", link)


def _next_step(proxy: ProxyServer, login: Login, answer: _Answer, link: str) -> str:
    """The credentials for the next request. Raises `ProxyError` when there is no next one."""
    if answer.status == 401:
        # tinyproxy's word for credentials that it does not take; RFC 9110 has 407 for it.
        detail = f"{proxy.place} did not take user and password"
        raise ProxyAuthError(FaultId.PROXY_AUTH, detail, link=link)
    if answer.status != 407:
        raise _refusal(proxy, answer.status, link)
    return login.answer(answer.offers)


class _Conversation:
    """The requests on one connection."""

    def __init__(self, stream: ByteStream) -> None:
        self.stream = stream
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD_BYTES)

    async def ask(self, target: str, authorization: str) -> _Answer:
        """Send CONNECT and read the answer; of a refusal its page, too, if it is short."""
        headers = [("Host", target), ("Proxy-Connection", "keep-alive")]
        if authorization:
            headers.append(("Proxy-Authorization", authorization))
        raw = [(name.encode(), value.encode()) for name, value in headers]
        await self._send(h11.Request(method=b"CONNECT", target=target.encode(), headers=raw))
        await self._send(h11.EndOfMessage())
        response = await self._next_event()
        while isinstance(response, h11.InformationalResponse):
            response = await self._next_event()
        if not isinstance(response, h11.Response):
            raise EOFError("closed before it answered")  # noqa: TRY004 - it is h11's event of the end
        answer = _Answer(response)
        if not answer.opens_tunnel:
            answer.keeps_connection = await self._skip_page()
        elif self._http.trailing_data[0]:
            raise EOFError("bytes after the answer, before we spoke")
        return answer

    async def _skip_page(self) -> bool:
        """Whether the connection can be used again."""
        size = 0
        with suppress(h11.ProtocolError, OSError):
            while size <= _MAX_PAGE_BYTES:
                event = await self._next_event()
                if isinstance(event, h11.Data):
                    size += len(event.data)
                elif isinstance(event, h11.EndOfMessage):
                    if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
                        return False
                    self._http.start_next_cycle()
                    return True
                else:
                    return False
        return False

    async def _send(self, event: h11.Request | h11.EndOfMessage) -> None:
        await self.stream.write(self._http.send(event) or b"")

    async def _next_event(self) -> object:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await self.stream.read(_READ_BYTES))
        return event


def _refusal(proxy: ProxyServer, status: int, link: str) -> ProxyError:
    detail = f"{proxy.place}: HTTP status {status}"
    if status in _UPSTREAM_STATUSES:
        return ProxyError(FaultId.PROXY_UPSTREAM, detail, link=link)
    if 400 <= status < 500:
        return ProxyError(FaultId.PROXY_DENIED, detail, link=link)
    return ProxyError(FaultId.PROXY_PROTOCOL, detail, link=link)


def _not_understood(proxy: ProxyServer, reason: str, link: str) -> ProxyError:
    return ProxyError(FaultId.PROXY_PROTOCOL, f"{proxy.place}: {reason}", link=link)
