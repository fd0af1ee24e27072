"""`oxbridge-sim gateway --fault`: what is listed, and what is refused before anything starts."""

import pytest
from click.testing import CliRunner

from simulators.cli import main
from simulators.gateway.faults import FaultName


def test_all_faults_are_listed() -> None:
    ran = CliRunner().invoke(main, ["gateway", "--fault", "list"])
    assert ran.exit_code == 0
    assert [line.split()[0] for line in ran.output.splitlines()] == [name.value for name in FaultName]


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("none-such", "no fault is called"),
        ("slow=fast", "is no number"),
        ("slow=-1", "is no number"),
        ("slow=nan", "is no number"),
    ],
)
def test_a_fault_that_is_none_is_refused(fault: str, reason: str) -> None:
    ran = CliRunner().invoke(main, ["gateway", "--fault", fault])
    assert ran.exit_code == 2
    assert reason in ran.output
