"""What one process leaves for the next, whenever it is killed, is what its stream had sent and taken."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.domain.errors import StoreError
from connector.domain.faults import FaultId
from connector.store.journal import RecordJournal
from connector.uplink.rainbow import resumption
from connector.uplink.rainbow.resumption import StreamMemory, Suspended
from connector.wire.xmpp.stanzas import OwedRequest
from connector.wire.xmpp.suspension import Checkpoint, SuspendedStream

BOOT, EPOCH, GATEWAY = b"boot", "9f3c", "pbxpcg_ab@rainbow.test/pbxpcg"
JID = "pbx1@rainbow.test/pbxagent"


def owed(number: int) -> OwedRequest:
    return OwedRequest(f"r{number}", "set", GATEWAY, JID, "{urn:oxbridge:csta:1}command")


@dataclass
class Stream:
    """A stream as its checkpoints tell it, and what a resumed one would have to know."""

    id: str = "s1"
    sent: int = 0
    handled: int = 0
    received: int = 0
    unacked: list[str] = field(default_factory=list)
    owes: tuple[OwedRequest, ...] = ()

    def send(self, count: int) -> Checkpoint:
        stanzas = [f"<message id='{self.sent + at}'>é</message>" for at in range(1, count + 1)]
        first, self.sent = self.sent + 1, self.sent + count
        self.unacked += stanzas
        return self._checkpoint(first, stanzas)

    def acknowledge(self, count: int) -> Checkpoint:
        count = min(count, len(self.unacked))
        self.handled += count
        del self.unacked[:count]
        return self._checkpoint(self.sent + 1, ())

    def take(self, requests: tuple[OwedRequest, ...]) -> Checkpoint:
        self.received += 1
        self.owes = requests
        return self._checkpoint(self.sent + 1, (), requests)

    def _checkpoint(
        self, first: int, stanzas: Sequence[str], requests: tuple[OwedRequest, ...] | None = None
    ) -> Checkpoint:
        return Checkpoint(self.id, JID, 300.0, self.received, self.handled, first, tuple(stanzas), requests)

    def suspended(self, sent_seq: int) -> Suspended:
        stream = SuspendedStream(
            self.id, JID, 300.0, self.received, self.handled, tuple(self.unacked), self.owes
        )
        return Suspended(stream, GATEWAY, sent_seq, is_recalled=True)


def refuses(journal: RecordJournal, _records: Sequence[bytes]) -> None:
    """A disk that is full, as `RecordJournal.append` tells it."""
    journal.forget()
    raise StoreError(FaultId.STORE_UNUSABLE, "the disk is full")


def memory(path: Path, epoch: str = EPOCH) -> StreamMemory:
    return StreamMemory(RecordJournal(path, BOOT), lambda: epoch)


def recalled(path: Path, epoch: str = EPOCH) -> Suspended | None:
    found = memory(path, epoch)
    found.load()
    return found.suspended


_STEPS = st.lists(
    st.one_of(
        st.integers(1, 4).map(lambda count: ("send", count)),
        st.integers(1, 4).map(lambda count: ("acknowledge", count)),
        st.integers(0, 3).map(lambda count: ("take", count)),
    ),
    min_size=1,
    max_size=30,
)


def play(stream: Stream, step: tuple[str, int]) -> Checkpoint:
    name, count = step
    if name == "send":
        return stream.send(count)
    if name == "acknowledge":
        return stream.acknowledge(count)
    return stream.take(tuple(owed(number) for number in range(count)))


@given(steps=_STEPS, compact_bytes=st.sampled_from([1, 300, 1 << 30]))
@settings(max_examples=150, deadline=None)
def test_after_every_step_the_next_process_knows_all(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]], compact_bytes: int
) -> None:
    path = tmp_path_factory.mktemp("journal") / "stream"
    stream, kept = Stream(), memory(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(resumption, "_COMPACT_BYTES", compact_bytes)
        for seq, step in enumerate(steps):
            kept.note(play(stream, step), GATEWAY, seq)
            assert recalled(path) == stream.suspended(seq)
    kept.close()


@given(steps=_STEPS, cut=st.integers(0, 200))
@settings(max_examples=150, deadline=None)
def test_a_write_that_a_kill_cut_counts_for_nothing(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]], cut: int
) -> None:
    path = tmp_path_factory.mktemp("journal") / "stream"
    stream, kept = Stream(), memory(path)
    states: list[Suspended | None] = []
    for seq, step in enumerate(steps):
        kept.note(play(stream, step), GATEWAY, seq)
        states.append(stream.suspended(seq))
    kept.close()
    os.truncate(path, max(0, path.stat().st_size - cut))
    assert recalled(path) in [*states, None]


def test_a_new_session_replaces_the_old_one(tmp_path: Path) -> None:
    kept = memory(tmp_path / "j")
    kept.note(Stream().send(3), GATEWAY, 3)
    second = Stream(id="s2")
    kept.note(second.send(1), GATEWAY, 4)
    assert recalled(tmp_path / "j") == second.suspended(4)
    kept.close()


def test_what_ended_in_order_is_not_recalled(tmp_path: Path) -> None:
    kept = memory(tmp_path / "j")
    kept.note(Stream().send(3), GATEWAY, 3)
    kept.forget()
    assert recalled(tmp_path / "j") is None


def test_numbers_of_another_store_are_not_recalled(tmp_path: Path) -> None:
    kept = memory(tmp_path / "j")
    kept.note(Stream().send(3), GATEWAY, 3)
    assert recalled(tmp_path / "j", epoch="other") is None
    kept.close()


def test_a_store_that_was_born_anew_begins_the_journal_anew(tmp_path: Path) -> None:
    epochs = ["old"]
    kept = StreamMemory(RecordJournal(tmp_path / "j", BOOT), lambda: epochs[-1])
    stream = Stream()
    kept.note(stream.send(1), GATEWAY, 900)
    epochs.append("new")
    kept.note(stream.send(1), GATEWAY, 1)
    assert recalled(tmp_path / "j", epoch="new") == stream.suspended(1)
    kept.close()


def test_a_journal_that_can_not_be_written_costs_only_the_resumption(tmp_path: Path) -> None:
    kept = memory(tmp_path / "gone" / "j")
    troubles = []
    for _ in range(2):
        stream = Stream()
        kept.note(stream.send(1), GATEWAY, 1)
        troubles.append(kept.trouble is not None)
        (tmp_path / "gone").mkdir(exist_ok=True)
    assert troubles == [True, False]
    assert recalled(tmp_path / "gone" / "j") == stream.suspended(1)
    kept.close()


def test_after_a_write_that_failed_the_next_one_tells_the_whole_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, stream = memory(tmp_path / "j"), Stream()
    kept.note(stream.send(3), GATEWAY, 3)
    kept.note(stream.take((owed(1),)), GATEWAY, 3)
    with monkeypatch.context() as patch:
        patch.setattr(RecordJournal, "append", refuses)
        kept.note(stream.send(2), GATEWAY, 5)
    assert recalled(tmp_path / "j") is None
    kept.note(stream.send(1), GATEWAY, 6)
    assert recalled(tmp_path / "j") == stream.suspended(6)
    kept.close()


def test_records_of_another_version_are_no_session(tmp_path: Path) -> None:
    journal = RecordJournal(tmp_path / "j", BOOT)
    journal.begin([b"I[]", b"Cshort"])
    journal.close()
    assert recalled(tmp_path / "j") is None
