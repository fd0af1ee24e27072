"""Text from outside, made safe to show."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.agent.plain import plain, plain_lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Amélie Müller", "Amélie Müller"),
        ("\x1b[2JA", "\\x1b[2JA"),
        ("a\r\nb\tc", "a\\x0d\\x0ab\\x09c"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("a\u2066b\u2069", "a\\u2066b\\u2069"),
        ("line\u2028break\u0085next", "line\\u2028break\\x85next"),
        ("zero\u200bwidth", "zero\\u200bwidth"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("عربي", "عربي"),  # right-to-left letters are text, only the marks that reorder are not
    ],
)
def test_unsafe_characters_are_spelled_out(text: str, shown: str) -> None:
    assert plain(text) == shown


@given(st.text(), st.integers(min_value=1, max_value=50))
def test_is_one_bounded_printable_line(text: str, limit: int) -> None:
    shown = plain(text, limit)
    assert len(shown) <= limit
    assert len(shown.splitlines()) <= 1
    assert shown.encode().decode() == shown  # no lone surrogate
    assert plain(shown, limit) == shown


def test_lines_stay_lines() -> None:
    assert plain_lines("Traceback\n  x\x1b[31m\r\n") == "Traceback\n  x\\x1b[31m\\x0d\n"
