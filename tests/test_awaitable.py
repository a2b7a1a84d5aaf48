"""How what the core finishes reaches an event loop."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest
from headrace import RequestQueue, Timeout


class CountingLoop(asyncio.SelectorEventLoop):
    """Counts how often another thread wakes it."""

    wakes = 0

    def call_soon_threadsafe(self, *args, **kwargs):
        self.wakes += 1
        return super().call_soon_threadsafe(*args, **kwargs)


def test_one_wake_up_hands_out_many():
    loop = CountingLoop()
    q = RequestQueue()

    async def main():
        workers = [asyncio.create_task(q.aget()) for _ in range(200)]
        await asyncio.sleep(0.05)
        before = loop.wakes
        ids = [q.put(number) for number in range(200)]
        jobs = await asyncio.gather(*workers)
        assert sorted(job.id for job in jobs) == sorted(ids)
        return loop.wakes - before

    assert loop.run_until_complete(main()) <= 100
    loop.close()


def test_a_loop_that_closes_while_something_is_awaited_leaves_the_request_to_others():
    q = RequestQueue()
    loop = asyncio.new_event_loop()
    waiting = loop.create_task(q.aget())
    loop.run_until_complete(asyncio.sleep(0.01))
    loop.close()
    request = q.put("still here")
    waiting._log_destroy_pending = False
    del waiting
    gc.collect()
    with q.get(timeout=5) as job:
        assert job.id == request
        assert job.attempt == 1


def test_a_loop_that_is_over_is_let_go():
    q = RequestQueue()
    loop = asyncio.new_event_loop()
    q.put("one")
    loop.run_until_complete(q.aget_many(1))
    loop.close()
    gone = weakref.ref(loop)
    del loop
    gc.collect()
    assert gone() is None


def test_loops_in_turn_on_one_thread_each_get_theirs():
    q = RequestQueue()
    all_loops = [asyncio.new_event_loop() for _ in range(2)]
    tasks = [loop.create_task(q.aget()) for loop in all_loops]
    for loop in all_loops:
        loop.run_until_complete(asyncio.sleep(0.01))
    ids = {q.put(number) for number in range(2)}
    jobs = [loop.run_until_complete(asyncio.wait_for(task, 5)) for loop, task in zip(all_loops, tasks, strict=True)]
    assert {job.id for job in jobs} == ids
    for loop in all_loops:
        loop.close()


def test_a_put_from_the_same_loop_wakes_it_without_another_thread():
    loop = CountingLoop()
    q = RequestQueue(max_size=300)

    async def main():
        workers = [asyncio.create_task(q.aget()) for _ in range(200)]
        await asyncio.sleep(0.05)
        before = loop.wakes
        ids = [await q.aput(number) for number in range(100)]
        ids += [q.put(number) for number in range(100)]
        jobs = await asyncio.gather(*workers)
        assert sorted(job.id for job in jobs) == sorted(ids)
        await asyncio.gather(*[q.aput_many([number] * 3) for number in range(33)])
        late = asyncio.create_task(q.aput_many(range(200)))
        await asyncio.sleep(0.05)
        assert not late.done()
        for job in jobs:
            job.ack()
        assert len(await asyncio.wait_for(late, 5)) == 200
        # Timers of the core may wake it, but not for each.
        return loop.wakes - before

    assert loop.run_until_complete(main()) <= 10
    loop.close()


def test_many_that_are_there_cost_no_turn_but_give_way_now_and_then():
    q = RequestQueue()
    turns = 0

    async def count():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def main():
        counting = asyncio.create_task(count())
        await asyncio.sleep(0)
        before = turns
        await q.aput_many(range(10))
        assert len(await q.aget_many(10)) == 10
        assert turns == before
        for _ in range(200):
            await q.aput_many(range(10))
            assert len(await q.aget_many(10)) == 10
        assert turns - before >= 10
        counting.cancel()

    asyncio.run(main())


def test_a_wait_that_times_out_or_is_cancelled_leaves_nothing_behind():
    q = RequestQueue()

    async def main():
        for _ in range(50):
            with pytest.raises(Timeout):
                await q.aget(timeout=0.001)
            waiting = asyncio.create_task(q.aget())
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            q.put("x")
            waiting.cancel()
            await asyncio.wait([waiting])
            job = waiting.result() if not waiting.cancelled() else await asyncio.wait_for(q.aget(), 5)
            assert job.attempt == 1
            job.ack()
        assert len(q) == 0

    asyncio.run(main())


def test_a_result_is_awaited_on_the_loop_that_acks_it():
    q = RequestQueue()

    async def main():
        request = await q.aput("question")
        waiting = asyncio.create_task(q.aresult(request, timeout=5))
        draining = asyncio.create_task(q.adrain(timeout=5))
        await asyncio.sleep(0.01)
        (await q.aget()).ack("answer")
        assert await waiting == "answer"
        await draining
        assert await q.aresult(request) == "answer"

    asyncio.run(main())
