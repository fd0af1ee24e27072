import subprocess
import sys

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.domain.calls import Reach
from connector.domain.numbers import DialPlan, NotCanonical, NumberKind, NumberRange

FRANCE = DialPlan("FR", installation_number="0199001000", internal_ranges=(NumberRange("101", "139"),))


@pytest.mark.parametrize(
    ("raw", "e164"),
    [
        ("0199001234", "+33199001234"),
        ("00199001234", "+33199001234"),
        ("000199001234", "+33199001234"),
        ("0639980001", "+33639980001"),
        ("00639980001", "+33639980001"),
        ("000639980001", "+33639980001"),
        ("639980001", "+33639980001"),
        ("00442079460000", "+442079460000"),
        ("000442079460000", "+442079460000"),
        ("0000442079460000", "+442079460000"),
        ("+442079460000", "+442079460000"),
        ("0033639980001", "+33639980001"),
        ("00033639980001", "+33639980001"),
        ("+33 (0)1 99 00-12.34", "+33199001234"),
        # Trunk prefix and a French mobile, or an Indonesian set: home comes first.
        ("00621234567", "+33621234567"),
    ],
)
def test_a_french_site_reads_what_its_pbx_shows(raw: str, e164: str) -> None:
    found = FRANCE.canonical(raw, Reach.EXTERNAL)
    assert (found.raw, found.e164, found.reason) == (raw, e164, None)


@pytest.mark.parametrize(
    ("plan", "raw", "e164"),
    [
        (DialPlan("IT"), "00612345678", "+390612345678"),
        (DialPlan("IT"), "0612345678", "+390612345678"),
        (DialPlan("IT"), "03331234567", "+393331234567"),
        (DialPlan("US", outbound_prefix="9"), "912025550123", "+12025550123"),
        (DialPlan("US", outbound_prefix="9"), "92025550123", "+12025550123"),
        (DialPlan("US", outbound_prefix="9"), "9122345678", "+19122345678"),
        (DialPlan("US", outbound_prefix="9"), "9011442079460000", "+442079460000"),
        (DialPlan("AU"), "00011442079460000", "+442079460000"),
        (DialPlan("FR", outbound_prefix=""), "0199001234", "+33199001234"),
        (DialPlan("FR", outbound_prefix="8", national_prefix="1"), "81199001234", "+33199001234"),
        (DialPlan("FR", international_prefix="19"), "019442079460000", "+442079460000"),
    ],
)
def test_each_plan_has_its_own_prefixes(plan: DialPlan, raw: str, e164: str | None) -> None:
    assert plan.canonical(raw, Reach.EXTERNAL).e164 == e164


@pytest.mark.parametrize(
    ("raw", "kind", "region", "sms"),
    [
        ("0639980001", NumberKind.MOBILE, "FR", True),
        ("0612345678", NumberKind.MOBILE, "FR", True),
        ("0199001234", NumberKind.FIXED, "FR", False),
        ("0899123456", NumberKind.PREMIUM, "FR", False),
        ("0800123456", NumberKind.TOLL_FREE, "FR", False),
        ("0810123456", NumberKind.SHARED_COST, "FR", False),
        ("+12025550123", NumberKind.FIXED_OR_MOBILE, "US", True),
        ("+447700900123", NumberKind.MOBILE, "GB", True),
        ("+441632960123", NumberKind.FIXED, "GB", False),
        ("+590690001234", NumberKind.MOBILE, "GP", True),
        ("+8816123456789", NumberKind.SATELLITE, "001", False),
        ("+870773111632", NumberKind.SATELLITE, "001", False),
        ("+33912345678", NumberKind.OTHER, "FR", False),
    ],
)
def test_kind_and_region(raw: str, kind: NumberKind, region: str, sms: bool) -> None:
    found = FRANCE.canonical(raw, Reach.EXTERNAL)
    assert (found.kind, found.region, found.can_get_sms) == (kind, region, sms)


