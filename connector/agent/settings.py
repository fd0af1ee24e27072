"""The agent's settings: one TOML file, each value of which an environment variable can replace.

`[cloud] host` of the file is `OXBRIDGE__CLOUD__HOST` of the environment, which wins. All problems are
collected before anything starts; each names the setting and its line, never the value.
"""

import os
import re
import tomllib
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Final, Literal

import pydantic_settings
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from connector.agent.command_settings import CommandSettings
from connector.agent.places import Places
from connector.agent.problems import Problem, SettingsError, problems_of, unknown_variables
from connector.agent.proxy_settings import ProxySettings
from connector.domain.backoff import RetrySchedule
from connector.domain.configuration import (
    MAX_PING_TIMEOUT_SECONDS,
    MIN_PING_TIMEOUT_SECONDS,
    OwnConfiguration,
)
from connector.domain.faults import FaultId
from connector.domain.numbers import DialPlan, NumberRange
from connector.links.tls import holds_certificates
from connector.pbx.csta.settings import CstaSettings
from connector.rva.settings import RvaSettings
from connector.wire.xmpp.mechanisms import BindingPolicy

ENV_PREFIX: Final = "OXBRIDGE__"

# 15,000 device numbers of 16 characters, quoted and separated, are 300 kB; no hand writes a megabyte.
MAX_FILE_BYTES: Final = 1_048_576
# More complaints than that in one file have one cause; a person reads the first ones.
MAX_PROBLEMS: Final = 50
# struct sockaddr_un of Linux: 108 bytes with the closing null byte.
MAX_SOCKET_PATH_BYTES: Final = 107

_LINE_IN_SYNTAX_ERROR = re.compile(r"\(at (?:line (\d+), column \d+|end of document)\)")


def _short_enough(path: Path) -> Path:
    if len(os.fsencode(path)) > MAX_SOCKET_PATH_BYTES:
        raise ValueError(f"a Unix socket's path has at most {MAX_SOCKET_PATH_BYTES} bytes")
    return path


def _existing_file(path: Path) -> Path:
    try:
        exists = path.is_file()
    except OSError:  # a directory on the way is closed to us
        exists = False
    if not exists:
        raise ValueError("no file that can be reached stands there")
    return path


def _certificates(path: Path) -> Path:
    if not holds_certificates(path):
        raise ValueError("the file holds no certificate in PEM, or may not be read")
    return path


def _none_or_two(pins: tuple[str, ...]) -> tuple[str, ...]:
    if pins and len(set(pins)) < 2:
        raise ValueError("two different pins at least: the present key's and the next one's")
    return pins


def _country(code: str) -> str:
    try:
        DialPlan(country=code)
    except ValueError as error:
        raise ValueError(str(error).removeprefix("country: ")) from None
    return code


def _loopback_address(text: str) -> str:
    if not text:
        return text
    host, _, port = text.rpartition(":")
    if not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise ValueError('must be "address:port", or "" for no port')
    try:
        is_loopback = ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise ValueError(
            "must be a loopback address such as 127.0.0.1 or [::1]; put a proxy before it for more"
        )
    return text


HostName = Annotated[
    str,
    BeforeValidator(lambda value: value.lower() if isinstance(value, str) else value),
    # RFC 1123 labels. A name of the cloud has no underscore; 253 is the limit of DNS.
    StringConstraints(
        max_length=253, pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$"
    ),
]
CertificateFile = Annotated[Path, AfterValidator(_existing_file), AfterValidator(_certificates)]
# RFC 7469, 2.4: 32 bytes in Base64.
Pin = Annotated[str, StringConstraints(pattern=r"^sha256/[A-Za-z0-9+/]{43}=$")]
Prefix = Annotated[str, StringConstraints(max_length=8, pattern=r"^[0-9*#]*$")]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class AgentSettings(_Section):
    """[agent]: where the process keeps what it knows and where it listens for its own commands."""

    state_directory: Path = Path("/var/lib/oxbridge")
    control_socket: Annotated[Path, AfterValidator(_short_enough)] = Path("/run/oxbridge/control.sock")


class CloudSettings(_Section):
    """[cloud]: the gateway, and who we are there. The code is no setting: `oxbridge activate` takes it."""

    domain: HostName = "openrainbow.com"
    host: HostName = Field(default_factory=lambda known: f"agent.{known.get('domain', '')}")
    port: Annotated[int, Field(ge=1, le=65_535)] = 443
    path: Annotated[str, StringConstraints(max_length=200, pattern=r"^/[!-~]*$")] = "/websocket"
    ca_file: CertificateFile | None = None
    # Where else the gateway may send us (see-other-host); a wrong one would get our login.
    other_hosts: Annotated[tuple[HostName, ...], Field(max_length=20)] = ()
    # Keys of the gateway, one of which it must present. Two at least, or the next key locks the site out.
    pins: Annotated[tuple[Pin, ...], Field(max_length=10), AfterValidator(_none_or_two)] = ()
    # "require" ends a login that a device on the way could have relayed; such a device that inspects TLS on
    # purpose makes it fail, so the default is to bind where the gateway offers it.
    channel_binding: BindingPolicy = BindingPolicy.PREFER
    # "vendor" is the schedule of the PBX's own agent: 10 s, 30 s, 1, 2, 4, 8, then 16 minutes.
    retry: RetrySchedule = RetrySchedule.JITTER
    # The forms in use: PBX834e-41da-…, pbxagent_<32 hex>, FleetRef-Installref. It becomes the local part of
    # an XMPP address, so it has none of the characters that RFC 7622, 3.3.1 forbids there.
    pbx_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
    allow_plain: bool = False
    # The gateway pings at a third of it. What the cloud configures wins.
    ping_timeout_seconds: Annotated[
        float, Field(ge=MIN_PING_TIMEOUT_SECONDS, le=MAX_PING_TIMEOUT_SECONDS)
    ] = 120


