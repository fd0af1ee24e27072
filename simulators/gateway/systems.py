"""The systems ("Comm. servers") that the gateway knows, and the life of each.

PURE: time and randomness are passed in. A system is `created` with a public code, `activating` while a
private code is proposed to its agent, and `activated` once the agent has stored it. Until then both codes let
the agent in, so that a lost acknowledgement locks nobody out; the first login with the private code counts as
one.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from connector.domain.configuration import MonitorRefusal
from connector.domain.identifiers import Channel
from connector.domain.presence import PresenceState
from simulators.gateway.phonebook import PhoneBook
from simulators.gateway.sequence import EventStore

# A simulated fleet has some thousands of agents; the bound keeps a runaway script from eating the machine.
MAX_SYSTEMS = 20_000
# The history answers "when did it come and go last", not "what happened this year".
MAX_HISTORY = 100
# What an installer types on the PBX: four digits without a leading zero.
LOWEST_PUBLIC_CODE, HIGHEST_PUBLIC_CODE = 1000, 9999
# An installer types it the day it was made; a code left over is a door left open.
CODE_LIFE = timedelta(hours=24)

RandomBytes = Callable[[int], bytes]


class SystemStatus(StrEnum):
    """Where a system stands in its activation; `terminated` is only known as a filter of the real list."""

    CREATED = "created"
    ACTIVATING = "activating"
    ACTIVATED = "activated"
    TERMINATED = "terminated"


class SystemType(StrEnum):
    """The kind of PBX, as the administration spells it."""

    OXO = "oxo"
    OXE = "oxe"
    THIRD_PARTY = "third_party"
    UNDEFINED = "undefined"


class SystemRefused(Exception):
    """A system can't be made: there are too many, or its PBX-ID is taken."""


@dataclass(frozen=True, slots=True)
class NumberingRule:
    """One phone number transformation: `match` is a regular expression."""

    match: str
    replace: str = ""
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What the administrator enters about a system. `country` is ISO 3166 alpha-3, empty when not given."""

    name: str
    type: SystemType
    site_id: str
    country: str = ""
    version: str = ""
    server_ping_timeout_seconds: int = 120
    main_bundle_prefixes: tuple[str, ...] = ()
    uses_main_bundle_prefix: bool = False
    numbering_rules: tuple[NumberingRule, ...] = ()
    national_prefix: str = ""
    international_prefix: str = ""
    search_result_order: tuple[str, ...] = ()
    is_centrex: bool = False
    is_shared: bool = False
    bp_id: str | None = None
    ldap_id: str = ""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """The agent came or went. `event` is "connected" or "disconnected"."""

    event: str
    at: datetime


@dataclass(slots=True)
class Answers:
    """What the agent said of the newest configuration: empty until it said something, or "in force"."""

    settings: str = ""
    monitors: str = ""
    refused: dict[str, MonitorRefusal] = field(default_factory=dict)


class System:
    """One system: its identity, codes, channels, devices and events."""

    def __init__(
        self, profile: Profile, pbx_id: str, domain: str, now: datetime, random: RandomBytes
    ) -> None:
        self.profile = profile
        self.id = random(12).hex()
        self.pbx_id = pbx_id
        self.agent_jid = f"{pbx_id.lower()}@{domain}"
        self.gateway_jid = f"pbxpcg_{random(16).hex()}@{domain}"
        self.gateway_password = random(16).hex()
        self.status = SystemStatus.CREATED
        self.created_at = now
        self.status_updated_at = now
        self.public_code = ""
        self.code_made_at = now
        self.private_code = ""
        self.transaction = ""
        self.channels = dict.fromkeys(Channel, False)
        self.channels_updated_at = now
        self.history: deque[HistoryEntry] = deque(maxlen=MAX_HISTORY)
        self.phone_book = PhoneBook()
        self.events = EventStore()
        # What the agent was told of all this, and what it said.
        self.revision = 1
        self.is_configuration_due = False
        self.answers = Answers()
        self.presences: dict[str, PresenceState] = {}
        self.agent_version = ""
        self.pbx_version = ""

    def __repr__(self) -> str:
        return f"System({self.pbx_id}, {self.status})"

    @property
    def user(self) -> str:
        """The agent's login: the PBX-ID in lower case, since XMPP folds the case of local parts."""
        return self.pbx_id.lower()

    @property
    def is_connected(self) -> bool:
        """Whether an agent is logged in and bound."""
        return self.channels[Channel.XMPP]

    def codes(self, now: datetime) -> tuple[str, ...]:
        """The codes that let the agent in now; while activating the public one, then the private one.

        The public code serves one activation, within `CODE_LIFE` of its making.
        """
        public = (self.public_code,) if now < self.code_made_at + CODE_LIFE else ()
        if self.status is SystemStatus.ACTIVATING:
            return (*public, self.private_code)
        return (self.private_code,) if self.status is SystemStatus.ACTIVATED else public

    def shown_password(self) -> str:
        """What the administration shows as the agent's password.

        The public code until the system is activated, then the last eight characters of a hash of the private
        one: enough to compare, useless for a login.
        """
        if self.status is SystemStatus.ACTIVATED:
            return hashlib.sha256(self.private_code.encode()).hexdigest()[-8:]
        return self.public_code

    def propose(self, now: datetime, random: RandomBytes) -> None:
        """Make a private code to propose to the agent; while one waits for its answer, that one stays."""
        if self.status is not SystemStatus.CREATED:
            return
        self.private_code = random(16).hex()
        self.transaction = random(16).hex()
        self._move(SystemStatus.ACTIVATING, now)

    def acknowledge(self, now: datetime) -> None:
        """The agent has stored the private code: from here on only that one counts."""
        if self.status is SystemStatus.ACTIVATING:
            self.transaction = ""
            self._move(SystemStatus.ACTIVATED, now)

    def reset(self, now: datetime, random: RandomBytes) -> None:
        """Back to `created` with a new public code; the PBX-ID and all settings stay."""
        self.public_code = _public_code(random)
        self.code_made_at = now
        self.private_code = ""
        self.transaction = ""
        self._move(SystemStatus.CREATED, now)

    def set_channel(self, channel: Channel, now: datetime, *, is_up: bool) -> None:
        """A channel came up or went down."""
        if self.channels[channel] == is_up:
            return
        self.channels[channel] = is_up
        self.channels_updated_at = now
        if channel is Channel.XMPP:
            self.history.append(HistoryEntry("connected" if is_up else "disconnected", now))

    def disconnect(self, now: datetime) -> None:
        """The agent is gone: every channel is down."""
        for channel in Channel:
            self.set_channel(channel, now, is_up=False)

    def _move(self, status: SystemStatus, now: datetime) -> None:
        self.status = status
        self.status_updated_at = now


