#!/usr/bin/env python3
"""Refuse a Rust dependency that no line of code names, that only tests name, or that any version would do for.

Reads the manifests of the workspace through `cargo metadata` and the code beside them; builds and downloads nothing.
A dependency is named where its crate stands before `::` or `!`, or in `use crate;`. Code of tests is what stands in
tests/, benches/ and examples/, and in modules behind `#[cfg(test)]`.

Usage: scripts/check_unused.py [FOLDER]
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TEST_MODULE = re.compile(r"#\[cfg\(test\)\]\s*(?:#\[[^\]]*\]\s*)*(?:pub(?:\([a-z]+\))? )?mod (\w+)\s*([;{])")
INHERITED = re.compile(r"^([\w-]+)(?:\.workspace = true| = \{.*workspace = true.*\})", re.MULTILINE)


def code(file: Path) -> str:
    """A file's text without comments, in which a crate may be named that is not used."""
    return re.sub(r"(?m)^\s*//.*$|(?<=\s)//.*$", "", file.read_text(encoding="utf-8"))


def split(file: Path) -> tuple[str, str, set[Path]]:
    """A file's shipped code, the code of the test module that ends it, and the files of modules that are tests only."""
    text, tests, files = code(file), "", set()
    for found in TEST_MODULE.finditer(text):
        if found[2] == "{":
            # A test module ends its file.
            text, tests = text[: found.start()], text[found.start() :]
            break
        folder = file.parent if file.name in {"mod.rs", "lib.rs", "main.rs"} else file.with_suffix("")
        files |= {folder / f"{found[1]}.rs", *(folder / found[1]).rglob("*.rs")}
    return text, tests, files


def shipped_and_tests(root: Path) -> tuple[str, str]:
    """All code of a package that ships, and all that only tests and measures."""
    parts = {file: split(file) for file in sorted((root / "src").rglob("*.rs"))}
    only_tests = {file for _, _, files in parts.values() for file in files}
    shipped = [text for file, (text, _, _) in parts.items() if file not in only_tests]
    tests = [tests for _, tests, _ in parts.values()] + [code(file) for file in only_tests if file.is_file()]
    for folder in ("tests", "benches", "examples"):
        tests += [code(file) for file in sorted((root / folder).rglob("*.rs"))]
    return "\n".join(shipped), "\n".join(tests)


def names(text: str, crate: str) -> bool:
    """Whether code names a crate."""
    return bool(re.search(rf"(?<!\w)(?<!\w::)(?:r#)?{crate}\s*(?:::|!)|\buse {crate}\s*(?:;|as )", text))


def faults(package: dict[str, Any]) -> Iterator[str]:
    """What speaks against a package's dependencies."""
    root = Path(package["manifest_path"]).parent
    shipped, tests = shipped_and_tests(root)
    build = code(root / "build.rs") if (root / "build.rs").is_file() else ""
    for wanted in package["dependencies"]:
        crate = (wanted["rename"] or wanted["name"]).replace("-", "_")
        if wanted["req"] == "*" and not wanted.get("path"):
            yield f"{wanted['name']} is wanted in any version: name the one that the code was written for"
        if wanted["kind"] == "dev":
            if not names(shipped + tests, crate):
                yield f"{wanted['name']} is a dependency of tests that none of them names: remove it"
        elif wanted["kind"] == "build":
            if not names(build, crate):
                yield f"{wanted['name']} is a dependency of build.rs, which does not name it: remove it"
        elif not names(shipped, crate):
            only = names(tests, crate)
            yield f"{wanted['name']} is named {'by tests only: make it a dev-dependency' if only else 'nowhere: remove it'}"


def not_inherited(root: Path, manifests: list[Path]) -> Iterator[str]:
    """The dependencies that the workspace offers and no member takes."""
    section = re.search(r"(?ms)^\[workspace\.dependencies\]\n(.*?)(?=^\[|\Z)", (root / "Cargo.toml").read_text("utf-8"))
    taken = {name for file in manifests for name in INHERITED.findall(file.read_text("utf-8"))}
    for name in re.findall(r"(?m)^([\w-]+) =", section[1] if section else ""):
        if name not in taken:
            yield f"{name} stands in the workspace's dependencies, and no member takes it: remove it"


def main(root: Path) -> int:
    """Print what is wrong and return the exit status."""
    command = ["cargo", "metadata", "--format-version=1", "--no-deps", "--offline"]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, cwd=root).stdout)
    wrong = [f"{package['name']}: {fault}" for package in found["packages"] for fault in faults(package)]
    wrong += not_inherited(root, [Path(package["manifest_path"]) for package in found["packages"]])
    count = sum(len(package["dependencies"]) for package in found["packages"])
    print("\n".join(wrong) or f"{count} direct dependencies: all are used, and all say their version")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent))
