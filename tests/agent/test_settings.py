"""The configuration file: every problem by name and line, never a value."""

from pathlib import Path

import pytest

from connector.agent.problems import SettingsError
from connector.agent.settings import MAX_FILE_BYTES, Settings, load
from connector.domain.errors import Disposition
from connector.domain.faults import FaultId
from connector.domain.identifiers import PbxKind

ROOT = Path(__file__).parents[2]

GOOD = """\
[cloud]
pbx_id = "PBX1"

[pbx]
kind = "oxo"
host = "192.0.2.10"
devices = ["101", "110-129"]

[site]
country = "FR"
"""


RULE = '[[rva.rules]]\ndevice = "101"\nagent_id = "expert"\n'


@pytest.fixture(autouse=True)
def _no_foreign_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OXBRIDGE__CLOUD__HOST", "OXBRIDGE__HTTP__LISTEN"):
        monkeypatch.delenv(name, raising=False)


def loaded(tmp_path: Path, text: str) -> Settings:
    file = tmp_path / "oxbridge.toml"
    file.write_text(text)
    return load(file)


def problems(tmp_path: Path, text: str) -> list[tuple[str, int | None, str]]:
    """(setting, line, message) of every problem of `text`."""
    with pytest.raises(SettingsError) as raised:
        loaded(tmp_path, text)
    assert raised.value.fault is FaultId.CONFIG_INVALID
    assert raised.value.disposition is Disposition.STOP
    return [(problem.setting, problem.line, problem.message) for problem in raised.value.problems]


def test_a_small_file_has_defaults_for_the_rest(tmp_path: Path) -> None:
    settings = loaded(tmp_path, GOOD)
    assert settings.cloud.pbx_id == "PBX1"
    assert settings.cloud.host == "agent.openrainbow.com"
    assert (settings.cloud.port, settings.cloud.path, settings.cloud.allow_plain) == (
        443,
        "/websocket",
        False,
    )
    assert settings.cloud.ping_timeout_seconds == 120
    assert settings.pbx.kind == PbxKind.OXO
    assert settings.agent.state_directory == Path("/var/lib/oxbridge")
    assert settings.agent.control_socket == Path("/run/oxbridge/control.sock")
    assert settings.http.address == ("127.0.0.1", 9273)
    assert (settings.log.level, settings.log.format) == ("info", "auto")
    assert not settings.rva.enabled
    assert settings.site.dial_plan().country == "FR"


def test_the_host_follows_the_domain(tmp_path: Path) -> None:
    settings = loaded(tmp_path, GOOD.replace("[cloud]", '[cloud]\ndomain = "Example.NET"'))
    assert (settings.cloud.domain, settings.cloud.host) == ("example.net", "agent.example.net")


def test_a_host_of_its_own_wins(tmp_path: Path) -> None:
    settings = loaded(tmp_path, GOOD.replace("[cloud]", '[cloud]\nhost = "gw.example.net"'))
    assert settings.cloud.host == "gw.example.net"


@pytest.mark.parametrize(
    ("listen", "address"),
    [
        ("", None),
        ("127.0.0.1:0", ("127.0.0.1", 0)),
        ("[::1]:9273", ("::1", 9273)),
        ("127.8.0.1:1", ("127.8.0.1", 1)),
    ],
)
def test_http_listens_on_loopback_or_not_at_all(
    tmp_path: Path, listen: str, address: tuple[str, int] | None
) -> None:
    assert loaded(tmp_path, GOOD + f'[http]\nlisten = "{listen}"\n').http.address == address


