"""The systems that a gateway keeps over a restart: each in two files, one of them only for its numbers.

Kept is what an administrator has decided and what an agent was told: profile, codes, transaction, revision
and the agent's word on it, device list with the ids and links of its numbers, connection history. Not kept is
what the agent tells anew when it is back (channels, presence) and what belongs to one start of the simulator
(journal, switched faults, wrong guesses, the administrator's token).
"""

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from connector.domain.configuration import MonitorRefusal
from connector.domain.devices import Device, DeviceState
from simulators.gateway.phonebook import Link, PhoneNumber
from simulators.gateway.systems import (
    Answers,
    HistoryEntry,
    NumberingRule,
    Profile,
    System,
    Systems,
    SystemStatus,
    SystemType,
)

VERSION = 2
SYSTEMS, NUMBERS = "systems", "numbers"

# What of a system is kept as it is, beside its profile.
_TEXTS = (
    "gateway_jid",
    "gateway_password",
    "public_code",
    "private_code",
    "transaction",
    "agent_version",
    "pbx_version",
    "revision",
)
_TIMES = ("status_updated_at", "code_made_at", "channels_updated_at")

# Fields and their defaults; one without is always kept.
_DEFAULTS = {kind: [(one.name, one.default) for one in fields(kind)] for kind in (Device, Link)}


class SystemFiles:
    """The files of all systems below one directory; each is replaced as a whole: a kill leaves it whole."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        # An agent's last words come after its system was deleted; ids are not used twice.
        self._forgotten: set[str] = set()
        for part in (SYSTEMS, NUMBERS):
            (directory / part).mkdir(mode=0o700, parents=True, exist_ok=True)

    def keep(self, system: System) -> None:
        """Replace what is known of `system`, without its numbers."""
        if system.id not in self._forgotten:
            _replace(self._path(SYSTEMS, system.id), {"version": VERSION, **_kept(system)})

    def keep_numbers(self, system: System) -> None:
        """Replace the numbers of `system`."""
        if system.id in self._forgotten:
            return
        book = system.phone_book
        numbers = [
            {"id": entry.id, "device": _changed(entry.device), "link": _changed(entry.link)}
            for entry in book.numbers()
        ]
        known = {"revision": book.revision, "is_linked": book.is_linked, "numbers": numbers}
        _replace(self._path(NUMBERS, system.id), {"version": VERSION, **known})

    def forget(self, system: System) -> None:
        """The system is deleted. A kill between the two leaves numbers of nobody, which `restore` removes."""
        self._forgotten.add(system.id)
        self._path(SYSTEMS, system.id).unlink(missing_ok=True)
        self._path(NUMBERS, system.id).unlink(missing_ok=True)

    def restore(self, systems: Systems, now: datetime) -> None:
        """Put everything kept into `systems`, which is empty. Raises ValueError for another version."""
        kept = [_read(path) for path in sorted((self._directory / SYSTEMS).glob("*.json"))]
        for known in sorted(kept, key=lambda one: str(one["created_at"])):
            _restore(systems, known, now)
        for path in (self._directory / NUMBERS).glob("*.json"):
            system = systems.get(path.stem)
            if system is None:
                path.unlink()
            else:
                _restore_numbers(system, _read(path))

    def _path(self, part: str, system: str) -> Path:
        return self._directory / part / f"{system}.json"


def _replace(path: Path, content: dict[str, Any]) -> None:
    temporary = path.with_suffix(".new")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(json.dumps(content))  # dump() encodes in Python: twice the time
    temporary.replace(path)


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    if content["version"] != VERSION:
        raise ValueError(f"{path.name} is of version {content['version']}, known is {VERSION}")
    return content


def _kept(system: System) -> dict[str, Any]:
    answers = system.answers
    return {
        "id": system.id,
        "pbx_id": system.pbx_id,
        "created_at": system.created_at.isoformat(),
        "status": system.status.value,
        **{name: getattr(system, name) for name in _TEXTS},
        **{name: getattr(system, name).isoformat() for name in _TIMES},
        "profile": asdict(system.profile),
        "answers": {"settings": answers.settings, "monitors": answers.monitors, "refused": answers.refused},
        "history": [[entry.event, entry.at.isoformat()] for entry in system.history],
    }


def _restore(systems: Systems, known: dict[str, Any], now: datetime) -> None:
    created_at = datetime.fromisoformat(known["created_at"])
    profile = _profile(known["profile"])
    system = systems.create(profile, created_at, pbx_id=known["pbx_id"], id_=known["id"])
    for name in _TEXTS:
        setattr(system, name, known[name])
    for name in _TIMES:
        setattr(system, name, datetime.fromisoformat(known[name]))
    system.status = SystemStatus(known["status"])
    answers = known["answers"]
    refused = {number: MonitorRefusal(word) for number, word in answers["refused"].items()}
    system.answers = Answers(answers["settings"], answers["monitors"], refused)
    system.history.extend(HistoryEntry(event, datetime.fromisoformat(at)) for event, at in known["history"])
    _end_connection(system, now)


def _end_connection(system: System, now: datetime) -> None:
    """Nobody wrote down that the agent went, if the gateway was killed: now it certainly is gone."""
    if system.history and system.history[-1].event == "connected":
        system.history.append(HistoryEntry("disconnected", now))
        system.channels_updated_at = now


def _profile(known: dict[str, Any]) -> Profile:
    values: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in known.items()
    }
    values["type"] = SystemType(values["type"])
    values["numbering_rules"] = tuple(NumberingRule(**rule) for rule in values["numbering_rules"])
    return Profile(**values)


def _restore_numbers(system: System, known: dict[str, Any]) -> None:
    system.phone_book.restore(known["revision"], _numbers(known["numbers"]), is_linked=known["is_linked"])


def _numbers(known: list[dict[str, Any]]) -> Iterator[PhoneNumber]:
    for one in known:
        device = dict(one["device"])
        if "state" in device:
            device["state"] = DeviceState(device["state"])
        yield PhoneNumber(one["id"], Device(**device), Link(**one["link"]))


def _changed(value: Device | Link) -> dict[str, Any]:
    """The fields that are not at their defaults: 15,000 numbers have few."""
    defaults = _DEFAULTS[type(value)]
    return {name: one for name, default in defaults if (one := getattr(value, name)) != default}
