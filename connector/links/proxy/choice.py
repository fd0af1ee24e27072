"""Which proxy a target goes through, if any. Pure."""

import ipaddress
import re
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import SplitResult, unquote, urlsplit

# An exception list longer than that is a mistake; each dial walks through it.
MAX_EXCEPTIONS = 200

# RFC 1929, 2: SOCKS5 has one byte for the length of each. HTTP proxies want less.
MAX_CREDENTIAL_BYTES = 255
# DNS allows 253 characters; the rest of a proxy's URL is short.
_MAX_URL_CHARS = 1_024

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,252})\Z|[0-9A-Fa-f:.]{2,45}\Z")
_HOST_PORT = re.compile(r"(?:\[(?P<literal>[0-9A-Fa-f:.]+)\]|(?P<host>[^:\s]+))(?::(?P<port>[0-9]{1,5}))?\Z")


class Scheme(StrEnum):
    """How a proxy is spoken to."""

    HTTP = "http"
    HTTPS = "https"
    SOCKS5 = "socks5"


@dataclass(frozen=True, slots=True)
class ProxyServer:
    """One proxy. Without `user` none is named to it. The password is in no repr."""

    scheme: Scheme
    host: str
    port: int
    user: str = ""
    password: str = field(default="", repr=False)

    @property
    def place(self) -> str:
        """What a person recognises it by, without credentials."""
        return f"proxy {self.host} port {self.port}"


def parse_url(text: str, *, may_hold_credentials: bool) -> ProxyServer:
    """The proxy that `text` names: "http://host:port", https, socks5 or socks5h; a bare "host:port" is http.

    SOCKS5 names are always resolved by the proxy, whichever way it is written. Raises ValueError, whose text
    never repeats `text`.
    """
    parts = _split(text)
    if parts.scheme.startswith("pac") or parts.path.lower().endswith((".pac", ".dat")):
        raise ValueError("a PAC script can't be run here: write the proxy that it names for the gateway")
    scheme = parts.scheme.lower().replace("socks5h", "socks5")
    if scheme not in set(Scheme):
        raise ValueError("must begin with http://, https://, socks5:// or socks5h://")
    if "@" in parts.netloc and not may_hold_credentials:
        raise ValueError("must hold no user or password: use [proxy] user and password_file")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("must end after the port")
    host, port = parts.hostname, _port(parts)
    if not host or _HOST.match(host) is None:
        raise ValueError("must name a host")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    check_credentials(user, password)
    return ProxyServer(Scheme(scheme), host, port, user, password)


def _split(text: str) -> SplitResult:
    text = text.strip()
    try:
        # urlsplit takes "host:8080" for the scheme "host".
        return urlsplit(text[:_MAX_URL_CHARS] if "://" in text else f"http://{text[:_MAX_URL_CHARS]}")
    except ValueError:
        raise ValueError("is no URL") from None


def _port(parts: SplitResult) -> int:
    try:
        port = parts.port
    except ValueError:
        port = None
    if not port:
        # The defaults that others take differ: 80, 1080, 3128.
        raise ValueError("must name the port, as in http://proxy.example.net:3128")
    return port


def check_credentials(user: str, password: str) -> None:
    """Raises ValueError for what no scheme can carry; its text never repeats them."""
    for name, text in (("user", user), ("password", password)):
        if len(text.encode()) > MAX_CREDENTIAL_BYTES:
            raise ValueError(f"the {name} is longer than {MAX_CREDENTIAL_BYTES} bytes")
        if any(ord(char) < 0x20 or char == "\x7f" for char in text):
            raise ValueError(f"the {name} holds a control character")
    if ":" in user:
        raise ValueError("the user may hold no colon (RFC 7617, 2)")


@dataclass(frozen=True, slots=True)
class Exemption:
    """One entry of a no_proxy list: a target that is dialled directly. `port` 0 means any.

    `network` holds for literal addresses only: a name is not resolved to be compared, since the site's own
    name server may not know it, or know another answer than the proxy's.
    """

    name: str = ""
    is_suffix: bool = False
    network: ipaddress.IPv4Network | ipaddress.IPv6Network | None = None
    port: int = 0

    @classmethod
    def parse(cls, text: str) -> "Exemption":
        """ "*", "host", ".suffix", "*.suffix", "host:port", "address", "network/bits". Raises ValueError."""
        text = text.strip().lower()
        if text == "*":
            return cls(is_suffix=True)
        network = _network(text)
        if network is not None:
            return cls(network=network)
        match = _HOST_PORT.match(text)
        port = int(match["port"] or 0) if match else 0
        if match is None or "/" in text or port > 65_535:
            raise ValueError('must be "host", ".suffix", "host:port", an address, a network or "*"')
        network = _network(match["literal"] or match["host"])
        if network is not None:
            return cls(network=network, port=port)
        name = match["host"] or match["literal"]
        is_suffix = name.startswith((".", "*."))
        return cls(name.removeprefix("*").strip("."), is_suffix, port=port)

    def matches(self, host: str, port: int) -> bool:
        """Whether `host`:`port` is this target."""
        if self.port not in (0, port):
            return False
        host = host.lower().rstrip(".")
        if self.network is not None:
            address = _address(host)
            return address is not None and address.version == self.network.version and address in self.network
        if not self.is_suffix:
            return host == self.name
        return not self.name or host == self.name or host.endswith(f".{self.name}")


@dataclass(frozen=True, slots=True)
class ProxyRules:
    """The proxy for everything but the exemptions; without a server everything is dialled directly."""

    server: ProxyServer | None = None
    exemptions: tuple[Exemption, ...] = ()

    def proxy_for(self, host: str, port: int) -> ProxyServer | None:
        """The proxy to dial `host`:`port` through, or None for directly."""
        if self.server is None or any(exemption.matches(host, port) for exemption in self.exemptions):
            return None
        return self.server


DIRECT = ProxyRules()


def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(text.removeprefix("[").removesuffix("]"), strict=False)
    except ValueError:
        return None


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
