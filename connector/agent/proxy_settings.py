"""[proxy]: one way out for the cloud link, the RVA hub and whatever else goes to the Internet.

Order: the settings (an `OXBRIDGE__PROXY__…` variable replaces its line of the file, as everywhere), then the
usual variables of the environment, then directly.
"""

import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from connector.domain.errors import ConfigError
from connector.domain.faults import FaultId
from connector.links.proxy.choice import (
    DIRECT,
    MAX_CREDENTIAL_BYTES,
    MAX_EXCEPTIONS,
    Exemption,
    ProxyRules,
    ProxyServer,
    check_credentials,
    parse_url,
)
from connector.links.tls import holds_certificates

# The first that is set wins; of each the name in small letters, since only that can't be set by a request
# header in a CGI-like environment (CVE-2016-5385).
_URL_VARIABLES = ("wss_proxy", "https_proxy", "all_proxy")
_EXCEPTIONS_VARIABLE = "no_proxy"
# systemd puts a service's credentials there (LoadCredential=oxbridge-proxy-password:…).
_CREDENTIALS_VARIABLE = "CREDENTIALS_DIRECTORY"
CREDENTIAL_NAME = "oxbridge-proxy-password"


def _proxy_url(text: str) -> str:
    if text:
        parse_url(text, may_hold_credentials=False)
    return text


def _exemption(text: str) -> str:
    Exemption.parse(text)
    return text


def _certificates(path: Path) -> Path:
    if not holds_certificates(path):
        raise ValueError("the file holds no certificate in PEM, or may not be read")
    return path


def _user(text: str) -> str:
    check_credentials(text, "")
    return text


class ProxySettings(BaseModel):
    """The [proxy] table. The password is no setting: it stands in `password_file` or a systemd credential.

    Not in a variable either: a process's environment is shown by `systemctl show` and inherited by children.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    url: Annotated[str, StringConstraints(max_length=1_024), AfterValidator(_proxy_url)] = ""
    user: Annotated[str, AfterValidator(_user)] = ""
    password_file: Path | None = None
    ca_file: Annotated[Path, AfterValidator(_certificates)] | None = None
    no_proxy: Annotated[
        tuple[Annotated[str, StringConstraints(max_length=300), AfterValidator(_exemption)], ...],
        Field(max_length=MAX_EXCEPTIONS),
    ] = ()
    from_environment: bool = True

    @model_validator(mode="after")
    def _has_a_user_for_the_password(self) -> Self:
        if self.password_file is not None and not self.user:
            raise ValueError("password_file: without user it is sent to nobody")
        return self


def proxy_rules(settings: ProxySettings, environ: Mapping[str, str]) -> ProxyRules:
    """The rules that `settings` and the environment make.

    Raises `ConfigError` for a password file that can't be used, and for a variable that names no proxy: to
    go past a proxy that somebody meant would look like a broken network.
    """
    exemptions = tuple(Exemption.parse(text) for text in settings.no_proxy)
    if settings.url:
        server = parse_url(settings.url, may_hold_credentials=False)
    elif settings.from_environment and (found := _from_environment(environ)) is not None:
        server = found
        exemptions += tuple(_environment_exemptions(environ))
    else:
        return DIRECT
    if settings.user:
        password = _password(settings.password_file, environ)
        server = ProxyServer(server.scheme, server.host, server.port, settings.user, password)
    return ProxyRules(server, exemptions)


def _variable(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name, "") or environ.get(name.upper(), "")


def _from_environment(environ: Mapping[str, str]) -> ProxyServer | None:
    for name in _URL_VARIABLES:
        text = _variable(environ, name)
        if text:
            try:
                return parse_url(text, may_hold_credentials=True)
            except ValueError as error:
                raise ConfigError(FaultId.CONFIG_INVALID, f"variable {name}: {error}") from None
    return None


def _environment_exemptions(environ: Mapping[str, str]) -> Iterable[Exemption]:
    """The usual list, separated by commas or blanks. What can't be read exempts nothing."""
    entries = _variable(environ, _EXCEPTIONS_VARIABLE).replace(",", " ").split()
    for text in entries[:MAX_EXCEPTIONS]:
        try:
            yield Exemption.parse(text)
        except ValueError:
            continue


def _password(file: Path | None, environ: Mapping[str, str]) -> str:
    """The password's text, without a line end. Our file is for its owner only."""
    directory = environ.get(_CREDENTIALS_VARIABLE)
    if file is None and directory is not None:
        credential = Path(directory) / CREDENTIAL_NAME
        return _read(credential, "the credential") if credential.exists() else ""
    return _read(file, "[proxy] password_file", is_ours=True) if file is not None else ""


def _read(file: Path, name: str, *, is_ours: bool = False) -> str:
    try:
        with file.open("rb") as opened:
            mode = os.fstat(opened.fileno()).st_mode
            content = opened.read(MAX_CREDENTIAL_BYTES + 2)
    except OSError as error:
        detail = f"{name}: {error.strerror or type(error).__name__}"
        raise ConfigError(FaultId.CONFIG_UNREADABLE, detail) from error
    if is_ours and stat.S_IMODE(mode) & 0o077:
        raise ConfigError(FaultId.CONFIG_INVALID, f"{name} may be read by others: chmod 600")
    try:
        password = content.decode().removesuffix("\n").removesuffix("\r")
        check_credentials("", password)
    except ValueError as error:
        reason = "is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
        raise ConfigError(FaultId.CONFIG_INVALID, f"{name}: {reason}") from None
    return password
