#!/usr/bin/env python3
"""Refuse a Rust dependency that a wheel under Apache-2.0 should not carry.

Checks every package that the lock file resolves to: its licence (an SPDX expression) against an allow-list, its
source (crates.io only), and its name against a short list of what must not come in. Needs nothing but cargo; works
without a network once the crates are there.

Usage: scripts/check_dependencies.py
"""

from __future__ import annotations

import json
import re
import subprocess
import sys

ALLOWED = {
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "NCSA",
    "OpenSSL",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
}
BANNED = {
    "native-tls": "rustls is the one TLS",
    "openssl-sys": "rustls is the one TLS",
    "pyo3-asyncio": "pyo3-async-runtimes succeeds it",
}
REGISTRY = "registry+https://github.com/rust-lang/crates.io-index"


def permits(expression: str) -> bool:
    """Whether the allow-list satisfies an SPDX expression (`/` is the old spelling of OR)."""
    tokens = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))

    def either() -> bool:
        result = both()
        while tokens and tokens[0] == "OR":
            tokens.pop(0)
            result = both() or result
        return result

    def both() -> bool:
        result = one()
        while tokens and tokens[0] == "AND":
            tokens.pop(0)
            result = one() and result
        return result

    def one() -> bool:
        token = tokens.pop(0)
        if token == "(":
            result = either()
            tokens.pop(0)
            return result
        if tokens and tokens[0] == "WITH":
            token = " ".join([token, tokens.pop(0), tokens.pop(0)])
        return token in ALLOWED

    return either()


def faults(package: dict[str, str | None]) -> list[str]:
    """What speaks against a package; its own workspace members have no source and are passed over."""
    name, source, licence = package["name"], package["source"], package["license"]
    if source is None:
        return []
    found = []
    if name in BANNED:
        found.append(f"is banned: {BANNED[name]}")
    if source != REGISTRY:
        found.append(f"comes from {source}, not from crates.io")
    if not licence or not permits(licence):
        found.append(f"has the licence {licence}, which is not on the list")
    return found


def main() -> int:
    """Print what is wrong and return the exit status."""
    command = ["cargo", "metadata", "--format-version=1", "--locked"]
    packages = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["packages"]
    wrong = [f"{p['name']} {p['version']} {fault}" for p in packages for fault in faults(p)]
    print("\n".join(wrong) or f"{len(packages)} packages: licences, sources and names hold")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
