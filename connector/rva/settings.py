"""Settings of the invitations: the [rva] table of the configuration file."""

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from connector.domain.invitations import InvitationOptions
from connector.links.tls import holds_certificates

# A site has a few hundred experts at most; each rule is looked up by its device.
MAX_RULES = 1_000
# A path inside the site's own configuration; PATH_MAX of Linux.
MAX_PATH_CHARS = 4_096
MAX_URL_CHARS = 2_048
MAX_COUNTRIES = 250

# A Rainbow user id is 24 hexadecimal digits today; the bound leaves room and keeps the URL clean.
AgentId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class RuleOptions(_Table):
    """The hub's nine switches for one rule; defaults in `InvitationOptions`."""

    auto_answer: bool = InvitationOptions().auto_answer
    answer_in_video: bool = InvitationOptions().answer_in_video
    use_rear_camera: bool = InvitationOptions().use_rear_camera
    use_screen_sharing: bool = InvitationOptions().use_screen_sharing
    hide_switch_in_video: bool = InvitationOptions().hide_switch_in_video
    enable_chat: bool = InvitationOptions().enable_chat
    mute_conference: bool = InvitationOptions().mute_conference
    auto_start: bool = InvitationOptions().auto_start
    mirror_mode: bool = InvitationOptions().mirror_mode

    def to_domain(self) -> InvitationOptions:
        """The same switches as the domain knows them."""
        return InvitationOptions(**self.model_dump())


class Rule(_Table):
    """An outside call at `device` invites the caller to a video call with the expert `agent_id`."""

    device: str = Field(pattern=r"^[0-9*#A-D]{1,16}$")
    agent_id: AgentId
    when: Literal["delivered", "established"] = "established"
    options: RuleOptions = RuleOptions()


class RvaSettings(_Table):
    """The [rva] table.

    `countries` are those whose numbers may be invited; empty means the site's own country only.
    """

    enabled: bool = False
    hub_url: str = Field(default="https://sv-hub.openrainbow.io", max_length=MAX_URL_CHARS)
    ca_file: str = Field(default="", max_length=MAX_PATH_CHARS)
    timeout_seconds: float = Field(default=10.0, ge=1.0, le=60.0)
    per_number_interval_seconds: int = Field(default=600, ge=60, le=86_400)
    countries: list[Country] = Field(default=[], max_length=MAX_COUNTRIES)
    rules: list[Rule] = Field(default=[], max_length=MAX_RULES)

    @field_validator("ca_file")
    @classmethod
    def _holds_certificates(cls, path: str) -> str:
        if path and not holds_certificates(Path(path)):
            raise ValueError("no file with certificates in PEM, or it may not be read")
        return path

    @field_validator("hub_url")
    @classmethod
    def _is_plain_https(cls, url: str) -> str:
        parts = urlsplit(url)
        try:
            is_usable = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_usable = False
        if not is_usable:
            raise ValueError("an https:// address with a host is needed: the caller's number goes there")
        if parts.username is not None or parts.query or parts.fragment:
            raise ValueError("no user name, query or fragment may stand in the address")
        return url.rstrip("/")

    @model_validator(mode="after")
    def _has_one_rule_a_device(self) -> Self:
        devices = [rule.device for rule in self.rules]
        if len(set(devices)) != len(devices):
            raise ValueError("rules: a device has more than one rule")
        return self
