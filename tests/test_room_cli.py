"""The commands `headrace queue` and `headrace cache`, as a user gives them."""

import json

import headrace
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
    assert run("queue", "requeue", f"sqlite:///{tmp_path}/queue.db", "nope") == 2
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
