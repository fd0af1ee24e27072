"""An outbox's disk in memory whose writes finish when the test says so."""

from collections.abc import Callable, Sequence

from connector.domain.outbox import OutboxBatch, OutboxEntry, OutboxState


class SlowDisk:
    """Implements `OutboxDisk`. What was written but not finished is lost in `power_cut`."""

    def __init__(self) -> None:
        self.rows: dict[int, OutboxEntry] = {}
        self.reserved = 0
        self.acknowledged = 0
        self._jobs: list[Callable[[], None]] = []

    def write(self, batch: OutboxBatch, done: Callable[[BaseException | None], None]) -> None:
        def job() -> None:
            self.rows.update((entry.seq, entry) for entry in batch.entries)
            self.rows = {seq: entry for seq, entry in self.rows.items() if seq > batch.acknowledged_seq}
            self.reserved, self.acknowledged = batch.reserved_seq, batch.acknowledged_seq
            done(None)

        self._jobs.append(job)

    def read(self, after_seq: int, limit: int, done: Callable[[Sequence[OutboxEntry]], None]) -> None:
        def job() -> None:
            done([self.rows[seq] for seq in sorted(self.rows) if seq > after_seq][:limit])

        self._jobs.append(job)

    def finish_one(self) -> bool:
        """Let the oldest job end; False when there is none."""
        if not self._jobs:
            return False
        self._jobs.pop(0)()
        return True

    def finish_all(self) -> None:
        """Let every job end, also those that the first ones start."""
        while self.finish_one():
            pass

    def power_cut(self) -> OutboxState:
        """Forget what was not finished; the state that the next start finds."""
        self._jobs.clear()
        newest = max([self.reserved, *self.rows])
        return OutboxState("epoch", newest, self.acknowledged, len(self.rows))
