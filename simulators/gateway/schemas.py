"""The bodies of the administration's REST calls, spelled as on the wire.

Most names are in camel case; the agent's and gateway's accounts are in snake case (facts of the real one).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from connector.domain.identifiers import Channel
from simulators.gateway import countries
from simulators.gateway.journal import Entry, Kind
from simulators.gateway.systems import HistoryEntry, NumberingRule, Profile, System, SystemType

Format = Literal["small", "medium", "full"]
Item = TypeVar("Item")

# The real interface names no lengths for these; a name or id longer than this is a mistake.
Text = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Word = Annotated[str, StringConstraints(max_length=64)]
# It becomes the local part of an XMPP address.
PbxId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{2,127}$")]
Prefix = Annotated[str, StringConstraints(pattern=r"^[0-9*#+]{0,16}$")]
Country = Annotated[str, StringConstraints(pattern=countries.PATTERN)]
# A string in the older interface, a number in the later one.
Timeout = (
    Annotated[int, Field(ge=3, le=3600, strict=False)]
    | Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{1,2}$")]
)
# Every backslash with the character after it, which is no d.
_NO_BACKSLASH_D = r"^(?:[^\\]|\\[^d])*$"


class Wire(BaseModel):
    """Names in camel case on the wire, in snake case here; values are not coerced."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, strict=True)


class Rule(Wire):
    """One number transformation rule. `\\d` is not supported, as in the real administration."""

    regexp_match: Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=_NO_BACKSLASH_D)]
    regexp_replace: Word = ""
    description: Annotated[str, StringConstraints(max_length=256)] = ""


class NewSystem(Wire):
    """The body of POST /systems."""

    name: Text
    site_id: Text
    type: Literal["oxo", "oxe", "third_party", "third party", "undefined"]
    pbx_id: PbxId | None = None
    activation_code: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]{4,64}$")] | None = None
    country: Country | None = None
    version: Word = ""
    server_ping_timeout: Timeout = 120
    pbx_main_bundle_prefix: Annotated[list[Prefix], Field(max_length=100)] = []
    use_pbx_main_bundle_prefix: bool = False
    pbx_numbering_translator: Annotated[list[Rule], Field(max_length=100)] = []
    pbx_national_prefix: Prefix = ""
    pbx_international_prefix: Prefix = ""
    search_result_order: Annotated[list[Literal["RAINBOW", "LDAP", "PBX"]], Field(max_length=3)] = []
    is_centrex: bool = False
    is_shared: bool = False
    bp_id: Word | None = None
    pbx_ldap_id: Word = ""

    def profile(self) -> Profile:
        """The settings of the new system."""
        return Profile(
            name=self.name,
            type=SystemType(self.type.replace(" ", "_")),
            site_id=self.site_id,
            country=self.country or "",
            version=self.version,
            server_ping_timeout_seconds=int(self.server_ping_timeout),
            main_bundle_prefixes=tuple(self.pbx_main_bundle_prefix),
            uses_main_bundle_prefix=self.use_pbx_main_bundle_prefix,
            numbering_rules=_rules(self.pbx_numbering_translator),
            national_prefix=self.pbx_national_prefix,
            international_prefix=self.pbx_international_prefix,
            search_result_order=tuple(self.search_result_order),
            is_centrex=self.is_centrex,
            is_shared=self.is_shared,
            bp_id=self.bp_id,
            ldap_id=self.pbx_ldap_id,
        )


