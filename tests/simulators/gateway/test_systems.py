"""The life cycle of a system, in virtual time and with seeded randomness."""

import hashlib
import random
import re
from datetime import UTC, datetime, timedelta

import pytest

from connector.domain.identifiers import Channel
from simulators.gateway.systems import (
    MAX_HISTORY,
    Profile,
    System,
    SystemRefused,
    Systems,
    SystemStatus,
    SystemType,
)

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
PROFILE = Profile(name="Lyon", type=SystemType.OXE, site_id="site1")


def _systems(seed: int = 1) -> Systems:
    return Systems("rainbow.test", random.Random(seed).randbytes)


def _activating() -> tuple[System, random.Random]:
    source = random.Random(2)
    system = _systems().create(PROFILE, NOON)
    system.propose(NOON, source.randbytes)
    return system, source


def test_a_new_system_has_identities_and_a_public_code() -> None:
    system = _systems().create(PROFILE, NOON)
    assert re.fullmatch(r"PBX[0-9a-f]{4}(-[0-9a-f]{4}){7}", system.pbx_id)
    assert system.agent_jid == f"{system.pbx_id.lower()}@rainbow.test"
    assert re.fullmatch(r"pbxpcg_[0-9a-f]{32}@rainbow\.test", system.gateway_jid)
    assert re.fullmatch(r"[1-9][0-9]{3}", system.public_code)
    assert re.fullmatch(r"[0-9a-f]{24}", system.id)
    assert system.status is SystemStatus.CREATED
    assert system.codes(NOON) == (system.public_code,)
    assert system.shown_password() == system.public_code


def test_public_codes_stay_within_their_range() -> None:
    systems = _systems(3)
    codes = {int(systems.create(PROFILE, NOON).public_code) for _ in range(300)}
    assert min(codes) >= 1000
    assert max(codes) <= 9999
    assert len(codes) > 250


def test_given_identity_and_code_are_taken_and_the_identity_is_unique_in_any_case() -> None:
    systems = _systems()
    system = systems.create(PROFILE, NOON, pbx_id="PBXabc", activation_code="4711")
    assert (system.pbx_id, system.user, system.public_code) == ("PBXabc", "pbxabc", "4711")
    assert systems.by_pbx_id("pBxAbC") is system
    assert systems.get(system.id) is system
    with pytest.raises(SystemRefused):
        systems.create(PROFILE, NOON, pbx_id="pbxABC")
    assert len(systems) == 1


def test_both_codes_count_while_the_private_one_is_proposed() -> None:
    system, _ = _activating()
    assert system.status is SystemStatus.ACTIVATING
    assert re.fullmatch(r"[0-9a-f]{32}", system.private_code)
    assert system.codes(NOON) == (system.public_code, system.private_code)
    assert system.shown_password() == system.public_code
    assert system.transaction


def test_a_proposal_that_waits_is_not_replaced() -> None:
    system, source = _activating()
    before = (system.private_code, system.transaction, system.status_updated_at)
    system.propose(NOON + timedelta(hours=1), source.randbytes)
    assert (system.private_code, system.transaction, system.status_updated_at) == before


def test_after_the_acknowledgement_only_the_private_code_counts_and_its_hash_is_shown() -> None:
    system, _ = _activating()
    later = NOON + timedelta(seconds=3)
    system.acknowledge(later)
    assert system.status is SystemStatus.ACTIVATED
    assert system.status_updated_at == later
    assert system.codes(NOON) == (system.private_code,)
    assert system.shown_password() == hashlib.sha256(system.private_code.encode()).hexdigest()[24 * 2 + 8 :]
    assert system.transaction == ""


def test_an_acknowledgement_out_of_place_changes_nothing() -> None:
    system = _systems().create(PROFILE, NOON)
    system.acknowledge(NOON)
    assert system.status is SystemStatus.CREATED


def test_a_reset_makes_a_new_public_code_and_keeps_the_rest() -> None:
    system, source = _activating()
    system.acknowledge(NOON)
    kept = (system.id, system.pbx_id, system.profile, system.agent_jid)
    old = system.private_code
    system.reset(NOON, source.randbytes)
    assert system.status is SystemStatus.CREATED
    assert (system.id, system.pbx_id, system.profile, system.agent_jid) == kept
    assert system.codes(NOON) == (system.public_code,)
    assert old not in system.codes(NOON)


def test_channels_and_history_follow_the_agent() -> None:
    system = _systems().create(PROFILE, NOON)
    system.set_channel(Channel.XMPP, NOON, is_up=True)
    system.set_channel(Channel.CSTA, NOON, is_up=True)
    system.set_channel(Channel.XMPP, NOON, is_up=True)
    assert system.is_connected
    later = NOON + timedelta(minutes=1)
    system.disconnect(later)
    assert not any(system.channels.values())
    assert system.channels_updated_at == later
    assert [(entry.event, entry.at) for entry in system.history] == [
        ("connected", NOON),
        ("disconnected", later),
    ]


def test_the_history_is_bounded() -> None:
    system = _systems().create(PROFILE, NOON)
    for _ in range(MAX_HISTORY):
        system.set_channel(Channel.XMPP, NOON, is_up=True)
        system.disconnect(NOON)
    assert len(system.history) == MAX_HISTORY


def test_no_code_stands_in_a_repr() -> None:
    system, _ = _activating()
    assert system.public_code not in repr(system)
    assert system.private_code not in repr(system)


def test_a_removed_system_is_gone() -> None:
    systems = _systems()
    system = systems.create(PROFILE, NOON)
    systems.remove(system)
    assert systems.get(system.id) is None
    assert systems.by_pbx_id(system.pbx_id) is None
    assert list(systems) == []
