"""SOCKS5 (RFC 1928) with and without a password (RFC 1929); the proxy resolves the name.

Written here because it is three messages, and because a library tells a wrong password from a broken proxy
in its error's text only, on which nothing may be decided.
"""

import ipaddress

from connector.domain.errors import ProxyAuthError, ProxyError
from connector.domain.faults import FaultId
from connector.links.proxy.choice import ProxyServer
from connector.links.stream import ByteStream

_VERSION, _CONNECT = 5, 1
_NO_PASSWORD, _WITH_PASSWORD, _NO_METHOD = 0, 2, 0xFF
_IPV4, _NAME, _IPV6 = 1, 3, 4
# RFC 1928, 6.
_DENIED = 2
_UPSTREAM = {1: "general failure", 3: "network unreachable", 4: "host unreachable",
             5: "connection refused", 6: "TTL expired"}  # fmt: skip
# RFC 1928, 5 and RFC 1929, 2: each length is one byte.
MAX_FIELD_BYTES = 255


async def open_tunnel(stream: ByteStream, proxy: ProxyServer, host: str, port: int, *, link: str) -> None:
    """Make `stream`, just connected to `proxy`, one to `host`:`port`.

    Raises `ProxyError`, OSError when the proxy breaks the connection. The caller bounds the time.
    """
    try:
        await _log_in(stream, proxy, link)
        await stream.write(bytes([_VERSION, _CONNECT, 0]) + _target(host) + port.to_bytes(2))
        await _read_reply(stream, proxy, link)
    except EOFError as error:
        raise _error(FaultId.PROXY_PROTOCOL, proxy, "closed in the middle of SOCKS5", link) from error


async def _log_in(stream: ByteStream, proxy: ProxyServer, link: str) -> None:
    methods = bytes([_NO_PASSWORD, _WITH_PASSWORD] if proxy.user else [_NO_PASSWORD])
    await stream.write(bytes([_VERSION, len(methods)]) + methods)
    version, method = await stream.read_exactly(2)
    if version == _VERSION and method == _NO_METHOD:
        if proxy.user:
            fault, detail = FaultId.PROXY_AUTH_UNSUPPORTED, "takes neither a password nor none"
        else:
            fault, detail = FaultId.PROXY_AUTH, "wants a user and a password"
        raise ProxyAuthError(fault, f"{proxy.place}: {detail}", link=link)
    if version != _VERSION or method not in methods:
        raise _error(FaultId.PROXY_PROTOCOL, proxy, "does not speak SOCKS5", link)
    if method == _WITH_PASSWORD:
        user, password = proxy.user.encode(), proxy.password.encode()
        await stream.write(bytes([1, len(user)]) + user + bytes([len(password)]) + password)
        _, status = await stream.read_exactly(2)
        if status != 0:
            detail = f"{proxy.place} did not take user and password (SOCKS5)"
            raise ProxyAuthError(FaultId.PROXY_AUTH, detail, link=link)


def _target(host: str) -> bytes:
    """RFC 1928, 5."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = host.encode("idna")
        return bytes([_NAME, len(name)]) + name
    return bytes([_IPV4 if address.version == 4 else _IPV6]) + address.packed


async def _read_reply(stream: ByteStream, proxy: ProxyServer, link: str) -> None:
    version, reply, _, kind = await stream.read_exactly(4)
    if version != _VERSION:
        raise _error(FaultId.PROXY_PROTOCOL, proxy, "does not speak SOCKS5", link)
    if reply == _DENIED:
        raise _error(FaultId.PROXY_DENIED, proxy, "not allowed by its rules", link)
    if reply in _UPSTREAM:
        raise _error(FaultId.PROXY_UPSTREAM, proxy, _UPSTREAM[reply], link)
    if reply != 0 or kind not in (_IPV4, _NAME, _IPV6):
        raise _error(FaultId.PROXY_PROTOCOL, proxy, f"SOCKS5 reply {reply}", link)
    # The address that the proxy uses; nobody needs it, but it has to be read.
    length = (await stream.read_exactly(1))[0] if kind == _NAME else {_IPV4: 4, _IPV6: 16}[kind]
    await stream.read_exactly(length + 2)


def _error(fault: FaultId, proxy: ProxyServer, reason: str, link: str) -> ProxyError:
    return ProxyError(fault, f"{proxy.place}: {reason}", link=link)
