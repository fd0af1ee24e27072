"""How fast a peer may send."""

from dataclasses import dataclass

from connector.wire.xmpp.xml import StreamViolation


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """What a peer may send: stanzas a second over time, None for any number, and how many at once.

    The burst takes what a delayed segment brings in a lump. Acknowledgements that we asked for are free.
    """

    stanzas_per_second: float | None = 200.0
    burst: int = 400


DEFAULT_LIMITS = StreamLimits()


class Rate:
    """A leaky bucket in the caller's time: one drop a stanza, `burst` of them fill it."""

    __slots__ = ("_empty_at", "_limits", "_seconds_each")

    def __init__(self, limits: StreamLimits) -> None:
        self._limits = limits
        self._seconds_each = 1 / limits.stanzas_per_second if limits.stanzas_per_second else 0.0
        self._empty_at = 0.0

    def take(self, now: float) -> None:
        """One stanza came. Raises `StreamViolation` (`policy-violation`) when the bucket overflows."""
        self._empty_at = max(self._empty_at, now) + self._seconds_each
        if self._empty_at - now > self._limits.burst * self._seconds_each:
            detail = f"over {self._limits.stanzas_per_second:g} stanzas a second"
            raise StreamViolation("policy-violation", detail, clause="RFC 6120, 13.12")
