"""Whose a client, a queue and a call are: after a fork, on a queue that two share, after a process was killed."""

import gc
import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import headrace
import pytest
from raw_server import (
    MODEL,
    USAGE,
    RawServer,
    chunk,
    client_of,
    completion,
    eventually,
    http,
    provider_of,
    sse,
    streamed,
    told,
)

QUESTION = "What is a scope 3 inventory?"
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")


def echo(request):
    """What was asked, told back."""
    return http(200, completion(request.json["messages"][-1]["content"]))


def in_child(work):
    """Fork a process that does `work`; `told_by` has what it gave."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            try:
                told = work()
            except BaseException as error:
                told = repr(error)
            with os.fdopen(writing, "w") as pipe:
                json.dump(told, pipe)
        finally:
            os._exit(0)
    os.close(writing)
    return child, reading


def told_by(child, reading):
    try:
        with os.fdopen(reading) as pipe:
            return json.load(pipe)
    finally:
        os.kill(child, signal.SIGKILL)  # one that hangs is not left behind
        os.waitpid(child, 0)


@needs_fork
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("is_durable", [False, True])
@pytest.mark.parametrize("is_used_before", [False, True])
def test_a_client_made_before_a_fork_works_in_every_worker(tmp_path, is_durable, is_used_before):
    queue = headrace.RequestQueue(f"sqlite:///{tmp_path}/queue.db") if is_durable else None
    with RawServer(echo) as server, client_of(server, queue=queue) as client:
        if is_used_before:
            assert client.chat(MODEL, "before?").text == "before?"

        # They begin together: none is forked while Python's server, in this process, imports for the first call.
        begins, begin = os.pipe()

        def work():
            os.read(begins, 1)
            return [client.chat(MODEL, f"{os.getpid()} {n}?").text for n in range(30)]

        children = [in_child(work) for _ in range(3)]
        os.write(begin, b"123")
        for child, reading in children:
            assert told_by(child, reading) == [f"{child} {n}?" for n in range(30)]
        assert client.chat(MODEL, "after?").text == "after?"
    os.close(begins)
    os.close(begin)
    if queue is not None:
        queue.close()


@needs_fork
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_stream_and_a_map_work_after_a_fork():
    with RawServer(echo) as server, client_of(server) as client:
        client.chat(MODEL, "before?")
        child = in_child(lambda: [one.text for one in client.map([f"{n}?" for n in range(5)], model=MODEL)])
        assert told_by(*child) == [f"{n}?" for n in range(5)]
        server.then(told())
        assert told_by(*in_child(lambda: "".join(part.text for part in client.stream(MODEL, QUESTION)))) == "An answer."


@pytest.mark.parametrize("url", ["memory://", "sqlite:///{}/queue.db"])
def test_two_clients_on_one_queue_do_not_take_each_others_calls(tmp_path, url):
    url = url.format(tmp_path)

    def answer(name):
        return lambda request: http(200, completion(f"{name}: {request.json['messages'][-1]['content']}"))

    with RawServer(answer("a")) as a, RawServer(answer("b")) as b, closing(headrace.RequestQueue(url)) as queue:
        clients = {
            name: headrace.Client([provider_of(server, name=name)], queue=queue)
            for name, server in (("a", a), ("b", b))
        }
        with ThreadPoolExecutor(16) as pool:
            asked = [(name, n) for n in range(60) for name in clients]
            answers = list(pool.map(lambda one: clients[one[0]].chat(f"{one[0]}/m", f"{one[1]}?"), asked))
        assert [answer.text for answer in answers] == [f"{name}: {n}?" for name, n in asked]
        assert {answer.cache for answer in answers} == {None}
        assert (a.count, b.count) == (60, 60)
        for name, client in clients.items():
            assert client.costs.total == sum(r.cost for (n, _), r in zip(asked, answers, strict=True) if n == name) > 0


def test_a_worker_on_the_queue_of_a_client_keeps_to_its_own_work():
    with (
        RawServer(told()) as server,
        closing(headrace.RequestQueue()) as queue,
        client_of(server, queue=queue) as client,
    ):
        queue.put("a request of the application's own")
        assert client.chat(MODEL, QUESTION, timeout=60).text == "An answer."
        assert queue.get(timeout=60).payload == "a request of the application's own"


def test_closing_a_client_leaves_a_queue_that_it_was_given():
    with RawServer() as server, closing(headrace.RequestQueue()) as queue:
        with client_of(server, queue=queue) as client:
            client.chat(MODEL, QUESTION)
        queue.put("still open")
        assert queue.get(timeout=60).payload == "still open"
        with client_of(server, queue=queue) as other:
            assert other.chat(MODEL, QUESTION).text == "An answer."


def test_closing_a_client_closes_the_queue_that_it_made():
    with RawServer() as server:
        client = client_of(server)
        client.close()
        with pytest.raises(headrace.QueueClosed):
            client.chat(MODEL, QUESTION)
        assert server.count == 0


KILLED = """
import sys, time, headrace
from headrace.providers import OpenAICompatible
url, folder, way = sys.argv[1:]
queue = headrace.RequestQueue(f"sqlite:///{folder}/queue.db", lease_seconds=1)
costs = headrace.CostTracker(url=f"sqlite:///{folder}/costs.db")
cache = headrace.SemanticCache(url=f"sqlite:///{folder}/cache.db")
client = headrace.Client([OpenAICompatible(url, name="openai", api_key="sk-test")], queue=queue, costs=costs, cache=cache)
if way == "chat":
    client.chat("openai/gpt-4o-mini", "What is a scope 3 inventory?")
