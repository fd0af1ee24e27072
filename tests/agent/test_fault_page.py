"""docs/faults.md is the catalogue's."""

from pathlib import Path

from connector.agent.fault_page import page
from connector.domain.faults import FAULTS, FaultId

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"


def test_every_fault_is_explained_once() -> None:
    assert FAULTS.keys() == set(FaultId)
    for fault in FaultId:
        assert page().count(f"\n`{fault.value}`\n") == 1


def test_the_page_in_the_documentation_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "run: python -m connector.agent.fault_page > docs/faults.md"
