import pytest
from pydantic import ValidationError

from connector.domain.identifiers import PbxKind
from connector.wire.csta.messages import Phase
from simulators.pbx.settings import CstaBehaviour, PbxWorld, SetSettings, default_sets
from simulators.pbx.switchboard import model_of


def test_the_default_worlds() -> None:
    oxo, oxe = PbxWorld(kind=PbxKind.OXO), PbxWorld(kind=PbxKind.OXE)
    assert [phone.number for phone in oxo.phones] == [str(number) for number in range(101, 109)]
    assert [phone.number for phone in oxe.phones] == [str(number) for number in range(3001, 3013)]
    assert (oxo.phase, oxo.monitor_limit) == (Phase.ONE, 208)
    assert (oxe.phase, oxe.monitor_limit) == (Phase.TWO, 15_000)
    assert all(phone.name and phone.type for world in (oxo, oxe) for phone in world.phones)


def test_what_is_written_replaces_the_default() -> None:
    world = PbxWorld(sets=(SetSettings(number="55"),), max_monitors=3, csta=CstaBehaviour(phase=Phase.TWO))
    assert [phone.number for phone in world.phones] == ["55"]
    assert (world.monitor_limit, world.phase) == (3, Phase.TWO)


def test_the_largest_node_has_distinct_equipment() -> None:
    sets = default_sets(PbxKind.OXE, 15_000)
    model = model_of(PbxWorld(kind=PbxKind.OXE, sets=sets, trunk_lines=1_536))
    assert len({phone.end.device_id for phone in model.sets.values()}) == 15_000


@pytest.mark.parametrize(
    "wrong",
    [
        {"sets": [{"number": "1"}, {"number": "1"}]},
        {"sets": [{"number": "+33"}]},
        {"port": 70_000},
        {"kind": "other"},
        {"prot": 1},
        {"trunk_prefix": ""},
    ],
)
def test_what_is_wrong_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        PbxWorld.model_validate(wrong)
