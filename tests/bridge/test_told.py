"""Which numbers were told: against a plain set."""

from hypothesis import given
from hypothesis import strategies as st

from connector.bridge.told import MAX_RANGES, Told


@given(st.integers(0, 5), st.lists(st.tuples(st.booleans(), st.integers(1, 4)), max_size=30))
def test_it_knows_what_a_set_knows(begin: int, steps: list[tuple[bool, int]]) -> None:
    told, known = Told(begin), set(range(1, begin + 1))
    for is_live, step in steps:
        if is_live:
            seq = told.newest + step
            assert told.add(seq)
            known.add(seq)
        else:
            seq = told.upto + step
            told.advance(seq)
            known |= set(range(1, seq + 1))
        top = max(known, default=0) + 3
        assert [one in told for one in range(1, top)] == [one in known for one in range(1, top)]
        assert told.newest == max(known, default=0)
        holes = [one for first, last in told.holes(top) for one in range(first, last + 1)]
        assert holes == [one for one in range(1, top + 1) if one not in known]


def test_too_many_ranges_are_refused_and_change_nothing() -> None:
    told = Told(0)
    for number in range(MAX_RANGES):
        assert told.add(2 * number + 2)
    newest = told.newest
    assert not told.add(newest + 2)
    assert told.newest == newest
    assert told.add(newest + 1), "next to the last range there is no new hole"
