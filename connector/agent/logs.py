"""How the agent logs: stable event names, one line an event, no secret, no whole telephone number.

Every module logs by `logging.getLogger(__name__)` with the event's name as the message and facts in `extra`
(or by structlog, the same way). What is written here is the last line of defence, not the first: a module
masks its numbers itself, and never passes a secret.
"""

import logging
import os
import re
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, TextIO

from connector.agent.plain import plain, plain_lines
from connector.domain.identifiers import masked

if TYPE_CHECKING:
    # structlog loads rich to draw on terminals, 60 ms in all: only `configure` pays for that.
    from structlog.typing import EventDict, Processor, WrappedLogger

# One value of an event: long enough for a bounded excerpt of a peer's bytes, short enough for a log viewer.
MAX_VALUE_CHARS: Final = 1_000
# Structures are logged flat; deeper ones come from a foreign library's `extra`.
MAX_DEPTH: Final = 4
MAX_ITEMS: Final = 50
# A deep traceback with its causes; the end of it tells most.
MAX_TRACEBACK_CHARS: Final = 20_000

# At DEBUG these write whole frames: authorisation headers, SASL blobs, telephone numbers (seen). uvicorn
# tells at INFO of server processes that are none of ours.
CHATTY_LOGGERS: Final = {
    "asyncio": logging.INFO,
    "httpcore2": logging.INFO,
    "httpx2": logging.INFO,
    "uvicorn": logging.WARNING,
    "websockets": logging.INFO,
}

_HANDLER_NAME: Final = "oxbridge"
# Another handler's formatter writes these into the record that all handlers share.
_LEFT_BY_FORMATTERS: Final = frozenset({"asctime", "message"})
_SECRET_KEY = re.compile(
    r"code|(.*[_-])?(access|activation|private|public)[_-]?code"
    r"|(.*[_-])?(password|passwd|secret|token|authorization|cookie|credentials?|api[_-]?key)",
    re.IGNORECASE,
)
# Seven digits are the shortest subscriber numbers in use. An identifier in hexadecimal with a letter in it
# is no telephone number, however many digits it has in a row.
_ID_OR_NUMBER = re.compile(r"(?P<id>\b(?=[0-9-]*[a-f])[0-9a-f-]{16,}\b)|\+?\d{7,}")


def configure(level: str, form: str, *, stream: TextIO | None = None) -> None:
    """Log from `level` (a name of `logging`, any case) up to `stream` (stderr), in place of the last set-up.

    `form`: "console" for a person, "json" for one JSON object a line, "auto" for console on a terminal.
    """
    import structlog

    target = sys.stderr if stream is None else stream
    is_terminal = target.isatty()
    renderer = _console(colors=is_terminal and not os.environ.get("NO_COLOR"))
    if form == "json" or (form == "auto" and not is_terminal):
        renderer = structlog.processors.JSONRenderer()
    handler = logging.StreamHandler(target)
    handler.name = _HANDLER_NAME
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_common(),
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, scrubbed, renderer],
        )
    )
    _install(handler, level.upper())
    structlog.configure(
        processors=[*_common(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def scrubbed(_logger: "WrappedLogger", _method: str, event: "EventDict") -> "EventDict":
    """`event` without secrets (dropped by the name of their key), with numbers masked and text made plain."""
    clean = {
        key: _clean(value, 0)
        for key, value in event.items()
        if key not in _LEFT_BY_FORMATTERS and not _is_secret(key)
    }
    if isinstance(event.get("exception"), str):  # its line breaks carry the meaning; JSON escapes them anyway
        tail = event["exception"][-MAX_TRACEBACK_CHARS:]
        clean["exception"] = plain_lines(_without_numbers(tail))
    return clean


def _common() -> "list[Processor]":
    import structlog

    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]


def _console(*, colors: bool) -> "Processor":
    import structlog

    return structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=structlog.dev.plain_traceback)


def _install(handler: logging.Handler, level: str) -> None:
    root = logging.getLogger()
    for old in [known for known in root.handlers if known.name == _HANDLER_NAME]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    for name, floor in CHATTY_LOGGERS.items():
        logging.getLogger(name).setLevel(max(floor, root.level))


def _is_secret(key: object) -> bool:
    return _SECRET_KEY.fullmatch(str(key)) is not None


def _clean(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping) and depth < MAX_DEPTH:
        items = list(value.items())[:MAX_ITEMS]
        return {_text(key): _clean(item, depth + 1) for key, item in items if not _is_secret(key)}
    if isinstance(value, list | tuple | set | frozenset) and depth < MAX_DEPTH:
        return [_clean(item, depth + 1) for item in list(value)[:MAX_ITEMS]]
    return _text(value)


def _text(value: object) -> str:
    return plain(_without_numbers(str(value)), MAX_VALUE_CHARS)


def _without_numbers(text: str) -> str:
    return _ID_OR_NUMBER.sub(lambda found: found[0] if found["id"] else masked(found[0]), text)
