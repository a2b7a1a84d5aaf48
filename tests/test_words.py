"""What a newcomer reads first: the help of every command, and the errors that are met first. They are kept as files.

After a change of words, `HEADRACE_SNAPSHOTS=write pytest tests/test_words.py` writes them anew; read the diff.
"""

import os
import re
import sys
from pathlib import Path

import headrace
import pytest
from headrace.cli import main

KEPT = Path(__file__).parent / "data" / "words"

COMMANDS = {
    "": [""],
    "map": [""],
    "serve": [""],
    "keys": ["", "create", "list", "revoke"],
    "config": ["", "check"],
    "loadtest": [""],
    "doctor": [""],
    "cost": ["", "summary", "records", "export", "report", "purge", "drain"],
    "queue": ["", "stats", "dead", "requeue"],
    "cache": ["", "stats", "explain", "purge"],
}
LINES = [
    "",
    "colt",
    "map",
    "map none.csv --template {text} --model simulated/echo",
    "map rows.csv --template text --model simulated/echo",
    "map rows.csv --template {none} --model simulated/echo",
    "map rows.csv --template {text} --model simulated/echo --budget much",
    "cost",
    "cost summary",
    "cost summary none.db",
    "cost summary memory://",
    "cost summary s3://bucket",
    "cost records ledger.db --limit many",
    "cost records ledger.db --since yesterday",
    "cost summary ledger.db --by colour",
    "cost purge ledger.db",
    "queue stats none.db",
    "queue requeue queue.db nope",
    "cache explain none.db question",
    "queue stats text.db",
    "serve --host 0.0.0.0 --port 0",
    "serve --config none.toml",
    "serve --keys text.db",
    "keys create keys.db",
    "keys create keys.db --tenant acme --budget lots",
    "keys list none.db",
    "config check none.toml",
    "config check text.db",
    "loadtest everything",
    "loadtest --scenario no_such",
    "loadtest comprehensive --scenario cost_volum",
    "loadtest --spoil nothing_known",
    "loadtest --criteria none.toml",
    "loadtest --target localhost:8000",
    "loadtest --resume text.db",
    "loadtest --live",
]


def snapshot(name, text):
    file = KEPT / name
    if os.environ.get("HEADRACE_SNAPSHOTS") == "write":
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")


def told(capsys, arguments):
    """What a command line prints, and its exit status."""
    try:
        status = main(arguments)
    except SystemExit as ended:
        status = ended.code
    out, err = capsys.readouterr()
    return status, out + err


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """A folder with a ledger, a queue, and a file that is neither; no keys; lines of 100 columns."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("OPENAI_API_KEY", "DEEPSEEK_API_KEY", "ANTHROPIC_API_KEY", "HEADRACE_TARGET_KEY"):
        monkeypatch.delenv(name, raising=False)


# What argparse writes around the words is another in each version of Python.
@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="kept as Python 3.11 writes them")
@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command(command, capsys):
    pages = []
    for verb in COMMANDS[command]:
        line = [part for part in (command, verb) if part]
        status, text = told(capsys, [*line, "--help"])
        assert status == 0
        pages.append(f"$ {' '.join(['headrace', *line, '--help'])}\n{text}")
    snapshot(f"{command or 'headrace'}.txt", "\n".join(pages))


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="kept as Python 3.11 writes them")
def test_the_errors_of_the_command_line(capsys, tmp_path):
    headrace.RequestQueue("sqlite:///queue.db").close()
    headrace.CostTracker(url="sqlite:///ledger.db").record("openai/gpt-4o", headrace.Usage(1, 1))
    Path("text.db").write_text("notes\n")
    Path("rows.csv").write_text("text\nwaste\n")
    pages = []
    for line in LINES:
        status, text = told(capsys, line.split())
        assert status == 2, line
        text = re.sub(r"in \d+\.\d+s", "in 0.00s", text.replace(str(tmp_path), "FOLDER"))
        pages.append(f"$ headrace {line}".rstrip() + f"\n{text}")
    snapshot("errors.txt", "\n".join(pages))


def simulated():
    return headrace.Client([headrace.providers.Simulated(time_to_first_token=0)])


FIRST_ERRORS = {
    'RequestQueue("postgres://localhost")': lambda: headrace.RequestQueue("postgres://localhost"),
    'RequestQueue().put("x", priority="urgent")': lambda: headrace.RequestQueue().put("x", priority="urgent"),
    "RequestQueue().put(object())": lambda: headrace.RequestQueue().put(object()),
    "RequestQueue().get(timeout=0)": lambda: headrace.RequestQueue().get(timeout=0),
    'RequestQueue().status("nope")': lambda: headrace.RequestQueue().status("nope"),
    'SemanticCache().put("q", 1, embedding=[0, 0])': lambda: headrace.SemanticCache().put("q", 1, embedding=[0, 0]),
    "SemanticCache(threshold=2)": lambda: headrace.SemanticCache(threshold=2),
    "CostTracker().set_budget(-1)": lambda: headrace.CostTracker().set_budget(-1),
    'CostTracker(fallback="raise").record("acme/none", Usage(1, 1))': lambda: headrace.CostTracker(
        fallback="raise"
    ).record("acme/none", headrace.Usage(1, 1)),
    'CostTracker().set_budget(1, period="year")': lambda: headrace.CostTracker().set_budget(1, period="year"),
    "providers.OpenAI()": lambda: headrace.providers.OpenAI(),
    'client.chat("gpt-4o", "What?")': lambda: simulated().chat("gpt-4o", "What?"),
    'client.chat("openai/gpt-4o", "What?")': lambda: simulated().chat("openai/gpt-4o", "What?"),
    'client.chat("simulated/echo", "")': lambda: simulated().chat("simulated/echo", ""),
}


def test_the_errors_that_are_met_first():
    pages = []
    for line, call in FIRST_ERRORS.items():
        with pytest.raises((headrace.HeadraceError, ValueError, TypeError)) as raised:
            call()
        pages.append(f">>> {line}\n{raised.type.__name__}: {raised.value}\n")
    snapshot("first_errors.txt", "\n".join(pages))
