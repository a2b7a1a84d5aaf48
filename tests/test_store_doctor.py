"""`headrace doctor FILE`: what a file holds, whether it is sound, and that looking changes nothing."""

import sqlite3
from contextlib import closing
from importlib import util
from importlib.metadata import metadata

import headrace
import pytest
from headrace.cli import main
from headrace.doctor import examine


@pytest.fixture
def file(tmp_path):
    """A queue and a ledger in one file, closed."""
    path = tmp_path / "both.db"
    queue = headrace.RequestQueue(f"sqlite:///{path}")
    queue.put_many([{"n": n, "text": f"{n} " * 200} for n in range(50)])
    costs = headrace.CostTracker(url=f"sqlite:///{path}")
    costs.record("openai/gpt-4o-mini", headrace.Usage(input_tokens=10))
    queue.close()
    del queue, costs
    return path


def test_a_sound_file(file, capsys):
    assert main(["doctor", str(file)]) == 0
    told = capsys.readouterr().out
    assert "sound" in told
    assert "room queue" in told
    assert "room costs" in told
    assert "table requests: 50 rows" in told
    assert main(["doctor", f"sqlite:///{file}", "--repair"]) == 0
    assert examine(file)["tables"]["record"] == 1


def test_a_damaged_file(file, capsys):
    with closing(sqlite3.connect(file)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        (page,) = other.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'requests'").fetchone()
    content = bytearray(file.read_bytes())
    content[(page - 1) * 4096] ^= 0xFF
    damaged = file.with_name("damaged.db")
    damaged.write_bytes(content)
    assert main(["doctor", str(damaged)]) == 1
    assert "structure:" in capsys.readouterr().out
    assert damaged.read_bytes() == content, "looking changes nothing"


def test_a_file_that_is_not_ours(tmp_path, capsys):
    foreign = tmp_path / "theirs.db"
    with closing(sqlite3.connect(foreign)) as other:
        other.execute("CREATE TABLE mine (n)")
    text = tmp_path / "notes.txt"
    text.write_text("a text")
    for path in (foreign, text, tmp_path / "missing.db", tmp_path):
        before = path.read_bytes() if path.is_file() else None
        for more in ([], ["--repair"]):
            assert main(["doctor", str(path), *more]) == 2
        assert "headrace: " in capsys.readouterr().err
        assert (path.read_bytes() if path.is_file() else None) == before


def test_the_doctor_without_a_file_does_what_it_did(capsys):
    assert main(["doctor"]) == 0
    assert "answers" in capsys.readouterr().out
    assert main(["doctor", "--repair"]) == 2


def test_the_doctor_tells_the_command_for_each_extra_that_is_missing(capsys, monkeypatch):
    monkeypatch.setattr(util, "find_spec", lambda _name: None)
    assert main(["doctor"]) == 0
    told = capsys.readouterr().out
    users = set(metadata("headrace").get_all("Provides-Extra")) - {"test", "docs", "lint"}
    assert [extra for extra in users if f"pip install 'headrace[{extra}]'" not in told] == []
