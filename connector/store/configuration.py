"""What the cloud configured, kept for starts without it: one row a kind, always the whole set."""

import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from connector.domain.configuration import CloudSettings, Monitored, RuleText

if TYPE_CHECKING:
    import asyncio

Result = TypeVar("Result")

_SETTINGS, _MONITORS = "settings", "monitors"


class JobRunner(Protocol):
    """The part of the store's writer that is needed here."""

    def submit(self, job: Callable[[sqlite3.Connection], Result]) -> "asyncio.Future[Result]":
        """Run `job` in the writer's thread; the future resolves after its transaction is durable."""


@dataclass(frozen=True, slots=True)
class StoredConfiguration:
    """The newest sets; None is a kind that the cloud has never sent."""

    settings: CloudSettings | None = None
    monitors: tuple[Monitored, ...] | None = None


def create_configuration(connection: sqlite3.Connection) -> None:
    """The table; called once by the store's migrations."""
    connection.execute("CREATE TABLE configuration (kind TEXT PRIMARY KEY, content TEXT NOT NULL)")


class ConfigurationTable:
    """Implements `connector.bridge.configuration.Table`. Every method raises `StoreError`."""

    def __init__(self, writer: JobRunner) -> None:
        self._writer = writer

    async def load(self) -> StoredConfiguration:
        """What is stored. A row that this version can't read is as good as none: the cloud sends it again."""
        rows = await self._writer.submit(
            lambda connection: connection.execute("SELECT kind, content FROM configuration").fetchall()
        )
        contents = dict(rows)
        return StoredConfiguration(
            _read(contents.get(_SETTINGS), _settings), _read(contents.get(_MONITORS), _monitors)
        )

    async def save_settings(self, settings: CloudSettings) -> None:
        """Replace the settings; durable when it returns."""
        await self._save(_SETTINGS, json.dumps(asdict(settings)))

    async def save_monitors(self, monitors: Sequence[Monitored]) -> None:
        """Replace the monitored numbers; durable when it returns."""
        await self._save(_MONITORS, json.dumps([[one.number, one.user] for one in monitors]))

    async def _save(self, kind: str, content: str) -> None:
        await self._writer.submit(
            lambda connection: connection.execute(
                "INSERT OR REPLACE INTO configuration VALUES (?, ?)",
                (kind, content),
            )
        )


def _read(content: str | None, reader: Callable[[Any], Result]) -> Result | None:
    if content is None:
        return None
    try:
        return reader(json.loads(content))
    except (ValueError, TypeError, KeyError):
        return None


def _settings(content: dict[str, Any]) -> CloudSettings:
    rules = tuple(RuleText(**rule) for rule in content.pop("rules"))
    return CloudSettings(**content, rules=rules)


def _monitors(content: list[list[str]]) -> tuple[Monitored, ...]:
    return tuple(Monitored(number, user) for number, user in content)
