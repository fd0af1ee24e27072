"""Where to dial: the configured gateway, or one that it sent us to (RFC 6120, 4.9.3.19)."""

from urllib.parse import urlsplit

from connector.links.websocket import WebSocketAddress

# Counted until a link ends for another reason: gateways that send us round in a circle get a real wait.
MAX_HOPS = 3
_MAX_TARGET_CHARS = 1_024
_DEFAULT_PORT = 443


class Itinerary:
    """`allowed` are names of hosts besides the configured one; each has to show its own certificate."""

    def __init__(self, home: WebSocketAddress, allowed: frozenset[str]) -> None:
        self._home = home
        self._allowed = allowed | {home.host}
        self._hops = 0
        self.address = home

    def sent_to(self, target: str) -> bool:
        """The gateway wants us at `target`: a host with or without port, or a wss URI. True: dial it."""
        address = self._read(target)
        if address is None or self._hops >= MAX_HOPS:
            self.back_home()
            return False
        self._hops += 1
        self.address = address
        return True

    def back_home(self) -> None:
        """The next dial goes where the settings say."""
        self._hops = 0
        self.address = self._home

    def _read(self, target: str) -> WebSocketAddress | None:
        if len(target) > _MAX_TARGET_CHARS:
            return None
        try:
            parts = urlsplit(target if "://" in target else f"wss://{target}{self._home.path}")
            host, port = parts.hostname, parts.port or _DEFAULT_PORT
        except ValueError:
            return None
        if parts.scheme != "wss" or parts.username is not None or host not in self._allowed:
            return None
        return WebSocketAddress(host, port, parts.path or self._home.path)