class SiteSettings(_Section):
    """[site]: the dial plan, as on the Information tab of the Rainbow console.

    Without a national or international prefix the country's own is meant; "" says that there is none.
    """

    country: Annotated[str, AfterValidator(_country)]
    outbound_prefix: Prefix = "0"
    national_prefix: Prefix | None = None
    international_prefix: Prefix | None = None
    # E.164 has 15 digits; the rest is how people group them.
    installation_number: Annotated[str, StringConstraints(pattern=r"^[+0-9 ().-]{0,32}$")] = ""

    def dial_plan(self, internal_ranges: tuple[NumberRange, ...] = ()) -> DialPlan:
        """The same for the domain, with the PBX's own numbers."""
        return DialPlan(**self.model_dump(), internal_ranges=internal_ranges)


class HttpSettings(_Section):
    """[http]: metrics and health for this machine only. "" opens no port; port 0 takes any free one."""

    listen: Annotated[str, AfterValidator(_loopback_address)] = "127.0.0.1:9273"

    @property
    def address(self) -> tuple[str, int] | None:
        """(host, port) to listen on, None for no port."""
        if not self.listen:
            return None
        host, _, port = self.listen.rpartition(":")
        return host.removeprefix("[").removesuffix("]"), int(port)


class LogSettings(_Section):
    """[log]: how much, and for whom. `auto` is console on a terminal and JSON elsewhere."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "json", "console"] = "auto"


class Settings(pydantic_settings.BaseSettings):
    """The whole file. `load` makes it; nothing else should."""

    model_config = pydantic_settings.SettingsConfigDict(
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        env_prefix=ENV_PREFIX,
        env_nested_delimiter="__",
    )

    agent: AgentSettings = AgentSettings()
    cloud: CloudSettings
    pbx: CstaSettings
    site: SiteSettings
    rva: RvaSettings = RvaSettings()
    http: HttpSettings = HttpSettings()
    proxy: ProxySettings = ProxySettings()
    commands: CommandSettings = CommandSettings()
    log: LogSettings = LogSettings()

    def own_configuration(self) -> OwnConfiguration:
        """What holds where the cloud says nothing, and which of it somebody wrote."""
        sections = {"site": self.site, "cloud": self.cloud}
        written = (f"{name}.{key}" for name, section in sections.items() for key in section.model_fields_set)
        plan = self.site.dial_plan(self.pbx.ranges)
        return OwnConfiguration(plan, self.cloud.ping_timeout_seconds, frozenset(written))

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[pydantic_settings.BaseSettings],
        init_settings: pydantic_settings.PydanticBaseSettingsSource,
        env_settings: pydantic_settings.PydanticBaseSettingsSource,
        dotenv_settings: pydantic_settings.PydanticBaseSettingsSource,
        file_secret_settings: pydantic_settings.PydanticBaseSettingsSource,
    ) -> tuple[pydantic_settings.PydanticBaseSettingsSource, ...]:
        """The environment before the file, and nothing else."""
        return env_settings, init_settings


def load(path: Path) -> Settings:
    """The settings of the file at `path` and of the environment. Raises `SettingsError`: all problems."""
    text = _read(path)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(FaultId.CONFIG_INVALID, path, [_syntax_problem(error, text)]) from None
    except RecursionError:
        problem = Problem("", None, "the values are nested too deeply")
        raise SettingsError(FaultId.CONFIG_INVALID, path, [problem]) from None
    problems = list(unknown_variables(Settings, ENV_PREFIX))
    try:
        settings = Settings(**data)
    except ValidationError as error:
        problems += problems_of(error, Settings, Places(text), ENV_PREFIX)
    except pydantic_settings.SettingsError:
        problems.append(Problem("", None, f"a variable {ENV_PREFIX}… holds a list or table that is not JSON"))
    if problems:
        ordered = sorted(problems, key=lambda problem: (problem.line is None, problem.line))
        raise SettingsError(FaultId.CONFIG_INVALID, path, ordered[:MAX_PROBLEMS]) from None
    return settings


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        problem = Problem("", None, error.strerror or "unreadable")
        raise SettingsError(FaultId.CONFIG_UNREADABLE, path, [problem]) from error
    if len(content) > MAX_FILE_BYTES:
        problem = Problem("", None, f"the file is larger than {MAX_FILE_BYTES} bytes")
        raise SettingsError(FaultId.CONFIG_UNREADABLE, path, [problem])
    try:
        return content.decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problem = Problem("", line, "the file is not UTF-8")
        raise SettingsError(FaultId.CONFIG_UNREADABLE, path, [problem]) from None


def _syntax_problem(error: tomllib.TOMLDecodeError, text: str) -> Problem:
    """What tomllib says, which names the rule; its last words are the place."""
    place = _LINE_IN_SYNTAX_ERROR.search(str(error))
    line = int(place[1]) if place and place[1] else text.count("\n") + 1
    # It quotes at most a key or one character, but a key may be a secret put in the wrong place.
    reason = re.sub(r"'[^']{2,}'", "…", str(error)[: place.start()] if place else str(error)).strip()
    return Problem("", line, f"not TOML: {reason[:1].lower()}{reason[1:]}")
