"""A file of records that a process appends while it lives, for the process after it on the same boot.

Nothing is flushed to the disk: a process that is killed leaves what it wrote, a machine that loses power does
not, and what a former boot wrote is not used. So a record costs one system call and no wait for a disk.
"""

import os
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from connector.domain.errors import StoreError
from connector.domain.faults import FaultId

# A stream's window at its worst is 1,024 stanzas of 64 KiB; its owner begins the file anew long before.
MAX_FILE_BYTES = 128 * 1024 * 1024

_HEADER_BYTES = 8
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> bytes:
    """What tells this boot of the machine from all others; empty where the system does not say."""
    try:
        return _BOOT_ID.read_bytes().strip()
    except OSError:
        return b""


class RecordJournal:
    """One file, 0600. `boot` binds it to one boot of the machine; an empty one means that nothing is kept."""

    def __init__(self, path: Path, boot: bytes) -> None:
        self._path = path
        self._temporary = path.with_name(path.name + ".new")
        self._boot = boot
        self._descriptor: int | None = None
        self.size_bytes = 0

    def load(self) -> list[bytes]:
        """The records of the last process, oldest first; none if there are none of this boot.

        Reading ends at the first record that is not whole: it was cut by a kill, so nothing followed from it.
        """
        try:
            with self._path.open("rb") as file:
                content = file.read(MAX_FILE_BYTES)
        except OSError:
            return []
        records = _records(content)
        return records[1:] if records and self._boot and records[0] == self._boot else []

    def begin(self, records: Sequence[bytes]) -> None:
        """Begin anew with `records`. Raises `StoreError`; then nothing is kept until the next `begin`."""
        self.close()
        if not self._boot:
            return
        try:
            descriptor = os.open(
                self._temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600
            )
        except OSError as error:
            self.forget()  # what the file says is not true any more
            raise StoreError(FaultId.STORE_UNUSABLE, f"{self._path.name}: {error.strerror}") from error
        self._descriptor, self.size_bytes = descriptor, 0
        self.append([self._boot, *records])
        self._temporary.replace(self._path)

    def append(self, records: Sequence[bytes]) -> None:
        """Write `records`, all in one call. Without `begin` nothing is kept. Raises `StoreError`."""
        if self._descriptor is None:
            return
        data = b"".join(map(_framed, records))
        try:
            written = os.write(self._descriptor, data)
        except OSError as error:
            self.forget()
            raise StoreError(FaultId.STORE_UNUSABLE, f"{self._path.name}: {error.strerror}") from error
        self.size_bytes += written
        if written != len(data):  # a disk that is full takes a part; half a window must not be resumed
            self.forget()
            raise StoreError(FaultId.STORE_UNUSABLE, f"{self._path.name}: the disk is full")

    def forget(self) -> None:
        """There is nothing to continue: the file goes."""
        self.close()
        for path in (self._path, self._temporary):
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file; it stays for the next process."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def _framed(record: bytes) -> bytes:
    return len(record).to_bytes(4, "big") + zlib.crc32(record).to_bytes(4, "big") + record


def _records(content: bytes) -> list[bytes]:
    found: list[bytes] = []
    start = 0
    while start + _HEADER_BYTES <= len(content):
        length = int.from_bytes(content[start : start + 4], "big")
        checksum = int.from_bytes(content[start + 4 : start + _HEADER_BYTES], "big")
        start += _HEADER_BYTES
        record = content[start : start + length]
        if len(record) != length or zlib.crc32(record) != checksum:
            break
        found.append(record)
        start += length
    return found