class ChangedSystem(Wire):
    """The body of PUT /systems/{systemId}: what is given changes, an empty list empties.

    The PBX-ID, the code and isCentrex are fixed at creation: they are not taken here.
    """

    name: Text | None = None
    site_id: Text | None = None
    type: Literal["oxo", "oxe", "third_party", "third party", "undefined"] | None = None
    country: Country | None = None
    version: Word | None = None
    server_ping_timeout: Timeout | None = None
    pbx_main_bundle_prefix: Annotated[list[Prefix], Field(max_length=100)] | None = None
    use_pbx_main_bundle_prefix: bool | None = None
    pbx_numbering_translator: Annotated[list[Rule], Field(max_length=100)] | None = None
    pbx_national_prefix: Prefix | None = None
    pbx_international_prefix: Prefix | None = None
    search_result_order: Annotated[list[Literal["RAINBOW", "LDAP", "PBX"]], Field(max_length=3)] | None = None
    is_shared: bool | None = None
    bp_id: Word | None = None
    pbx_ldap_id: Word | None = None

    def applied(self, profile: Profile) -> Profile:
        """`profile` with what is given; a system that is not shared any more belongs to no partner."""
        changes = {
            field: convert(value)
            for name, (field, convert) in _CHANGES.items()
            if (value := getattr(self, name)) is not None
        }
        if self.is_shared is False:
            changes["bp_id"] = None
        return replace(profile, **changes)


def _rules(rules: Sequence[Rule]) -> tuple[NumberingRule, ...]:
    return tuple(NumberingRule(rule.regexp_match, rule.regexp_replace, rule.description) for rule in rules)


def _same(value: Any) -> Any:
    return value


# Field of the body → field of the profile, and how to convert it.
_CHANGES: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "name": ("name", _same),
    "site_id": ("site_id", _same),
    "type": ("type", lambda word: SystemType(word.replace(" ", "_"))),
    "country": ("country", _same),
    "version": ("version", _same),
    "server_ping_timeout": ("server_ping_timeout_seconds", int),
    "pbx_main_bundle_prefix": ("main_bundle_prefixes", tuple),
    "use_pbx_main_bundle_prefix": ("uses_main_bundle_prefix", _same),
    "pbx_numbering_translator": ("numbering_rules", _rules),
    "pbx_national_prefix": ("national_prefix", _same),
    "pbx_international_prefix": ("international_prefix", _same),
    "search_result_order": ("search_result_order", tuple),
    "is_shared": ("is_shared", _same),
    "bp_id": ("bp_id", _same),
    "pbx_ldap_id": ("ldap_id", _same),
}


class HistoryOut(Wire):
    """One line of a connection history. eventType is our choice: connected or disconnected."""

    event_type: str
    event_date: str

    @classmethod
    def of(cls, entry: HistoryEntry) -> "HistoryOut":
        """From the registry's entry."""
        return cls(event_type=entry.event, event_date=iso(entry.at))


class SystemOut(Wire):
    """A system as the administration shows it. Fields that the asked format leaves out are not sent."""

    id: str
    pbx_id: str
    version: str
    name: str | None = None
    serial_number: str | None = None
    status: str | None = None
    site_id: list[str] | None = None
    type: str | None = None
    country: str | None = None
    server_ping_timeout: int | None = None
    pbx_main_bundle_prefix: list[str] | None = None
    use_pbx_main_bundle_prefix: bool | None = None
    pbx_numbering_translator: list[Rule] | None = None
    pbx_national_prefix: str | None = None
    pbx_international_prefix: str | None = None
    search_result_order: list[str] | None = None
    is_centrex: bool | None = None
    is_shared: bool | None = None
    bp_id: str | None = None
    pbx_ldap_id: str | None = None
    agent_jid: str | None = Field(default=None, alias="jid_pbxagent")
    agent_password: str | None = Field(default=None, alias="jid_pbxagent_password")
    agent_password_activating: str | None = Field(default=None, alias="jid_pbxagent_password_activating")
    activating_transaction_id: str | None = None
    gateway_jid: str | None = Field(default=None, alias="jid_pbxpcg")
    gateway_password: str | None = Field(default=None, alias="jid_pbxpcg_password")
    creation_date: str | None = None
    status_updated_date: str | None = None
    connection_history: list[HistoryOut] | None = None

    @classmethod
    def of(cls, system: System, form: Format = "full", *, with_history: bool = False) -> "SystemOut":
        """The system in one of the three formats."""
        fields: dict[str, object] = {"id": system.id, "pbx_id": system.pbx_id, "version": _version(system)}
        if form != "small":
            fields |= {"name": system.profile.name, "serial_number": "", "status": system.status.value}
        if form == "full":
            fields |= _profile_fields(system.profile) | _life_fields(system)
        if with_history:
            fields["connection_history"] = [HistoryOut.of(entry) for entry in system.history]
        return cls.model_validate(fields)


