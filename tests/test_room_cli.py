"""The commands `headrace queue` and `headrace cache`, as a user gives them."""

import json
import subprocess
import sys

import headrace
import pytest
from headrace.cli import main


def run(*arguments):
    return main(arguments)


def test_dead_letters_are_shown_and_tried_again(tmp_path, capsys):
    url = f"sqlite:///{tmp_path}/queue.db"
    queue = headrace.RequestQueue(url)
    ids = queue.put_many([{"n": n} for n in range(3)])
    for job in queue.get_many(2):
        job.nack("no such site", retry=False)
    queue.close()

    assert run("queue", "dead", url) == 0
    letters = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [letter["id"] for letter in letters] == ids[:2]
    assert all(letter["reason"] == "no such site" for letter in letters)

    assert run("queue", "requeue", url, ids[0]) == 0
    assert capsys.readouterr().out == "1 requeued\n"
    assert run("queue", "stats", url) == 0
    assert json.loads(capsys.readouterr().out)["by_status"]["dead"] == 1

    assert run("queue", "requeue", url, "all") == 0
    assert headrace.RequestQueue(url).dead() == []


def test_what_is_no_request_is_not_requeued(tmp_path, capsys):
    url = f"sqlite:///{tmp_path}/queue.db"
    headrace.RequestQueue(url).close()
    assert run("queue", "requeue", url, "nope") == 2
    assert "nope" in capsys.readouterr().err


def test_cache_says_why_it_does_not_serve(tmp_path, capsys):
    url = f"sqlite:///{tmp_path}/cache.db"
    cache = headrace.SemanticCache(headrace.embedders.static(), url=url)
    cache.put("What were Acme's scope 1 emissions in 2023?", "12 t")
    del cache

    assert run("cache", "explain", url, "What were Acme's scope 1 emissions in 2022?") == 0
    assert "year 2022 differs from 2023" in capsys.readouterr().out
    assert run("cache", "stats", url) == 0
    assert json.loads(capsys.readouterr().out)["entries"] == 1
    assert run("cache", "purge", url) == 0
    assert capsys.readouterr().out == "0 entries forgotten, 1 left\n"
    assert run("cache", "purge", "--all", url) == 0
    assert capsys.readouterr().out == "1 entries forgotten, 0 left\n"


@pytest.mark.parametrize("command", ["queue stats", "queue dead", "cache stats", "cache purge", "cost summary"])
def test_a_store_that_is_not_there_is_named_and_not_made(command, tmp_path, capsys):
    for url in (f"sqlite:///{tmp_path}/none.db", f"{tmp_path}/none.db"):
        assert run(*command.split(), url) == 2
        assert f"at {tmp_path}/none.db" in capsys.readouterr().err
    assert run(*command.split(), "memory://") == 2
    assert "ends with its process" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_file_can_be_named_without_its_scheme(tmp_path, capsys):
    headrace.RequestQueue(f"sqlite:///{tmp_path}/queue.db").put("x")
    assert run("queue", "stats", f"{tmp_path}/queue.db") == 0
    assert json.loads(capsys.readouterr().out)["by_status"]["waiting"] == 1


def test_a_reader_that_has_enough_ends_the_command_quietly(tmp_path):
    queue = headrace.RequestQueue(f"sqlite:///{tmp_path}/queue.db")
    queue.put_many(["x" * 1000] * 300, max_attempts=1)
    for job in queue.get_many(300):
        job.nack("no")
    queue.close()
    command = [sys.executable, "-m", "headrace", "queue", "dead", f"{tmp_path}/queue.db"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as reader:
        # 300 kB are more than a pipe holds.
        assert reader.stdout.readline().startswith("{")
        reader.stdout.close()
        assert reader.stderr.read() == ""
        assert reader.wait(60) == 141
