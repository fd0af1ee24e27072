"""An outbox's disk in memory whose writes finish, or fail, when the test says so."""

from collections.abc import Callable

from connector.domain.outbox import Condemned, OutboxBatch, OutboxEntry, OutboxPage, OutboxState


class SlowDisk:
    """Implements `OutboxDisk`. What was written but not finished is lost in `power_cut`.

    While `is_failing` every write and read that ends is refused, while `refuses_writes` every write.
    """

    def __init__(self) -> None:
        self.epoch = "epoch"
        self.rows: dict[int, OutboxEntry] = {}
        self.reserved = 0
        self.acknowledged = 0
        self.quarantine: dict[int, Condemned] = {}
        self.is_failing = False
        self.refuses_writes = False
        self._jobs: list[Callable[[], None]] = []

    @property
    def entries(self) -> int:
        return len(self.rows)

    @property
    def quarantine_dropped(self) -> int:
        return 0

    def write(self, batch: OutboxBatch, done: Callable[[BaseException | None], None]) -> None:
        def job() -> None:
            if self.is_failing or self.refuses_writes or batch.epoch != self.epoch:
                done(OSError("disk full"))
                return
            self.rows.update((entry.seq, entry) for entry in batch.entries)
            self.rows = {seq: entry for seq, entry in self.rows.items() if seq > batch.acknowledged_seq}
            for one in batch.condemned:
                self.rows.pop(one.entry.seq, None)
                self.quarantine[one.entry.seq] = one
            self.reserved, self.acknowledged = batch.reserved_seq, batch.acknowledged_seq
            done(None)

        self._jobs.append(job)

    def read(self, after_seq: int, limit: int, done: Callable[[OutboxPage | None], None]) -> None:
        def job() -> None:
            if self.is_failing:
                done(None)
                return
            rows = [self.rows[seq] for seq in sorted(self.rows) if seq > after_seq]
            done(OutboxPage(rows[:limit], is_last=len(rows) < limit))

        self._jobs.append(job)

    def reopen(self, new_epoch: str, done: Callable[[OutboxState | None], None]) -> None:
        self._jobs.append(lambda: done(None if self.is_failing else self.state()))

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
        return self.state()

    def state(self) -> OutboxState:
        """What is written now."""
        newest = max([self.reserved, *self.rows])
        aside = tuple(sorted(seq for seq in self.quarantine if seq > self.acknowledged))
        return OutboxState(self.epoch, newest, self.acknowledged, len(self.rows), quarantined=aside)

    def swap(self, epoch: str) -> None:
        """Another, empty file stands in the place of this one."""
        self.epoch = epoch
        self.rows = {}
        self.quarantine = {}
        self.reserved = self.acknowledged = 0
