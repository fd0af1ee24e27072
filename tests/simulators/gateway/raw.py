"""A client that shares no code with ours: the `websockets` library, hand-written XML and its own SCRAM."""

import base64
import hashlib
import hmac
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from simulators.gateway.server import GatewaySimulator

XMPP = Subprotocol("xmpp")
OPEN = '<open xmlns="urn:ietf:params:xml:ns:xmpp-framing" to="rainbow.test" version="1.0"/>'
SASL = "urn:ietf:params:xml:ns:xmpp-sasl"
BIND = (
    '<iq xmlns="jabber:client" type="set" id="b1"><bind xmlns="urn:ietf:params:xml:ns:xmpp-bind">'
    "<resource>pbxagent</resource></bind></iq>"
)


def trust(simulator: GatewaySimulator) -> ssl.SSLContext:
    """A context that trusts the simulator's authority and nobody else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(simulator.ca_file)
    return context


class RawClient:
    """One WebSocket and what to say on it."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    async def say(self, frame: str) -> None:
        await self.socket.send(frame)

    async def hear(self) -> str:
        frame = await self.socket.recv()
        assert isinstance(frame, str)
        return frame

    async def hear_until(self, part: str) -> str:
        """The next frame that holds `part`; others are skipped."""
        while True:
            frame = await self.hear()
            if part in frame:
                return frame

    async def authenticate(self, user: str, code: str) -> str:
        """Open and log in; the last frame of the exchange: `<success/>` or `<failure/>`."""
        await self.say(OPEN)
        assert (await self.hear()).startswith("<open")
        assert "SCRAM-SHA-256" in await self.hear()
        bare = f"n={user},r=abcdefgh"
        await self._sasl("auth", f"n,,{bare}", ' mechanism="SCRAM-SHA-256"')
        challenge = _content(await self.hear_until("<challenge"))
        fields = dict(part.split("=", 1) for part in challenge.split(","))
        salt, rounds = base64.b64decode(fields["s"]), int(fields["i"])
        salted = hashlib.pbkdf2_hmac("sha256", code.encode(), salt, rounds)
        key = hmac.digest(salted, b"Client Key", "sha256")
        without = f"c=biws,r={fields['r']}"
        signed = hmac.digest(hashlib.sha256(key).digest(), f"{bare},{challenge},{without}".encode(), "sha256")
        proof = bytes(a ^ b for a, b in zip(key, signed, strict=True))
        await self._sasl("response", f"{without},p={base64.b64encode(proof).decode()}")
        return await self.hear()

    async def bind(self, user: str, code: str) -> None:
        """Come as far as a bound stream and announce presence."""
        assert (await self.authenticate(user, code)).startswith("<success")
        await self.say(OPEN)
        await self.hear_until("urn:ietf:params:xml:ns:xmpp-bind")
        await self.say(BIND)
        assert f"{user}@rainbow.test/pbxagent" in await self.hear_until("<jid")
        await self.say('<presence xmlns="jabber:client"/>')

    async def _sasl(self, name: str, message: str, attributes: str = "") -> None:
        content = base64.b64encode(message.encode()).decode()
        await self.say(f'<{name} xmlns="{SASL}"{attributes}>{content}</{name}>')


def _content(frame: str) -> str:
    match = re.search(r">([^<]*)<", frame)
    assert match is not None
    return base64.b64decode(match[1]).decode()


@asynccontextmanager
async def raw_client(simulator: GatewaySimulator) -> AsyncIterator[RawClient]:
    """A connected client."""
    url = f"wss://localhost:{simulator.port}/websocket"
    async with connect(
        url, ssl=trust(simulator), subprotocols=[XMPP], compression=None, proxy=None, open_timeout=5
    ) as socket:
        yield RawClient(socket)
