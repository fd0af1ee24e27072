"""De-duplication and acknowledgement against a plain set of numbers."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulators.gateway.sequence import (
    MAX_EPOCHS,
    MAX_OPEN_GAPS,
    MAX_RANGES_APART,
    EventStore,
    Gap,
    Received,
    TooScattered,
)


def _gap(first: int, last: int, count: int = 0, *, is_durable: bool = False) -> Gap:
    return Gap(first, last, count or last - first + 1, is_durable)


def test_numbers_in_order_are_acknowledged_as_they_come() -> None:
    store = EventStore()
    assert store.upto("a") is None
    assert [store.add("a", seq) for seq in (7, 8, 9)] == [True, True, True]
    assert store.upto("a") == 9
    assert (store.stored, store.duplicates) == (3, 0)


def test_a_repeated_number_is_counted_once() -> None:
    store = EventStore()
    store.add("a", 1)
    assert store.add("a", 1) is False
    assert (store.stored, store.duplicates, store.upto("a")) == (1, 1, 1)


def test_a_hole_holds_the_acknowledgement_until_a_gap_fills_it() -> None:
    store = EventStore()
    store.add("a", 1)
    store.add("a", 5)
    assert store.upto("a") == 1
    assert store.skip("a", _gap(2, 4)) is True
    assert store.upto("a") == 5
    assert store.missing == 3
    assert store.add("a", 3) is False
    assert store.skip("a", _gap(2, 4)) is False
    assert store.missing == 3


def test_a_gap_of_one_class_waits_for_the_numbers_of_the_other() -> None:
    store = EventStore()
    store.add("a", 1)
    store.skip("a", _gap(2, 5, 2))
    assert store.upto("a") == 1
    store.add("a", 6)
    assert store.add("a", 3) is True
    assert store.upto("a") == 1
    assert store.add("a", 5) is True
    assert store.upto("a") == 6


def test_gaps_of_both_classes_over_one_range_close_it_together() -> None:
    store = EventStore()
    store.add("a", 1)
    store.skip("a", _gap(2, 5, 3))
    assert store.skip("a", _gap(2, 5, 3)) is False
    assert store.upto("a") == 1
    store.skip("a", _gap(2, 5, 1, is_durable=True))
    assert (store.upto("a"), store.missing) == (5, 4)


def test_an_epoch_may_begin_with_a_gap() -> None:
    store = EventStore()
    store.skip("a", _gap(10, 19, 9))
    assert store.upto("a") == 9
    store.add("a", 20)
    assert store.upto("a") == 9
    store.add("a", 12)
    assert store.upto("a") == 20


def test_what_comes_before_the_first_number_is_new_and_changes_no_acknowledgement() -> None:
    store = EventStore()
    store.add("a", 10)
    assert store.add("a", 4) is True
    assert store.add("a", 4) is False
    assert store.upto("a") == 10
    store.skip("a", _gap(5, 9))
    store.add("a", 11)
    assert store.upto("a") == 11


def test_epochs_are_apart_and_the_oldest_is_forgotten() -> None:
    store = EventStore()
    for number in range(MAX_EPOCHS + 1):
        assert store.add(f"epoch-{number}", 1) is True
    assert store.upto("epoch-0") is None
    assert store.upto("epoch-1") == 1


def test_too_many_holes_are_refused_and_cost_nothing() -> None:
    received = Received(0)
    received.add(0)
    for step in range(1, MAX_RANGES_APART + 1):
        received.add(step * 10)
    with pytest.raises(TooScattered):
        received.add(1_000_000)
    for seq in range(1, 10):
        assert received.add(seq) is True
    assert received.upto == 10


def test_too_many_open_gaps_are_refused() -> None:
    received = Received(1)
    for step in range(MAX_OPEN_GAPS):
        received.skip(_gap(step * 10 + 2, step * 10 + 5, 1))
    with pytest.raises(TooScattered):
        received.skip(_gap(10**6, 10**6 + 5, 1))


@settings(deadline=None, max_examples=200)
@given(st.lists(st.integers(0, 40), min_size=1, max_size=60))
def test_any_order_agrees_with_a_set(numbers: list[int]) -> None:
    received = Received(numbers[0])
    have: set[int] = set()
    for number in numbers:
        assert received.add(number) is (number not in have)
        have.add(number)
        upto = numbers[0]
        while upto + 1 in have:
            upto += 1
        assert received.upto == upto


@settings(deadline=None, max_examples=200)
@given(st.randoms(use_true_random=False), st.integers(2, 30))
def test_lost_ones_and_late_ones_in_any_order_end_acknowledged(source: random.Random, total: int) -> None:
    """Volatile numbers are lost in one run; the rest arrives shuffled, with the gap somewhere among it."""
    lost = {number for number in range(2, total + 1) if source.random() < 0.4}
    steps: list[int | Gap] = [number for number in range(2, total + 1) if number not in lost]
    if lost:
        steps.append(Gap(min(lost), max(lost), len(lost), is_durable=False))
    source.shuffle(steps)
    received = Received(1)
    received.add(1)
    for step in steps:
        assert (received.skip(step) if isinstance(step, Gap) else received.add(step)) is True
    assert received.upto == total


def test_what_is_here_above_the_acknowledged_number_is_told_in_ranges() -> None:
    store = EventStore()
    assert store.held("a", 8) == ()
    for seq in (1, 2, 5, 6, 9, 20, 21):
        store.add("a", seq)
    assert store.held("a", 8) == ((5, 6), (9, 9), (20, 21))
    assert store.held("a", 2) == ((9, 9), (20, 21)), "the highest ones"
    for seq in (3, 4):
        store.add("a", seq)
    assert (store.upto("a"), store.held("a", 8)) == (6, ((9, 9), (20, 21)))


def test_what_comes_from_before_the_beginning_is_not_above_it() -> None:
    store = EventStore()
    for seq in (10, 3, 4):
        store.add("a", seq)
    assert (store.upto("a"), store.held("a", 8)) == (10, ())
