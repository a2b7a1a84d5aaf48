"""A provider that is slow or has no room: second requests, how much goes out at once, who is refused first."""

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import headrace
import pytest
from raw_server import MODEL, RawServer, by_chat, by_stream, client_of, eventually, told


def _slow(request):
    threading.Event().wait(1)
    return told()(request)


@pytest.mark.parametrize("way", [by_chat, by_stream])
def test_where_the_first_request_is_slow_to_begin_a_second_one_answers(way):
    never = threading.Event()
    # Three of forty are slow, so that no other of them is slower than nineteen of twenty.
    with RawServer(_slow, _slow, _slow, told()) as server, client_of(server, hedge=0.05) as client:
        for number in range(40):
            way(client, f"{number}?")
        server.then([never], told("The second answer."), told())
        answer = way(client, "Which one is slow?")
        assert (answer.text, answer.attempts) == ("The second answer.", 2)
        # The one that lost is cancelled, and was paid for.
        eventually(lambda: len(client.queue) == 0)
        records = client.costs.records()
        assert len(records) == 42
        assert [record.estimated for record in records].count(True) == 1
        # One call in twenty may be asked twice, and two were affordable.
        server.then([never], told(), [never], [never])
        way(client, "And the next?")
        with pytest.raises(headrace.Timeout):
            way(client, "And one too many?", timeout=3)
        assert server.count == 40 + 2 + 2 + 1


def test_nothing_is_asked_twice_unless_it_is_asked_for():
    gate = threading.Event()
    with RawServer() as server, client_of(server) as client, ThreadPoolExecutor() as pool:
        for number in range(40):
            by_chat(client, f"{number}?")
        server.then([gate, *told()(_Whole)], told())
        slow = pool.submit(by_chat, client, "Which one is slow?")
        assert not threading.Event().wait(0.5)
        assert server.count == 41
        gate.set()
        assert slow.result().attempts == 1


class _Whole:
    json: ClassVar = {"stream": False}


def test_of_what_waits_for_a_full_provider_the_least_urgent_is_refused_first():
    gate = threading.Event()
    with (
        RawServer([gate, *told()(_Whole)]) as server,
        client_of(server, adaptive=True) as client,
        ThreadPoolExecutor(200) as pool,
    ):
        assert client.concurrency == {"openai": 20}
        running = [pool.submit(client.chat, MODEL, f"{n}?") for n in range(20)]
        server.wait_for(20)
        waiting = [pool.submit(client.chat, MODEL, f"low {n}?", priority="low") for n in range(20)]
        eventually(lambda: client.queue.stats()["by_status"]["waiting"] == 20)
        with pytest.raises(headrace.QueueFull, match="overloaded"):
            client.chat(MODEL, "One low too many?", priority="low")
        waiting += [pool.submit(client.chat, MODEL, f"normal {n}?") for n in range(60)]
        eventually(lambda: client.queue.stats()["by_status"]["waiting"] == 80)
        for priority in ("low", "normal"):
            with pytest.raises(headrace.QueueFull, match="priority"):
                client.chat(MODEL, f"One {priority} too many?", priority=priority)
        urgent = [pool.submit(client.chat, MODEL, f"{p}?", priority=p) for p in ("high", "critical")]
        eventually(lambda: client.queue.stats()["by_status"]["waiting"] == 82)
        assert server.count == 20
        gate.set()
        assert {one.result().text for one in [*running, *waiting, *urgent]} == {"An answer."}
    assert len(client.queue) == 0


def test_what_a_provider_takes_at_once_is_found_out():
    with RawServer() as server, client_of(server, adaptive=True) as client, ThreadPoolExecutor(64) as pool:
        seen = set()

        def ask(number):
            # Where few fit at the moment, not all of them may wait.
            with contextlib.suppress(headrace.QueueFull):
                client.chat(MODEL, f"{number}?", cache=False)
            seen.add(client.concurrency["openai"])

        for _ in range(3):
            list(pool.map(ask, range(64)))
        assert seen != {20}
        assert min(seen) >= 1
        refused = RawServer(lambda _: _busy())
        with refused, client_of(refused, adaptive=True) as other:
            for number in range(10):
                with pytest.raises(headrace.RateLimited):
                    other.chat(MODEL, f"{number}?")
            assert other.concurrency["openai"] < 10
    with RawServer() as server, client_of(server) as client:
        assert client.concurrency == {}


def _busy():
    from raw_server import error

    return error(429, "slow down")


@pytest.mark.parametrize("share", [-0.1, 1.1, "often"])
def test_a_share_that_is_none_is_refused(share):
    with RawServer() as server, pytest.raises(headrace.ConfigError, match="hedge"):
        client_of(server, hedge=share)
