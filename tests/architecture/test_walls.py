"""The walls of docs/architecture.md, read from the imports so that they can't rot."""

import sys
from collections.abc import Iterator

import pytest

from tests.architecture.imports import Import, imports_of, modules

CONNECTOR = modules("connector")
SIMULATORS = modules("simulators")

# package: (own packages it may import, outside libraries it may import; None = any of the project's)
PURE = {
    "abc", "base64", "binascii", "bisect", "collections", "contextlib", "dataclasses", "datetime", "enum",
    "functools", "hashlib", "heapq", "hmac", "ipaddress", "itertools", "json", "math", "operator", "re",
    "string", "stringprep", "struct", "types", "typing", "unicodedata", "urllib.parse",
    "xml.etree", "xml.parsers",
}  # fmt: skip
OUTSIDE = {
    "domain": {"phonenumbers", "re2"},
    "wire": set(),
    "links": {"websockets", "h11", "httpx2", "httpcore2", "asyncssh", "serial", "cryptography", "spnego"},
    "store": {"cryptography"},
    "pbx": {"pydantic"},
    "uplink": {"pydantic"},
    "rva": {"pydantic", "httpx2"},
    "bridge": set(),
    "agent": {
        "pydantic",
        "pydantic_core",
        "pydantic_settings",
        "prometheus_client",
        "structlog",
        "starlette",
        "uvicorn",
    },
    "cli": {"click", "rich"},
}
OWN = {
    "domain": set(),
    "wire": {"domain"},
    "links": {"domain", "wire"},
    "store": {"domain"},
    "pbx": {"domain", "wire", "links", "store"},
    "uplink": {"domain", "wire", "links", "store"},
    "rva": {"domain", "wire", "links", "store"},
    "bridge": {"domain"},
    "agent": {"domain", "wire", "links", "store", "pbx", "uplink", "rva", "bridge"},
    "cli": {"domain", "agent"},
}
# Adapters and dialects are strangers to each other.
FAMILIES = ("pbx", "uplink")
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}


def room(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def connector_imports() -> Iterator[Import]:
    for name, path in CONNECTOR.items():
        yield from imports_of(name, path)


def is_stdlib(target: str) -> bool:
    return target.split(".", maxsplit=1)[0] in sys.stdlib_module_names


def test_every_room_has_a_rule() -> None:
    assert {room(name) for name in CONNECTOR} - {""} <= OWN.keys()


def test_own_imports_keep_to_the_walls() -> None:
    broken = [
        f"{one.module}:{one.line} imports {one.target}"
        for one in connector_imports()
        if one.target.startswith("connector.")
        and room(one.target) != room(one.module)
        and room(one.target) not in OWN.get(room(one.module), set())
    ]
    assert broken == []


def test_connector_knows_neither_simulators_nor_tests() -> None:
    broken = [
        f"{one.module}:{one.line} imports {one.target}"
        for one in connector_imports()
        if one.target.split(".")[0] in {"simulators", "tests"}
    ]
    assert broken == []


@pytest.mark.parametrize("family", FAMILIES)
def test_adapters_do_not_know_each_other(family: str) -> None:
    broken = [
        f"{one.module}:{one.line} imports {one.target}"
        for one in connector_imports()
        if one.target.startswith(f"connector.{family}.")
        and room(one.module) == family
        and one.module.split(".")[2:3] != one.target.split(".")[2:3]
    ]
    assert broken == []


@pytest.mark.parametrize("pure_room", ["domain", "wire"])
def test_pure_rooms_use_no_io_clock_or_randomness(pure_room: str) -> None:
    broken = [
        f"{one.module}:{one.line} imports {one.target}"
        for one in connector_imports()
        if room(one.module) == pure_room
        and is_stdlib(one.target)
        and not any(one.target == pure or one.target.startswith(pure + ".") for pure in PURE)
    ]
    assert broken == []


def test_outside_libraries_stand_where_they_are_allowed() -> None:
    broken = [
        f"{one.module}:{one.line} imports {one.target}"
        for one in connector_imports()
        if not is_stdlib(one.target)
        and one.target.split(".")[0] != "connector"
        and one.target.split(".")[0] not in OUTSIDE.get(room(one.module), set())
    ]
    assert broken == []


def test_simulators_use_only_the_shared_words_and_machines() -> None:
    broken = [
        f"{one.module}:{one.line} imports {one.target}"
        for name, path in SIMULATORS.items()
        for one in imports_of(name, path)
        if (one.target.split(".")[0] == "connector" and room(one.target) not in {"domain", "wire"})
        or one.target.split(".")[0] == "tests"
    ]
    assert broken == []


def test_no_import_cycles() -> None:
    everything = {**CONNECTOR, **SIMULATORS}
    graph = {
        name: {
            one.target for one in imports_of(name, path) if one.target in everything and one.target != name
        }
        for name, path in everything.items()
    }
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " → ".join((*way[way.index(name) :], name))
        if name in done:
            return
        for target in sorted(graph[name]):
            visit(target, (*way, name))
        done.add(name)

    for name in graph:
        visit(name, ())


def test_modules_are_nouns_of_the_business() -> None:
    names = {part for name in {**CONNECTOR, **SIMULATORS} for part in name.split(".")}
    assert names & FORBIDDEN_NAMES == set()
