"""What reaches the log, and what never does."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from connector.agent import logs


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _undisturbed_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    chatty = {name: logging.getLogger(name).level for name in logs.CHATTY_LOGGERS}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, old in chatty.items():
        logging.getLogger(name).setLevel(old)
    structlog.reset_defaults()


def logged(event: str, level: int = logging.INFO, error: BaseException | None = None, /, **extra: Any) -> Any:
    """The one JSON object that logging `event` leaves."""
    stream = io.StringIO()
    logs.configure("debug", "auto", stream=stream)
    logging.getLogger("connector.pbx").log(level, event, extra=extra, exc_info=error)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 1
    return json.loads(lines[0])


def test_an_event_is_one_json_object_with_its_facts() -> None:
    record = logged("pbx-connected", logging.WARNING, devices=21, phase="II", up=True, nothing=None)
    assert record["event"] == "pbx-connected"
    assert record["level"] == "warning"
    assert record["logger"] == "connector.pbx"
    assert record["timestamp"].endswith("Z")
    assert (record["devices"], record["phase"], record["up"], record["nothing"]) == (21, "II", True, None)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("call from 0199001234", "call from ********34"),
        ("+33639980001 rings", "********01 rings"),
        ("tel:0639980001;x", "tel:********01;x"),
        ("device 3001 at 192.168.92.246:2555", "device 3001 at 192.168.92.246:2555"),
        ("call c-2f9a, epoch 9f3c1234567890ab9f3c1234567890ab", None),
        ("id 315e5b2d-bf87-46fd-9366-012345678c23", None),
        ("not an id: 12345678901234567890", "not an id: ********90"),
    ],
)
def test_telephone_numbers_are_masked(text: str, shown: str | None) -> None:
    expected = shown or text
    record = logged(text, detail={"deep": [text]})
    assert record["event"] == expected
    assert record["detail"] == {"deep": [expected]}


@pytest.mark.parametrize(
    "key",
    [
        "code",
        "password",
        "proxy_password",
        "Authorization",
        "access_code",
        "token",
        "client-secret",
        "cookie",
        "api_key",
    ],
)
def test_secrets_are_dropped_by_the_name_of_their_key(key: str) -> None:
    record = logged("x", nested={key: "hunter2", "kept": 1}, **{key: "hunter2"})
    assert "hunter2" not in json.dumps(record)
    assert record["nested"] == {"kept": 1}


@pytest.mark.parametrize("key", ["status_code", "error_code", "country", "close_code", "tokens_left"])
def test_harmless_keys_stay(key: str) -> None:
    assert logged("x", **{key: "busy"})[key] == "busy"


@pytest.mark.parametrize("form", ["json", "console"])
@pytest.mark.parametrize(
    "hostile", ["a\r\nfake: event", "a\x1b[2Jb", "a\u202eb", "a\u2028b", "a\x00b", "a\ud800b"]
)
def test_a_hostile_name_stays_inside_its_line(form: str, hostile: str) -> None:
    stream = io.StringIO()
    logs.configure("info", form, stream=stream)
    logging.getLogger("x").info("called %s", hostile, extra={"name_shown": hostile})
    written = stream.getvalue()
    assert written.endswith("\n")
    assert written.count("\n") == 1
    assert len(written.splitlines()) == 1
    assert not any(character in written for character in "\x1b\r\x00\u202e\ud800")


def test_a_traceback_keeps_its_lines_but_no_number_and_no_escape() -> None:
    with pytest.raises(ValueError, match="0199001234") as raised:
        int("0199001234 \x1b[31m")
    record = logged("broke", logging.ERROR, ValueError("0199001234 \x1b[31m").with_traceback(raised.tb))
    assert record["exception"].splitlines()[0] == "Traceback (most recent call last):"
    assert record["exception"].splitlines()[-1] == "ValueError: ********34 \\x1b[31m"


def test_long_values_and_deep_structures_are_bounded() -> None:
    deep: list[Any] = []
    for _ in range(100):
        deep = [deep]
    record = logged("x", excerpt="a" * 100_000, many=list(range(10_000)), deep=deep)
    assert len(record["excerpt"]) == logs.MAX_VALUE_CHARS
    assert len(record["many"]) == logs.MAX_ITEMS
    assert len(json.dumps(record["deep"])) <= logs.MAX_VALUE_CHARS


def test_structlog_and_logging_write_alike() -> None:
    stream = io.StringIO()
    logs.configure("info", "json", stream=stream)
    structlog.get_logger("a").info("event", caller="0199001234", code="1234")
    logging.getLogger("a").info("event", extra={"caller": "0199001234", "code": "1234"})
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    del first["timestamp"], second["timestamp"]
    assert first == second == {"caller": "********34", "event": "event", "level": "info", "logger": "a"}


@pytest.mark.parametrize("name", logs.CHATTY_LOGGERS)
def test_libraries_that_write_whole_frames_are_never_at_debug(name: str) -> None:
    logs.configure("debug", "json", stream=io.StringIO())
    assert not logging.getLogger(f"{name}.client").isEnabledFor(logging.DEBUG)
    assert logging.getLogger(f"{name}.client").isEnabledFor(logging.WARNING)
    logs.configure("error", "json", stream=io.StringIO())
    assert not logging.getLogger(name).isEnabledFor(logging.WARNING)


def test_a_second_set_up_replaces_the_first() -> None:
    first, second = io.StringIO(), io.StringIO()
    logs.configure("info", "json", stream=first)
    logs.configure("warning", "json", stream=second)
    logging.getLogger("a").info("quiet")
    logging.getLogger("a").warning("loud")
    assert first.getvalue() == ""
    assert json.loads(second.getvalue())["event"] == "loud"


def test_auto_is_console_on_a_terminal_with_colour_unless_told_not_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    colourful, plain = Terminal(), Terminal()
    logs.configure("info", "auto", stream=colourful)
    logging.getLogger("a").info("event-name")
    monkeypatch.setenv("NO_COLOR", "1")
    logs.configure("info", "auto", stream=plain)
    logging.getLogger("a").info("event-name")
    assert "\x1b[" in colourful.getvalue()
    assert "event-name" in colourful.getvalue()
    assert "\x1b" not in plain.getvalue()
    assert not plain.getvalue().startswith("{")
