"""Which event of a call has to be told before the next one, in bounded memory."""

import pytest

from connector.bridge import call_order
from connector.bridge.call_order import CallOrder


def test_the_newest_event_of_a_call_counts() -> None:
    order = CallOrder()
    order.note("a", 3, is_over=False)
    order.note("a", 7, is_over=True)
    assert order.behind("a", late=False) == 7
    assert order.behind("b", late=False) == 0


def test_calls_of_an_earlier_process_concern_late_events_only() -> None:
    order = CallOrder(late_floor=100)
    assert order.behind("new", late=False) == 0
    assert order.behind("old", late=True) == 100


def test_behind_rows_of_nobody_knows_which_calls_everything_goes() -> None:
    order = CallOrder(floor=100)
    assert order.behind("any", late=False) == 100


@pytest.mark.parametrize(("is_over", "live"), [(True, 0), (False, 1)])
def test_what_is_forgotten_makes_others_wait_not_overtake(
    monkeypatch: pytest.MonkeyPatch, *, is_over: bool, live: int
) -> None:
    monkeypatch.setattr(call_order, "MAX_CALLS", 2)
    order = CallOrder()
    for seq, call in enumerate(("a", "b", "c"), start=1):
        order.note(call, seq, is_over=is_over)
    assert order.behind("a", late=True) == 1
    assert order.behind("a", late=False) == live
    assert order.behind("c", late=False) == 3


def test_when_all_is_acknowledged_nothing_is_kept() -> None:
    order = CallOrder(late_floor=5)
    order.note("a", 7, is_over=False)
    assert order.newest == 7
    order.acknowledged(6)
    assert order.behind("a", late=False) == 7
    order.acknowledged(7)
    assert order.newest == 0
    assert order.behind("a", late=True) == 0
