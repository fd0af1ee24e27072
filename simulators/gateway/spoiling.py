"""What faults do to the frames of one stream: held back, falsified, dropped, invented. PURE."""

import base64
import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from connector.wire.pcg import conf
from connector.wire.xmpp.rfc6120 import STREAM_ERRORS, STREAMS
from connector.wire.xmpp.rfc7395 import close_frame
from connector.wire.xmpp.stanzas import iq
from connector.wire.xmpp.xep0199 import PING
from simulators.gateway.faults import FaultName, Faults

# A slow stream may hold back so much; an agent that is asked for more than that is beyond the fault.
MAX_HELD = 65_536
# Names that no resolver knows (RFC 2606): an agent that follows a redirection can't reach anybody.
STRANGER = "gateway.invalid"

_MIB = 1_048_576
_ACK = re.compile(r'^(<a [^>]*h=")(\d+)"')
_CHALLENGE = re.compile(r"^(<challenge[^>]*>)([^<]*)(<.*)$")
_H_MODULUS = 2**32


class Spoiler:
    """One stream's frames on their way out. Times are monotonic seconds."""

    __slots__ = ("_done", "_faults", "_free_at", "_held")

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._held: deque[tuple[float, str]] = deque()
        self._free_at = 0.0
        self._done: dict[FaultName, int] = {}

    @property
    def deadline(self) -> float | None:
        """When the next frame held back is due."""
        return self._held[0][0] if self._held else None

    def outgoing(self, frames: Sequence[str], now: float, *, is_bound: bool) -> Sequence[str]:
        """What is sent instead of `frames`."""
        if self._faults:
            frames = [told for frame in frames if (told := self._falsified(frame)) is not None]
        if is_bound:
            frames = [*frames, *self._invented(_FRAMES, "")]
        return self._paced(frames, now)

    def stanzas(self, agent_jid: str) -> list[str]:
        """Stanzas that the gateway never meant to send, for the stream to count like others."""
        return self._invented(_STANZAS, agent_jid)

    def _falsified(self, frame: str) -> str | None:
        faults = self._faults
        if frame.startswith("<a "):
            if FaultName.NO_STREAM_ACK in faults:
                return None
            return _ACK.sub(self._more_handled, frame)
        if FaultName.SCRAM_ROUNDS in faults and frame.startswith("<challenge"):
            return _CHALLENGE.sub(self._more_rounds, frame)
        return frame

    def _more_handled(self, ack: re.Match[str]) -> str:
        h = int(ack[2]) + int(self._faults.value(FaultName.EARLY_STREAM_ACK))
        return f'{ack[1]}{h % _H_MODULUS}"'

    def _more_rounds(self, challenge: re.Match[str]) -> str:
        fields = base64.b64decode(challenge[2]).decode()
        rounds = int(self._faults.value(FaultName.SCRAM_ROUNDS))
        changed = re.sub(r"i=\d+", f"i={rounds}", fields)
        return f"{challenge[1]}{base64.b64encode(changed.encode()).decode()}{challenge[3]}"

    def _invented(self, table: Mapping[FaultName, "_Invent"], agent_jid: str) -> list[str]:
        """What faults say once a stream, and once more when they are switched on once more."""
        said: list[str] = []
        for name in self._faults:
            turn = self._faults.turn(name)
            if name in table and self._done.get(name) != turn:
                self._done[name] = turn
                said += table[name](agent_jid, self._faults.value(name))
        return said

    def _paced(self, frames: Sequence[str], now: float) -> Sequence[str]:
        rate, delay = self._faults.value(FaultName.SLOW), self._faults.value(FaultName.DELAY)
        if not (rate or delay):
            due = [frame for _, frame in self._held]
            self._held.clear()
            return [*due, *frames]
        for frame in frames[: MAX_HELD - len(self._held)]:
            self._free_at = max(self._free_at, now) + (len(frame) / rate if rate else 0.0)
            self._held.append((self._free_at + delay, frame))
        due = []
        while self._held and self._held[0][0] <= now:
            due.append(self._held.popleft()[1])
        return due


# The agent's address and the switch's value → what is said.
_Invent = Callable[[str, float], list[str]]


def _ends_with(condition: str, content: str = "") -> _Invent:
    element = f'<{condition} xmlns="{STREAM_ERRORS}">{content}</{condition}>'
    error = f'<stream:error xmlns:stream="{STREAMS}">{element}</stream:error>'
    return lambda _jid, _value: [error, close_frame()]


def _bomb(_jid: str, _value: float) -> list[str]:
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    return [f'<!DOCTYPE message [<!ENTITY e0 "lol">{levels}]><message>&e9;</message>']


def _pings(jid: str, count: float) -> list[str]:
    return [iq("get", f"flood-{number}", jid, PING) for number in range(int(count))]


def _forged(jid: str, _value: float) -> list[str]:
    order = conf.disconnect(conf.Disconnect(conf.DisconnectReason.RESET))
    return [iq("set", "forged-1", jid, order, from_=f"pcloud@{STRANGER}/1")]


_FRAMES: dict[FaultName, _Invent] = {
    FaultName.CONFLICT: _ends_with("conflict"),
    FaultName.SHUTDOWN: _ends_with("system-shutdown"),
    FaultName.RESET: _ends_with("reset"),
    FaultName.SEE_OTHER_HOST: _ends_with("see-other-host", f"{STRANGER}:443"),
    FaultName.SEE_OTHER_URI: lambda _jid, _value: [close_frame(f"wss://{STRANGER}/websocket")],
    FaultName.GARBAGE: lambda _jid, _value: ["\ufffd} not <xml"],
    FaultName.HUGE_FRAME: lambda _jid, value: [f"<message>{'x' * int(value * _MIB)}</message>"],
    FaultName.ENTITY_BOMB: _bomb,
    # More than a stream may have unacknowledged: it goes uncounted.
    FaultName.PING_FLOOD: _pings,
}
_STANZAS: dict[FaultName, _Invent] = {FaultName.FORGED_SENDER: _forged}
