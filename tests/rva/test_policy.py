from dataclasses import replace
from datetime import UTC, datetime

import pytest

from connector.domain.call_model import CallUpdate
from connector.domain.calls import (
    UNKNOWN_PARTY,
    CallEvent,
    Cause,
    ConnectionCleared,
    ConnectionId,
    Delivered,
    Established,
    LocalState,
    Party,
    Presentation,
    Reach,
)
from connector.domain.invitations import InvitationOptions, Invite, Refusal, Refuse
from connector.domain.numbers import DialPlan, NumberRange
from connector.rva.policy import InvitationPolicy
from connector.rva.settings import Rule, RuleOptions

AT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
PLAN = DialPlan("FR", installation_number="0639980999", internal_ranges=(NumberRange("3000", "3099"),))
EXPERT = Party("3001", Reach.INTERNAL)
CALLER = Party("00639980001", Reach.EXTERNAL)
WITHHELD = Party("", Reach.EXTERNAL, Presentation.RESTRICTED)


def delivered(state: LocalState | None = LocalState.ALERTING, alerting: Party = EXPERT) -> CallEvent:
    return Delivered(
        device="3001",
        connection=ConnectionId("17", "3001"),
        state=state,
        cause=Cause.NEW_CALL,
        at=AT,
        alerting=alerting,
        calling=CALLER,
        called=EXPERT,
    )


def established(state: LocalState | None = LocalState.CONNECTED) -> CallEvent:
    return Established(
        device="3001",
        connection=ConnectionId("17", "3001"),
        state=state,
        cause=Cause.NEW_CALL,
        at=AT,
        answering=EXPERT,
        calling=CALLER,
        called=EXPERT,
    )


def cleared() -> CallEvent:
    return ConnectionCleared(
        device="3001",
        connection=ConnectionId("17", "3001"),
        state=LocalState.NULL,
        cause=Cause.NORMAL_CLEARING,
        at=AT,
        releasing=CALLER,
    )


def update(event: CallEvent, caller: Party = CALLER, device: str = "3001") -> CallUpdate:
    return CallUpdate("c-1", device, event, caller, EXPERT)


def policy(rule: Rule | None = None, *countries: str) -> InvitationPolicy:
    return InvitationPolicy([rule or Rule(device="3001", agent_id="anna")], lambda: PLAN, countries)


def test_an_answered_outside_call_invites_the_caller_with_the_rules_options() -> None:
    rule = Rule(device="3001", agent_id="anna", options=RuleOptions(mirror_mode=True))
    wanted = Invite("c-1", "3001", "anna", "+33639980001", InvitationOptions(mirror_mode=True))
    assert policy(rule)(update(established())) == wanted


@pytest.mark.parametrize(
    ("when", "event", "is_moment"),
    [
        ("established", established(), True),
        ("established", established(None), True),
        ("established", established(LocalState.HOLD), False),
        ("established", delivered(), False),
        ("established", cleared(), False),
        ("delivered", delivered(), True),
        ("delivered", delivered(None), True),
        ("delivered", delivered(None, Party("3002")), False),
        # The caller's own monitor hears the same call ring elsewhere.
        ("delivered", delivered(LocalState.CONNECTED), False),
        ("delivered", established(), False),
        ("delivered", cleared(), False),
    ],
)
def test_only_the_rules_moment_counts(when: str, event: CallEvent, is_moment: bool) -> None:
    rule = Rule.model_validate({"device": "3001", "agent_id": "anna", "when": when})
    assert (policy(rule)(update(event)) is not None) is is_moment


@pytest.mark.parametrize(
    "caller",
    [
        Party("3002", Reach.INTERNAL),
        Party("3002", Reach.UNKNOWN),
        Party("3001", Reach.UNKNOWN),
        Party("3001", Reach.EXTERNAL),
        Party("", Reach.INTERNAL, Presentation.RESTRICTED),
    ],
)
def test_an_inside_caller_is_no_candidate(caller: Party) -> None:
    assert policy()(update(established(), caller)) is None


def test_a_device_without_rule_invites_nobody() -> None:
    assert policy()(update(replace(established(), device="3005"), device="3005")) is None


@pytest.mark.parametrize(
    ("caller", "reason", "to"),
    [
        (WITHHELD, Refusal.WITHHELD, ""),
        (UNKNOWN_PARTY, Refusal.WITHHELD, ""),
        (replace(CALLER, presentation=Presentation.RESTRICTED), Refusal.WITHHELD, "+33639980001"),
        (Party("", Reach.EXTERNAL), Refusal.WITHHELD, ""),
        (Party("00199001234", Reach.EXTERNAL), Refusal.KIND, "+33199001234"),
        (Party("0899123456", Reach.EXTERNAL), Refusal.KIND, "+33899123456"),
        (Party("+8816123456789", Reach.EXTERNAL), Refusal.KIND, "+8816123456789"),
        (Party("112", Reach.EXTERNAL), Refusal.KIND, ""),
        (Party("rubbish", Reach.EXTERNAL), Refusal.KIND, ""),
        (Party("00639980999", Reach.EXTERNAL), Refusal.KIND, "+33639980999"),
        (Party("+447700900123", Reach.EXTERNAL), Refusal.COUNTRY, "+447700900123"),
    ],
)
def test_an_outside_caller_who_may_not_be_invited_is_refused(caller: Party, reason: Refusal, to: str) -> None:
    assert policy()(update(established(), caller)) == Refuse("c-1", "3001", "anna", reason, to)


def test_the_list_of_countries_replaces_the_sites_own() -> None:
    british = policy(None, "GB")
    assert isinstance(british(update(established(), Party("+447700900123", Reach.EXTERNAL))), Invite)
    assert isinstance(british(update(established())), Refuse)
