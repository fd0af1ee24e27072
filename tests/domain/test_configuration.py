"""The cloud's values over the site's own, and where each one comes from."""

import pytest

from connector.domain.configuration import CloudSettings, OwnConfiguration, RuleText, dial_plan, effective
from connector.domain.numbers import DialPlan, NumberRange

OWN = DialPlan("FR", "0", installation_number="+33199001200", internal_ranges=(NumberRange("3000", "3999"),))


def test_without_the_cloud_the_sites_own_plan_holds() -> None:
    assert dial_plan(OWN, None) is OWN
    assert dial_plan(OWN, CloudSettings(1)) == OWN


def test_what_the_cloud_knows_replaces_and_the_rest_stays() -> None:
    plan = dial_plan(OWN, CloudSettings(1, country="GB", national_prefix="", outbound_prefix="9"))
    assert (plan.country, plan.national_prefix, plan.outbound_prefix) == ("GB", "", "9")
    assert (plan.international_prefix, plan.installation_number) == (None, "+33199001200")
    assert plan.is_internal("3001"), "the PBX's own numbers are not the cloud's to say"


def test_a_prefix_that_is_not_used_is_none_whatever_it_is() -> None:
    unused = CloudSettings(1, outbound_prefix="9", uses_outbound_prefix=False)
    assert dial_plan(OWN, unused).outbound_prefix == ""


@pytest.mark.parametrize("wrong", [CloudSettings(1, country="XX"), CloudSettings(1, national_prefix="12x")])
def test_a_wrong_value_is_named_and_not_quoted(wrong: CloudSettings) -> None:
    with pytest.raises(ValueError, match=r"country:|national_prefix:") as refused:
        dial_plan(OWN, wrong)
    assert "12x" not in str(refused.value)


def test_every_value_tells_where_it_comes_from() -> None:
    own = OwnConfiguration(OWN, 120.0, frozenset({"site.country", "site.outbound_prefix"}))
    cloud = CloudSettings(
        17, country="GB", uses_outbound_prefix=False, rules=(RuleText("^7", "0"),), ping_timeout_seconds=60.0
    )
    shown = {row.setting: (row.value, row.source) for row in effective(own, cloud, frozenset({"1", "2"}))}
    assert shown == {
        "site.country": ("GB", "cloud revision 17"),
        "site.outbound_prefix": ("", "cloud revision 17"),
        "site.national_prefix": ("the country's own", "default"),
        "site.international_prefix": ("the country's own", "default"),
        "site.installation_number": ("+33199001200", "default"),
        "cloud.ping_timeout_seconds": ("60", "cloud revision 17"),
        "rule 1": ("^7 → 0", "cloud revision 17"),
        "monitored": ("2 numbers", "cloud"),
    }


def test_without_the_cloud_the_sources_are_the_sites() -> None:
    own = OwnConfiguration(OWN, 120.0, frozenset({"site.country"}))
    sources = {row.setting: row.source for row in effective(own, None, None)}
    assert sources.pop("site.country") == "site"
    assert set(sources.values()) == {"default"}
