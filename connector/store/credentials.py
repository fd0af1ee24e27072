"""The credentials file: sealed, 0600, replaced whole: a kill at any step leaves the old or the new."""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from connector.domain.credentials import Credentials, Voided
from connector.domain.errors import StoreError
from connector.domain.faults import FaultId
from connector.store.replacing import Reached, ignore, replace_file, sync_directory
from connector.store.sealing import Sealer

_VERSION: Final = 2
# The first release wrote the codes as they are.
_PLAIN_VERSION: Final = 1
# Two codes of 128 characters, sealed and in base64, with their names; a file beyond this is not ours.
_MAX_FILE_BYTES: Final = 4_096


@dataclass(frozen=True, slots=True)
class Loaded:
    """What the file gave, and what is wrong with it if anything is."""

    credentials: Credentials
    trouble: StoreError | None = None


class CredentialsFile:
    """Loads and saves `Credentials`. Blocking: call it from a worker thread."""

    def __init__(self, path: Path, sealer: Sealer, reached: Reached = ignore) -> None:
        self._path = path
        self._sealer = sealer
        self._reached = reached

    def load(self, at: datetime) -> Loaded:
        """The stored credentials. Whatever is wrong, the agent starts: `trouble` says why there are none.

        A damaged file is put aside under the time `at`; one that another machine sealed, or whose key is
        missing, stays: it is good where it belongs. A file of the first release is sealed.
        """
        try:
            record = self._record()
            if record is None:
                return Loaded(Credentials.none())
            credentials = self._credentials(record)
        except StoreError as error:
            trouble = StoreError(error.fault, error.detail or self._path.name)
            if error.fault is FaultId.CREDENTIALS_DAMAGED:
                self._put_aside(at)
            return Loaded(Credentials.none(), trouble)
        return Loaded(credentials, self._sealed_anew(record, credentials))

    def save(self, credentials: Credentials) -> None:
        """Replace the file; returns when the new content is on disk. Raises `StoreError`."""
        content = {
            "activation_code": credentials.activation_code,
            "access_code": credentials.access_code,
            "is_proven": credentials.is_proven,
            "voided": credentials.voided,
        }
        try:
            sealed = self._sealer.seal(json.dumps(content).encode(), self._reached)
            record = {"version": _VERSION, **sealed}
            replace_file(self._path, json.dumps(record).encode(), self._reached)
        except OSError as error:
            raise StoreError(FaultId.STORE_UNUSABLE, f"{self._path.name}: {error.strerror}") from error

    def _record(self) -> dict[str, Any] | None:
        """The file's outer content, None if there is no file. Raises `StoreError`."""
        try:
            with self._path.open("rb") as file:
                text = file.read(_MAX_FILE_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(FaultId.STORE_UNUSABLE, f"{self._path.name}: {error.strerror}") from error
        try:
            record = json.loads(text)
            version = record["version"]
        except (ValueError, KeyError, TypeError, RecursionError):
            # Never the content: it holds secrets.
            raise StoreError(FaultId.CREDENTIALS_DAMAGED) from None
        if isinstance(version, int) and version > _VERSION:
            raise StoreError(FaultId.STORE_OTHER_VERSION, self._path.name)
        return dict(record)

    def _credentials(self, record: dict[str, Any]) -> Credentials:
        if record["version"] == _PLAIN_VERSION:
            return _read(record)
        try:
            content = json.loads(self._sealer.unseal(record))
        except OSError as error:
            raise StoreError(FaultId.STORE_UNUSABLE, f"the key: {error.strerror}") from error
        except ValueError:
            raise StoreError(FaultId.CREDENTIALS_DAMAGED) from None
        return _read(content)

    def _sealed_anew(self, record: dict[str, Any], credentials: Credentials) -> StoreError | None:
        """A plain file, or one under another key than today's, is replaced. The codes work either way."""
        try:
            if record["version"] == _PLAIN_VERSION or not self._sealer.is_current(record):
                self.save(credentials)
        except StoreError as error:
            return error
        except OSError as error:
            return StoreError(FaultId.STORE_UNUSABLE, f"the key: {error.strerror}")
        return None

    def _put_aside(self, at: datetime) -> None:
        """Keep what can't be read: somebody may still learn from it what happened."""
        aside = self._path.with_name(f"{self._path.name}.damaged-{at:%Y%m%dT%H%M%SZ}")
        try:
            self._path.rename(aside)
            sync_directory(self._path.parent)
        except OSError:
            return  # a read-only disk: the file stays, and is found damaged again at the next start


def _read(content: Any) -> Credentials:
    try:
        codes = (content["activation_code"], content["access_code"])
        is_proven = content["is_proven"]
        voided = content.get("voided")
        is_ours = all(code is None or isinstance(code, str) for code in codes)
        if not is_ours or not isinstance(is_proven, bool):
            raise StoreError(FaultId.CREDENTIALS_DAMAGED)
        return Credentials(*codes, is_proven=is_proven, voided=Voided(voided) if voided else None)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise StoreError(FaultId.CREDENTIALS_DAMAGED) from None
