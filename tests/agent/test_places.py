"""Where each setting of a TOML text stands."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.agent.places import MAX_DEPTH, Places

TEXT = '''\
# a comment with = and [brackets]
top = 1

[cloud]  # the gateway
host = "a # no comment"
"quoted.key" = true
dotted.inner = 1979-05-27 07:32:00

[pbx]
devices = [
    "101",   # one
    "110-129", "130",

    ["nested",
     "deep"],
]
text = """
[not.a.table]
key = "no key"
"""
raw = \'\'\'
x = ]
\'\'\'
inline = { a = 1, b = { c = [1, 2] } }

[[rva.rules]]
device = "101"
[rva.rules.options]
auto_start = true

[[rva.rules]]
device = "102"
options.mirror_mode = true
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("top",), 2),
        (("cloud",), 4),
        (("cloud", "host"), 5),
        (("cloud", "quoted.key"), 6),
        (("cloud", "dotted"), 7),
        (("cloud", "dotted", "inner"), 7),
        (("pbx", "devices"), 10),
        (("pbx", "devices", 0), 11),
        (("pbx", "devices", 1), 12),
        (("pbx", "devices", 2), 12),
        (("pbx", "devices", 3), 14),
        (("pbx", "devices", 3, 1), 15),
        (("pbx", "text"), 17),
        (("pbx", "raw"), 21),
        (("pbx", "inline", "b", "c", 1), 24),
        (("rva",), 26),
        (("rva", "rules"), 26),
        (("rva", "rules", 0), 26),
        (("rva", "rules", 0, "device"), 27),
        (("rva", "rules", 0, "options"), 28),
        (("rva", "rules", 0, "options", "auto_start"), 29),
        (("rva", "rules", 1), 31),
        (("rva", "rules", 1, "device"), 32),
        (("rva", "rules", 1, "options", "mirror_mode"), 33),
    ],
)
def test_each_setting_has_its_line(path: tuple[str | int, ...], line: int) -> None:
    assert Places(TEXT).line_of(path) == line


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("cloud", "pbx_id"), 4),
        (("cloud", "host", "deeper"), 5),
        (("rva", "rules", 1, "agent_id"), 31),
        (("site", "country"), None),
        (("not", "a", "table"), None),
        ((), None),
    ],
)
def test_what_is_not_written_has_the_line_of_what_is_around_it(
    path: tuple[str | int, ...], line: int | None
) -> None:
    assert Places(TEXT).line_of(path) == line


def test_windows_line_ends_count_once() -> None:
    assert Places("a = 1\r\n[b]\r\nc = 2\r\n").line_of(("b", "c")) == 3


def test_what_is_nested_beyond_the_limit_is_skipped_whole() -> None:
    deep = "[" * (MAX_DEPTH + 50) + '"]"' + "]" * (MAX_DEPTH + 50)
    places = Places(f"a = {deep}\nb = 1\n")
    assert places.line_of(("a", *[0] * (MAX_DEPTH + 10))) == 1
    assert places.line_of(("b",)) == 2


LINES = [
    "[a]",
    "[a.b]",
    "[[c]]",
    "[c.d]",
    "[[c.e]]",
    "x = 1",
    'y = ["]",',
    "  2]",
    "z = {p = [{q = 1}]}",
    'x."y z".w = 3',
]


@given(
    st.one_of(
        st.text(alphabet="ab.=[]{},\"'#\n \\1", max_size=60),
        st.lists(st.sampled_from(LINES), max_size=8).map("\n".join),
    )
)
def test_never_fails_and_agrees_with_tomllib_on_the_keys(text: str) -> None:
    places = Places(text)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    for path in paths(data):
        line = places.line_of(path)
        assert line is not None
        assert 1 <= line <= text.count("\n") + 1


def paths(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The path of everything inside `value`."""
    found = [path] if path else []
    if isinstance(value, dict):
        found += [inner for key, item in value.items() for inner in paths(item, (*path, key))]
    if isinstance(value, list):
        found += [inner for index, item in enumerate(value) for inner in paths(item, (*path, index))]
    return found