class Systems:
    """All systems, found by id, by PBX-ID (any case) and by login."""

    def __init__(self, domain: str, random: RandomBytes) -> None:
        self.domain = domain
        self._random = random
        self._by_id: dict[str, System] = {}
        self._by_user: dict[str, System] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[System]:
        return iter(self._by_id.values())

    def create(
        self, profile: Profile, now: datetime, *, pbx_id: str = "", activation_code: str = "", id_: str = ""
    ) -> System:
        """A new system in status `created`. What is not given is made up from the passed-in randomness.

        Raises `SystemRefused`.
        """
        if len(self._by_id) >= MAX_SYSTEMS:
            raise SystemRefused(f"more than {MAX_SYSTEMS} systems")
        pbx_id = pbx_id or _new_pbx_id(self._random)
        if pbx_id.lower() in self._by_user:
            raise SystemRefused("the PBX-ID is already used")
        system = System(profile, pbx_id, self.domain, now, self._random)
        system.id = id_ or system.id
        system.public_code = activation_code or _public_code(self._random)
        self._by_id[system.id] = system
        self._by_user[system.user] = system
        return system

    def get(self, system_id: str) -> System | None:
        """The system with this id."""
        return self._by_id.get(system_id)

    def by_pbx_id(self, pbx_id: str) -> System | None:
        """The system with this PBX-ID or login, in any case of letters."""
        return self._by_user.get(pbx_id.lower())

    def remove(self, system: System) -> None:
        """Forget the system, its codes, numbers and events."""
        del self._by_id[system.id]
        del self._by_user[system.user]


def _public_code(random: RandomBytes) -> str:
    span = HIGHEST_PUBLIC_CODE - LOWEST_PUBLIC_CODE + 1
    return str(LOWEST_PUBLIC_CODE + int.from_bytes(random(8), "big") % span)


def _new_pbx_id(random: RandomBytes) -> str:
    digits = random(16).hex()
    return "PBX" + "-".join(digits[start : start + 4] for start in range(0, 32, 4))