@pytest.mark.parametrize(
    ("old", "new", "setting", "line", "words"),
    [
        ('pbx_id = "PBX1"', "", "cloud.pbx_id", 1, "is missing"),
        ('[cloud]\npbx_id = "PBX1"', "", "cloud", None, "is missing"),
        ('[site]\ncountry = "FR"\n', "", "site", None, "is missing"),
        ('host = "192.0.2.10"', "", "pbx.host", 4, "is missing"),
        ('"PBX1"', '"PBX 1/x"', "cloud.pbx_id", 2, "pattern"),
        ('"PBX1"', '"PBX1"\nprot = 443', "cloud.prot", 3, "unknown setting; did you mean port?"),
        ('"PBX1"', '"PBX1"\nactivation_code = "4711"', "cloud.activation_code", 3, "unknown setting"),
        ('"PBX1"', '"PBX1"\nport = 0', "cloud.port", 3, "greater than or equal to 1"),
        ('"PBX1"', '"PBX1"\nport = "https"', "cloud.port", 3, "integer"),
        ('"PBX1"', '"PBX1"\n\n  port = 65536 # x', "cloud.port", 4, "less than or equal to 65535"),
        ('"PBX1"', '"PBX1"\npath = "websocket"', "cloud.path", 3, "pattern"),
        ('"PBX1"', '"PBX1"\nhost = "https://gw"', "cloud.host", 3, "pattern"),
        ('"PBX1"', '"PBX1"\nhost = "a..b"', "cloud.host", 3, "pattern"),
        ('"PBX1"', '"PBX1"\ndomain = "exa_mple"', "cloud.domain", 3, "pattern"),
        ('"PBX1"', '"PBX1"\nca_file = "/nonexistent/ca.pem"', "cloud.ca_file", 3, "no file"),
        (
            '"PBX1"',
            '"PBX1"\nping_timeout_seconds = 5',
            "cloud.ping_timeout_seconds",
            3,
            "greater than or equal",
        ),
        ('"PBX1"', '"PBX1"\nallow_plain = "sure"', "cloud.allow_plain", 3, "boolean"),
        ('kind = "oxo"', 'kind = "avaya"', "pbx.kind", 5, "oxe"),
        ("[site]", "[stie]", "stie", 9, "unknown setting; did you mean site?"),
        ('"FR"', '"France"', "site.country", 10, "two-letter code"),
        ('"FR"', '"FR"\noutbound_prefix = "zero"', "site.outbound_prefix", 11, "pattern"),
        ('"FR"', '"FR"\n[http]\nlisten = "0.0.0.0:9273"', "http.listen", 12, "loopback"),
        ('"FR"', '"FR"\n[http]\nlisten = "localhost"', "http.listen", 12, "address:port"),
        ('"FR"', '"FR"\n[http]\nlisten = "127.0.0.1:99999"', "http.listen", 12, "address:port"),
        ('"FR"', '"FR"\n[log]\nlevel = "loud"', "log.level", 12, "'debug', 'info', 'warning' or 'error'"),
        ('"FR"', f'"FR"\n[agent]\ncontrol_socket = "/{"x" * 107}"', "agent.control_socket", 12, "107 bytes"),
        ('"FR"', '"FR"\n[rva]\nhub_url = "http://hub"', "rva.hub_url", 12, "https://"),
        ('"FR"', '"FR"\n[[rva.rules]]\ndevice = "101"', "rva.rules.0.agent_id", 11, "is missing"),
        (
            '"FR"',
            '"FR"\n[rva]\nrules = [{ device = "101", agent = "x" }]',
            "rva.rules.0.agent",
            12,
            "agent_id",
        ),
        ('"FR"', '"FR"\n[log]\nlevel = [1]', "log.level", 12, "input should be"),
        ('"FR"', '"FR"\n' + RULE + RULE, "rva", 11, "more than one rule"),
        ("[site]", "[cloud.proxy]\nx = 1\n[site]", "cloud.proxy", 9, "unknown setting"),
    ],
)
def test_each_problem_has_its_name_and_line(
    tmp_path: Path, old: str, new: str, setting: str, line: int | None, words: str
) -> None:
    assert old in GOOD
    found = problems(tmp_path, GOOD.replace(old, new))
    mine = [problem for problem in found if problem[0] == setting]
    assert [problem[:2] for problem in mine] == [(setting, line)], found
    assert words in mine[0][2]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("[cloud\n", 1, "not TOML"),
        (GOOD + "port 443\n", 11, "not TOML"),
        (GOOD + 'x = "unterminated\n', 11, "not TOML"),
        (GOOD + "[cloud]\n", 11, "not TOML"),
        (GOOD + 'x = """\nnever\nended', 13, "not TOML"),
        (GOOD + "x = " + "[" * 100_000, None, "nested too deeply"),
    ],
)
def test_a_syntax_error_has_its_line(tmp_path: Path, text: str, line: int | None, words: str) -> None:
    ((setting, found, message),) = problems(tmp_path, text)
    assert (setting, found) == ("", line)
    assert words in message


def test_all_problems_are_told_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = GOOD.replace("PBX1", "?").replace('"oxo"', '"x"').replace('"FR"', '"XX"') + "[log]\nlevl = 1\n"
    assert [problem[:2] for problem in problems(tmp_path, text)] == [
        ("cloud.pbx_id", 2),
        ("pbx.kind", 5),
        ("site.country", 10),
        ("log.levl", 12),
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"PBX1"', '"hunter2 hunter2"'),
        ('"PBX1"', '"PBX1"\npassword = "hunter2"'),
        ('"PBX1"', '"PBX1"\nport = "hunter2"'),
        ('"PBX1"', '"PBX1"\nca_file = "/hunter2"'),
        ('["101", "110-129"]', '["101", "hunter2"]'),
        ('["101", "110-129"]', '"hunter2"'),
        ('["101", "110-129"]', '{ hunter = "hunter2" }'),
        ('"FR"', '"FR"\n[rva]\nhub_url = "https://user:hunter2@hub"'),
        ('"FR"', '"FR"\n[http]\nlisten = "hunter2:80"'),
        ('"FR"', '"FR"\n[log]\nlevel = "hunter2"'),
        ('"FR"', '"FR"\nhunter2'),
        ('"FR"', '"hunter2'),
    ],
)
def test_no_value_is_ever_shown(tmp_path: Path, old: str, new: str) -> None:
    file = tmp_path / "oxbridge.toml"
    file.write_text(GOOD.replace(old, new))
    with pytest.raises(SettingsError) as raised:
        load(file)
    shown = [problem.shown(file) for problem in raised.value.problems]
    assert shown
    assert "hunter2" not in "\n".join([str(raised.value), repr(raised.value), *shown])
    assert raised.value.__cause__ is None  # pydantic's own error holds the input