def _version(system: System) -> str:
    return system.profile.version or system.pbx_version


def _profile_fields(profile: Profile) -> dict[str, object]:
    return {
        "site_id": [profile.site_id],
        "type": profile.type.value,
        "country": profile.country,
        "server_ping_timeout": profile.server_ping_timeout_seconds,
        "pbx_main_bundle_prefix": list(profile.main_bundle_prefixes),
        "use_pbx_main_bundle_prefix": profile.uses_main_bundle_prefix,
        "pbx_numbering_translator": [
            Rule(regexp_match=rule.match, regexp_replace=rule.replace, description=rule.description)
            for rule in profile.numbering_rules
        ],
        "pbx_national_prefix": profile.national_prefix,
        "pbx_international_prefix": profile.international_prefix,
        "search_result_order": list(profile.search_result_order),
        "is_centrex": profile.is_centrex,
        "is_shared": profile.is_shared,
        "bp_id": profile.bp_id,
        "pbx_ldap_id": profile.ldap_id,
    }


def _life_fields(system: System) -> dict[str, object]:
    return {
        "agent_jid": system.agent_jid,
        "agent_password": system.shown_password(),
        "agent_password_activating": system.private_code if system.transaction else "",
        "activating_transaction_id": system.transaction,
        "gateway_jid": system.gateway_jid,
        "gateway_password": system.gateway_password,
        "creation_date": iso(system.created_at),
        "status_updated_date": iso(system.status_updated_at),
    }


class StateOut(Wire):
    """The state of a system's link. All values are texts; "true" and "false" are our choice.

    `timestamp` is the Unix time of the last change. small: timestamp, connection; medium: timestamp and the
    three channels; full: all of these and xmpp.
    """

    timestamp: str
    connection: str | None = None
    conf: str | None = None
    csta: str | None = None
    http: str | None = None
    xmpp: str | None = None
    connection_history: list[HistoryOut] | None = None

    @classmethod
    def of(cls, system: System, form: Format, *, with_history: bool) -> "StateOut":
        """The state in one of the three formats."""
        channels = {channel: "true" if is_up else "false" for channel, is_up in system.channels.items()}
        fields: dict[str, object] = {"timestamp": str(int(system.channels_updated_at.timestamp()))}
        if form != "medium":
            fields["connection"] = channels[Channel.XMPP]
        if form != "small":
            fields |= {name: channels[name] for name in (Channel.CONF, Channel.CSTA, Channel.HTTP)}
        if form == "full":
            fields["xmpp"] = channels[Channel.XMPP]
        if with_history:
            fields["connection_history"] = [HistoryOut.of(entry) for entry in system.history]
        return cls.model_validate(fields)


class EntryOut(BaseModel):
    """One entry of the simulator's journal."""

    id: int
    at: str
    system: str
    kind: Kind
    name: str
    values: dict[str, object]

    @classmethod
    def of(cls, entry: Entry) -> "EntryOut":
        """With its frame decoded."""
        return cls(
            id=entry.id,
            at=iso(entry.at),
            system=entry.system,
            kind=entry.kind,
            name=entry.name,
            values=dict(entry.values),
        )


class One(BaseModel, Generic[Item]):
    """The envelope of one object."""

    data: Item


class Many(BaseModel, Generic[Item]):
    """The envelope of a list: `total` counts all that match, `data` holds those from `offset`."""

    data: Sequence[Item]
    total: int
    limit: int
    offset: int


class StatusOut(BaseModel):
    """What was done, as free text."""

    status: str


class ErrorDetail(BaseModel):
    """One field that is wrong."""

    msg: str
    param: str


class ErrorOut(Wire):
    """Every error of the interface. `errorCode` is the HTTP status."""

    error_code: int
    error_msg: str
    error_details: str | list[ErrorDetail]
    error_details_code: int


def iso(moment: datetime) -> str:
    """ISO 8601 in UTC to the millisecond, as the interface writes dates."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
