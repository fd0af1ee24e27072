"""Model size, not limit: few files over 400 lines, few functions over 50."""

import ast

from tests.architecture.imports import modules

TREE = {**modules("connector"), **modules("simulators")}


def test_few_files_are_long() -> None:
    long = {name: count for name, path in TREE.items() if (count := len(path.read_text().splitlines())) > 400}
    assert len(long) <= 2, long
    assert all(count <= 500 for count in long.values()), long


def test_few_functions_are_long() -> None:
    long = {
        f"{name}.{node.name}": length
        for name, path in TREE.items()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        and (length := (node.end_lineno or 0) - node.lineno + 1) > 50
    }
    assert len(long) <= 2, long


def test_verification_can_not_be_switched_off() -> None:
    words = ("CERT_" + "NONE", "_create_" + "unverified", "verify=" + "False")
    found = [name for name, path in TREE.items() if any(word in path.read_text() for word in words)]
    assert found == []
