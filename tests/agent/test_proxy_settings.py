"""[proxy]: what may stand there, where the password comes from, and who wins."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from connector.agent.proxy_settings import CREDENTIAL_NAME, ProxySettings, proxy_rules
from connector.agent.settings import load
from connector.domain.errors import ConfigError
from connector.domain.faults import FaultId
from connector.links.proxy.choice import DIRECT, ProxyServer, Scheme
from tests.agent.test_settings import GOOD, problems

CANARY = "canary-5521"
GATEWAY = ("agent.openrainbow.com", 443)


def server(environ: dict[str, str], **settings: object) -> ProxyServer | None:
    """The gateway's proxy by these settings and this environment."""
    return proxy_rules(ProxySettings.model_validate(settings), environ).proxy_for(*GATEWAY)


def host(environ: dict[str, str], **settings: object) -> str:
    found = server(environ, **settings)
    return found.host if found else "direct"


def test_nothing_set_is_direct() -> None:
    assert proxy_rules(ProxySettings(), {}) is DIRECT


def test_the_settings_win_over_the_usual_variables() -> None:
    environ = {"https_proxy": "http://from-environment:1"}
    assert host(environ, url="http://from-settings:1") == "from-settings"
    assert host(environ) == "from-environment"
    assert host(environ, from_environment=False) == "direct"


def test_the_usual_variables_have_an_order() -> None:
    environ = {
        "ALL_PROXY": "http://all-upper:1",
        "all_proxy": "http://all:1",
        "HTTPS_PROXY": "http://https-upper:1",
        "https_proxy": "http://https:1",
        "WSS_PROXY": "http://wss-upper:1",
        "wss_proxy": "http://wss:1",
        "http_proxy": "http://never:1",
    }
    order = []
    while (name := host(environ)) != "direct":
        order.append(name)
        environ = {key: value for key, value in environ.items() if value != f"http://{name}:1"}
    assert order == ["wss", "wss-upper", "https", "https-upper", "all", "all-upper"]


