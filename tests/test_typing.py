"""A user's own checkers: mypy and pyright, both strict where they can be, on the examples and on files that touch it all."""

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import headrace
import pytest
from test_docstrings import NAMES, members

ROOT = Path(__file__).parent.parent
FILES = [str(ROOT / "tests" / "typing"), str(ROOT / "examples")]
# A user meets these; the parts of the command line and of the load suite are met by few.
MODULES = (
    "cache",
    "client",
    "cost",
    "doctor",
    "embedders",
    "frame",
    "guards",
    "langchain",
    "llamaindex",
    "loadgen",
    "metrics",
    "plots",
    "providers",
    "queue",
    "telemetry",
    "verifiers",
    "workload",
)
TREES = [ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "tests" / "typing").glob("*.py")]
TOUCHED = {
    node.attr if isinstance(node, ast.Attribute) else node.id
    for tree in TREES
    for node in ast.walk(tree)
    if isinstance(node, ast.Attribute | ast.Name)
}


def check(*command):
    done = subprocess.run(
        [sys.executable, "-m", *command], capture_output=True, text=True, check=False, cwd=ROOT, timeout=570
    )
    return done.returncode, done.stdout + done.stderr


def names():
    for name in NAMES:
        parts = name.split(".")
        if len(parts) == 2 or (len(parts) == 3 and parts[1] in MODULES):
            yield name


@pytest.mark.parametrize("name", list(names()))
def test_a_public_name_is_touched(name):
    assert name.rpartition(".")[2] in TOUCHED


@pytest.mark.parametrize("owner", [name for name in headrace.__all__ if isinstance(getattr(headrace, name), type)])
def test_each_member_of_a_class_is_touched(owner):
    assert sorted(set(members(getattr(headrace, owner))) - TOUCHED) == []


@pytest.mark.timeout(600)
def test_mypy_passes():
    if importlib.util.find_spec("mypy") is None:
        pytest.skip("mypy is not installed: pip install 'headrace[lint]'")
    status, told = check("mypy", "--strict", "--config-file", "tests/typing/mypy.ini", *FILES)
    assert status == 0, told


@pytest.mark.timeout(600)
def test_pyright_passes():
    if importlib.util.find_spec("pyright") is None:
        pytest.skip("pyright is not installed: pip install pyright")
    status, told = check("pyright", "--pythonpath", sys.executable, *FILES)
    assert status == 0, told
