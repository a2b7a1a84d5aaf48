#!/usr/bin/env python3
"""Refuse two types of the core that share a name: a reader who meets one must not take it for the other.

Looks at every struct, enum, type alias, trait and union in src/ that other rooms can see (`pub` and `pub(crate)`); what a
room keeps to itself, and what is of tests, does not count.

Usage: scripts/check_names.py [FOLDER]
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from pathlib import Path

TYPE = re.compile(r"^pub(?:\(crate\))? (?:struct|enum|type|trait|union) (\w+)", re.MULTILINE)
TEST_MODULE = re.compile(r"^#\[cfg\(test\)\]\s*mod \w+ \{.*", re.MULTILINE | re.DOTALL)


def types(root: Path) -> dict[str, list[str]]:
    """The names of the types in a folder, each with the files where it stands."""
    found = defaultdict(list)
    for file in sorted(root.rglob("*.rs")):
        if file.name == "tests.rs" or "tests" in file.parts:
            continue
        for name in TYPE.findall(TEST_MODULE.sub("", file.read_text(encoding="utf-8"))):
            found[name].append(str(file.relative_to(root.parent)))
    return found


def main(root: Path) -> int:
    """Print the names that several types share and return the exit status."""
    found = types(root)
    shared = {name: files for name, files in sorted(found.items()) if len(files) > 1}
    for name, files in shared.items():
        print(f"{name} is the name of {len(files)} types: {', '.join(files)}")
    if not shared:
        print(f"{len(found)} types of the core: each has a name of its own")
    return 1 if shared else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent / "src"))
