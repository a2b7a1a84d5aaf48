"""Calls that end before their answer does: what the hook hears, what the next in line waits for, what is read ahead."""

import asyncio
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import headrace
import pytest
from raw_server import MODEL, RawServer, by_stream, client_of, error, eventually, told, whole

QUESTION = "What is double materiality?"


def waiting(client):
    return client.queue.stats()["by_status"]["waiting"]


def test_a_fallback_waits_for_its_own_limits_where_the_first_cannot_be_paid():
    costs = headrace.CostTracker()
    costs.set_budget("0.011")
    queue = headrace.RequestQueue(limits={"model": {"gpt-4o-mini": {"concurrency": 1}}})
    gate = threading.Event()
    with RawServer([gate, *whole()]) as server, ThreadPoolExecutor() as pool:
        client = client_of(server, costs=costs, queue=queue, fallbacks={"openai/gpt-4o": [MODEL]})
        running = costs.reserve("openai/gpt-4o", headrace.Usage(output_tokens=600))
        first = pool.submit(client.chat, MODEL, "Who has the slot?", max_tokens=1000)
        server.wait_for(1)
        second = pool.submit(client.chat, "openai/gpt-4o", QUESTION, max_tokens=1000)
        eventually(lambda: queue.stats()["by_status"]["leased"] == 2)
        # It was in the way; now that it is spent, only the fallback fits.
        running.settle(headrace.Usage(output_tokens=600))
        eventually(lambda: waiting(client) == 1 or server.count == 2)
        assert server.count == 1
        gate.set()
        assert (first.result().model, second.result().model) == (MODEL, MODEL)
    assert len(queue) == 0


def test_each_tenant_has_the_limit_of_each():
    gate = threading.Event()
    with RawServer([gate, *whole()]) as server, ThreadPoolExecutor() as pool:
        client = client_of(server, limits={"tenant": {"*": {"concurrency": 1}, "big": {"concurrency": 2}}})
        tenants = ["new", "new", "newer", "big", "big", "big"]
        asked = [pool.submit(client.chat, MODEL, f"{n}?", tenant=one) for n, one in enumerate(tenants)]
        server.wait_for(4)
        eventually(lambda: waiting(client) == 2)
        assert server.count == 4
        gate.set()
        assert [one.result().text for one in asked] == ["An answer."] * 6


@pytest.mark.parametrize("way", ["map", "amap"])
def test_a_map_reads_a_question_when_there_is_room_to_send_it(way):
    gate, read = threading.Event(), []

    def questions():
        for n in range(20):
            read.append(n)
            yield f"{n}?"

    def ask(client):
        if way == "map":
            return client.map(questions(), model=MODEL, concurrency=3)
        return asyncio.run(client.amap(questions(), model=MODEL, concurrency=3))

    with RawServer([gate, *whole()]) as server, client_of(server) as client, ThreadPoolExecutor() as pool:
        answers = pool.submit(ask, client)
        server.wait_for(3)
        assert (read, client.queue.stats()["by_status"]["leased"]) == ([0, 1, 2], 3)
        gate.set()
        assert [one.text for one in answers.result()] == ["An answer."] * 20


def test_a_map_of_questions_that_fail_to_come_ends_with_their_error():
    def questions():
        yield "a?"
        raise LookupError("the file ends here")

    heard, gate = [], threading.Event()
    with RawServer([gate, *whole()]) as server, client_of(server, on_call=heard.append) as client:
        with pytest.raises(LookupError):
            client.map(questions(), model=MODEL)
        assert [type(one) for one in heard] == [headrace.RequestCancelled]
        eventually(lambda: len(client.queue) == 0)


def test_the_hook_is_told_of_calls_that_are_cancelled():
    heard, never = [], threading.Event()

    async def leave(client, server):
        task = asyncio.create_task(client.achat(MODEL, QUESTION))
        await asyncio.to_thread(server.wait_for, 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with RawServer([never]) as server, client_of(server, on_call=heard.append) as client:
        asyncio.run(leave(client, server))
    assert [type(one) for one in heard] == [asyncio.CancelledError]


def test_the_hook_is_told_of_the_calls_that_an_error_of_a_map_cancels():
    heard, never = [], threading.Event()

    def reply(request):
        is_first = request.json["messages"][0]["content"] == "0?"
        return error(400, "no") if is_first else [never]

    with (
        RawServer(reply) as server,
        client_of(server, on_call=heard.append) as client,
        pytest.raises(headrace.ProviderError),
    ):
        client.map(["0?", "1?", "2?"], model=MODEL)
    assert [type(one) for one in heard] == [headrace.ProviderError, *[headrace.RequestCancelled] * 2]


@pytest.mark.parametrize("way", ["break", "close", "aclose"])
def test_the_hook_is_told_once_of_a_stream_that_is_left(way):
    heard = []

    async def leave(client):
        stream = await client.astream(MODEL, QUESTION)
        await stream.aclose()

    with RawServer(told()) as server, client_of(server, on_call=heard.append) as client:
        if way == "aclose":
            asyncio.run(leave(client))
        else:
            stream = client.stream(MODEL, QUESTION)
            next(stream)
            if way == "close":
                stream.close()
            del stream
        assert [type(one) for one in heard] == [headrace.RequestCancelled]
        eventually(lambda: len(client.queue) == 0)
        assert by_stream(client, "Another?").text == "An answer."
    assert [type(one).__name__ for one in heard] == ["RequestCancelled", "Response"]


def test_a_stream_that_is_dropped_while_an_error_is_on_its_way_hides_no_error():
    heard = []
    with RawServer(told()) as server, client_of(server, on_call=heard.append) as client, pytest.raises(LookupError):
        for _ in client.stream(MODEL, QUESTION):
            raise LookupError("what the caller did with it")
    assert len(heard) == 1


def test_a_chunk_is_a_value():
    with RawServer(told()) as server, client_of(server) as client:
        chunks = list(client.stream(MODEL, QUESTION))
    for chunk in chunks:
        copy = pickle.loads(pickle.dumps(chunk))
        assert copy == chunk
        assert (copy.raw, copy.to_dict(), hash(copy)) == (chunk.raw, chunk.to_dict(), hash(chunk))
    assert chunks[0] != chunks[1]
    assert [chunk.to_dict()["text"] for chunk in chunks] == ["An an", "swer.", ""]
    assert chunks[-1].to_dict()["finish_reason"] == "stop"
