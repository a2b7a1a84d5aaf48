"""The site: every public name and every page has its place, and it builds strictly where mkdocs is installed."""

import importlib.util
import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest
from test_docstrings import NAMES, modules

ROOT = Path(__file__).parent.parent
spec = importlib.util.spec_from_file_location("docs_site", ROOT / "scripts" / "docs_site.py")
docs_site = importlib.util.module_from_spec(spec)
spec.loader.exec_module(docs_site)
REFERENCE = docs_site.references()
WRITTEN = sorted(path.name for path in (ROOT / "docs").glob("*.md"))


def test_every_public_module_has_a_page():
    assert {f"reference/{module.__name__}.md" for module in modules()} == set(REFERENCE)


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_stands_on_a_page(name):
    """Where it is met first, in full; elsewhere with a link to there."""
    module, _, own = name.rpartition(".")
    page = REFERENCE[f"reference/{module}.md"]
    assert f'heading: "{name}"' in page or f"- `{name}`: see [{own}]" in page


def test_what_a_page_shows_is_what_the_name_is():
    """The tool finds a name by where it is defined: that must be the same thing."""
    shown = [
        line.removeprefix("::: ") for page in REFERENCE.values() for line in page.splitlines() if line[:3] == ":::"
    ]
    assert len(shown) == len(set(shown)) > 100
    for where in shown:
        module, _, own = where.rpartition(".")
        found = getattr(importlib.import_module(module), own)
        assert inspect.ismodule(found) is False, where


def test_every_page_has_its_place():
    placed = [
        page if isinstance(page, str) else next(iter(page.values()))
        for part in docs_site.nav(WRITTEN)
        for pages in part.values()
        for page in pages
    ]
    assert len(placed) == len(set(placed))
    assert set(WRITTEN) | set(docs_site.generated()) == set(placed)


def test_links_out_of_the_pages_lead_to_the_pages_of_examples():
    text = "[a](../examples/quickstart.py), [b](queue.md), [c](../examples/ci/github-workflow.yml)"
    led = docs_site.on_page_markdown(text)
    assert led == "[a](examples/quickstart.py.md), [b](queue.md), [c](examples/ci/github-workflow.yml.md)"
    assert "examples/ci/github-workflow.yml.md" in docs_site.generated()


@pytest.mark.timeout(600)
def test_the_site_builds_strictly(tmp_path):
    if importlib.util.find_spec("mkdocs") is None:
        pytest.skip("mkdocs is not installed: pip install 'headrace[docs]'")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, timeout=580, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    )
    assert done.returncode == 0, done.stderr[-4000:]
    page = (tmp_path / "site/reference/headrace.html").read_text(encoding="utf-8")
    # Signatures, and what each argument is, come with a class.
    assert "ageing_seconds" in page
    assert "Waiting work" in page or "ageing" in page
