"""On which line of a TOML text each setting stands, so that a complaint can name it.

Meant for texts that `tomllib` has accepted: it follows their structure and never judges it. What it makes of
any other text means nothing, but it ends and does not fail.
"""

import re
import tomllib
from collections.abc import Sequence
from typing import Final, NamedTuple

Path = tuple[str | int, ...]

# Our deepest setting, an option of an [[rva.rules]], has 4. Deeper values are skipped whole: no recursion.
MAX_DEPTH: Final = 12

_TOKEN = re.compile(
    r'''
    (?P<string> """(?:[^\\]|\\.)*?"{3,5} | \'\'\'.*?\'{3,5} | "(?:[^"\\\n]|\\.)*" | '[^'\n]*' )
    | (?P<newline> \n )
    | (?P<blank> [ \t\r]+ | \#[^\n]* )
    | (?P<mark> [\[\]{},=] )
    | (?P<bare> [^\s\[\]{},=\#"']+ )
    ''',
    re.VERBOSE | re.DOTALL,
)


class _Token(NamedTuple):
    kind: str
    text: str
    line: int
    end: int


class Places:
    """The line of every table, key and list element of `text`; lines count from 1."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._next = 0
        self._lines: dict[Path, int] = {}
        self._table_counts: dict[Path, int] = {}
        self._read()

    def line_of(self, path: Sequence[str | int]) -> int | None:
        """The line of the setting, else of the nearest table around it, None if not even that is written."""
        for length in range(len(path), 0, -1):
            line = self._lines.get(tuple(path[:length]))
            if line is not None:
                return line
        return None

    def _read(self) -> None:
        table: Path = ()
        while (token := self._peek()) is not None:
            if token.kind == "newline":
                self._next += 1
            elif token.text == "[":
                table = self._header()
            else:
                self._pair(table, 1)

    def _header(self) -> Path:
        first = self._take()
        following = self._peek()
        is_list = following is not None and following.text == "[" and following.end == first.end + 1
        if is_list:
            self._take()
        path = self._inside_lists(self._key())
        if is_list:
            index = self._table_counts.get(path, 0)
            self._table_counts[path] = index + 1
            path = (*path, index)
        for length in range(1, len(path) + 1):
            self._lines.setdefault(path[:length], first.line)
        self._skip_line()
        return path

    def _inside_lists(self, key: Path) -> Path:
        """`key` of a header with the index of the list's last table after each list's name but the last."""
        path: Path = ()
        for part in key[:-1]:
            path = (*path, part)
            if path in self._table_counts:
                path = (*path, self._table_counts[path] - 1)
        return (*path, *key[-1:])

    def _pair(self, table: Path, depth: int) -> None:
        line = self._tokens[self._next].line
        path = (*table, *self._key())
        for length in range(len(table) + 1, len(path) + 1):
            self._lines.setdefault(path[:length], line)
        if (token := self._peek()) is not None and token.text == "=":
            self._next += 1
        self._value(path, depth)

    def _key(self) -> Path:
        """The dotted key up to `=` or `]`. A bare token may hold dots (`a.b`); a quoted one is one part."""
        parts: list[str | int] = []
        while (token := self._peek()) is not None and token.kind in ("string", "bare"):
            self._next += 1
            if token.kind == "string":
                parts.append(_unquoted(token.text))
            else:
                parts.extend(part for part in token.text.split(".") if part)
        return tuple(parts)

    def _value(self, path: Path, depth: int) -> None:
        token = self._peek()
        if token is None or token.text not in ("[", "{"):
            self._skip_scalar()
        elif depth >= MAX_DEPTH:
            self._skip_brackets()
        elif token.text == "[":
            self._elements(path, depth)
        else:
            self._inline_table(path, depth)

    def _elements(self, path: Path, depth: int) -> None:
        self._take()
        index = 0
        while (token := self._peek()) is not None:
            if token.text == "]":
                self._next += 1
                return
            if token.kind == "newline" or token.text == ",":
                self._next += 1
                continue
            self._lines[*path, index] = token.line
            self._value((*path, index), depth + 1)
            index += 1

    def _inline_table(self, path: Path, depth: int) -> None:
        self._take()
        while (token := self._peek()) is not None:
            if token.text == "}":
                self._next += 1
                return
            if token.kind == "newline" or token.text == ",":
                self._next += 1
                continue
            self._pair(path, depth + 1)

    def _skip_scalar(self) -> None:
        self._next += 1  # whatever stands here: every step goes forward
        while (token := self._peek()) is not None and token.kind in ("string", "bare"):
            self._next += 1

    def _skip_brackets(self) -> None:
        open_brackets = 0
        while (token := self._peek()) is not None:
            self._next += 1
            if token.kind == "mark":
                open_brackets += (token.text in "[{") - (token.text in "]}")
            if open_brackets == 0:
                return

    def _skip_line(self) -> None:
        while (token := self._peek()) is not None and token.kind != "newline":
            self._next += 1

    def _peek(self) -> _Token | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _take(self) -> _Token:
        token = self._tokens[self._next]
        self._next += 1
        return token


def _unquoted(text: str) -> str:
    try:
        value: str = tomllib.loads(f"v = {text}")["v"]
    except tomllib.TOMLDecodeError:
        return text
    return value


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    line = 1
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or ""
        if kind != "blank":
            found.append(_Token(kind, match[0], line, match.end()))
        line += match[0].count("\n")
    return found
