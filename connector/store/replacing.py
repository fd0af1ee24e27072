"""Files replaced whole: whoever reads finds the old content or the new, whenever the writer was killed."""

import os
from collections.abc import Callable
from pathlib import Path

# Called with the name of each step that is done; tests end the process there.
Reached = Callable[[str], None]


def ignore(_step: str) -> None:
    """Nobody waits for a step."""


def replace_file(path: Path, content: bytes, reached: Reached = ignore) -> None:
    """Put `content` at `path`, mode 0600; returns when it is on disk. Raises OSError."""
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), 0o600)
        reached("opened")
        file.write(content)
        file.flush()
        reached("written")
        os.fsync(file.fileno())
    reached("synced")
    temporary.rename(path)
    reached("renamed")
    sync_directory(path.parent)
    reached("done")


def sync_directory(directory: Path) -> None:
    """Make renames and removals in `directory` durable. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
