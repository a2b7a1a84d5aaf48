"""What the site is made of, for mkdocs: the order of its pages, a page for each public module, one for each example.

The pages of modules are written from what can be imported, so that no public name is left out. A page that the order does
not know stands at the end of its part.
"""

from __future__ import annotations

import importlib
import inspect
import json
import pkgutil
import re
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
LANGUAGES = {".py": "python", ".yml": "yaml", ".toml": "toml", ".ipynb": "json"}

PARTS: dict[str, list[str]] = {
    "Start": ["index.md", "install.md", "first-hour.md", "tour.md", "moving.md"],
    "Guides": [
        "client.md",
        "providers.md",
        "frame.md",
        "routing.md",
        "endpoint.md",
        "queue.md",
        "cache.md",
        "cost.md",
        "carbon.md",
        "plots.md",
        "loadtest.md",
        "load-generator.md",
        "workload.md",
    ],
    "In production": [
        "deployment.md",
        "operations.md",
        "observability.md",
        "security.md",
        "files.md",
        "redis.md",
        "scaling.md",
    ],
    "Background": ["line.md", "cache-quality.md", "prices.md", "compare.md"],
}
# Ours, but none of a user's: the scenarios of the suite and what spoils them on purpose.
INTERNAL = ("scenarios", "spoils")


def modules() -> list[ModuleType]:
    """The package and its public modules."""
    import headrace

    found = [headrace]
    for module in pkgutil.walk_packages(headrace.__path__, "headrace."):
        if not any(part.startswith("_") or part in INTERNAL for part in module.name.split(".")):
            found.append(importlib.import_module(module.name))
    return found


def public(module: ModuleType) -> list[str]:
    """The public classes, functions and values of a module, without its submodules."""
    names = getattr(module, "__all__", None) or [
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__
    ]
    return [name for name in names if not inspect.ismodule(getattr(module, name)) and not name.startswith("__")]


def home(module: ModuleType, name: str) -> str:
    """Where the documentation tool finds a name: where it is defined."""
    value = getattr(module, name)
    where = getattr(value, "__module__", None) or module.__name__
    own = getattr(value, "__name__", name)
    ours = where.split(".")[0] == "headrace" and (inspect.isclass(value) or callable(value))
    return f"{where}.{own}" if ours and own.isidentifier() else f"{module.__name__}.{name}"


def references() -> dict[str, str]:
    """A page for each public module: each name where it is met first, and a link to it elsewhere."""
    seen: dict[str, str] = {}
    pages: dict[str, str] = {}
    for module in modules():
        page = f"reference/{module.__name__}.md"
        lines = [f"# {module.__name__}", "", _first_lines(module), ""]
        for name in public(module):
            where = home(module, name)
            if where in seen:
                lines += [f"- `{module.__name__}.{name}`: see [{name}]({Path(seen[where]).name})", ""]
                continue
            seen[where] = page
            lines += [f"::: {where}", "    options:", f'      heading: "{module.__name__}.{name}"', ""]
        pages[page] = "\n".join(lines)
    return pages


def _first_lines(module: ModuleType) -> str:
    """What a module says of itself before its examples, as plain text: its words are written for a terminal."""
    text = inspect.getdoc(module) or ""
    return re.split(r"\n\s*(?:Example|>>>|::)", text)[0].strip()


def examples() -> dict[str, str]:
    """A page for each example, with its text."""
    pages = {}
    for path in sorted(EXAMPLES.rglob("*")):
        if path.suffix in LANGUAGES and "__pycache__" not in path.parts:
            name = path.relative_to(ROOT).as_posix()
            text = path.read_text(encoding="utf-8")
            shown = _cells(text) if path.suffix == ".ipynb" else _block(text, LANGUAGES[path.suffix])
            pages[f"{name}.md"] = f"# {name}\n\n{shown}"
    return pages


def _block(text: str, language: str) -> str:
    return f"````{language}\n{text.rstrip()}\n````\n"


def _cells(text: str) -> str:
    """A notebook as people read it: its words as they are, with their headings one level lower, and its code."""
    shown = []
    for cell in json.loads(text)["cells"]:
        source = "".join(cell["source"])
        shown.append(_block(source, "python") if cell["cell_type"] == "code" else re.sub(r"(?m)^#", "##", source))
    return "\n\n".join(shown) + "\n"


def generated() -> dict[str, str]:
    """All pages that are no files of docs/."""
    return {**references(), **examples()}


def nav(written: list[str]) -> list[dict[str, Any]]:
    """The order: what is known in its place, what is not at the end of the guides.

    Args:
        written: the pages of docs/.
    """
    known = {page for pages in PARTS.values() for page in pages}
    parts = {part: [page for page in pages if page in written] for part, pages in PARTS.items()}
    parts["Guides"] += sorted(page for page in written if page not in known)
    made = generated()
    parts["Examples"] = sorted(page for page in made if page.startswith("examples/"))
    parts["Reference"] = sorted(page for page in made if page.startswith("reference/"))
    titled = {"Examples": "examples/", "Reference": "reference/"}
    return [
        {part: [{page[len(titled[part]) : -3]: page} if part in titled else page for page in pages]}
        for part, pages in parts.items()
    ]


def on_config(config: Any) -> Any:
    """Put the pages in order."""
    config.nav = nav(sorted(path.name for path in Path(config.docs_dir).glob("*.md")))
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that are no files."""
    from mkdocs.structure.files import File

    for name, text in generated().items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Lead links out of docs/ to the pages that stand for those files here."""
    return re.sub(r"\]\(\.\./(examples/[\w./-]+\.\w+)\)", r"](\1.md)", markdown)