@pytest.mark.parametrize(
    ("raw", "reach", "reason"),
    [
        ("", Reach.EXTERNAL, NotCanonical.WITHHELD),
        ("0639980001", Reach.INTERNAL, NotCanonical.INTERNAL),
        ("120", Reach.UNKNOWN, NotCanonical.INTERNAL),
        ("120", Reach.EXTERNAL, NotCanonical.UNASSIGNED),
        ("3001", Reach.UNKNOWN, NotCanonical.UNASSIGNED),
        ("112", Reach.EXTERNAL, NotCanonical.UNASSIGNED),
        ("0639980001" * 5, Reach.EXTERNAL, NotCanonical.MALFORMED),
        ("*21#", Reach.EXTERNAL, NotCanonical.MALFORMED),
        ("anonymous", Reach.EXTERNAL, NotCanonical.MALFORMED),
        ("+", Reach.EXTERNAL, NotCanonical.MALFORMED),
        ("++33639980001", Reach.EXTERNAL, NotCanonical.MALFORMED),
        (" ", Reach.EXTERNAL, NotCanonical.MALFORMED),
        (
            "\u0660\u0666\u0663\u0669\u0669\u0668\u0660\u0660\u0660\u0661",
            Reach.EXTERNAL,
            NotCanonical.MALFORMED,
        ),
        ("0639980001\n", Reach.EXTERNAL, NotCanonical.MALFORMED),
        ("00000000000000000000", Reach.EXTERNAL, NotCanonical.UNASSIGNED),
        ("+999123456789", Reach.EXTERNAL, NotCanonical.UNASSIGNED),
    ],
)
def test_what_has_no_international_form_says_why(raw: str, reach: Reach, reason: NotCanonical) -> None:
    found = FRANCE.canonical(raw, reach)
    assert (found.raw, found.e164, found.reason) == (raw, None, reason)
    assert not found.can_get_sms


def test_the_installation_number_is_known_in_each_form() -> None:
    assert FRANCE.is_own(FRANCE.canonical("00199001000"))
    assert not FRANCE.is_own(FRANCE.canonical("00199001001"))
    unnumbered = DialPlan("FR")
    assert not unnumbered.is_own(unnumbered.canonical("no number"))


@pytest.mark.parametrize(
    ("number", "expected"), [("101", True), ("139", True), ("140", False), ("1015", False)]
)
def test_internal_ranges_include_both_ends(number: str, expected: bool) -> None:
    assert FRANCE.is_internal(number) is expected


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("country", {"country": "fr"}),
        ("country", {"country": "ZZ"}),
        ("country", {"country": "FRA"}),
        ("outbound_prefix", {"country": "FR", "outbound_prefix": "0w"}),
        ("national_prefix", {"country": "FR", "national_prefix": "123456789"}),
        ("international_prefix", {"country": "FR", "international_prefix": "+"}),
    ],
)
def test_a_wrong_plan_names_the_field(field: str, values: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=f"^{field}: "):
        DialPlan(**values)  # type: ignore[arg-type] # the table holds text fields only


@pytest.mark.parametrize(
    ("first", "last"), [("110", "101"), ("101", "1100"), ("a", "b"), ("", ""), ("1", "٢")]
)
def test_a_wrong_range_is_refused(first: str, last: str) -> None:
    with pytest.raises(ValueError, match="range"):
        NumberRange(first, last)


PLANS = st.sampled_from(
    [FRANCE, DialPlan("IT"), DialPlan("US", outbound_prefix="9"), DialPlan("BR"), DialPlan("RU")]
)
DIALLED = st.from_regex(r"\A(\+|0{0,4}|9|011)[0-9]{0,16}\Z")


@settings(deadline=None, max_examples=300)
@given(PLANS, st.one_of(st.text(max_size=50), DIALLED), st.sampled_from(Reach))
def test_any_text_gives_a_valid_number_or_a_reason(plan: DialPlan, raw: str, reach: Reach) -> None:
    found = plan.canonical(raw, reach)
    assert found.raw == raw
    assert (found.e164 is None) != (found.reason is None)
    if found.e164 is not None and not found.e164.startswith(("+3363998", "+447700900", "+441632960")):
        assert phonenumbers.is_valid_number(phonenumbers.parse(found.e164, None))


@settings(deadline=None, max_examples=100)
@given(st.integers(min_value=0, max_value=9_999), st.integers(min_value=0, max_value=2), st.booleans())
def test_trunk_prefixes_never_change_the_number(suffix: int, trunks: int, is_international: bool) -> None:
    digits = f"63998{suffix:04}"
    raw = "0" * trunks + (f"0033{digits}" if is_international else f"0{digits}")
    assert FRANCE.canonical(raw, Reach.EXTERNAL).e164 == f"+33{digits}"


def test_the_numbering_library_is_imported_late() -> None:
    probe = "import sys, connector.domain.numbers; sys.exit('phonenumbers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", probe], check=False).returncode == 0
