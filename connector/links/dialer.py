"""The one way out: plain TCP to the PBX, and everything that goes to the Internet, through a proxy or not."""

import asyncio
import functools
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from connector.domain.errors import DialError, LinkClosed, LinkError, ProxyAuthError, ProxyError, TlsError
from connector.domain.faults import FaultId
from connector.links.certificates import CertificateViewer, PeerCertificate
from connector.links.happy_eyeballs import connect_first
from connector.links.proxy import connect as http_proxy
from connector.links.proxy import socks5
from connector.links.proxy.choice import DIRECT, ProxyRules, ProxyServer, Scheme
from connector.links.resolver import NameUnknown, Resolver
from connector.links.stream import ByteStream
from connector.links.tls import check_pins, client_context, handshake_detail, handshake_fault

# One read takes about 120 events of a burst (some 140 bytes each). They are handled in one go, five
# milliseconds in which the other link is not served.
_READ_BYTES = 16_384

# Each step of a dial, within the caller's time for the whole. A healthy step takes under a second, also by
# satellite; the sum is what a person waits until the fault is named.
_RESOLVE_SECONDS = 5.0
_CONNECT_SECONDS = 5.0
_PROXY_SECONDS = 8.0
_TLS_SECONDS = 8.0
# To name who signed a certificate that was refused: worth one more connection, not a long one.
_VIEW_SECONDS = 3.0
# After a refused login nobody goes to the proxy for so long: the link, each invitation and each command of a
# person would be one more wrong password, and directories lock accounts after a few within minutes.
_LOGIN_PAUSE_SECONDS = 300.0


class TcpTransport:
    """A TCP connection as `connector.links.pump.Transport[bytes]`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, fault: FaultId) -> None:
        self._reader = reader
        self._writer = writer
        self._closed_fault = fault

    async def read(self) -> bytes | None:
        """The next bytes, or None at the end of the stream."""
        try:
            data = await self._reader.read(_READ_BYTES)
        except OSError as error:
            raise LinkClosed(self._closed_fault, type(error).__name__) from error
        return data or None

    async def write(self, units: Sequence[bytes]) -> None:
        """Send in order, waiting for the peer to take them."""
        try:
            self._writer.write(b"".join(units))
            await self._writer.drain()
        except OSError as error:
            raise LinkClosed(self._closed_fault, type(error).__name__) from error

    async def aclose(self) -> None:
        """Close and wait until the socket is gone."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:
            return  # it was gone before us


async def open_tcp(
    host: str, port: int, *, timeout_seconds: float, link: str, resolver: Resolver | None = None
) -> TcpTransport:
    """Connect to `host`:`port` within `timeout_seconds`. Raises `DialError` naming `link`.

    `resolver` is the process's own; without one a name is resolved for this dial only.
    """
    try:
        async with asyncio.timeout(timeout_seconds):
            addresses = await (resolver or Resolver()).addresses(host)
            reader, writer = await _open_streams(addresses, port)
    except TimeoutError as error:
        raise DialError(FaultId.PBX_UNREACHABLE, f"no answer in {timeout_seconds:g} s", link=link) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise DialError(FaultId.PBX_UNREACHABLE, f"{host} port {port}: {reason}", link=link) from error
    return TcpTransport(reader, writer, FaultId.PBX_CLOSED)


