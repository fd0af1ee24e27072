"""Secrets at rest: AES-256-GCM under a key of this host, bound to the PBX-ID and to the machine.

The key is the systemd credential `oxbridge-key` if the service has one: systemd keeps it encrypted by the TPM
or the host's own secret. Else it is a file beside what it seals. That protects a copy of the one file without
the other, and a copy of both that came to another machine by accident; it protects nothing from whoever can
read the whole state directory and knows the machine's id. `docs/how-to/secrets.md` says so.
"""

import hashlib
import hmac
import os
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from connector.domain.errors import StoreError
from connector.domain.faults import FaultId
from connector.store.replacing import Reached, ignore, replace_file

CREDENTIAL_NAME: Final = "oxbridge-key"
KEY_FILE_NAME: Final = "host.key"

_KEY_BYTES: Final = 32
# NIST SP 800-38D, 8.2.2: 96 random bits; a key seals a handful of times, not 2^32.
_NONCE_BYTES: Final = 12
# systemd allows a megabyte; a key has no use for more than a few random blocks.
_MAX_CREDENTIAL_BYTES: Final = 4_096
# machine-id(5): 32 hexadecimal characters.
_MAX_MACHINE_ID_BYTES: Final = 64
_PURPOSE: Final = b"oxbridge credentials 2"
_SYSTEMD, _FILE = "systemd", "file"


@dataclass(frozen=True, slots=True)
class Host:
    """The machine: its id, and the directory of the service's systemd credentials if it has one."""

    machine_id: str
    credentials_directory: Path | None = None

    @staticmethod
    def of_system() -> "Host":
        """This machine. Without machine-id(5), as in some containers, nothing tells it from another."""
        try:
            with Path("/etc/machine-id").open("rb") as file:
                machine_id = file.read(_MAX_MACHINE_ID_BYTES).decode(errors="replace").strip()
        except OSError:
            machine_id = ""
        directory = os.environ.get("CREDENTIALS_DIRECTORY")
        return Host(machine_id, Path(directory) if directory else None)


class Sealer:
    """Seals for one PBX-ID on one host. Blocking: call it from a worker thread."""

    def __init__(self, directory: Path, pbx_id: str, host: Host) -> None:
        self._key_file = directory / KEY_FILE_NAME
        self._pbx_id = pbx_id.lower()
        self._host = host

    def seal(self, content: bytes, reached: Reached = ignore) -> dict[str, str]:
        """`content` as a record of text. Makes the key file if there is no other key. Raises OSError."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # 40 ms: not every start seals

        source, key = self._key_to_seal(reached)
        nonce = os.urandom(_NONCE_BYTES)
        sealed = AESGCM(key).encrypt(nonce, content, self._bound_to(source))
        return {
            "key": source,
            "machine": self._machine_mark(),
            "pbx_id": self._pbx_id,
            "nonce": b64encode(nonce).decode(),
            "sealed": b64encode(sealed).decode(),
        }

    def unseal(self, record: Mapping[str, Any]) -> bytes:
        """What `seal` was given.

        Raises `StoreError`: credentials-foreign, -key-missing, -damaged, or store-unusable when the key
        can't be read now. None of them holds anything of the content.
        """
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        source = self._checked(record)
        key = self._key_to_unseal(source)
        try:
            nonce, sealed = (b64decode(record[name], validate=True) for name in ("nonce", "sealed"))
            return AESGCM(key).decrypt(nonce, sealed, self._bound_to(source))
        except (InvalidTag, KeyError, TypeError, ValueError):
            raise StoreError(FaultId.CREDENTIALS_DAMAGED) from None

    def is_current(self, record: Mapping[str, Any]) -> bool:
        """Whether `record` is sealed with the key that `seal` would use."""
        return (record.get("key") == _SYSTEMD) is (self._credential() is not None)

    def _checked(self, record: Mapping[str, Any]) -> str:
        """The source of the record's key, if the record is ours to open."""
        source = record.get("key")
        if source not in (_SYSTEMD, _FILE):
            raise StoreError(FaultId.CREDENTIALS_DAMAGED)
        if record.get("pbx_id") != self._pbx_id:
            raise StoreError(FaultId.CREDENTIALS_FOREIGN, "sealed for another PBX-ID")
        if record.get("machine") != self._machine_mark():
            raise StoreError(FaultId.CREDENTIALS_FOREIGN, "sealed on another machine")
        return str(source)

    def _bound_to(self, source: str) -> bytes:
        parts = (source.encode(), self._pbx_id.encode(), self._host.machine_id.encode())
        return b"\0".join((_PURPOSE, *parts))

    def _machine_mark(self) -> str:
        """Tells machines apart without showing the id itself, as machine-id(5) asks."""
        return hmac.digest(self._host.machine_id.encode(), _PURPOSE, hashlib.sha256).hex()[:16]

    # Keys ------------------------------------------------------------------------------------------------

    def _key_to_seal(self, reached: Reached) -> tuple[str, bytes]:
        credential = self._credential()
        if credential is not None:
            return _SYSTEMD, credential
        key = _read(self._key_file, _KEY_BYTES + 1)
        if key is None or len(key) != _KEY_BYTES:
            key = os.urandom(_KEY_BYTES)
            replace_file(self._key_file, key, lambda step: reached(f"key-{step}"))
        return _FILE, key

    def _key_to_unseal(self, source: str) -> bytes:
        key = self._credential() if source == _SYSTEMD else _read(self._key_file, _KEY_BYTES + 1)
        if key is None:
            name = f"the systemd credential {CREDENTIAL_NAME}" if source == _SYSTEMD else KEY_FILE_NAME
            raise StoreError(FaultId.CREDENTIALS_KEY_MISSING, name)
        if len(key) != _KEY_BYTES:
            raise StoreError(FaultId.CREDENTIALS_DAMAGED, KEY_FILE_NAME)
        return key

    def _credential(self) -> bytes | None:
        """The key from systemd's credential, None if the service has none. Raises OSError."""
        if self._host.credentials_directory is None:
            return None
        secret = _read(self._host.credentials_directory / CREDENTIAL_NAME, _MAX_CREDENTIAL_BYTES)
        if secret is None:
            return None
        if len(secret) < _KEY_BYTES:
            raise StoreError(FaultId.CREDENTIALS_KEY_MISSING, f"{CREDENTIAL_NAME} has under 32 bytes")
        return hashlib.sha256(_PURPOSE + secret).digest()


def _read(path: Path, limit: int) -> bytes | None:
    """Up to `limit` bytes of the file, None if there is none. Raises OSError."""
    try:
        with path.open("rb") as file:
            return file.read(limit)
    except FileNotFoundError:
        return None
