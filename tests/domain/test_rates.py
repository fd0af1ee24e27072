"""The sliding window: a bound that holds in every interval, for each key by itself, in bounded memory."""

from hypothesis import given, settings
from hypothesis import strategies as st

from connector.domain import rates
from connector.domain.rates import SlidingWindow


def passed(window: SlidingWindow, key: str, now: float) -> bool:
    if not window.has_room(key, now):
        return False
    window.take(key, now)
    return True


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 20)), max_size=60))
def test_no_interval_has_more_than_the_limit_and_no_room_is_wasted(steps: list[tuple[str, int]]) -> None:
    window, now = SlidingWindow(3, 60), 0.0
    times: dict[str, list[float]] = {"a": [], "b": []}
    for key, seconds in steps:
        now += seconds
        recent = [time for time in times[key] if time > now - 60]
        assert passed(window, key, now) is (len(recent) < 3)
        if len(recent) < 3:
            times[key].append(now)


def test_keys_are_forgotten_when_they_rest() -> None:
    window = SlidingWindow(3, 60)
    for number in range(100):
        assert passed(window, str(number), float(number))
    assert len(window._taken) == 60


def test_more_keys_than_a_site_has_users_find_no_room() -> None:
    window = SlidingWindow(3, 60)
    for number in range(rates.MAX_KEYS):
        window.take(str(number), 0.0)
    assert not window.has_room("one more", 1.0)
    assert window.has_room("0", 1.0)
    assert window.has_room("one more", 61.0)
