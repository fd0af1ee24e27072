"""A wrong setting: exit code 2 with its name, file and line, and nothing started."""

from pathlib import Path

import pytest
import trustme

from simulators.demo.agent import AgentPlace, AgentProcess
from tests.e2e.sites import Ran, Tables, oxbridge

OURS = {"oxbridge.toml", "ca.pem", "broken.pem"}


class Desk:
    """A configuration that would do, to be spoilt."""

    def __init__(self, directory: Path) -> None:
        ca_file = directory / "ca.pem"
        trustme.CA().cert_pem.write_to_path(str(ca_file))
        self.agent = AgentProcess(AgentPlace(directory))
        self.file = self.agent.place.config_file
        self.tables: Tables = {
            "cloud": {"host": "127.0.0.1", "port": 1, "ca_file": str(ca_file), "pbx_id": "PBX1"},
            "pbx": {"kind": "oxe", "host": "127.0.0.1", "port": 1, "devices": ["3001-3012"]},
            "site": {"country": "FR"},
            "rva": {"enabled": True, "hub_url": "https://127.0.0.1:1"},
        }

    async def refused(self) -> Ran:
        """`oxbridge run` with the present tables; nothing of the agent's may exist afterwards."""
        if not self.file.exists():
            self.agent.configure(self.tables)
        ran = await oxbridge("run", "--config", str(self.file))
        assert {path.name for path in self.file.parent.iterdir()} <= OURS, "no socket and no state"
        assert "Traceback" not in ran.talk
        return ran


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def line_of(file: Path, text: str) -> int:
    """The number of the line that begins with `text`."""
    return 1 + next(n for n, line in enumerate(file.read_text().splitlines()) if line.startswith(text))


@pytest.mark.parametrize(
    ("table", "setting", "value", "shown"),
    [
        ("cloud", "port", 70_000, "cloud.port"),
        ("cloud", "hots", "x", "cloud.hots"),
        ("pbx", "kind", "4400", "pbx.kind"),
        ("pbx", "devices", ["12-x"], "pbx.devices"),
        ("site", "country", "Fr4nce", "site.country"),
        ("rva", "hub_url", "http://plain.example", "rva.hub_url"),
    ],
)
async def test_a_wrong_value_is_named_with_its_line(
    desk: Desk, table: str, setting: str, value: object, shown: str
) -> None:
    desk.tables[table][setting] = value
    ran = await desk.refused()
    assert (ran.code, ran.output) == (2, "")
    file = desk.file
    assert f"{file}:{line_of(file, setting)}: {shown}: " in ran.talk
    assert "oxbridge config validate" in ran.talk
    if isinstance(value, str) and len(value) > 2:
        assert value not in ran.talk, "a value may be a secret in the wrong place"


async def test_a_missing_setting_is_named(desk: Desk) -> None:
    del desk.tables["cloud"]["pbx_id"]
    ran = await desk.refused()
    assert ran.code == 2
    assert "cloud.pbx_id: is missing" in ran.talk


async def test_a_file_that_is_no_toml_names_the_line(desk: Desk) -> None:
    desk.file.write_text("[cloud]\nport = \n")
    ran = await desk.refused()
    assert ran.code == 2
    assert f"{desk.file}:2: not TOML" in ran.talk


@pytest.mark.parametrize("table", ["cloud", "rva"])
async def test_an_authority_file_that_holds_no_certificate_is_a_wrong_setting(desk: Desk, table: str) -> None:
    broken = desk.file.parent / "broken.pem"
    broken.write_text("-----BEGIN CERTIFICATE-----\nnothing\n-----END CERTIFICATE-----\n")
    desk.tables[table]["ca_file"] = str(broken)
    ran = await desk.refused()
    assert ran.code == 2, ran
    assert f"{table}.ca_file" in ran.talk


async def test_a_file_that_is_not_there_is_told_with_a_remedy(desk: Desk) -> None:
    ran = await oxbridge("run", "--config", str(desk.file))
    assert ran.code == 2
    assert "The configuration file can't be read." in ran.talk
