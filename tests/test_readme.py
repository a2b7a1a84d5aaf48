"""What the README and the guides show is true: their Python runs, their commands, extras and files are there."""

import doctest
import re
from importlib import metadata
from pathlib import Path

import pytest
from headrace.cli import main

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCKS = [
    pytest.param(found[1], id=f"{page.name}:{page.read_text(encoding='utf-8')[: found.start()].count(chr(10)) + 1}")
    for page in PAGES
    for found in re.finditer(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
]
COMMANDS = re.findall(r"^\| `headrace (\w+) ?([\w|\\]*)`", README.read_text(encoding="utf-8"), re.MULTILINE)
LINKS = [
    pytest.param(page.parent / link, id=f"{page.name}: {link}")
    for page in PAGES
    for link in re.findall(r"\]\(([^)#:]+)[^):]*\)", page.read_text(encoding="utf-8"))
]


def test_the_readme_has_python_to_start_with():
    assert any(block.id.startswith("README.md") for block in BLOCKS)


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_of_python_runs(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "DEEPSEEK_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    names = {"__name__": "__main__"}
    if block.startswith(">>>"):
        shown = doctest.DocTestParser().get_doctest(block, names, "a block", None, None)
        assert doctest.DocTestRunner(verbose=False).run(shown).failed == 0
    else:
        exec(compile(block, "a block", "exec"), names)


@pytest.mark.parametrize(("command", "verbs"), COMMANDS)
def test_a_command_of_the_readme_is_there(command, verbs, capsys):
    for verb in verbs.replace("\\", "").split("|"):
        with pytest.raises(SystemExit) as ended:
            main([command, *([verb] if verb else []), "--help"])
        assert ended.value.code == 0
        assert "usage: headrace" in capsys.readouterr().out


def test_the_readme_names_every_command(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    told = re.findall(r"^    (\w+) +\w", capsys.readouterr().out, re.MULTILINE)
    assert {command for command, _ in COMMANDS} == set(told)


def test_the_extras_of_the_readme_are_there():
    named = set(re.findall(r"^\| `(\w+)` \|", README.read_text(encoding="utf-8"), re.MULTILINE))
    internal = {"test", "lint", "docs"}
    assert named == set(metadata.metadata("headrace").get_all("Provides-Extra")) - internal


@pytest.mark.parametrize("target", LINKS)
def test_a_link_leads_to_a_file(target):
    assert target.exists()
