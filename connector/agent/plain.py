"""Text from outside made safe to show: it can't move the cursor, break the line or turn its direction."""

import re
from typing import Final

# A display name of a PBX has at most 20 to 40 characters; longer text is somebody's attempt at something.
MAX_SHOWN_CHARS: Final = 200

# C0, DEL and C1 steer terminals; U+2028 and U+2029 break lines; the marks around U+200E, U+202A and U+2066
# reorder what a reader sees; zero-width and tag characters hide text; surrogates can't be written as UTF-8.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)


def plain(text: str, limit: int = MAX_SHOWN_CHARS) -> str:
    """`text` with every unsafe character spelled out (`\\x1b`, `\\u202e`), cut to `limit` characters."""
    shown = _UNSAFE.sub(_spelled, text[: limit + 1])
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def plain_lines(text: str) -> str:
    """`text` of any length made safe line by line: its line breaks stay. For tracebacks."""
    return "\n".join(_UNSAFE.sub(_spelled, line) for line in text.split("\n"))


def _spelled(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
