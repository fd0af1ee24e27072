"""The contract of every protocol machine of this package.

A machine has no I/O, no clock and no randomness: bytes or messages, time, ids and nonces are passed in.
`receive` never raises on what a peer sent: failure is an event. Commands are methods of the concrete
machine and raise `LocalProtocolError` when they are illegal in its state.
"""

from collections.abc import Sequence
from typing import Protocol, TypeVar

Unit = TypeVar("Unit", bytes, str)
Event_co = TypeVar("Event_co", covariant=True)


class Machine(Protocol[Unit, Event_co]):
    """`Unit` is bytes for a stream (cut anywhere) and str for a message transport (one whole message)."""

    def receive(self, data: Unit, now: float) -> None:
        """Take what the peer sent. `now` is monotonic seconds, in every method here."""

    def receive_eof(self, now: float) -> None:
        """The peer will send nothing more, or the transport is gone."""

    def to_send(self) -> Sequence[Unit]:
        """Take what has to be sent now, in order; each unit is taken once."""

    def events(self) -> Sequence[Event_co]:
        """Take the facts that became known, in order; each is taken once."""

    def deadline(self) -> float | None:
        """When `tick` must be called at the latest, or None."""

    def tick(self, now: float) -> None:
        """Let time pass: timeouts, heartbeats, retries within the protocol."""

    @property
    def is_closed(self) -> bool:
        """Whether this life is over: nothing will be sent or reported any more after the pending units."""