def test_a_problem_reads_like_a_compilers(tmp_path: Path) -> None:
    file = tmp_path / "oxbridge.toml"
    file.write_text(GOOD.replace('"PBX1"', '"PBX1"\nprot = 443'))
    with pytest.raises(SettingsError) as raised:
        load(file)
    (problem,) = raised.value.problems
    assert problem.shown(file) == f"{file}:3: cloud.prot: unknown setting; did you mean port?"
    assert str(file) in raised.value.detail


def test_a_variable_replaces_a_value(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OXBRIDGE__CLOUD__HOST", "gw.example.net")
    monkeypatch.setenv("OXBRIDGE__CLOUD__PORT", "8443")
    monkeypatch.setenv("OXBRIDGE__HTTP__LISTEN", "")
    monkeypatch.setenv("OXBRIDGE__PBX__DEVICES", '["200"]')
    monkeypatch.setenv("OXBRIDGE_SOCKET", "/not/a/setting")
    settings = loaded(tmp_path, GOOD.replace("[cloud]", '[cloud]\nhost = "other.example.net"'))
    assert (settings.cloud.host, settings.cloud.port, settings.cloud.pbx_id) == (
        "gw.example.net",
        8443,
        "PBX1",
    )
    assert settings.http.address is None
    assert list(settings.pbx.devices) == ["200"]


@pytest.mark.parametrize(
    ("variable", "value", "setting", "words"),
    [
        ("OXBRIDGE__CLOUD__PORT", "hunter2", "cloud.port", "integer"),
        ("OXBRIDGE__CLOUD__PROT", "hunter2", "cloud.prot", "did you mean port?"),
        ("OXBRIDGE__CLOUDD__PORT", "hunter2", "cloudd", "did you mean cloud?"),
        ("OXBRIDGE__LOG__LEVEL", "hunter2", "log.level", "input should be"),
        ("OXBRIDGE__CLOUD", "hunter2", "", "JSON"),
    ],
)
def test_a_wrong_variable_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, setting: str, words: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as raised:
        loaded(tmp_path, GOOD)
    (problem,) = raised.value.problems
    assert (problem.setting, problem.line) == (setting, None)
    assert words in problem.message
    shown = problem.shown(tmp_path / "oxbridge.toml")
    assert not setting or shown.startswith(f"environment: {variable}: ")
    assert "hunter2" not in shown


@pytest.mark.parametrize("kind", ["absent", "directory", "latin-1", "huge"])
def test_an_unreadable_file_is_a_fault_of_its_own(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "oxbridge.toml"
    if kind == "directory":
        file.mkdir()
    elif kind == "latin-1":
        file.write_bytes(GOOD.encode() + b"# caf\xe9\n")
    elif kind == "huge":
        file.write_text("# " + "x" * MAX_FILE_BYTES)
    with pytest.raises(SettingsError) as raised:
        load(file)
    assert raised.value.fault is FaultId.CONFIG_UNREADABLE
    assert raised.value.problems[0].line == (11 if kind == "latin-1" else None)


def test_the_sample_configuration_is_valid_and_shows_the_defaults(tmp_path: Path) -> None:
    sample = (ROOT / "deploy" / "oxbridge.toml").read_text()
    settings = loaded(tmp_path, sample)
    assert settings.cloud.pbx_id.startswith("PBX")
    uncommented = sample.replace("# [[", "[[")
    for line in sample.splitlines():
        name, _, rest = line.removeprefix("# ").partition(" = ")
        if line.startswith("# ") and name.isidentifier() and rest and name not in ("ca_file",):
            uncommented = uncommented.replace(line, line.removeprefix("# "))
    everything = loaded(tmp_path, uncommented)
    example_only = {
        "site": {"national_prefix", "international_prefix", "installation_number"},
        "rva": {"rules"},
    }
    assert everything.model_dump(exclude=example_only) == settings.model_dump(exclude=example_only)
    assert everything.rva.rules[0].device == "101"
