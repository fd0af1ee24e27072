"""The credentials file: 0600, replaced atomically, so that a kill at any step leaves the old or the new."""

import json
import os
from pathlib import Path

from connector.domain.credentials import Credentials
from connector.domain.errors import StoreError
from connector.domain.faults import FaultId

_VERSION = 1
# Two codes and two names; a file beyond this is not ours.
_MAX_FILE_BYTES = 4096


class CredentialsFile:
    """Loads and saves `Credentials`. Blocking: call it from a worker thread."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> Credentials:
        """The stored credentials, or none. Raises `StoreError` when the file is there but not usable."""
        try:
            with self._path.open("rb") as file:
                text = file.read(_MAX_FILE_BYTES + 1)
        except FileNotFoundError:
            return Credentials.none()
        except OSError as error:
            raise StoreError(FaultId.STORE_UNUSABLE, f"{self._path.name}: {error.strerror}") from error
        return _parsed(text, self._path.name)

    def save(self, credentials: Credentials) -> None:
        """Replace the file; returns when the new content is on disk. Raises `StoreError`."""
        content = {
            "version": _VERSION,
            "activation_code": credentials.activation_code,
            "access_code": credentials.access_code,
            "is_proven": credentials.is_proven,
        }
        try:
            _replace(self._path, json.dumps(content).encode())
        except OSError as error:
            raise StoreError(FaultId.STORE_UNUSABLE, f"{self._path.name}: {error.strerror}") from error


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
    # The rename itself is durable only when the directory is.
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _parsed(text: bytes, name: str) -> Credentials:
    try:
        content = json.loads(text)
        if content["version"] != _VERSION:
            raise StoreError(FaultId.STORE_OTHER_VERSION, name)
        return Credentials(content["activation_code"], content["access_code"], content["is_proven"])
    except (ValueError, KeyError, TypeError):
        # Never the content: it holds secrets.
        raise StoreError(FaultId.STORE_UNUSABLE, f"{name} is damaged") from None
