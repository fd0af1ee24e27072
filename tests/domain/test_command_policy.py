"""What may be dialled from the cloud: the PBX gets what was judged, and nothing is costly by accident."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.domain.calls import ConnectionId
from connector.domain.command_policy import CommandPolicy
from connector.domain.commands import (
    Command,
    ConsultationCall,
    DeflectCall,
    ForwardingKind,
    MakeCall,
    SetForwarding,
    Verb,
)
from connector.domain.numbers import DialPlan, NumberKind, NumberRange

FRANCE = DialPlan("FR", internal_ranges=(NumberRange("3000", "3099"),))
SPAIN = DialPlan("ES", outbound_prefix="0")
ITALY = DialPlan("IT", outbound_prefix="0")
LEG = ConnectionId("77", "3001")
RANGES = (NumberRange("3000", "3009"), NumberRange("40", "49"))


def is_dialled(policy: CommandPolicy, number: str, plan: DialPlan = FRANCE) -> bool:
    return not policy.refusal_of_destination(MakeCall("3001", number), plan, is_device=False)


@pytest.mark.parametrize(
    ("number", "is_allowed"),
    [
        ("3042", True),
        ("3100", False),  # no range of ours, no prefix: the PBX would know what it means, we don't
        ("0013998000", False),  # no such number
        ("00639980001", True),
        ("00033639980001", True),
        ("000441632960001", False),
        ("0639980001", False),  # without the trunk prefix it is something else for the PBX
        ("0112", False),
        ("0112345678", False),  # the network hears 112 and connects
        ("00112345678", True),
        ("015", False),
        ("03615", False),
        ("00892700000", False),  # premium
        ("000881612345678", False),  # satellite
        ("*72", False),
        ("", False),
        ("+33639980001", False),
        ("3042 ", False),
        ("3042\n", False),
        ("3042,0,0639980001", False),
        ("\u0663\u0660\u0664\u0662", False),  # 3042 in other digits
        ("0" * 33, False),
    ],
)
def test_numbers_of_a_site_that_may_call_its_country(number: str, *, is_allowed: bool) -> None:
    assert is_dialled(CommandPolicy(destinations=("+33",)), number) is is_allowed


def test_nothing_outside_is_dialled_by_default() -> None:
    assert is_dialled(CommandPolicy(), "3042")
    assert not is_dialled(CommandPolicy(), "00639980001")


@pytest.mark.parametrize(
    ("entry", "number"),
    [
        ("0112", "0112"),
        ("00892700000", "00892700000"),
        ("+33892700000", "00892700000"),
        ("+33892700000", "00033892700000"),
        ("*72", "*72"),
    ],
)
def test_what_is_listed_whole_is_dialled_whatever_it_costs(entry: str, number: str) -> None:
    assert is_dialled(CommandPolicy(destinations=(entry,)), number)
    assert not is_dialled(CommandPolicy(destinations=(entry,)), f"{number}1")


@pytest.mark.parametrize(
    ("plan", "number", "e164"),
    [
        (SPAIN, "0612345678", "+34612345678"),
        (SPAIN, "000441632960001", "+441632960001"),
        (ITALY, "00612345678", "+390612345678"),
        (DialPlan("FR", outbound_prefix=""), "0639980001", "+33639980001"),
        (DialPlan("FR", outbound_prefix="9"), "90639980001", "+33639980001"),
        (DialPlan("US", outbound_prefix="9"), "912125555555", "+12125555555"),
        (DialPlan("US", outbound_prefix="9"), "92125555555", None),
        (DialPlan("FR", outbound_prefix="9"), "0639980001", None),
        (FRANCE, "+33639980001", None),
        (FRANCE, "", None),
        (FRANCE, "0", None),
    ],
)
def test_a_dialled_number_is_read_as_the_network_will(plan: DialPlan, number: str, e164: str | None) -> None:
    assert plan.dialled(number).e164 == e164


@pytest.mark.parametrize(
    ("command", "word"),
    [
        (MakeCall("3001", "000441632960001"), "privilegeViolationCalledDevice"),
        (ConsultationCall(LEG, "000441632960001"), "privilegeViolationCalledDevice"),
        (DeflectCall(LEG, "000441632960001"), "privilegeViolationDestinationDevice"),
        (MakeCall("3001", "tel:3042"), "invalidDestination"),
    ],
)
def test_the_word_of_a_refusal(command: Command, word: str) -> None:
    assert CommandPolicy().refusal_of_destination(command, FRANCE, is_device=False) == word


def test_a_forwarding_stays_in_the_country() -> None:
    abroad = SetForwarding("3001", ForwardingKind.BUSY, is_on=True, destination="000441632960001")
    home = SetForwarding("3001", ForwardingKind.BUSY, is_on=True, destination="00639980001")
    policy = CommandPolicy(destinations=("+33", "+44"))
    assert is_dialled(policy, "000441632960001")
    assert policy.refusal_of_destination(abroad, FRANCE, is_device=False)
    assert not policy.refusal_of_destination(home, FRANCE, is_device=False)
    listed = CommandPolicy(destinations=("+441632960001",))
    assert not listed.refusal_of_destination(abroad, FRANCE, is_device=False)


def test_a_device_of_the_pbx_is_internal_whatever_the_plan_says() -> None:
    command = MakeCall("3001", "*800")
    assert CommandPolicy().refusal_of_destination(command, FRANCE, is_device=True) == ""


@pytest.mark.parametrize(
    ("device", "is_allowed"), [("3000", True), ("3009", True), ("3010", False), ("44", True)]
)
def test_devices(device: str, *, is_allowed: bool) -> None:
    policy = CommandPolicy(frozenset({Verb.HOLD_CALL}), RANGES)
    assert (policy.refusal_of_use(device, Verb.HOLD_CALL) == "") is is_allowed
    assert policy.refusal_of_use(device, Verb.MAKE_CALL) == "securityViolation"


@pytest.mark.parametrize("entry", ["", "+", "+0", "33 6", "+33x", "3" * 33, "+" + "3" * 16])
def test_a_wrong_entry_is_named_by_its_field_and_not_shown(entry: str) -> None:
    with pytest.raises(ValueError, match=r"^destinations: [a-z +]+$"):
        CommandPolicy(destinations=(entry,))


def test_too_many_entries() -> None:
    with pytest.raises(ValueError, match="destinations"):
        CommandPolicy(destinations=("+33",) * 1_001)


@settings(max_examples=300, deadline=None)
@given(st.text("0123456789*#+ABCD ,", max_size=34))
def test_whatever_is_dialled_a_prefix_opens_only_its_country_at_usual_prices(number: str) -> None:
    if is_dialled(CommandPolicy(destinations=("+33",)), number) and not FRANCE.is_internal(number):
        canonical = FRANCE.dialled(number)
        assert canonical.e164 is not None
        assert canonical.e164.startswith("+33")
        assert canonical.kind not in (NumberKind.PREMIUM, NumberKind.SATELLITE, NumberKind.SHARED_COST)
        assert number.startswith(("00", "000"))
