"""The administration's rules: the first that matches, in linear time, and nothing that can't be dialled."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.domain.configuration import MAX_RULE_CHARS, MAX_RULES, RuleText
from connector.domain.transformation import MAX_DIALLED_CHARS, Transformation


def dialled(number: str, *rules: tuple[str, str]) -> str:
    return Transformation([RuleText(match, replace) for match, replace in rules]).dialled(number)


@pytest.mark.parametrize(
    ("rule", "number", "result"),
    [
        (("^7(.*)$", r"0033\1"), "7123", "0033123"),
        (("^7(.*)$", r"0033\1"), "8123", "8123"),
        (("^(..)(..)$", r"\2\1"), "1234", "3412"),
        (("12", "9"), "1212", "912"),
        (("^0", ""), "0612", "612"),
        (("^.*$", r"\0\0"), "12", "1212"),
        (("^(a)?1", r"\1"), "12", "2"),
        ((r"^\+33", "0"), "+33199001200", "0199001200"),
        ((r"^\d\d", "7"), "1234", "734"),
        (("$", "#"), "12", "12#"),
    ],
)
def test_what_is_found_is_replaced_and_the_rest_stays(
    rule: tuple[str, str], number: str, result: str
) -> None:
    assert dialled(number, rule) == result


def test_only_the_first_rule_that_matches_is_applied() -> None:
    rules = (("^9", ""), ("^1", "2"), ("^2", "3"), ("^1", "4"))
    assert dialled("15", *rules) == "25"
    assert dialled("25", *rules) == "35"


@pytest.mark.parametrize(
    ("number", "rule"),
    [("12", ("^12$", "")), ("12", ("2", "a b")), ("1" * (MAX_DIALLED_CHARS + 1), ("x", "")), ("", ("x", ""))],
)
def test_what_can_not_be_dialled_is_nothing(number: str, rule: tuple[str, str]) -> None:
    assert dialled(number, rule) == ""


def test_a_result_over_the_limit_is_nothing() -> None:
    assert dialled("1" * 30, ("^.*$", r"\0\0")) == ""


def test_a_rule_that_would_ruin_other_engines_takes_no_time() -> None:
    assert dialled("0" * MAX_DIALLED_CHARS, ("^(0*)*1$", "")) == "0" * MAX_DIALLED_CHARS


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (RuleText("(", ""), "not an expression"),
        (RuleText("(.{0,1000}){1,1000}", ""), "not an expression"),
        (RuleText(r"(1)\1", ""), "not an expression"),
        (RuleText("(?=1)", ""), "not an expression"),
        (RuleText("", "1"), "no expression"),
        (RuleText("1" * (MAX_RULE_CHARS + 1), ""), "more than 64"),
        (RuleText("1", "1" * (MAX_RULE_CHARS + 1)), "more than 64"),
        (RuleText("(1)", r"\2"), "names a group"),
        (RuleText("(1)", r"\x"), "backslash"),
        (RuleText("(1)", "1\\"), "backslash"),
    ],
)
def test_a_wrong_rule_is_named_by_its_place_and_not_quoted(
    rule: RuleText, words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ValueError, match=f"rule 2: .*{words}") as wrong:
        Transformation([RuleText("1", ""), rule])
    assert len(rule.match) < 3 or rule.match not in str(wrong.value)
    assert capfd.readouterr().err == "", "the engine's own words hold the expression"


def test_a_hundred_rules_and_not_one_more() -> None:
    rules = [RuleText("1", "2")] * MAX_RULES
    assert Transformation(rules).dialled("1") == "2"
    with pytest.raises(ValueError, match="more than 100"):
        Transformation([*rules, RuleText("1", "2")])


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.text("01()*+.?|^$\\[]{,}", max_size=12), st.text("01\\", max_size=6)), max_size=4),
    st.text("01+#*", max_size=45),
)
def test_any_rules_are_refused_or_give_what_can_be_dialled(rules: list[tuple[str, str]], number: str) -> None:
    try:
        result = dialled(number, *rules)
    except ValueError:
        return
    assert result == "" or (len(result) <= MAX_DIALLED_CHARS and set(result) <= set("01+#*"))