else:
    for chunk in client.stream("openai/gpt-4o-mini", "What is a scope 3 inventory?"):
        break
    while len(queue):
        time.sleep(0.01)
    queue.close()
    print("left", flush=True)
    sys.stdin.read()
"""


def durable_client(server, folder):
    return client_of(
        server,
        queue=headrace.RequestQueue(f"sqlite:///{folder}/queue.db", lease_seconds=1),
        costs=headrace.CostTracker(url=f"sqlite:///{folder}/costs.db"),
        cache=headrace.SemanticCache(url=f"sqlite:///{folder}/cache.db"),
    )


def test_a_durable_call_whose_process_was_killed_is_finished_once(tmp_path):
    never = threading.Event()
    with RawServer([never], told()) as server:
        script = [sys.executable, "-c", KILLED, server.url, str(tmp_path), "chat"]
        with subprocess.Popen(script, cwd=Path(__file__).parent) as process:
            server.wait_for(1)
            process.send_signal(signal.SIGKILL)
            process.wait(60)
        client = durable_client(server, tmp_path)
        server.wait_for(2)
        eventually(lambda: len(client.queue) == 0)
        answer = client.chat(MODEL, QUESTION)
        assert (answer.text, answer.cache) == ("An answer.", "exact")
        assert client.costs.total == answer.saved_cost > 0
        client.queue.close()
        again = durable_client(server, tmp_path)
        assert again.chat(MODEL, QUESTION).cache == "exact"
        assert server.count == 2
        again.queue.close()


def test_a_durable_stream_that_was_left_is_not_asked_again_at_the_next_start(tmp_path):
    never = threading.Event()
    half = streamed(sse(chunk({"content": "Scope 3 "})), never)
    with RawServer(half, told()) as server:
        script = [sys.executable, "-c", KILLED, server.url, str(tmp_path), "stream"]
        with subprocess.Popen(script, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == "left\n"
            server.wait_until_left()  # the provider was told to stop while the process lived
            process.kill()
            process.wait(60)
        client = durable_client(server, tmp_path)
        gc.collect()
        assert len(client.queue) == 0
        assert client.chat(MODEL, "Something else?", timeout=60).text == "An answer."
        asked = [request.json["messages"][-1]["content"] for request in server.requests]
        assert asked == [QUESTION, "Something else?"]
        client.queue.close()


def test_a_call_out_of_time_on_a_durable_queue_is_not_finished_by_the_next_client(tmp_path):
    never = threading.Event()
    with RawServer([never], told(usage=USAGE)) as server:
        client = durable_client(server, tmp_path)
        with pytest.raises(headrace.Timeout):
            client.chat(MODEL, QUESTION, timeout=1)
        eventually(lambda: len(client.queue) == 0)
        assert client.queue.dead() == []
        client.queue.close()
        again = durable_client(server, tmp_path)
        assert len(again.queue) == 0
        assert again.chat(MODEL, QUESTION, timeout=60).cache is None
        assert server.count == 2
        again.queue.close()
