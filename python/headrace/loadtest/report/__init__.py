"""The reports of a run: on the terminal, and as files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from headrace.loadtest.report.files import json_text, junit_xml, markdown
from headrace.loadtest.report.html import html_page
from headrace.loadtest.report.terminal import terminal
from headrace.loadtest.verdict import SuiteResult

__all__ = ["html_page", "json_text", "junit_xml", "markdown", "terminal", "write"]


def write(result: SuiteResult, folder: Path) -> Iterator[Path]:
    """Write report.html, report.json, report.md and junit.xml into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    forms = {"report.html": html_page, "report.json": json_text, "report.md": markdown, "junit.xml": junit_xml}
    for name, form in forms.items():
        path = folder / name
        path.write_text(form(result), encoding="utf-8")
        yield path