async def _open_streams(
    addresses: Sequence[str], port: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """The first of a PBX's addresses that takes a connection; it has one, or two for its CPUs."""
    failures: list[OSError] = []
    for address in addresses:
        try:
            return await asyncio.open_connection(address, port)
        except OSError as error:
            failures.append(error)
    raise failures[0]


class Dialer:
    """Opens connections to the Internet by the site's proxy rules. One a process; nothing to close."""

    def __init__(
        self,
        rules: ProxyRules = DIRECT,
        resolver: Resolver | None = None,
        proxy_tls: ssl.SSLContext | None = None,
        *,
        login_pause_seconds: float = _LOGIN_PAUSE_SECONDS,
    ) -> None:
        """`proxy_tls` verifies an https:// proxy; without it the system's authorities do.

        A login that the proxy refused is not tried again within `login_pause_seconds`.
        """
        self._rules = rules
        self._resolver = resolver or Resolver()
        self._proxy_tls = proxy_tls
        self._login_pause_seconds = login_pause_seconds
        self._refused_login: tuple[float, ProxyAuthError] | None = None

    def proxy_for(self, host: str, port: int) -> ProxyServer | None:
        """The proxy that `host`:`port` is dialled through, None for none."""
        return self._rules.proxy_for(host, port)

    async def open(
        self,
        host: str,
        port: int,
        *,
        link: str,
        timeout_seconds: float,
        tls: ssl.SSLContext | None = None,
        pins: tuple[str, ...] = (),
        known_time: datetime | None = None,
    ) -> ByteStream:
        """A stream to `host`:`port`, in TLS where `tls` is given, within `timeout_seconds`.

        `pins` are hashes of keys ("sha256/…") one of which the far end's must be; `known_time` is the last
        time that the far end told. Raises `DialError`, `ProxyError`, `TlsError`, each with its fault.
        """
        dial = _Dial(self, host, port, link, asyncio.get_running_loop().time() + timeout_seconds)
        stream = await self._open_clear(dial, host, port, link)
        if tls is None:
            return stream
        try:
            return await dial.secure(stream, tls, pins, known_time)
        except BaseException:
            stream.abort()
            raise

    async def _open_clear(self, dial: "_Dial", host: str, port: int, link: str) -> ByteStream:
        """Raises the last refusal anew while the proxy must not be asked."""
        loop = asyncio.get_running_loop()
        if self._refused_login is not None and self.proxy_for(host, port) is not None:
            until, last = self._refused_login
            if loop.time() < until:
                raise ProxyAuthError(last.fault, f"{last.detail}; not asked again yet", link=link)
        try:
            stream = await dial.open_clear()
        except ProxyAuthError as error:
            self._refused_login = (loop.time() + self._login_pause_seconds, error)
            raise
        return stream

    async def addresses(self, host: str) -> tuple[str, ...]:
        """What `host` resolves to. Raises `NameUnknown`."""
        return await self._resolver.addresses(host)

    def proxy_context(self) -> ssl.SSLContext:
        """The context that verifies an https:// proxy."""
        if self._proxy_tls is None:
            self._proxy_tls = client_context(None)
        return self._proxy_tls


class _Dial:
    """One dial: its target, its proxy, its deadline on the loop's clock."""

    def __init__(self, dialer: Dialer, host: str, port: int, link: str, deadline: float) -> None:
        self._dialer = dialer
        self._host, self._port = host, port
        self._link = link
        self._deadline = deadline
        self._proxy = dialer.proxy_for(host, port)
        self._place = f"{host} port {port}"

    async def open_clear(self) -> ByteStream:
        """A stream to the target as it is, without its TLS."""
        proxy = self._proxy
        if proxy is None:
            return await self._connect(self._host, self._port)
        if proxy.scheme is Scheme.SOCKS5:
            stream = await self._open_proxy(proxy)
            try:
                async with self._proxy_step(proxy):
                    await socks5.open_tunnel(stream, proxy, self._host, self._port, link=self._link)
            except BaseException:
                stream.abort()
                raise
            return stream
        host = f"[{self._host}]" if ":" in self._host else self._host
        async with self._proxy_step(proxy):
            return await http_proxy.open_tunnel(
                proxy, f"{host}:{self._port}", lambda: self._open_proxy(proxy), link=self._link
            )

    async def secure(
        self,
        stream: ByteStream,
        tls: ssl.SSLContext,
        pins: tuple[str, ...],
        known_time: datetime | None,
    ) -> ByteStream:
        """`stream` in TLS, its certificate verified and compared with `pins`."""
        silent = FaultId.PROXY_TIMEOUT if self._proxy else FaultId.CLOUD_UNREACHABLE
        try:
            async with self._step(_TLS_SECONDS, silent, f"{self._place}: no answer to TLS"):
                await stream.start_tls(tls, self._host)
        except ssl.SSLError as error:
            raise await self._tls_error(error, known_time) from error
        except OSError as error:
            # What the other side's TLS stack does to a version that it does not speak, or a proxy to a far
            # end that it can't reach after all.
            fault = FaultId.PROXY_UPSTREAM if self._proxy else FaultId.CLOUD_TLS
            raise self._lost(fault, f"{self._place}: closed in the TLS handshake") from error
        if pins:
            check_pins(peer_certificate(stream), pins, self._link)
        return stream

    async def _tls_error(self, error: ssl.SSLError, known_time: datetime | None) -> TlsError:
        now = datetime.now(UTC)
        seen = await self._view_certificate(error, self.open_clear, self._host)
        fault = handshake_fault(error, now, known_time, by_proxy=self._proxy is not None)
        return TlsError(fault, f"{self._place}: {handshake_detail(error, now, seen)}", link=self._link)

    # Steps -----------------------------------------------------------------------------------------------

    async def _open_proxy(self, proxy: ProxyServer) -> ByteStream:
        stream = await self._connect(proxy.host, proxy.port)
        if proxy.scheme is not Scheme.HTTPS:
            return stream
        try:
            await stream.start_tls(self._dialer.proxy_context(), proxy.host)
        except ssl.SSLError as error:
            dial = functools.partial(self._connect, proxy.host, proxy.port)
            seen = await self._view_certificate(error, dial, proxy.host)
            detail = f"{proxy.place}: {handshake_detail(error, datetime.now(UTC), seen)}"
            raise ProxyError(FaultId.PROXY_TLS, detail, link=self._link) from error
        except OSError as error:
            detail = f"{proxy.place}: closed in the TLS handshake"
            raise ProxyError(FaultId.PROXY_TLS, detail, link=self._link) from error
        except BaseException:
            stream.abort()
            raise
        return stream

    async def _connect(self, host: str, port: int) -> ByteStream:
        """TCP to the target or to the proxy."""
        is_proxy = self._proxy is not None
        unknown = FaultId.PROXY_NAME_UNKNOWN if is_proxy else FaultId.CLOUD_NAME_UNKNOWN
        unreachable = FaultId.PROXY_UNREACHABLE if is_proxy else FaultId.CLOUD_UNREACHABLE
        try:
            async with self._step(_RESOLVE_SECONDS, unknown, f"{host}: the name server does not answer"):
                addresses = await self._dialer.addresses(host)
        except NameUnknown as error:
            raise self._lost(unknown, f"{host}: {error}") from error
        place = f"{'proxy ' if is_proxy else ''}{host} port {port}"
        try:
            async with self._step(_CONNECT_SECONDS, unreachable, f"{place}: no answer in time"):
                return await connect_first(addresses, port)
        except OSError as error:
            raise self._lost(unreachable, f"{place}: {error.strerror or type(error).__name__}") from error

    async def _view_certificate(
        self, error: ssl.SSLError, dial: Callable[[], Awaitable[ByteStream]], name: str
    ) -> PeerCertificate | None:
        """The certificate that a new connection shows, for the words of `error`; None if none is at fault."""
        if not isinstance(error, ssl.SSLCertVerificationError):
            return None
        viewer = CertificateViewer(name)
        try:
            async with asyncio.timeout_at(self._until(_VIEW_SECONDS)):
                stream = await dial()
                try:
                    await stream.write(viewer.step(b""))
                    while not viewer.is_over and (data := await stream.read(_READ_BYTES)):
                        await stream.write(viewer.step(data))
                finally:
                    stream.abort()
        except (LinkError, OSError):
            pass
        return viewer.certificate

    # Deadlines and faults --------------------------------------------------------------------------------

    def _until(self, seconds: float) -> float:
        return min(self._deadline, asyncio.get_running_loop().time() + seconds)

    @asynccontextmanager
    async def _step(self, seconds: float, fault: FaultId, detail: str) -> AsyncIterator[None]:
        """At most `seconds`, and not past the whole dial's deadline; else the step's own fault."""
        try:
            async with asyncio.timeout_at(self._until(seconds)):
                yield
        except TimeoutError as error:
            raise self._lost(fault, detail) from error

    @asynccontextmanager
    async def _proxy_step(self, proxy: ProxyServer) -> AsyncIterator[None]:
        """All that is said to a proxy. Its end in the middle is the proxy's fault."""
        try:
            async with self._step(_PROXY_SECONDS, FaultId.PROXY_TIMEOUT, f"{proxy.place}: no answer in time"):
                yield
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise self._lost(FaultId.PROXY_PROTOCOL, f"{proxy.place}: {reason}") from error

    def _lost(self, fault: FaultId, detail: str) -> LinkError:
        kind = ProxyError if self._proxy is not None else DialError
        return kind(fault, detail, link=self._link)


def peer_certificate(stream: ByteStream) -> PeerCertificate:
    """The verified certificate of the far end. Raises ValueError when the stream has no TLS."""
    tls = stream.ssl_object
    der = tls.getpeercert(binary_form=True) if tls is not None else None
    if der is None:
        raise ValueError("the stream shows no certificate")
    return PeerCertificate.of(der)