@given(
    st.dictionaries(
        st.sampled_from(["wss_proxy", "WSS_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]),
        st.sampled_from(["", "http://one:1", "socks5://two:2"]),
    ),
    st.sampled_from(["", "http://own:1"]),
)
def test_the_first_that_is_set_wins(environ: dict[str, str], url: str) -> None:
    names = ["wss_proxy", "WSS_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]
    candidates = [url, *(environ.get(name, "") for name in names)]
    expected = next((text.split("/")[2].split(":")[0] for text in candidates if text), "direct")
    assert host(environ, url=url) == expected


def test_exceptions_of_the_environment_belong_to_its_proxy() -> None:
    environ = {"https_proxy": "http://p:1", "no_proxy": "localhost, .openrainbow.com,10.0.0.0/8 bad/entry"}
    assert host(environ) == "direct"
    assert host(environ, url="http://own:1") == "own"
    assert host(environ | {"no_proxy": "localhost"}, no_proxy=["*.openrainbow.com"]) == "direct"


def test_credentials_of_the_environment_are_taken_and_those_of_the_settings_go_before() -> None:
    found = server({"https_proxy": f"http://user:{CANARY}@p:1"})
    assert found == ProxyServer(Scheme.HTTP, "p", 1, "user", CANARY)
    named = server({"https_proxy": f"http://user:{CANARY}@p:1"}, user="other")
    assert named == ProxyServer(Scheme.HTTP, "p", 1, "other", "")


@pytest.mark.parametrize("text", [f"http://user:{CANARY}@p", f"ftp://user:{CANARY}@p:1", "http://p:1/x.pac"])
def test_a_variable_that_names_no_proxy_stops_the_agent(text: str) -> None:
    with pytest.raises(ConfigError) as raised:
        server({"https_proxy": text})
    assert raised.value.fault is FaultId.CONFIG_INVALID
    assert "https_proxy" in str(raised.value)
    assert CANARY not in str(raised.value) + repr(raised.value)


# The file ------------------------------------------------------------------------------------------------


def test_the_file_and_its_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "oxbridge.toml"
    file.write_text(GOOD + '[proxy]\nurl = "http://p:3128"\nno_proxy = ["10.0.0.0/8"]\n')
    assert load(file).proxy.url == "http://p:3128"
    monkeypatch.setenv("OXBRIDGE__PROXY__URL", "socks5h://q:1080")
    settings = load(file).proxy
    assert (settings.url, settings.no_proxy) == ("socks5h://q:1080", ("10.0.0.0/8",))


@pytest.mark.parametrize(
    ("line", "setting", "words"),
    [
        (f'url = "http://user:{CANARY}@p:3128"', "proxy.url", "password_file"),
        ('url = "http://p"', "proxy.url", "port"),
        ('url = "http://wpad/wpad.dat"', "proxy.url", "PAC"),
        ('no_proxy = ["10.0.0.0/99"]', "proxy.no_proxy", "network"),
        ('user = "a:b"', "proxy.user", "colon"),
        ('ca_file = "/nowhere"', "proxy.ca_file", "certificate"),
        (f'password = "{CANARY}"', "proxy.password", "password_file"),
        ('password_file = "/x"', "proxy", "user"),
    ],
)
def test_what_is_wrong_is_named_and_never_shown(line: str, setting: str, words: str, tmp_path: Path) -> None:
    found = problems(tmp_path, GOOD + f"[proxy]\n{line}\n")
    assert any(name.startswith(setting) and words in message for name, _, message in found), found
    assert CANARY not in repr(found)


@pytest.mark.parametrize(
    ("pins", "is_good"),
    [
        ([], True),
        (["A" * 43 + "="], False),
        (["sha256/" + "A" * 43 + "="], False),
        (["sha256/" + "A" * 43 + "="] * 2, False),
        (["sha256/" + "A" * 43 + "=", "sha256/" + "B" * 43 + "="], True),
    ],
)
def test_pins_are_none_or_two(pins: list[str], is_good: bool, tmp_path: Path) -> None:
    text = GOOD.replace("[cloud]\n", f"[cloud]\npins = {pins}\n")
    if is_good:
        file = tmp_path / "oxbridge.toml"
        file.write_text(text)
        assert load(file).cloud.pins == tuple(pins)
    else:
        assert all(name.startswith("cloud.pins") for name, _, _ in problems(tmp_path, text))


# The password --------------------------------------------------------------------------------------------


def password_file(tmp_path: Path, content: bytes, mode: int = 0o600) -> Path:
    file = tmp_path / "password"
    file.write_bytes(content)
    file.chmod(mode)
    return file


@pytest.mark.parametrize("content", [CANARY, f"{CANARY}\n", f"{CANARY}\r\n"])
def test_the_password_is_the_files_line(content: str, tmp_path: Path) -> None:
    file = password_file(tmp_path, content.encode())
    found = server({}, url="http://p:1", user="agent", password_file=file)
    assert found is not None
    assert found.password == CANARY
    assert CANARY not in repr(found) + repr(ProxySettings(user="agent", password_file=file))


def test_a_systemd_credential_stands_in_for_the_file(tmp_path: Path) -> None:
    (tmp_path / CREDENTIAL_NAME).write_text(CANARY)
    found = server({"CREDENTIALS_DIRECTORY": str(tmp_path)}, url="http://p:1", user="agent")
    assert found is not None
    assert found.password == CANARY
    (tmp_path / CREDENTIAL_NAME).unlink()
    empty = server({"CREDENTIALS_DIRECTORY": str(tmp_path)}, url="http://p:1", user="agent")
    assert empty is not None
    assert empty.password == ""


@pytest.mark.parametrize(
    ("content", "mode", "fault"),
    [
        (CANARY.encode(), 0o640, FaultId.CONFIG_INVALID),
        (CANARY.encode(), 0o604, FaultId.CONFIG_INVALID),
        (CANARY.encode() + b"\xff", 0o600, FaultId.CONFIG_INVALID),
        (CANARY.encode() + b"\x00", 0o600, FaultId.CONFIG_INVALID),
        (CANARY.encode() * 40, 0o600, FaultId.CONFIG_INVALID),
        (None, 0o600, FaultId.CONFIG_UNREADABLE),
    ],
)
def test_a_file_that_can_not_be_used_is_named(
    content: bytes | None, mode: int, fault: FaultId, tmp_path: Path
) -> None:
    file = password_file(tmp_path, content, mode) if content is not None else tmp_path / "missing"
    with pytest.raises(ConfigError) as raised:
        server({}, url="http://p:1", user="agent", password_file=file)
    assert raised.value.fault is fault
    assert "password_file" in raised.value.detail
    assert CANARY not in str(raised.value) + repr(raised.value)
    assert raised.value.__cause__ is None or isinstance(raised.value.__cause__, OSError)


def test_a_wrong_setting_does_not_show_its_value_in_pydantics_words() -> None:
    with pytest.raises(ValidationError) as raised:
        ProxySettings(url=f"http://user:{CANARY}@p:1")
    assert CANARY not in str(raised.value)
