"""The administration's number transformation rules, for numbers that the cloud dials (pcg.md 6.2).

The first rule whose expression is found in the number is applied, and no other: what it found is replaced,
the rest stays. A rule that is meant for the whole number begins with ^ and ends with $. Expressions are
RE2's: no back references, no look-around, and time that grows with the length of the number only.
The administration itself refuses `\\d`; RE2 takes it as a digit, and so do we.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import re2

from connector.domain.configuration import MAX_RULE_CHARS, MAX_RULES, RuleText

# 32 digits and a prefix of each kind; the longest number that a PBX takes is shorter.
MAX_DIALLED_CHARS = 40
# What one expression may cost to compile: (.{0,1000}){1,1000} would take gigabytes.
_MAX_EXPRESSION_BYTES = 1 << 20
_DIALLED = re.compile(rf"\+?[0-9A-D*#]{{1,{MAX_DIALLED_CHARS}}}\Z")
# A group of the match, or the one way to write a backslash.
_REFERENCE = re.compile(r"\\([0-9\\])")


@dataclass(frozen=True, slots=True)
class _Rule:
    expression: "re2._Regexp"
    # Literal texts and numbers of groups.
    replacement: tuple[str | int, ...]

    def apply(self, number: str) -> str | None:
        found = self.expression.search(number)
        if found is None:
            return None
        parts = (part if isinstance(part, str) else found.group(part) or "" for part in self.replacement)
        return number[: found.start()] + "".join(parts) + number[found.end() :]


class Transformation:
    """`rules` in their order, compiled. Raises ValueError, naming a rule's place and not its text."""

    def __init__(self, rules: Sequence[RuleText] = ()) -> None:
        if len(rules) > MAX_RULES:
            raise ValueError(f"more than {MAX_RULES} rules")
        self._rules = tuple(_compiled(rule, place) for place, rule in enumerate(rules, start=1))

    def dialled(self, number: str) -> str:
        """What is dialled for `number`; "" if that can't be dialled. Never raises."""
        if len(number) > MAX_DIALLED_CHARS:
            return ""
        results = (rule.apply(number) for rule in self._rules)
        result = next((result for result in results if result is not None), number)
        return result if _DIALLED.match(result) else ""


def _compiled(rule: RuleText, place: int) -> _Rule:
    if len(rule.match) > MAX_RULE_CHARS or len(rule.replace) > MAX_RULE_CHARS:
        raise ValueError(f"rule {place}: more than {MAX_RULE_CHARS} characters")
    if not rule.match:
        raise ValueError(f"rule {place}: no expression")
    options = re2.Options()
    options.max_mem = _MAX_EXPRESSION_BYTES
    options.log_errors = False  # else the library writes the expression to standard error
    try:
        expression = re2.compile(rule.match, options)
    except re2.error:
        raise ValueError(f"rule {place}: not an expression of RE2, or too large a one") from None
    return _Rule(expression, _replacement(rule.replace, expression.groups, place))


def _replacement(text: str, groups: int, place: int) -> tuple[str | int, ...]:
    r"""Literals and group numbers of `text`: \1 to \9 are groups, \0 the whole match, \\ a backslash."""
    parts: list[str | int] = []
    end = 0
    for reference in _REFERENCE.finditer(text):
        parts.append(text[end : reference.start()])
        parts.append("\\" if reference[1] == "\\" else int(reference[1]))
        end = reference.end()
    parts.append(text[end:])
    if any("\\" in part for part in parts[::2] if isinstance(part, str)):
        raise ValueError(f"rule {place}: the replacement has a backslash before something else than a digit")
    if any(isinstance(part, int) and part > groups for part in parts):
        raise ValueError(f"rule {place}: the replacement names a group that the expression does not have")
    return tuple(part for part in parts if part != "")
