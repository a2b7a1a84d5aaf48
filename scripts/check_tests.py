#!/usr/bin/env python3
"""Refuse a test in Python that cannot fail, or that passes without having looked; and any test that the hour decides.

Found are: a test with no assertion that calls nothing of its own which could have one; one that returns before its end; an
assertion of a constant or of a tuple; one that holds because of a variable of the environment; and `raises` of Exception or
BaseException, which a typing error satisfies. In Rust and in Python: a model that has other prices at other hours, where
prices are not what is tested.

Usage: scripts/check_tests.py [FOLDER]
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
#: The tests of prices themselves, which say at which time.
PRICE_TESTS = "test_prices.py"
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def inside(test: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function, but not those of the functions in it."""
    for node in ast.iter_child_nodes(test):
        if not isinstance(node, (*FUNCTIONS, ast.Lambda)):
            yield node
            yield from inside(node)


def called(node: ast.AST) -> str:
    """The name of what is called, without what stands before its last dot."""
    function = node.func if isinstance(node, ast.Call) else None
    return getattr(function, "attr", getattr(function, "id", ""))


def can_fail(test: ast.AST, helpers: set[str]) -> bool:
    """Whether anything in a test asserts, expects an exception, or calls a helper that may."""
    for node in ast.walk(test):
        if isinstance(node, (ast.Assert, ast.Raise)):
            return True
        if called(node) in {"raises", "warns", "fail", *helpers} or called(node).startswith(("assert_", "wait_")):
            return True
    return False


def faults(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """What is wrong in a file, with its line."""
    imported = {
        alias.asname or alias.name for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }
    own = [node for node in ast.walk(tree) if isinstance(node, FUNCTIONS)]
    helpers = {node.name for node in own if not node.name.startswith("test") and can_fail(node, set())} | imported
    for test in own:
        if not test.name.startswith("test"):
            continue
        if not can_fail(test, helpers | {"run", "exec"}):
            yield test.lineno, f"{test.name} asserts nothing"
        for node in inside(test):
            if isinstance(node, ast.Return) and node is not test.body[-1]:
                yield node.lineno, f"{test.name} returns before its end: what follows is not looked at"
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert):
            if isinstance(node.test, (ast.Constant, ast.Tuple)):
                yield node.lineno, "an assertion of a constant or a tuple always holds"
            if any(getattr(one, "attr", "") in ("environ", "getenv") for one in ast.walk(node.test)):
                yield node.lineno, "an assertion that the environment decides may always hold"
        if called(node) == "raises" and node.args and getattr(node.args[0], "id", "") in ("Exception", "BaseException"):
            yield node.lineno, "raises(Exception) holds for any mistake in the test itself"


def priced_by_the_hour() -> set[str]:
    """The models whose price depends on the hour, quoted as a test names them."""
    rows = (ROOT / "src/cost/price/prices.tsv").read_text(encoding="utf-8").splitlines()
    return {f'"{"/".join(row.split(chr(9))[:2])}"' for row in rows if " hours:" in row}


def by_the_hour(root: Path) -> Iterator[str]:
    """Where a test outside those of prices names one of them."""
    models = priced_by_the_hour()
    for file in sorted([*root.rglob("*.rs"), *root.rglob("*.py")]):
        if file.name == PRICE_TESTS:
            continue
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            for model in models & set(re.findall(r'"[^"\s]+"', line)):
                yield f"{file.relative_to(root)}:{number}: the price of {model} depends on the hour: take another model"


def main(root: Path) -> int:
    """Print what is wrong and return the exit status."""
    wrong = list(by_the_hour(root))
    files = sorted(root.rglob("test_*.py"))
    for file in files:
        for line, fault in sorted(faults(ast.parse(file.read_text(encoding="utf-8")))):
            wrong.append(f"{file.relative_to(root)}:{line}: {fault}")
    print("\n".join(wrong) or f"{len(files)} files of tests: every test can fail, at any hour")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "tests"))
