"""The journal: bounded, queried, awaited."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from simulators.gateway.journal import Entry, Journal, Kind

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


class _Decoder:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, kind: str, raw: str) -> Mapping[str, object]:
        self.calls += 1
        return {"name": raw.upper(), "kind": kind}


def test_ids_only_grow_and_old_entries_are_forgotten() -> None:
    journal = Journal(capacity=2)
    for kind in (Kind.HELLO, Kind.GAP, Kind.DEVICES):
        journal.add(kind, NOON)
    assert [entry.id for entry in journal.find()] == [2, 3]
    assert [entry.id for entry in journal.latest(5)] == [3, 2]


def test_queries_by_id_kind_system_and_limit() -> None:
    journal = Journal()
    for kind, system in (
        (Kind.GAP, "a"),
        (Kind.CALL_EVENT, "a"),
        (Kind.CALL_EVENT, "b"),
        (Kind.CALL_EVENT, "a"),
    ):
        journal.add(kind, NOON, system)
    assert [entry.id for entry in journal.find(since=2)] == [3, 4]
    assert [entry.id for entry in journal.find(kind="call-event")] == [2, 3, 4]
    assert [entry.id for entry in journal.find(kind="call-event", system="a")] == [2, 4]
    assert [entry.id for entry in journal.find(limit=1)] == [1]
    assert journal.find(since=99) == []


def test_since_counts_ids_even_after_entries_were_forgotten() -> None:
    journal = Journal(capacity=3)
    for _ in range(10):
        journal.add(Kind.GAP, NOON)
    assert [entry.id for entry in journal.find(since=8)] == [9, 10]
    assert [entry.id for entry in journal.find(since=2)] == [8, 9, 10]


def test_a_frame_is_decoded_when_it_is_read_and_once() -> None:
    decoder = _Decoder()
    journal = Journal(decoder)
    entry = journal.add(Kind.CALL_EVENT, NOON, "a", "delivered", {"extra": 1})
    assert decoder.calls == 0
    assert entry.name == "DELIVERED"
    assert entry.values == {"name": "DELIVERED", "kind": "call-event", "extra": 1}
    assert decoder.calls == 1


def test_neither_frame_nor_values_stand_in_a_repr() -> None:
    entry = Journal().add(Kind.CALL_EVENT, NOON, "a", "0639980001", {"called": "0639980002"})
    assert "06399" not in repr(entry)


async def test_waiting_finds_what_is_there_and_what_comes() -> None:
    journal = Journal()
    journal.add(Kind.HELLO, NOON)
    found = await journal.wait_for(lambda entry: entry.kind is Kind.HELLO, 1)
    assert found.id == 1
    waiting = asyncio.create_task(journal.wait_for(lambda entry: entry.kind is Kind.GAP, 5, since=1))
    await asyncio.sleep(0)
    journal.add(Kind.DEVICES, NOON)
    assert not waiting.done()
    journal.add(Kind.GAP, NOON)
    assert (await waiting).id == 3


async def test_waiting_ends_with_a_timeout_and_leaves_nothing_behind() -> None:
    journal = Journal()
    with pytest.raises(TimeoutError):
        await journal.wait_for(lambda _: True, 0)
    journal.add(Kind.GAP, NOON)


async def test_a_failing_predicate_fails_its_waiter_only() -> None:
    def fails(_entry: Entry) -> bool:
        raise ZeroDivisionError

    journal = Journal()
    bad = asyncio.create_task(journal.wait_for(fails, 5))
    good = asyncio.create_task(journal.wait_for(lambda _: True, 5))
    await asyncio.sleep(0)
    journal.add(Kind.GAP, NOON)
    assert (await good).kind is Kind.GAP
    with pytest.raises(ZeroDivisionError):
        await bad
