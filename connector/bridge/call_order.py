"""Which calls have durable events that the present stream was not given yet: later ones go behind them."""

from collections import OrderedDict

# As many calls as the call model knows, alive and over.
MAX_CALLS = 20_000


class CallOrder:
    """Remembers the newest such event of each call, in bounded memory.

    A call that is over gets no more events but late ones (an invitation's outcome); those of an earlier
    process, whose calls are unknown here, go behind `late_floor`, the newest number of that time.
    """

    def __init__(self, late_floor: int = 0, floor: int = 0) -> None:
        self._alive: OrderedDict[str, int] = OrderedDict()
        self._over: OrderedDict[str, int] = OrderedDict()
        self._late_floor = max(late_floor, floor)
        self._floor = floor
        # The highest number of all; 0 when there is nothing to keep in mind.
        self.newest = max(late_floor, floor)

    def note(self, call: str, seq: int, *, is_over: bool) -> None:
        """The event `seq` of `call` waits; with `is_over` it is the call's last."""
        self.newest = max(self.newest, seq)
        if not call:
            return
        seq = max(seq, self._alive.pop(call, 0), self._over.pop(call, 0))
        if is_over:
            self._over[call] = seq
            if len(self._over) > MAX_CALLS:
                self._late_floor = max(self._late_floor, self._over.popitem(last=False)[1])
            return
        self._alive[call] = seq
        if len(self._alive) > MAX_CALLS:
            self._floor = max(self._floor, self._alive.popitem(last=False)[1])

    def behind(self, call: str, *, late: bool) -> int:
        """The number that has to be told before the next event of `call`; 0 if there is none."""
        seq = self._alive.get(call) or self._over.get(call)
        if seq is not None:
            return seq
        return max(self._late_floor, self._floor) if late else self._floor

    def acknowledged(self, seq: int) -> None:
        """Everything up to `seq` is at the gateway."""
        if 0 < self.newest <= seq:
            self._alive.clear()
            self._over.clear()
            self._late_floor = self._floor = self.newest = 0
