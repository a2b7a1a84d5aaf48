#!/usr/bin/env python3
"""Refuse a wheel or source distribution that is too large, or lacks or carries what it should not.

Usage: scripts/check_wheel.py FILE...
"""

from __future__ import annotations

import sys
import tarfile
import zipfile
from pathlib import Path

MB = 1_000_000
# What docs/install.md states.
LARGEST = {".whl": 32 * MB, ".gz": 24 * MB}
# Of a wheel, by the end of a name; of a source distribution, below its folder.
WHEEL = (
    "headrace/__init__.py",
    "headrace/py.typed",
    "headrace/models/verifier.safetensors",
    "headrace/_core/__init__.pyi",
    "licenses/LICENSE",
    ".cyclonedx.json",
)
SOURCE = ("Cargo.lock", "Cargo.toml", "LICENSE", "README.md", "pyproject.toml", "python/Cargo.toml", "src/lib.rs")
STRAY = ("__pycache__", ".pyc", "/tests/", "/target/", "/benches/", ".db", ".env")


def faults(path: Path) -> list[str]:
    """What speaks against a file."""
    size, most = path.stat().st_size, LARGEST.get(path.suffix)
    if most is None:
        return [f"{path.name} is neither a wheel nor a .tar.gz"]
    found = [f"{path.name} has {size / MB:.1f} MB, {most / MB:.0f} are allowed"] if size > most else []
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as wheel:
            names = wheel.namelist()
        found += [f"{path.name} lacks {end}" for end in WHEEL if not any(name.endswith(end) for name in names)]
        found += [f"{path.name} carries {name}" for name in names if any(part in name for part in STRAY)]
        if "-abi3-" not in path.name:
            found.append(f"{path.name} is for one version of Python only")
    else:
        with tarfile.open(path) as source:
            names = ["/".join(name.split("/")[1:]) for name in source.getnames()]
        found += [f"{path.name} lacks {name}" for name in SOURCE if name not in names]
        found += [
            f"{path.name} carries {name}" for name in names if "__pycache__" in name or name.startswith("target/")
        ]
    return found


def main() -> int:
    """Print what is wrong, or the sizes; the exit status."""
    paths = [Path(given) for given in sys.argv[1:]]
    if not paths:
        print(__doc__)
        return 2
    wrong = [fault for path in paths for fault in faults(path)]
    sizes = [f"{path.name}: {path.stat().st_size / MB:.1f} MB" for path in paths]
    print("\n".join(wrong or sizes))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
